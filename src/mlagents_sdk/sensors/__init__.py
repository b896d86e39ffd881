"""Sensors: what an agent observes."""
