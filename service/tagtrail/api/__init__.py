"""The HTTP API: JSON, CSV and NDJSON, one file for each subject."""
