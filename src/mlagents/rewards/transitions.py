"""Transitions as reward signals see them."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from mlagents_envs.base_env import ActionSpec


@dataclass(frozen=True, slots=True)
class TransitionBatch:
    """B transitions, all tensors on one device.

    Attributes:
        observations: float32 ``[B, *shape]`` per observation, as the environment gave them.
        next_observations: the same after the action; at the end of an episode its final observation.
        continuous_actions: float32 ``[B, A]`` in environment units, -1 to 1.
        discrete_actions: int64 ``[B, D]``, one index per branch.
        done: bool ``[B]``, True where the episode really ended, not where a time limit cut it.
    """

    observations: tuple[Tensor, ...]
    next_observations: tuple[Tensor, ...]
    continuous_actions: Tensor
    discrete_actions: Tensor
    done: Tensor

    def __len__(self) -> int:
        return len(self.done)

    def select(self, index: Tensor | slice) -> TransitionBatch:
        """The given rows: a copy for an int64 index ``[b]``, a view for a slice."""
        return TransitionBatch(
            tuple(column[index] for column in self.observations),
            tuple(column[index] for column in self.next_observations),
            self.continuous_actions[index],
            self.discrete_actions[index],
            self.done[index],
        )


def flatten_actions(continuous: Tensor, discrete: Tensor, action_spec: ActionSpec) -> Tensor:
    """Actions as one vector: continuous ones, then a one-hot block per discrete branch.

    Args:
        continuous: float32 ``[B, A]``.
        discrete: int64 ``[B, D]``.
        action_spec: sizes.

    Returns:
        float32 ``[B, A + K]``.
    """
    blocks = [
        functional.one_hot(discrete[:, branch], choices).to(continuous.dtype)
        for branch, choices in enumerate(action_spec.discrete_branches)
    ]
    return torch.cat([continuous, *blocks], dim=1)


def flat_action_size(action_spec: ActionSpec) -> int:
    """Width of :func:`flatten_actions`, A + K."""
    return action_spec.continuous_size + sum(action_spec.discrete_branches)
