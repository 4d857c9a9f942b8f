"""The export bundle: one zip that an auditor can check without us. `make.py` says what is in it, in which order."""
