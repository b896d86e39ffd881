"""Draws the sequences that recurrent networks are trained on from the replay."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from mlagents.experience.replay import NO_ROW, ReplayStore


class SequenceRows(NamedTuple):
    """B sequences of up to L decisions.

    Attributes:
        rows: int64 ``[B, L + 1]``: the decisions and, after the last one, the row of its next observation.
            What is left is filled with the first row; so is the place of a next observation that is not
            kept because nothing follows.
        mask: bool ``[B, L]``, True for decisions.
        before: int64 ``[B, b]``, rows before the sequence, the last ones at the right, -1 to their left.
    """

    rows: NDArray[np.int64]
    mask: NDArray[np.bool_]
    before: NDArray[np.int64]


def sequence_starts(store: ReplayStore) -> NDArray[np.int64]:
    """First rows of all sequences whose first row is remembered, int64 ``[Q]``.

    Episodes are cut from their beginning into consecutive sequences of ``store.sequence_length``. Where the
    ring has overwritten the first rows of a sequence, the whole sequence is out of use.
    """
    used = store.num_rows
    return np.flatnonzero(store.complete[:used] & (store.position[:used] % store.sequence_length == 0))


@njit(cache=True)
def _follow(
    starts: NDArray[np.int64],
    next_row: NDArray[np.int64],
    previous_row: NDArray[np.int64],
    complete: NDArray[np.bool_],
    rows: NDArray[np.int64],
    mask: NDArray[np.bool_],
    before: NDArray[np.int64],
) -> None:
    length = mask.shape[1]
    for sequence in range(len(starts)):
        row = starts[sequence]
        rows[sequence] = row
        for place in range(length):
            if row < 0 or not complete[row]:
                break
            rows[sequence, place] = row
            mask[sequence, place] = True
            row = next_row[row]
            if row >= 0:
                rows[sequence, place + 1] = row
        row = starts[sequence]
        for place in range(before.shape[1] - 1, -1, -1):
            previous = previous_row[row]
            if previous < 0 or not complete[previous] or next_row[previous] != row:
                break
            before[sequence, place] = previous
            row = previous


def follow_sequences(store: ReplayStore, starts: NDArray[np.int64], burn_in: int) -> SequenceRows:
    """The sequences that begin at given rows.

    Args:
        store: the experience.
        starts: int64 ``[B]``, some of :func:`sequence_starts`.
        burn_in: most rows before each sequence, b.
    """
    length = store.sequence_length
    rows = np.empty((len(starts), length + 1), dtype=np.int64)
    mask = np.zeros((len(starts), length), dtype=np.bool_)
    before = np.full((len(starts), burn_in), NO_ROW, dtype=np.int64)
    _follow(starts, store.next_row, store.previous_row, store.complete, rows, mask, before)
    return SequenceRows(rows, mask, before)
