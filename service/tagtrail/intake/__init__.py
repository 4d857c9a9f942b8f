"""The intake: the registry's POST, its token, and its bytes read as an envelope of events."""
