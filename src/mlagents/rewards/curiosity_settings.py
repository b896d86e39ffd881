"""Settings of the reward signal ``curiosity``."""

from __future__ import annotations

from mlagents.rewards.learned_settings import LearnedSignalSettings
from mlagents.settings.types import Bool


class CuriositySettings(LearnedSignalSettings):
    """Curiosity (Pathak et al., arXiv:1705.05363): reward for badly predicted outcomes of actions."""

    normalize_reward: Bool = True
    """Whether the reward is divided by the running deviation of its discounted sum before ``strength``.

    False is the arithmetic of the original toolkit: the squared error itself, at most 1 / strength.
    """
