"""Curricula: environment parameters that change as a behavior learns."""
