"""Learning environments written with the SDK; found by name through entry points."""
