"""The signed log over the ledger: tree, checkpoints, keys, journal, proofs, verification and recovery."""
