"""Actuators: what an agent does."""
