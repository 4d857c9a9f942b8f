"""Authentication and authorisation: callers, scopes, tokens, throttle, redaction and the disclosure log."""
