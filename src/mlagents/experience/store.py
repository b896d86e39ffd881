"""The on-policy experience store: one preallocated array per field, written once by row index.

Every decision of every agent is one row. Rows are appended in order of time; all agents that ask for a
decision in one environment step get consecutive rows, so that a step is written with one slice
assignment per field. Rows of one agent are linked by ``next_row``: a trajectory is a chain of rows, and
the next observation of a row is the observation of the next row in its chain. Only final observations
of episodes have no row of their own. Those of interrupted episodes, from which the value estimate goes on,
are kept aside as bootstrap observations; those of all episodes where something needs every next observation.

Observations of three dimensions are kept as bytes while that loses nothing (see
:mod:`~mlagents.experience.image_column`).

The reward of a row arrives with the agent's next step. Until then the row is *incomplete*: it is
excluded from training, its observation serves as the bootstrap of the row before it, and it survives
:meth:`RolloutStore.keep_unready`, which empties the store after an update.

Recurrent networks are trained on sequences of L rows. Cutting those wherever an update happens to come would
separate what an agent saw from what it later did about it, so rows of a sequence that is not full yet also
wait for the next update, unless their episode ended.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from mlagents.experience.image_column import ImageColumn, ObservationColumn, make_column, raw_rows
from mlagents.experience.open_sequences import find_open_sequences
from mlagents_envs.base_env import ActionSpec, BehaviorSpec

_NO_ROW = -1
_FIRST_BOOTSTRAPS = 64
_SLACK_BYTES = 32 << 20
_SLACK_ROWS = (256, 4096)


def _grown(column: NDArray[Any], capacity: int) -> NDArray[Any]:
    bigger = np.zeros((capacity, *column.shape[1:]), dtype=column.dtype)
    bigger[: len(column)] = column
    return bigger


def _grown_observations(column: ObservationColumn, capacity: int) -> ObservationColumn:
    return column.grown(capacity) if isinstance(column, ImageColumn) else _grown(column, capacity)


def slack_rows(spec: BehaviorSpec) -> int:
    """Rows to allocate beyond those that an update waits for: agents that are late, and rows not known yet.

    4096, but fewer where observations are large: what is not needed must not take gigabytes.
    """
    row_bytes = sum(make_column(1, observation.shape)[:1].nbytes for observation in spec.observation_specs)
    fewest, most = _SLACK_ROWS
    return min(most, max(fewest, _SLACK_BYTES // max(1, row_bytes)))


class RolloutStore:
    """Columns of experience of one behavior.

    Args:
        spec: observations and actions of the behavior.
        capacity: rows to allocate at first; the store doubles when it must.
        memory_size: floats that the policy remembers between decisions, m; 0 for none.
        critic_memory_size: floats that the critic remembers, m'.
        keeps_all_ends: keep the final observations of all episodes, not only of interrupted ones.
        sequence_length: rows per sequence, L; 1 where rows are learned from one by one.

    Attributes:
        num_rows: rows in use, R.
        num_complete: rows whose reward is known.
        observations: one column ``[R, *shape]`` per observation; indexing it gives float32.
        continuous_actions: float32 ``[R, A]``, as sampled, before any clipping.
        discrete_actions: int32 ``[R, D]``, one index per branch.
        log_probs: float32 ``[R, A + D]``, log-probability of each action component when it was taken.
        allowed_actions: bool ``[R, sum of branch sizes]``, False where an action was forbidden.
        rewards: float32 ``[R]``, individual plus group reward earned by the action of the row.
        complete: bool ``[R]``, True once the reward is known.
        next_row: int64 ``[R]``, next row of the same episode, or -1.
        begins: bool ``[R]``, True for the first row of an episode.
        done: bool ``[R]``, True for the last row of an episode that really ended.
        bootstrap_row: int64 ``[R]``, index of the final observation of an interrupted episode, or of any
            episode with ``keeps_all_ends``; or -1.
        trace_cut: bool ``[R]``, True where the time horizon closed a segment.
        agent_slot: int32 ``[R]``, slot of the agent (see :class:`~mlagents.sampling.slots.SlotTable`).
        group_id: int32 ``[R]``, group of the agent, 0 for none.
        tick: int64 ``[R]``, equal for rows that were appended together: those of one step of one team.
        memory: float32 ``[R, m]``, what the policy remembered before the decision.
        critic_memory: float32 ``[R, m']``, what the critic remembered then.
        num_bootstrap: final observations kept aside, E.
        bootstrap_observations: one column ``[E, *shape]`` per observation.
        lost_slots: agents whose undecided rows are gone; none ever, as this store grows instead.
    """

    lost_slots: NDArray[np.int64] = np.zeros(0, dtype=np.int64)
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
        "bootstrap_row",
        "trace_cut",
        "agent_slot",
        "group_id",
        "tick",
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
    ) -> None:
        self.keeps_all_ends = keeps_all_ends
        self.sequence_length = sequence_length
        actions: ActionSpec = spec.action_spec
        components = actions.continuous_size + actions.discrete_size
        self.num_rows = 0
        self.num_complete = 0
        self.num_bootstrap = 0
        self.observations = [make_column(capacity, o.shape) for o in spec.observation_specs]
        self.bootstrap_observations = [
            make_column(_FIRST_BOOTSTRAPS, o.shape) for o in spec.observation_specs
        ]
        self.continuous_actions = np.zeros((capacity, actions.continuous_size), dtype=np.float32)
        self.discrete_actions = np.zeros((capacity, actions.discrete_size), dtype=np.int32)
        self.log_probs = np.zeros((capacity, components), dtype=np.float32)
        self.allowed_actions = np.ones((capacity, sum(actions.discrete_branches)), dtype=np.bool_)
        self.rewards = np.zeros(capacity, dtype=np.float32)
        self.complete = np.zeros(capacity, dtype=np.bool_)
        self.next_row = np.full(capacity, _NO_ROW, dtype=np.int64)
        self.begins = np.zeros(capacity, dtype=np.bool_)
        self.done = np.zeros(capacity, dtype=np.bool_)
        self.bootstrap_row = np.full(capacity, _NO_ROW, dtype=np.int64)
        self.trace_cut = np.zeros(capacity, dtype=np.bool_)
        self.agent_slot = np.zeros(capacity, dtype=np.int32)
        self.group_id = np.zeros(capacity, dtype=np.int32)
        self.tick = np.zeros(capacity, dtype=np.int64)
        self.memory = np.zeros((capacity, memory_size), dtype=np.float32)
        self.critic_memory = np.zeros((capacity, critic_memory_size), dtype=np.float32)

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
        """Keep the final observations ``[n, *shape]`` of the episodes that end at ``rows``."""
        count = len(rows)
        first = self.num_bootstrap
        end = first + count
        if end > len(self.bootstrap_observations[0]):
            size = max(end, 2 * len(self.bootstrap_observations[0]))
            self.bootstrap_observations = [
                _grown_observations(column, size) for column in self.bootstrap_observations
            ]
        for column, new in zip(self.bootstrap_observations, observations, strict=True):
            column[first:end] = new
        self.bootstrap_row[rows] = np.arange(first, end)
        self.num_bootstrap = end

    def ready(self) -> NDArray[np.bool_]:
        """Which rows can be learned from, bool ``[R]``: complete ones that no open sequence holds back."""
        used = self.num_rows
        complete = self.complete[:used]
        if self.sequence_length == 1:
            return complete
        held = np.empty(used, dtype=np.bool_)
        find_open_sequences(
            self.next_row[:used],
            self.trace_cut[:used],
            complete,
            self.agent_slot[:used],
            self.sequence_length,
            held,
        )
        return complete & ~held

    def has_ready(self, count: int) -> bool:
        """Whether at least ``count`` rows can be learned from."""
        if self.num_complete < count:
            return False
        return self.sequence_length == 1 or int(np.count_nonzero(self.ready())) >= count

    def keep_unready(self) -> NDArray[np.int64]:
        """Drop all rows that were ready to be learned from, and abandoned ones; move the others to the front.

        Returns:
            int64 ``[previous R + 1]``, new row of each old row, -1 where it was dropped. The extra last
            element is -1, so that "no row" (-1) maps to itself when used as an index.
        """
        return self.move_unready(self)

    def move_unready(self, target: RolloutStore) -> NDArray[np.int64]:
        """Replace what ``target`` holds by the rows that :meth:`keep_unready` keeps; see there.

        Unless it is this store, this one stays as it is: what was ready is bootstrapped from the others.
        """
        used = self.num_rows
        kept = np.flatnonzero(~self.ready() & (self.agent_slot[:used] >= 0))
        count = len(kept)
        if target.capacity < self.capacity:
            target._grow(self.capacity)
        moved = np.full(used + 1, _NO_ROW, dtype=np.int64)
        moved[kept] = np.arange(count)
        for column, new in zip(target.observations, self.raw_observations(kept), strict=True):
            if isinstance(column, ImageColumn):
                column.restore(new)
            else:
                column[:count] = new
        for name in self._ROW_COLUMNS:
            getattr(target, name)[:count] = getattr(self, name)[kept]
        target.next_row[:count] = moved[target.next_row[:count]]
        target._clear_from(count)
        target.num_rows = count
        target.num_complete = int(np.count_nonzero(target.complete[:count]))
        target.num_bootstrap = 0
        return moved

    def abandon(self, rows: NDArray[np.int64]) -> None:
        """Mark incomplete ``rows`` as never to be completed: their agents were reset or vanished.

        The rows before them stay and are bootstrapped from them, as from any newest observation.
        """
        self.agent_slot[rows] = _NO_ROW

    def raw_observations(self, rows: slice | NDArray[np.int64]) -> list[NDArray[Any]]:
        """Observations of rows as they are kept: float32, or for images uint8 levels of 1/255."""
        return [raw_rows(column, rows) for column in self.observations]

    def raw_final_observations(self) -> list[NDArray[Any]]:
        """All final observations ``[E, *shape]`` as they are kept; views."""
        return [raw_rows(column, slice(0, self.num_bootstrap)) for column in self.bootstrap_observations]

    def get_state(self) -> dict[str, Any]:
        """All rows in use, as views; enough to continue exactly."""
        state: dict[str, Any] = {name: getattr(self, name)[: self.num_rows] for name in self._ROW_COLUMNS}
        state["observations"] = self.raw_observations(slice(0, self.num_rows))
        state["bootstrap_observations"] = self.raw_final_observations()
        return state

    def set_state(self, state: dict[str, Any]) -> None:
        """Continue from a state returned by :meth:`get_state`."""
        rows = len(state["rewards"])
        if rows > self.capacity:
            self._grow(rows)
        self._clear_from(rows)
        for name in self._ROW_COLUMNS:
            getattr(self, name)[:rows] = state[name]
        bootstraps = len(state["bootstrap_observations"][0]) if state["bootstrap_observations"] else 0
        shapes = [column[:1].shape[1:] for column in self.observations]
        self.bootstrap_observations = [
            make_column(max(_FIRST_BOOTSTRAPS, bootstraps), shape) for shape in shapes
        ]
        for columns, key in (
            (self.observations, "observations"),
            (self.bootstrap_observations, "bootstrap_observations"),
        ):
            for column, saved in zip(columns, state[key], strict=True):
                if isinstance(column, ImageColumn):
                    column.restore(saved)
                else:
                    column[: len(saved)] = saved
        self.num_rows = rows
        self.num_complete = int(np.count_nonzero(self.complete[:rows]))
        self.num_bootstrap = bootstraps

    def _grow(self, needed: int) -> None:
        capacity = max(needed, 2 * self.capacity)
        old = self.capacity
        self.observations = [_grown_observations(column, capacity) for column in self.observations]
        for name in self._ROW_COLUMNS:
            setattr(self, name, _grown(getattr(self, name), capacity))
        self._clear_from(old)

    def _clear_from(self, first: int) -> None:
        """Make the rows from ``first`` on look unused."""
        self.complete[first:] = False
        self.next_row[first:] = _NO_ROW
        self.begins[first:] = False
        self.done[first:] = False
        self.bootstrap_row[first:] = _NO_ROW
        self.trace_cut[first:] = False
        self.allowed_actions[first:] = True
