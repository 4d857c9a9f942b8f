"""What is asked: a query becomes a filter, its answer JSON, CSV or NDJSON."""
