"""From rewards and values to what the update needs: advantages and returns."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from mlagents.experience.gae import gae_scan
from mlagents.experience.store import RolloutStore


class RewardStream(NamedTuple):
    """Rewards of one signal for every stored row.

    Attributes:
        rewards: float32 ``[R]``, already multiplied by the signal's strength.
        gamma: discount per decision.
        ignores_done: whether value goes on beyond the end of an episode; the store must keep all ends.
    """

    rewards: NDArray[np.float32]
    gamma: float
    ignores_done: bool = False


class Targets(NamedTuple):
    """What rows are trained towards.

    Attributes:
        rows: int64 ``[C]``, the rows that are ready, in order of time.
        advantages: float32 ``[C]``, mean over streams, normalised to mean 0 and deviation 1.
        returns: float32 ``[C, S]``, advantage plus value per stream.
    """

    rows: NDArray[np.int64]
    advantages: NDArray[np.float32]
    returns: NDArray[np.float32]


def compute_targets(
    store: RolloutStore,
    streams: Sequence[RewardStream],
    values: NDArray[np.float32],
    bootstrap_values: NDArray[np.float32],
    lambd: float,
) -> Targets:
    """Advantages by generalised advantage estimation, and returns, of all rows that are ready.

    Advantages are normalised over the whole batch with double-precision statistics, rows that are not
    trained on excluded.

    Args:
        store: the experience; R rows in use, E bootstrap observations.
        streams: S reward streams.
        values: float32 ``[R, S]``.
        bootstrap_values: float32 ``[E, S]``.
        lambd: decay of the trace.
    """
    used = store.num_rows
    ready = store.ready()
    rows = np.flatnonzero(ready)
    advantages = np.empty((len(streams), used), dtype=np.float32)
    every_end = store.bootstrap_row[:used]
    interrupted = np.where(store.done[:used], -1, every_end) if store.keeps_all_ends else every_end
    for index, stream in enumerate(streams):
        gae_scan(
            stream.rewards,
            np.ascontiguousarray(values[:, index]),
            np.ascontiguousarray(bootstrap_values[:, index]),
            store.next_row[:used],
            every_end if stream.ignores_done else interrupted,
            store.trace_cut[:used],
            ready,
            stream.gamma,
            lambd,
            advantages[index],
        )
    returns = advantages.T[rows] + values[rows]
    combined = advantages[:, rows].mean(axis=0, dtype=np.float64)
    normalized = (combined - combined.mean()) / (combined.std() + 1e-10)
    return Targets(rows, normalized.astype(np.float32), returns)
