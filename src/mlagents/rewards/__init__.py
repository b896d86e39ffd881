"""Reward signals, one per file, each beside its settings."""
