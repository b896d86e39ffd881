"""The reward signals of an off-policy trainer: rewards of whatever is drawn from the replay, as of now."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from mlagents.experience.replay import NO_ROW, ReplayStore
from mlagents.rewards.extrinsic import extrinsic_reward
from mlagents.rewards.signal_set import SignalSet
from mlagents.rewards.transitions import TransitionBatch
from mlagents.state_tree import to_arrays

EXTRINSIC = "extrinsic"
_ROWS_AT_ONCE = 1024
"""New rows are taken in so many at a time: running sums of rewards need long pieces of episodes."""

GetTransitions = Callable[[NDArray[np.int64]], TransitionBatch]
"""Transitions of rows."""


class SACRewards:
    """Rewards of all signals of one behavior.

    The reward of the environment is stored. Those of learned signals change as the signals learn, so they are
    computed for every batch that is drawn.

    Args:
        signals: the signals.
        transitions: makes transitions of rows of the replay.
        store: the replay.

    Attributes:
        holds_back: set while the signals are at work in another thread; new rows then wait.
    """

    def __init__(self, signals: SignalSet, transitions: GetTransitions, store: ReplayStore) -> None:
        self.signals = signals
        self.holds_back = False
        self._transitions = transitions
        self._store = store
        self._stats: dict[str, list[float]] = {}
        self._new_rows = np.zeros(0, dtype=np.int64)
        self._sums = np.zeros((0, len(signals.learned)), dtype=np.float64)
        self._finished: dict[str, list[float]] = {name: [] for name in signals.learned}

    # -- new experience --------------------------------------------------------------------------------

    def note_rows(self, first: int, count: int) -> None:
        """Remember that ``count`` rows from ``first`` on are new to the learned signals."""
        if not self.signals.learned:
            return
        self._new_rows = np.append(self._new_rows, np.arange(first, first + count))
        if len(self._new_rows) >= _ROWS_AT_ONCE and not self.holds_back:
            self.take_in()

    def take_in(self) -> None:
        """Let learned signals move their statistics over new rows whose outcome became known."""
        if not len(self._new_rows):
            return
        store, rows = self._store, self._new_rows
        known = store.complete[rows]
        self._new_rows = rows[~known & (store.agent_slot[rows] != NO_ROW)]
        rows = rows[known]
        if not len(rows):
            return
        place = np.full(store.num_rows + 1, NO_ROW, dtype=np.int64)
        place[rows] = np.arange(len(rows))
        next_place = torch.from_numpy(place[store.next_row[rows]])
        batch = self._transitions(rows)
        rewards = np.empty((len(rows), len(self.signals.learned)), dtype=np.float64)
        for column, signal in enumerate(self.signals.learned.values()):
            signal.begin_iteration(batch, next_place)
            rewards[:, column] = signal.evaluate(batch).cpu().numpy() * signal.strength
        self._follow_episodes(rows, rewards)

    def _follow_episodes(self, rows: NDArray[np.int64], rewards: NDArray[np.float64]) -> None:
        """Add rewards ``[n, signals]`` of rows to the sums of their episodes; note those that ended."""
        store = self._store
        slots = store.agent_slot[rows]
        missing = int(slots.max()) + 1 - len(self._sums)
        if missing > 0:
            self._sums = np.concatenate([self._sums, np.zeros((missing, rewards.shape[1]))])
        following = store.next_row[rows]
        goes_on = (following != NO_ROW) & (store.agent_slot[following] != NO_ROW)
        for row, slot, reward, continues in zip(rows, slots, rewards, goes_on, strict=True):
            if store.begins[row]:
                self._sums[slot] = 0.0
            self._sums[slot] += reward
            if not continues:
                for name, value in zip(self._finished, self._sums[slot].tolist(), strict=True):
                    self._finished[name].append(value)

    # -- drawn batches ---------------------------------------------------------------------------------

    def of_rows(self, rows: NDArray[np.int64]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Scaled rewards and discounts of all streams, float32 ``[n, S]`` each; 0 where a stream ends."""
        store, signals = self._store, self.signals
        goes_on = ~store.done[rows]
        rewards = np.empty((len(rows), len(signals.names)), dtype=np.float32)
        discounts = np.empty_like(rewards)
        batch = self._transitions(rows) if signals.learned else None
        for column, name in enumerate(signals.names):
            if name in signals.learned:
                assert batch is not None
                signal = signals.learned[name]
                rewards[:, column] = signal.strength * signal.evaluate(batch).cpu().numpy()
                discounts[:, column] = signal.gamma if signal.ignores_done else signal.gamma * goes_on
            else:
                assert signals.extrinsic is not None
                rewards[:, column] = extrinsic_reward(store.rewards[rows], signals.extrinsic)
                discounts[:, column] = signals.extrinsic.gamma * goes_on
        return rewards, discounts

    def learn(self, batch: TransitionBatch) -> None:
        """One update of every signal that learns."""
        for signal in self.signals.learned.values():
            for tag, value in signal.update(batch).items():
                self._stats.setdefault(tag, []).append(value)

    def take_stats(self) -> dict[str, float]:
        """Means of what the signals said since the last call."""
        taken, self._stats = self._stats, {}
        return {tag: float(np.mean(values)) for tag, values in taken.items()}

    def take_finished(self, returns: list[float]) -> dict[str, list[float]]:
        """Sums of scaled rewards over episodes, by signal; see :class:`FinishedEpisodes`.

        Args:
            returns: sums of the rewards of the environment, over the episodes that ended since the last call.
        """
        taken, self._finished = self._finished, {name: [] for name in self._finished}
        if self.signals.extrinsic is not None:
            taken[EXTRINSIC] = [self.signals.extrinsic.strength * value for value in returns]
        return taken

    # -- state -----------------------------------------------------------------------------------------

    def get_state(self) -> dict[str, Any]:
        """All but the signals' weights."""
        return {
            "signals": self.signals.get_training(),
            "new_rows": self._new_rows,
            "sums": self._sums,
            "finished": self._finished,
        }

    def set_state(self, modules: dict[str, Any], state: dict[str, Any], *, with_rows: bool) -> None:
        """Continue from a state returned by :meth:`get_state`.

        Args:
            modules: weights by the names of the original's checkpoints, among others.
            state: the rest.
            with_rows: whether the rows of the replay are those of the state.

        Raises:
            ValueError: the state is of other signals.
        """
        self.signals.set_state(modules, state["signals"])
        state = to_arrays(state)
        rows = state["new_rows"] if with_rows else np.flatnonzero(self._store.agent_slot != NO_ROW)
        self._new_rows = np.array(rows, dtype=np.int64)
        self._sums = np.array(state["sums"], dtype=np.float64)
        self._finished = {name: list(state["finished"][name]) for name in self.signals.learned}
