"""Cuts trajectories into the sequences that recurrent networks are trained on."""

from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import NDArray

from mlagents.experience.store import RolloutStore

NO_ROW = -1


@njit(cache=True)
def _cut(
    next_row: NDArray[np.int64],
    trace_cut: NDArray[np.bool_],
    ready: NDArray[np.bool_],
    length: int,
    sequence: NDArray[np.int64],
    position: NDArray[np.int64],
) -> int:
    """Fill sequence number and position of each ready row; return the number of sequences.

    Rows are in order of time, so a row is reached before the row that follows it.
    """
    count = 0
    for row in range(next_row.shape[0]):
        if not ready[row]:
            continue
        if position[row] == 0:  # nobody in its segment precedes it, or the sequence before it is full
            sequence[row] = count
            count += 1
        following = next_row[row]
        if following >= 0 and ready[following] and not trace_cut[row]:
            place = position[row] + 1
            if place < length:
                position[following] = place
                sequence[following] = sequence[row]
    return count


def cut_into_sequences(store: RolloutStore) -> NDArray[np.int64]:
    """Consecutive, non-overlapping sequences of all ready rows, each within one trajectory segment.

    Segments are cut from their start into ``store.sequence_length`` rows, L; the last sequence of each may be
    shorter.

    Args:
        store: the experience, R rows in use.

    Returns:
        int64 ``[Q, L]``: rows of each sequence, in order of their first rows; -1 after the last one.
    """
    used, length = store.num_rows, store.sequence_length
    sequence = np.full(used, NO_ROW, dtype=np.int64)
    position = np.zeros(used, dtype=np.int64)
    count = _cut(store.next_row[:used], store.trace_cut[:used], store.ready(), length, sequence, position)
    rows = np.flatnonzero(sequence != NO_ROW)
    sequences = np.full((count, length), NO_ROW, dtype=np.int64)
    sequences[sequence[rows], position[rows]] = rows
    return sequences
