"""A training run: one object that owns every piece of state, its checkpoints and its results folder."""
