"""What one iteration of PPO learns from: rows, or for recurrent networks sequences of rows."""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from torch import Tensor

_PER_ROW = (
    "continuous_actions",
    "discrete_actions",
    "allowed_actions",
    "old_log_probs",
    "advantages",
    "returns",
    "old_values",
)


@dataclass(frozen=True, slots=True)
class PPOBatch:
    """Rows to learn from, all tensors on the learner's device.

    For a recurrent network the B rows are U sequences of L rows each, B = U L; otherwise L is 1.

    Attributes:
        inputs: per input of the network, float32 ``[B, I]`` or ``[B, *shape]``, encoded and normalised
            observations; images may be uint8 levels of 1/255.
        continuous_actions: float32 ``[B, A]``, raw actions as sampled.
        discrete_actions: int32 ``[B, D]``, one index per branch.
        allowed_actions: bool ``[B, K]``, False where a discrete action was forbidden.
        old_log_probs: float32 ``[B, A + D]``, per action component, when the action was taken.
        advantages: float32 ``[B]``, already normalised.
        returns: float32 ``[B, S]``, one column per reward stream.
        old_values: float32 ``[B, S]``, value estimates before the update.
        sequence_length: L.
        mask: bool ``[B]``, False for rows that only fill up a sequence; None where there are none.
        memory: float32 ``[U, m]``, what the policy remembered before the first row of each sequence; None
            without memory.
        critic_memory: float32 ``[U, m']``, what the critic remembered.
    """

    inputs: tuple[Tensor, ...]
    continuous_actions: Tensor
    discrete_actions: Tensor
    allowed_actions: Tensor
    old_log_probs: Tensor
    advantages: Tensor
    returns: Tensor
    old_values: Tensor
    sequence_length: int = 1
    mask: Tensor | None = None
    memory: Tensor | None = None
    critic_memory: Tensor | None = None

    def __len__(self) -> int:
        return len(self.advantages)

    @property
    def num_units(self) -> int:
        """What is shuffled: sequences, or rows where L is 1; U."""
        return len(self) // self.sequence_length

    @property
    def device(self) -> torch.device:
        """Where the tensors are."""
        return self.advantages.device

    @property
    def is_heavy(self) -> bool:
        """Whether copying all rows at once is to be avoided."""
        return any(column.dim() > 2 for column in self.inputs)

    def without_padding(self) -> PPOBatch:
        """The rows that do not merely fill up a sequence, as single rows; inputs and memories as they are."""
        if self.mask is None:
            return self
        rows = self.mask.nonzero().squeeze(1)
        columns = {name: getattr(self, name).index_select(0, rows) for name in _PER_ROW}
        return replace(self, **columns, mask=None)

    def select(self, units: Tensor) -> PPOBatch:
        """A copy of the given units, int64 ``[u]``, in that order."""
        length = self.sequence_length
        rows = units
        if length > 1:
            rows = (units.unsqueeze(1) * length + torch.arange(length, device=units.device)).flatten()
        return replace(
            self,
            inputs=tuple(column.index_select(0, rows) for column in self.inputs),
            **{name: getattr(self, name).index_select(0, rows) for name in _PER_ROW},
            mask=_select(self.mask, rows),
            memory=_select(self.memory, units),
            critic_memory=_select(self.critic_memory, units),
        )

    def range(self, begin: int, end: int) -> PPOBatch:
        """A view of units ``begin`` to ``end``, exclusive."""
        rows = slice(begin * self.sequence_length, end * self.sequence_length)
        units = slice(begin, end)
        return PPOBatch(
            tuple(column[rows] for column in self.inputs),
            self.continuous_actions[rows],
            self.discrete_actions[rows],
            self.allowed_actions[rows],
            self.old_log_probs[rows],
            self.advantages[rows],
            self.returns[rows],
            self.old_values[rows],
            self.sequence_length,
            None if self.mask is None else self.mask[rows],
            None if self.memory is None else self.memory[units],
            None if self.critic_memory is None else self.critic_memory[units],
        )


def _select(column: Tensor | None, index: Tensor) -> Tensor | None:
    return None if column is None else column.index_select(0, index)
