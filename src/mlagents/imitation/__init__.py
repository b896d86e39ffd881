"""Learning from demonstrations: recordings as columns, and behavioral cloning."""
