"""How the ledger is signed, published and guarded: tree, checkpoint, key, journal, and the ways out of trouble."""
