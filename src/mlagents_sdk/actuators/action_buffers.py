"""The actions of one agent, as plain Python numbers."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import SupportsIndex

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

    def impossible(self, spec: ActionSpec) -> str | None:
        """The first thing that ``spec`` does not have, in words; None where all actions are possible."""
        sizes = len(self.continuous_actions), len(self.discrete_actions)
        if sizes != (spec.continuous_size, spec.discrete_size):
            return (
                f"left {sizes[0]} continuous and {sizes[1]} discrete actions, but there are "
                f"{spec.continuous_size} and {spec.discrete_size}. Assign the elements instead of adding or "
                "removing any."
            )
        for branch, (choice, size) in enumerate(
            zip(self.discrete_actions, spec.discrete_branches, strict=True)
        ):
            if not (isinstance(choice, SupportsIndex) and 0 <= choice.__index__() < size):
                return f"chose action {choice!r} of branch {branch}, which has {size}, counted from 0."
        for index, value in enumerate(self.continuous_actions):
            if not math.isfinite(value):
                return f"chose {value} as continuous action {index}; actions are finite numbers."
        return None

    def is_empty(self) -> bool:
        """True when there are no actions at all."""
        return not self.continuous_actions and not self.discrete_actions
