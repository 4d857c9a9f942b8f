"""The auditor's export: one zip that can be checked without tagtrail. `bundle.py` lists its files in order."""
