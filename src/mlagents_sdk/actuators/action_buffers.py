"""The actions of one agent, as plain Python numbers."""

from __future__ import annotations

from dataclasses import dataclass, field

from mlagents_envs.base_env import ActionSpec


@dataclass(slots=True)
class ActionBuffers:
    """Actions of one agent or of one of its actuators.

    Plain lists, because reading an element of a small NumPy array costs several times as much.

    Attributes:
        continuous_actions: one float per continuous action; a trainer's lie in [-1, 1].
        discrete_actions: one index per branch, 0 to the branch's size minus 1.
    """

    continuous_actions: list[float] = field(default_factory=list)
    discrete_actions: list[int] = field(default_factory=list)

    @classmethod
    def zeros(cls, spec: ActionSpec) -> ActionBuffers:
        """Zero actions that fit ``spec``."""
        return cls([0.0] * spec.continuous_size, [0] * spec.discrete_size)

    def clear(self) -> None:
        """Set every action to zero."""
        self.continuous_actions = [0.0] * len(self.continuous_actions)
        self.discrete_actions = [0] * len(self.discrete_actions)

    def is_empty(self) -> bool:
        """True when there are no actions at all."""
        return not self.continuous_actions and not self.discrete_actions
