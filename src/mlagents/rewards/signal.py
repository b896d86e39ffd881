"""What a learned reward signal is."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

import torch
from torch import Tensor

from mlagents.rewards.transitions import TransitionBatch

ROWS_AT_ONCE = 1024
"""Most transitions that are judged in one pass, so that whole iterations of images fit into memory."""


class RewardSignal(Protocol):
    """Rewards transitions and learns from them.

    A trainer calls, with every new batch of experience: :meth:`begin_iteration` once, :meth:`evaluate` for
    all its rows, then :meth:`update` with minibatches. Off-policy trainers call :meth:`begin_iteration`
    with rows since the last call, and :meth:`evaluate` with each batch that they draw.

    Attributes:
        name: name in the configuration, such as ``curiosity``.
        gamma: discount per decision.
        strength: factor for the trainer to apply to the reward.
        ignores_done: whether the stream of this reward goes on after an episode's end, so that its value is
            bootstrapped there too.
        uses_next_observations: whether it reads ``next_observations``; where not, they may be anything.
    """

    name: str
    gamma: float
    strength: float
    ignores_done: bool
    uses_next_observations: bool

    def begin_iteration(self, batch: TransitionBatch, next_index: Tensor | None = None) -> None:
        """Move running statistics, before anything of this experience is evaluated or learned.

        Args:
            batch: all new rows, in order of time.
            next_index: int64 ``[B]`` on the CPU, row of the same agent's next transition in the same
                episode, later in the batch, or -1; None where the rows have no order.
        """

    def evaluate(self, batch: TransitionBatch) -> Tensor:
        """Reward float32 ``[B]``, before ``strength``, without gradient; changes nothing."""

    def update(self, batch: TransitionBatch) -> dict[str, float]:
        """Take one gradient step on a minibatch; returns statistics by tag."""

    def get_state(self) -> dict[str, Any]:
        """Everything its future depends on.

        Returns:
            ``modules``: weights by the names of the original's checkpoints, such as ``Module:Curiosity``;
            ``training``: all the rest.
        """

    def set_state(self, state: dict[str, Any]) -> None:
        """Continue from a state returned by :meth:`get_state`."""


def in_chunks(judge: Callable[[TransitionBatch], Tensor], batch: TransitionBatch) -> Tensor:
    """``judge`` applied to :data:`ROWS_AT_ONCE` rows after the other, without gradients.

    Args:
        judge: gives one number per row, ``[b]``.
        batch: B rows.

    Returns:
        float32 ``[B]``.
    """
    if not len(batch):
        return torch.zeros(0, device=batch.done.device)
    with torch.no_grad():
        parts = [
            judge(batch.select(slice(begin, begin + ROWS_AT_ONCE)))
            for begin in range(0, len(batch), ROWS_AT_ONCE)
        ]
    return torch.cat(parts)
