"""Settings of the reward signal ``rnd``."""

from __future__ import annotations

from mlagents.rewards.learned_settings import LearnedSignalSettings
from mlagents.settings.types import Bool, NonNegativeFloat, NonNegativeInt


class RNDSettings(LearnedSignalSettings):
    """Random network distillation (Burda et al., arXiv:1810.12894): reward for unfamiliar states."""

    learning_rate: NonNegativeFloat = 1e-4
    """Step size of Adam, constant; 0 or more."""
    normalize_reward: Bool = True
    """Whether the reward is divided by the running deviation of its discounted sum before ``strength``.

    False is the arithmetic of the original toolkit: the squared error itself.
    """
    whiten_observations: Bool = True
    """Whether vectors and images are scaled by their running mean and deviation, whatever ``normalize`` says.

    False is the original toolkit's way: ``network_settings.normalize`` decides, and images stay as they are.
    """
    warm_up_steps: NonNegativeInt = 1000
    """Observations from which the scaling is known before anything is rewarded or learned, agent-steps."""
