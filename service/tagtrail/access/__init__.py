"""Who asks, and what they may see: callers, scopes, tokens, throttle, redaction and the disclosure log."""
