"""Trainers: everything that learns."""

from mlagents_envs import __version__

__all__ = ["__version__"]
