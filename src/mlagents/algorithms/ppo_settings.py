"""Hyperparameters of proximal policy optimisation."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import model_validator

from mlagents.settings.base import Settings
from mlagents.settings.types import (
    Bool,
    NonNegativeFloat,
    PositiveFloat,
    PositiveInt32,
    ScheduleType,
    UnitFloat,
)

__all__ = ["PPOSettings", "ScheduleType"]


class PPOSettings(Settings):
    """Hyperparameters of PPO (Schulman et al., arXiv:1707.06347).

    Linear schedules fall from the value given here at step 0 to a floor at ``max_steps``: learning
    rate 1e-10, epsilon 0.1, beta 1e-5. Where ``learning_rate_schedule`` is given and ``beta_schedule``
    or ``epsilon_schedule`` is not, the latter follow it.
    """

    batch_size: PositiveInt32 = 1024
    """Experiences per gradient step, agent-steps; 1 or more, at most ``buffer_size``."""
    buffer_size: PositiveInt32 = 10240
    """Experiences collected before an update, agent-steps; 1 or more."""
    learning_rate: NonNegativeFloat = 3e-4
    """Initial step size of Adam; 0 or more."""
    learning_rate_schedule: ScheduleType = ScheduleType.LINEAR
    """Schedule of the learning rate."""
    beta: NonNegativeFloat = 5e-3
    """Initial weight of the entropy bonus; 0 or more."""
    beta_schedule: ScheduleType = ScheduleType.LINEAR
    """Schedule of ``beta``."""
    epsilon: PositiveFloat = 0.2
    """Initial clipping range of the probability ratio; above 0."""
    epsilon_schedule: ScheduleType = ScheduleType.LINEAR
    """Schedule of ``epsilon``."""
    lambd: UnitFloat = 0.95
    """Lambda of generalised advantage estimation (Schulman et al., arXiv:1506.02438); 0 to 1."""
    num_epoch: PositiveInt32 = 3
    """Passes over the collected experiences per update; 1 or more."""
    shared_critic: Bool = False
    """Whether actor and critic share one body."""
    max_grad_norm: NonNegativeFloat = 0.5
    """Gradients with a larger global L2 norm are scaled down to it; 0 means never."""
    clip_value_loss: Bool = False
    """Whether the value loss is clipped by ``epsilon`` around the old estimate."""
    ratio_per_component: Bool = False
    """Whether ratio and clipping apply to each action component instead of the whole action.

    True is the arithmetic of the original toolkit; false is that of the paper.
    """
    mean_continuous_entropy: Bool = False
    """Whether entropy is averaged over continuous action dimensions instead of summed.

    True is the arithmetic of the original toolkit; false is the entropy of the joint distribution.
    """

    @model_validator(mode="before")
    @classmethod
    def _follow_learning_rate_schedule(cls, data: Any) -> Any:  # noqa: ANN401
        schedule = data.get("learning_rate_schedule") if isinstance(data, Mapping) else None
        if schedule not in list(ScheduleType):
            return data
        return {"beta_schedule": schedule, "epsilon_schedule": schedule, **data}
