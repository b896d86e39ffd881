"""Policies: who decides for the agents of a behavior."""
