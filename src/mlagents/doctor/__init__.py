"""Checks of an installation, each with advice for the case that it fails."""
