"""Hyperparameters of the soft actor-critic."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import TypeAdapter, ValidationError, model_validator

from mlagents.settings.base import Settings
from mlagents.settings.types import (
    Bool,
    Float,
    NonNegativeFloat,
    NonNegativeInt,
    PositiveFloat,
    PositiveInt32,
    ScheduleType,
    UnitFloat,
)


class SACSettings(Settings):
    """Hyperparameters of SAC (Haarnoja et al., arXiv:1812.05905), for any kind of actions.

    One update is a gradient step of both critics, of the policy and of the temperatures, and a step of the
    targets. A linear learning rate falls to 1e-10 at ``max_steps``.
    """

    batch_size: PositiveInt32 = 128
    """Experiences per update, agent-steps; 1 or more. With memory, batch_size / sequence_length sequences."""
    buffer_size: PositiveInt32 = 50_000
    """Experiences that are remembered, agent-steps, the oldest are forgotten first; 1 or more."""
    learning_rate: NonNegativeFloat = 3e-4
    """Initial step size of all optimisers; 0 or more."""
    learning_rate_schedule: ScheduleType = ScheduleType.CONSTANT
    """Schedule of the learning rates."""
    buffer_init_steps: NonNegativeInt = 0
    """Experiences collected before the first update, agent-steps; 0 or more."""
    tau: UnitFloat = 0.005
    """How far the targets move towards the critics at each update; 0 to 1."""
    steps_per_update: PositiveFloat = 1.0
    """Agent-steps per update; above 0."""
    reward_signal_steps_per_update: PositiveFloat = 1.0
    """Agent-steps per update of the learned reward signals; above 0. As ``steps_per_update`` if left out."""
    init_entcoef: PositiveFloat = 1.0
    """Initial temperature, the weight of the entropy; above 0. It is learned from then on."""
    save_replay_buffer: Bool = False
    """Whether the state to resume from holds all that is remembered.

    With it a resumed run continues exactly. Without it the state is small, and a resumed run first collects
    a tenth of ``buffer_size`` (or as much as it had, or ``buffer_init_steps`` if that is more) before it
    learns again. Numbered checkpoints never hold it.
    """
    max_grad_norm: NonNegativeFloat = 0.0
    """Gradients of policy and critics with a larger L2 norm are scaled down to it; 0 means never."""
    critic_learning_rate: NonNegativeFloat | None = None
    """Initial step size for critics and temperatures; null means ``learning_rate``."""
    continuous_target_entropy: Float | None = None
    """Entropy of all continuous actions together that their temperature aims at, nats; null means minus
    their number (arXiv:1812.05905, appendix D)."""
    discrete_target_entropy: UnitFloat = 0.2
    """Entropy of each discrete branch that its temperature aims at, relative to that of choosing uniformly
    among the allowed actions; 0 to 1."""
    entropy_penalty: NonNegativeFloat = 0.0
    """Weight of half the squared difference between the entropies of discrete branches when an experience was
    made and now (Zhou et al., arXiv:2209.10081); 0 means none."""

    @model_validator(mode="before")
    @classmethod
    def _signals_follow_the_policy(cls, data: Any) -> Any:  # noqa: ANN401
        if not isinstance(data, Mapping) or "steps_per_update" not in data:
            return data
        try:
            followed = _RATIO.validate_python(data["steps_per_update"])
        except ValidationError:  # reported there, and once is enough
            return data
        return {"reward_signal_steps_per_update": followed, **data}


_RATIO: TypeAdapter[float] = TypeAdapter(PositiveFloat)
