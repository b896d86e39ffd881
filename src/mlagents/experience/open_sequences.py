"""Finds rows of sequences that are still being filled."""

from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import NDArray


@njit(cache=True)
def find_open_sequences(
    next_row: NDArray[np.int64],
    trace_cut: NDArray[np.bool_],
    complete: NDArray[np.bool_],
    agent_slot: NDArray[np.int32],
    length: int,
    is_open: NDArray[np.bool_],
) -> None:
    """Mark all rows of sequences that their agents are still filling.

    Args:
        next_row: int64 ``[R]``, next row of the same episode, or -1.
        trace_cut: bool ``[R]``, True where a segment, and so a sequence, was closed.
        complete: bool ``[R]``, True where the reward is known.
        agent_slot: int32 ``[R]``, negative for abandoned rows.
        length: rows per sequence, L.
        is_open: bool ``[R]``, output.
    """
    position = np.zeros(next_row.shape[0], dtype=np.int64)
    for row in range(next_row.shape[0]):
        following = next_row[row]
        if following >= 0 and not trace_cut[row]:
            position[following] = (position[row] + 1) % length
    for row in range(next_row.shape[0] - 1, -1, -1):
        following = next_row[row]
        if not complete[row]:
            is_open[row] = agent_slot[row] >= 0
        elif following < 0 or trace_cut[row] or position[following] == 0:
            is_open[row] = False
        else:
            is_open[row] = is_open[following]
