"""The collector: writes what agents report into rows of the experience store, whole batches at a time."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from mlagents.experience.replay import ReplayStore
from mlagents.experience.store import RolloutStore
from mlagents.sampling.slots import SlotTable
from mlagents.sampling.worker import StepBatch

_NONE = -1
_FIRST_SWEEP = 1024
"""Agents that are known before anybody looks for those that are gone."""
_PATIENCE = 100
"""Batches after which an agent whose episode ended is taken to be gone; if it comes back, it is a new one."""


class Collector:
    """Follows all agents of one behavior and appends their experience to a store.

    Args:
        store: where rows go.
        time_horizon: longest trajectory segment, in decisions.

    Attributes:
        slots: slot of each agent.
        open_row: int64 ``[slots]``, row of the agent's decision whose reward is not known yet, or -1.
        finished_returns: undiscounted returns of episodes that ended since :meth:`take_finished`.
        finished_lengths: their numbers of decisions.
        episodes: episodes that ended so far.
    """

    def __init__(self, store: RolloutStore | ReplayStore, time_horizon: int) -> None:
        self.store = store
        self.time_horizon = time_horizon
        self.slots = SlotTable()
        self.open_row = np.full(0, _NONE, dtype=np.int64)
        self._segment_length = np.zeros(0, dtype=np.int64)
        self._episode_return = np.zeros(0, dtype=np.float64)
        self._episode_length = np.zeros(0, dtype=np.int64)
        self._idle_since = np.zeros(0, dtype=np.int64)
        self._sweep_at = _FIRST_SWEEP
        self.finished_returns: list[float] = []
        self.finished_lengths: list[int] = []
        self.episodes = 0
        self._tick = 0

    def observe(self, batch: StepBatch) -> int:
        """Take in one batch: rewards complete open rows, observations open new ones.

        Terminal steps go first, because an agent may end one episode and begin the next in one step.

        Args:
            batch: steps of one behavior of one worker.

        Returns:
            First row of the ``len(batch.decision)`` consecutive rows that wait for actions.
        """
        terminal, decision = batch.terminal, batch.decision
        if len(terminal.agent_id):
            slots = self._lookup(batch, "terminal", terminal.agent_id)
            self._end_episodes(
                slots, terminal.reward + terminal.group_reward, terminal.interrupted, terminal.obs
            )
        self._tick += 1
        first = self.store.num_rows
        if len(decision.agent_id):
            slots = self._lookup(batch, "decision", decision.agent_id)
            first = self.store.append(decision.obs, slots, decision.group_id, self._tick)
            if len(self.store.lost_slots):
                self._forget_lost()
            self._continue_episodes(slots, decision.reward + decision.group_reward, first)
        return first

    def reset_worker(self, worker: int) -> None:
        """Forget running episodes of a worker whose environment was reset; their last rows are abandoned."""
        slots = self.slots.slots_of_worker(worker)
        self._ensure_slots()
        open_rows = self.open_row[slots]
        self.store.abandon(open_rows[open_rows != _NONE])
        self._begin(slots)
        self.open_row[slots] = _NONE

    def _forget_lost(self) -> None:
        """Let agents whose open rows were overwritten begin anew."""
        slots = self.store.lost_slots
        self.store.lost_slots = slots[:0]
        self._begin(slots)
        self.open_row[slots] = _NONE

    def keep_unready(self) -> NDArray[np.int64]:
        """Empty the store after an update; rows that were not ready survive at its front.

        Returns:
            New row of each old row, see :meth:`RolloutStore.keep_unready`.
        """
        assert isinstance(self.store, RolloutStore)
        return self.move_unready(self.store)

    def move_unready(self, target: RolloutStore) -> NDArray[np.int64]:
        """Go on with another store, in which rows that were not ready survive, and leave the present one.

        Returns:
            New row of each old row, see :meth:`RolloutStore.keep_unready`.
        """
        store = self.store
        assert isinstance(store, RolloutStore)
        moved = store.move_unready(target)
        self.store = target
        self.open_row = moved[self.open_row]
        self._segment_length %= target.sequence_length
        return moved

    def take_finished(self) -> tuple[list[float], list[int]]:
        """Returns and lengths of the episodes that ended since the last call."""
        taken = self.finished_returns, self.finished_lengths
        self.finished_returns, self.finished_lengths = [], []
        return taken

    def _lookup(self, batch: StepBatch, kind: str, agent_id: NDArray[np.int32]) -> NDArray[np.int64]:
        slots = self.slots.lookup(batch.behavior_id, batch.worker, kind, agent_id)
        if self.slots.num_slots > len(self.open_row):
            self._ensure_slots()
            if self.slots.num_used >= self._sweep_at:
                self._idle_since[slots] = self._tick
                self._sweep()
        return slots

    def _sweep(self) -> None:
        """Forget agents that are in no episode and have not come back for long.

        It happens each time the number of agents has doubled, so it costs next to nothing per agent.
        """
        gone = (self.open_row == _NONE) & (self._idle_since + _PATIENCE < self._tick)
        if isinstance(self.store, RolloutStore):  # messages still name the agents of its rows
            slots = self.store.agent_slot[: self.store.num_rows]
            gone[slots[slots >= 0]] = False
        self.slots.free(gone)
        self._sweep_at = max(_FIRST_SWEEP, 2 * self.slots.num_used)

    def _end_episodes(
        self,
        slots: NDArray[np.int64],
        rewards: NDArray[np.float32],
        interrupted: NDArray[np.bool_],
        final_observations: list[NDArray[np.float32]],
    ) -> None:
        store = self.store
        open_rows = self.open_row[slots]
        known = open_rows != _NONE  # an episode that ends before its first decision has no row
        rows, slots = open_rows[known], slots[known]
        if not len(rows):
            return
        store.rewards[rows] = rewards[known]
        store.complete[rows] = True
        store.num_complete += len(rows)
        cut = interrupted[known]
        store.done[rows] = ~cut
        kept = np.ones_like(cut) if store.keeps_all_ends else cut
        if kept.any():
            finals = [observation[known][kept] for observation in final_observations]
            store.add_bootstrap(finals, rows[kept])
        self._episode_return[slots] += rewards[known]
        self._episode_length[slots] += 1
        self.finished_returns += self._episode_return[slots].tolist()
        self.finished_lengths += self._episode_length[slots].tolist()
        self.episodes += len(rows)
        self._begin(slots)
        self.open_row[slots] = _NONE

    def _continue_episodes(
        self, slots: NDArray[np.int64], rewards: NDArray[np.float32], first_new_row: int
    ) -> None:
        store = self.store
        previous = self.open_row[slots]
        new_rows = np.arange(first_new_row, first_new_row + len(slots))
        running = previous != _NONE
        if not running.all():
            store.begins[new_rows[~running]] = True
            previous, continuing, rewards = previous[running], slots[running], rewards[running]
            following = new_rows[running]
        else:
            continuing, following = slots, new_rows
        if len(continuing):
            store.rewards[previous] = rewards
            store.complete[previous] = True
            store.num_complete += len(previous)
            store.next_row[previous] = following
            self._episode_return[continuing] += rewards
            self._episode_length[continuing] += 1
            lengths = self._segment_length[continuing] + 1
            full = lengths >= self.time_horizon
            if full.any():
                store.trace_cut[previous[full]] = True
                lengths[full] = 0
            self._segment_length[continuing] = lengths
        self.open_row[slots] = new_rows

    def _begin(self, slots: NDArray[np.int64]) -> None:
        self._idle_since[slots] = self._tick
        self._segment_length[slots] = 0
        self._episode_return[slots] = 0.0
        self._episode_length[slots] = 0

    def _ensure_slots(self) -> None:
        missing = self.slots.num_slots - len(self.open_row)
        if missing <= 0:
            return
        self.open_row = np.append(self.open_row, np.full(missing, _NONE, dtype=np.int64))
        self._segment_length = np.append(self._segment_length, np.zeros(missing, dtype=np.int64))
        self._episode_return = np.append(self._episode_return, np.zeros(missing))
        self._episode_length = np.append(self._episode_length, np.zeros(missing, dtype=np.int64))
        self._idle_since = np.append(self._idle_since, np.full(missing, self._tick, dtype=np.int64))

    def get_state(self) -> dict[str, Any]:
        """Everything about running episodes and stored rows."""
        return {
            "store": self.store.get_state(),
            "slots": self.slots.get_state(),
            "open_row": self.open_row,
            "segment_length": self._segment_length,
            "episode_return": self._episode_return,
            "episode_length": self._episode_length,
            "idle_since": self._idle_since,
            "sweep_at": self._sweep_at,
            "finished_returns": self.finished_returns,
            "finished_lengths": self.finished_lengths,
            "episodes": self.episodes,
            "tick": self._tick,
        }

    def set_state(self, state: dict[str, Any]) -> None:
        """Continue from a state returned by :meth:`get_state`."""
        self.store.set_state(state["store"])
        self.slots.set_state(state["slots"])
        self.open_row = np.array(state["open_row"], dtype=np.int64)
        self._segment_length = np.array(state["segment_length"], dtype=np.int64)
        self._episode_return = np.array(state["episode_return"], dtype=np.float64)
        self._episode_length = np.array(state["episode_length"], dtype=np.int64)
        self._idle_since = np.array(state["idle_since"], dtype=np.int64)
        self._sweep_at = int(state["sweep_at"])
        self.finished_returns = list(state["finished_returns"])
        self.finished_lengths = list(state["finished_lengths"])
        self.episodes = int(state["episodes"])
        self._tick = int(state["tick"])
