"""Sampling: environment workers, and the collector that turns their steps into rows of experience."""
