"""The writes: append lines to the ledger, and project them."""
