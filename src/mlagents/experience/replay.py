"""The replay: a ring of preallocated columns that remembers the newest decisions of all agents.

As in the on-policy store, every decision is one row, agents that ask in one environment step get consecutive
rows, and rows of one agent are linked by ``next_row``. When the ring is full, new rows overwrite the oldest.
The next observation of a row is the observation of its next row; final observations of episodes that go on in
value get a row of their own for that, in which nothing is decided. So no observation is kept twice.

A row is always older than the row it links to, so the link of a row that exists leads to one that exists.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from mlagents.experience.image_column import ImageColumn, ObservationColumn, make_column, raw_rows
from mlagents_envs.base_env import BehaviorSpec

NO_ROW = -1
_NOBODY = -1
_NO_SLOTS: NDArray[np.int64] = np.zeros(0, dtype=np.int64)


class ReplayStore:
    """Columns of experience of one behavior, of which the newest is kept.

    It offers what :class:`~mlagents.sampling.collector.Collector` and
    :class:`~mlagents.algorithms.acting_loop.ActingLoop` use of a store. Row numbers are places in the ring.

    Args:
        spec: observations and actions of the behavior.
        capacity: rows, R: decisions, those whose outcome is not known yet and final observations included.
            More are allocated where so many agents act at once that they would overwrite each other.
        memory_size: floats that the policy remembers between decisions, m; 0 for none.
        critic_memory_size: floats that the critics remember, m'.
        keeps_all_ends: keep the final observations of all episodes, not only of interrupted ones.
        sequence_length: rows per sequence, L; 1 where rows are learned from one by one.
        note_size: floats that the policy notes about each decision.

    Attributes:
        num_rows: rows that were ever used, at most R.
        num_appended: rows appended since the beginning, without final observations.
        num_complete: decisions whose outcome became known since the beginning.
        observations: one column ``[R, *shape]`` per observation; indexing it gives float32.
        continuous_actions: float32 ``[R, A]``, in environment units.
        discrete_actions: int32 ``[R, D]``.
        log_probs: float32 ``[R, note_size]``, what the policy notes, see
            :class:`~mlagents.networks.squashed_acting.SquashedActingPolicy`.
        allowed_actions: bool ``[R, K]``, False where an action was forbidden.
        rewards: float32 ``[R]``, individual plus group reward earned by the action of the row.
        complete: bool ``[R]``, True once the outcome is known; only these are learned from.
        next_row: int64 ``[R]``, row with the next observation, or -1.
        begins: bool ``[R]``, True for the first row of an episode.
        done: bool ``[R]``, True for the last row of an episode that really ended.
        trace_cut: bool ``[R]``, written by the collector; without meaning here.
        agent_slot: int32 ``[R]``, slot of the agent; -1 for rows that no agent decides in any more.
        position: int64 ``[R]``, decisions in the same episode before this one; only kept for sequences.
        previous_row: int64 ``[R]``, row that this one followed, or -1; it may have been overwritten since.
            Only kept for sequences.
        memory: float32 ``[R, m]``, what the policy remembered before the decision.
        critic_memory: float32 ``[R, m']``, what the critics remembered then.
        lost_slots: agents whose undecided rows were overwritten, because they did not come back for a whole
            round of the ring; whoever follows agents reads and clears it.
    """

    _ROW_COLUMNS = (
        "continuous_actions",
        "discrete_actions",
        "log_probs",
        "allowed_actions",
        "rewards",
        "complete",
        "next_row",
        "begins",
        "done",
        "trace_cut",
        "agent_slot",
        "position",
        "previous_row",
        "memory",
        "critic_memory",
    )

    def __init__(
        self,
        spec: BehaviorSpec,
        capacity: int,
        *,
        memory_size: int = 0,
        critic_memory_size: int = 0,
        keeps_all_ends: bool = False,
        sequence_length: int = 1,
        note_size: int = 0,
    ) -> None:
        actions = spec.action_spec
        self.keeps_all_ends = keeps_all_ends
        self.sequence_length = sequence_length
        self.num_rows = 0
        self.num_appended = 0
        self.num_complete = 0
        self.lost_slots = _NO_SLOTS
        self._head = 0
        self._num_forgotten = 0
        self._num_abandoned = 0
        self._last_row = np.full(0, NO_ROW, dtype=np.int64)
        self.observations: list[ObservationColumn] = [
            make_column(capacity, o.shape) for o in spec.observation_specs
        ]
        self.continuous_actions = np.zeros((capacity, actions.continuous_size), dtype=np.float32)
        self.discrete_actions = np.zeros((capacity, actions.discrete_size), dtype=np.int32)
        self.log_probs = np.zeros((capacity, note_size), dtype=np.float32)
        self.allowed_actions = np.ones((capacity, sum(actions.discrete_branches)), dtype=np.bool_)
        self.rewards = np.zeros(capacity, dtype=np.float32)
        self.complete = np.zeros(capacity, dtype=np.bool_)
        self.next_row = np.full(capacity, NO_ROW, dtype=np.int64)
        self.begins = np.zeros(capacity, dtype=np.bool_)
        self.done = np.zeros(capacity, dtype=np.bool_)
        self.trace_cut = np.zeros(capacity, dtype=np.bool_)
        self.agent_slot = np.full(capacity, _NOBODY, dtype=np.int32)
        self.position = np.zeros(capacity, dtype=np.int64)
        self.previous_row = np.full(capacity, NO_ROW, dtype=np.int64)
        self.memory = np.zeros((capacity, memory_size), dtype=np.float32)
        self.critic_memory = np.zeros((capacity, critic_memory_size), dtype=np.float32)

    @property
    def capacity(self) -> int:
        """Rows allocated, R."""
        return len(self.rewards)

    @property
    def num_stored(self) -> int:
        """Decisions with known outcome that are remembered."""
        return self.num_complete - self._num_forgotten

    # -- what agents do --------------------------------------------------------------------------------

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
            group_id: not used.
            tick: not used.

        Returns:
            The first of the ``n`` consecutive new rows.
        """
        count = len(agent_slot)
        first = self._make_room(count)
        end = first + count
        for column, new in zip(self.observations, observations, strict=True):
            column[first:end] = new
        self.agent_slot[first:end] = agent_slot
        self.num_appended += count
        if self.sequence_length > 1:
            self._link_back(first, agent_slot)
        return first

    def _link_back(self, first: int, slots: NDArray[np.int64]) -> None:
        """Note which rows the new ones follow, and where in their episodes they are."""
        missing = int(slots.max(initial=-1)) + 1 - len(self._last_row)
        if missing > 0:
            self._last_row = np.append(self._last_row, np.full(missing, NO_ROW, dtype=np.int64))
        end = first + len(slots)
        previous = self._last_row[slots]
        # an agent that was away for a round of the ring finds others in its last row
        going_on = (previous != NO_ROW) & ~self.complete[previous] & (self.agent_slot[previous] == slots)
        self.previous_row[first:end] = np.where(going_on, previous, NO_ROW)
        self.position[first:end] = np.where(going_on, self.position[previous] + 1, 0)
        self._last_row[slots] = np.arange(first, end)

    def add_bootstrap(self, observations: list[NDArray[np.float32]], rows: NDArray[np.int64]) -> None:
        """Keep the final observations ``[n, *shape]`` of the episodes that end at ``rows``, in new rows."""
        first = self._make_room(len(rows))
        end = first + len(rows)
        for column, new in zip(self.observations, observations, strict=True):
            column[first:end] = new
        self.next_row[rows] = np.arange(first, end)

    def abandon(self, rows: NDArray[np.int64]) -> None:
        """Mark incomplete ``rows`` as never to be completed: their agents were reset or vanished.

        The rows before them stay, and have theirs as next observations.
        """
        if self.sequence_length > 1:
            self._last_row[self.agent_slot[rows]] = NO_ROW
        self.agent_slot[rows] = _NOBODY
        self._num_abandoned += len(rows)

    # -- the ring --------------------------------------------------------------------------------------

    def _make_room(self, count: int) -> int:
        """First of ``count`` consecutive rows that are free now."""
        undecided = self.num_appended - self.num_complete - self._num_abandoned
        if 2 * (undecided + count) > self.capacity:  # else agents could overwrite what they wait on
            self._grow(4 * (undecided + count))
        first = self._head
        if first + count > self.capacity:
            self._forget(first, self.num_rows)
            first = 0
        end = first + count
        self._forget(first, min(end, self.num_rows))
        self._head = end
        self.num_rows = max(self.num_rows, end)
        return first

    def _forget(self, first: int, end: int) -> None:
        """Make rows free."""
        if first >= end:
            return
        rows = slice(first, end)
        complete = self.complete[rows]
        num_complete = int(np.count_nonzero(complete))
        self._num_forgotten += num_complete
        if num_complete < end - first:
            slots = self.agent_slot[rows][~complete]
            lost = slots[slots != _NOBODY].astype(np.int64)
            if len(lost):
                if self.sequence_length > 1:
                    self._last_row[lost] = NO_ROW
                self._num_abandoned += len(lost)
                self.lost_slots = np.append(self.lost_slots, lost)
        self._clear(rows)

    def _clear(self, rows: slice) -> None:
        self.complete[rows] = False
        self.next_row[rows] = NO_ROW
        self.begins[rows] = False
        self.done[rows] = False
        self.agent_slot[rows] = _NOBODY
        self.allowed_actions[rows] = True

    def _grow(self, capacity: int) -> None:
        """Append free rows; they are reached when the ring has gone through those after the present one."""
        old = self.capacity
        for name in self._ROW_COLUMNS:
            column = getattr(self, name)
            bigger = np.zeros((capacity, *column.shape[1:]), dtype=column.dtype)
            bigger[:old] = column
            setattr(self, name, bigger)
        self._clear(slice(old, capacity))
        grown: list[ObservationColumn] = []
        for observation in self.observations:
            if isinstance(observation, ImageColumn):
                grown.append(observation.grown(capacity))
            else:
                longer = np.zeros((capacity, *observation.shape[1:]), dtype=np.float32)
                longer[:old] = observation
                grown.append(longer)
        self.observations = grown

    # -- learning --------------------------------------------------------------------------------------

    def sample(self, count: int, rng: np.random.Generator) -> NDArray[np.int64]:
        """Rows with known outcome, int64 ``[count]``, drawn uniformly with replacement.

        Raises:
            ValueError: there are none.
        """
        if not self.num_stored:
            raise ValueError("nothing is stored yet")
        rows = rng.integers(self.num_rows, size=count)
        while True:
            wrong = np.flatnonzero(~self.complete[rows])
            if not len(wrong):
                return rows
            rows[wrong] = rng.integers(self.num_rows, size=len(wrong))

    def raw_observations(self, rows: slice | NDArray[np.int64]) -> list[NDArray[Any]]:
        """Observations of rows as they are kept: float32, or for images uint8 levels of 1/255."""
        return [raw_rows(column, rows) for column in self.observations]

    # -- state -----------------------------------------------------------------------------------------

    def get_state(self) -> dict[str, Any]:
        """All rows, as views; enough to continue exactly."""
        used = self.num_rows
        state: dict[str, Any] = {name: getattr(self, name)[:used] for name in self._ROW_COLUMNS}
        state["observations"] = self.raw_observations(slice(0, used))
        state["last_row"] = self._last_row
        state["counters"] = [
            self._head,
            self.num_appended,
            self.num_complete,
            self._num_forgotten,
            self._num_abandoned,
            self.capacity,
        ]
        return state

    def set_state(self, state: dict[str, Any]) -> None:
        """Continue from a state returned by :meth:`get_state`, of a ring that may have had another length."""
        used = len(state["rewards"])
        head, *counters, capacity = (int(value) for value in state["counters"])
        if capacity > self.capacity:
            self._grow(capacity)
        self._clear(slice(used, None))
        for name in self._ROW_COLUMNS:
            getattr(self, name)[:used] = state[name]
        for column, saved in zip(self.observations, state["observations"], strict=True):
            if isinstance(column, ImageColumn):
                column.restore(saved)
            else:
                column[: len(saved)] = saved
        self.num_appended, self.num_complete, self._num_forgotten, self._num_abandoned = counters
        self._head, self.num_rows = head, used
        self._last_row = np.array(state["last_row"], dtype=np.int64)
        self.lost_slots = _NO_SLOTS
