"""The configuration: the YAML file, its secrets, and the block for the configuration of a registry."""
