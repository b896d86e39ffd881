"""The reward that the environment itself gives."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mlagents.networks.settings import NetworkSettings
from mlagents.settings.base import Settings
from mlagents.settings.types import Float32, UnitFloat

if TYPE_CHECKING:  # settings are read without loading NumPy
    import numpy as np
    from numpy.typing import NDArray


class ExtrinsicSettings(Settings):
    """Settings of the reward signal ``extrinsic``."""

    gamma: UnitFloat = 0.99
    """Discount per decision; 0 to 1."""
    strength: Float32 = 1.0
    """Factor applied to the reward of the environment."""
    network_settings: NetworkSettings = NetworkSettings()
    """Accepted because every reward signal has it; this one needs no network."""


def extrinsic_reward(rewards: NDArray[np.float32], settings: ExtrinsicSettings) -> NDArray[np.float32]:
    """Reward of the signal for each row, float32 ``[R]``.

    Args:
        rewards: float32 ``[R]``, individual plus group reward from the environment.
        settings: its strength is applied.
    """
    scaled: NDArray[np.float32] = rewards * rewards.dtype.type(settings.strength)
    return scaled
