"""Evaluation: plays policies in an environment and measures returns."""
