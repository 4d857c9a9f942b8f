"""What the operator decides: the YAML file, its secrets, and the block to paste into a registry's own file."""
