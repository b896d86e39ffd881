"""The on-policy experience store: one preallocated array per field, written once by row index.

Every decision of every agent is one row. Rows are appended in order of time; all agents that ask for a
decision in one environment step get consecutive rows, so that a step is written with one slice
assignment per field. Rows of one agent are linked by ``next_row``: a trajectory is a chain of rows, and
the next observation of a row is the observation of the next row in its chain. Only final observations
of interrupted episodes have no row of their own; they are kept aside, as bootstrap observations.

The reward of a row arrives with the agent's next step. Until then the row is *incomplete*: it is
excluded from training, its observation serves as the bootstrap of the row before it, and it survives
:meth:`RolloutStore.keep_incomplete`, which empties the store after an update.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from mlagents_envs.base_env import ActionSpec, BehaviorSpec

_NO_ROW = -1


def _grown(column: NDArray[Any], capacity: int) -> NDArray[Any]:
    bigger = np.zeros((capacity, *column.shape[1:]), dtype=column.dtype)
    bigger[: len(column)] = column
    return bigger


class RolloutStore:
    """Columns of experience of one behavior.

    Args:
        spec: observations and actions of the behavior.
        capacity: rows to allocate at first; the store doubles when it must.

    Attributes:
        num_rows: rows in use, R.
        num_complete: rows whose reward is known.
        observations: one float32 array ``[R, *shape]`` per observation.
        continuous_actions: float32 ``[R, A]``, as sampled, before any clipping.
        discrete_actions: int32 ``[R, D]``, one index per branch.
        log_probs: float32 ``[R, A + D]``, log-probability of each action component when it was taken.
        allowed_actions: bool ``[R, sum of branch sizes]``, False where an action was forbidden.
        rewards: float32 ``[R]``, individual plus group reward earned by the action of the row.
        complete: bool ``[R]``, True once the reward is known.
        next_row: int64 ``[R]``, next row of the same episode, or -1.
        bootstrap_row: int64 ``[R]``, index of the final observation of an interrupted episode, or -1.
        trace_cut: bool ``[R]``, True where the time horizon closed a segment.
        agent_slot: int32 ``[R]``, slot of the agent (see :class:`~mlagents.sampling.slots.SlotTable`).
        group_id: int32 ``[R]``, group of the agent, 0 for none.
        tick: int64 ``[R]``, equal for rows that were appended together: those of one step of one team.
        num_bootstrap: final observations kept aside, E.
        bootstrap_observations: one float32 array ``[E, *shape]`` per observation.
    """

    _ROW_COLUMNS = (
        "continuous_actions",
        "discrete_actions",
        "log_probs",
        "allowed_actions",
        "rewards",
        "complete",
        "next_row",
        "bootstrap_row",
        "trace_cut",
        "agent_slot",
        "group_id",
        "tick",
    )

    def __init__(self, spec: BehaviorSpec, capacity: int) -> None:
        actions: ActionSpec = spec.action_spec
        components = actions.continuous_size + actions.discrete_size
        self.num_rows = 0
        self.num_complete = 0
        self.num_bootstrap = 0
        self.observations: list[NDArray[np.float32]] = [
            np.zeros((capacity, *o.shape), dtype=np.float32) for o in spec.observation_specs
        ]
        self.bootstrap_observations: list[NDArray[np.float32]] = [
            np.zeros((64, *o.shape), dtype=np.float32) for o in spec.observation_specs
        ]
        self.continuous_actions = np.zeros((capacity, actions.continuous_size), dtype=np.float32)
        self.discrete_actions = np.zeros((capacity, actions.discrete_size), dtype=np.int32)
        self.log_probs = np.zeros((capacity, components), dtype=np.float32)
        self.allowed_actions = np.ones((capacity, sum(actions.discrete_branches)), dtype=np.bool_)
        self.rewards = np.zeros(capacity, dtype=np.float32)
        self.complete = np.zeros(capacity, dtype=np.bool_)
        self.next_row = np.full(capacity, _NO_ROW, dtype=np.int64)
        self.bootstrap_row = np.full(capacity, _NO_ROW, dtype=np.int64)
        self.trace_cut = np.zeros(capacity, dtype=np.bool_)
        self.agent_slot = np.zeros(capacity, dtype=np.int32)
        self.group_id = np.zeros(capacity, dtype=np.int32)
        self.tick = np.zeros(capacity, dtype=np.int64)

    @property
    def capacity(self) -> int:
        """Rows allocated."""
        return len(self.rewards)

    def append(
        self,
        observations: list[NDArray[np.float32]],
        agent_slot: NDArray[np.int64],
        group_id: NDArray[np.int32],
        tick: int,
    ) -> int:
        """Add one incomplete row per agent that asks for a decision.

        Args:
            observations: one array ``[n, *shape]`` per observation.
            agent_slot: int ``[n]``.
            group_id: int ``[n]``.
            tick: number of the batch.

        Returns:
            The first of the ``n`` consecutive new rows.
        """
        count = len(agent_slot)
        first = self.num_rows
        end = first + count
        if end > self.capacity:
            self._grow(end)
        for column, new in zip(self.observations, observations, strict=True):
            column[first:end] = new
        self.agent_slot[first:end] = agent_slot
        self.group_id[first:end] = group_id
        self.tick[first:end] = tick
        self.num_rows = end
        return first

    def add_bootstrap(self, observations: list[NDArray[np.float32]], rows: NDArray[np.int64]) -> None:
        """Keep the final observations ``[n, *shape]`` of the interrupted episodes that end at ``rows``."""
        count = len(rows)
        first = self.num_bootstrap
        end = first + count
        if end > len(self.bootstrap_observations[0]):
            size = max(end, 2 * len(self.bootstrap_observations[0]))
            self.bootstrap_observations = [_grown(column, size) for column in self.bootstrap_observations]
        for column, new in zip(self.bootstrap_observations, observations, strict=True):
            column[first:end] = new
        self.bootstrap_row[rows] = np.arange(first, end)
        self.num_bootstrap = end

    def keep_incomplete(self) -> NDArray[np.int64]:
        """Drop all complete and abandoned rows; move the others to the front, in order.

        Returns:
            int64 ``[previous R + 1]``, new row of each old row, -1 where it was dropped. The extra last
            element is -1, so that "no row" (-1) maps to itself when used as an index.
        """
        used = self.num_rows
        kept = np.flatnonzero(~self.complete[:used] & (self.agent_slot[:used] >= 0))
        moved = np.full(used + 1, _NO_ROW, dtype=np.int64)
        moved[kept] = np.arange(len(kept))
        for column in self._all_row_columns():
            column[: len(kept)] = column[kept]
        self._clear_from(len(kept))  # rows that were kept are incomplete: they have no links yet
        self.num_rows = len(kept)
        self.num_complete = 0
        self.num_bootstrap = 0
        return moved

    def abandon(self, rows: NDArray[np.int64]) -> None:
        """Mark incomplete ``rows`` as never to be completed: their agents were reset or vanished.

        The rows before them stay and are bootstrapped from them, as from any newest observation.
        """
        self.agent_slot[rows] = _NO_ROW

    def get_state(self) -> dict[str, Any]:
        """All rows in use, as views; enough to continue exactly."""
        state: dict[str, Any] = {name: getattr(self, name)[: self.num_rows] for name in self._ROW_COLUMNS}
        state["observations"] = [column[: self.num_rows] for column in self.observations]
        state["bootstrap_observations"] = [
            column[: self.num_bootstrap] for column in self.bootstrap_observations
        ]
        return state

    def set_state(self, state: dict[str, Any]) -> None:
        """Continue from a state returned by :meth:`get_state`."""
        rows = len(state["rewards"])
        if rows > self.capacity:
            self._grow(rows)
        self._clear_from(rows)
        for name in self._ROW_COLUMNS:
            getattr(self, name)[:rows] = state[name]
        for column, saved in zip(self.observations, state["observations"], strict=True):
            column[:rows] = saved
        bootstraps = len(state["bootstrap_observations"][0]) if state["bootstrap_observations"] else 0
        self.bootstrap_observations = [
            _grown(np.asarray(saved), max(64, bootstraps)) for saved in state["bootstrap_observations"]
        ]
        self.num_rows = rows
        self.num_complete = int(np.count_nonzero(self.complete[:rows]))
        self.num_bootstrap = bootstraps

    def _all_row_columns(self) -> list[NDArray[Any]]:
        return [*self.observations, *(getattr(self, name) for name in self._ROW_COLUMNS)]

    def _grow(self, needed: int) -> None:
        capacity = max(needed, 2 * self.capacity)
        old = self.capacity
        self.observations = [_grown(column, capacity) for column in self.observations]
        for name in self._ROW_COLUMNS:
            setattr(self, name, _grown(getattr(self, name), capacity))
        self._clear_from(old)

    def _clear_from(self, first: int) -> None:
        """Make the rows from ``first`` on look unused."""
        self.complete[first:] = False
        self.next_row[first:] = _NO_ROW
        self.bootstrap_row[first:] = _NO_ROW
        self.trace_cut[first:] = False
        self.allowed_actions[first:] = True
