"""The reward that the environment itself gives."""

from __future__ import annotations

from mlagents.networks.settings import NetworkSettings
from mlagents.settings.base import Settings
from mlagents.settings.types import Float, UnitFloat


class ExtrinsicSettings(Settings):
    """Settings of the reward signal ``extrinsic``."""

    gamma: UnitFloat = 0.99
    """Discount per decision; 0 to 1."""
    strength: Float = 1.0
    """Factor applied to the reward of the environment."""
    network_settings: NetworkSettings = NetworkSettings()
    """Accepted because every reward signal has it; this one needs no network."""
