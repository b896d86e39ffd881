"""Columns of a behavior: where its agents write what they have to tell, one row per record.

The arrays are allocated once, grow by doubling, and belong to the behavior. Whoever fills the rows
(single agents now, whole batches of agents later) and whoever reads them (a trainer, a heuristic)
meet here and know nothing of each other. ``n`` is the number of used rows.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from mlagents_envs.base_env import BehaviorSpec, DecisionSteps, TerminalSteps
from mlagents_envs.exception import UnityObservationException
from mlagents_sdk.exception import AgentsError

INITIAL_CAPACITY = 16


class RecordColumns:
    """Rows of one kind of record of one behavior.

    Args:
        behavior: fully qualified name, for messages.
        spec: observations and actions of the behavior.

    Attributes:
        count: number of used rows, ``n``.
        sealed: number of leading rows that were handed over for a decision; rows beyond came later
            and wait for the next exchange.
        obs: one float32 array ``(capacity, *shape)`` per observation.
        reward: float32 ``(capacity,)``, since the agent's previous record.
        agent_id: int32 ``(capacity,)``.
        group_id: int32 ``(capacity,)``, 0 for none.
        group_reward: float32 ``(capacity,)``.
    """

    def __init__(self, behavior: str, spec: BehaviorSpec) -> None:
        self._behavior = behavior
        self._spec = spec
        self.count = 0
        self.sealed = 0
        self._capacity = INITIAL_CAPACITY
        self.obs: list[NDArray[np.float32]] = [
            np.zeros((INITIAL_CAPACITY, *observation.shape), dtype=np.float32)
            for observation in spec.observation_specs
        ]
        self.reward = np.zeros(INITIAL_CAPACITY, dtype=np.float32)
        self.agent_id = np.zeros(INITIAL_CAPACITY, dtype=np.int32)
        self.group_id = np.zeros(INITIAL_CAPACITY, dtype=np.int32)
        self.group_reward = np.zeros(INITIAL_CAPACITY, dtype=np.float32)
        self._rows = self._make_rows()

    def next_row(self) -> tuple[NDArray[np.float32], ...]:
        """Views ``(*shape)`` of the next free row, one per observation, to be written in place.

        The row counts only once it is committed.
        """
        if self.count == self._capacity:
            self._grow()
        return self._rows[self.count]

    def commit(self, agent_id: int, reward: float, group_id: int, group_reward: float) -> int:
        """Complete the row last returned by :meth:`next_row`.

        Returns:
            Index of the row.
        """
        row = self.count
        self.agent_id[row] = agent_id
        self.group_id[row] = group_id
        try:
            self.reward[row] = reward
            self.group_reward[row] = group_reward
        except (TypeError, ValueError) as error:
            raise AgentsError(
                f"Behavior {self._behavior}, agent {agent_id}: the reward is {reward!r}, that of the group "
                f"{group_reward!r}. Rewards are numbers; check what is given to add_reward and set_reward."
            ) from error
        self.count = row + 1
        return row

    def seal(self) -> int:
        """Hand over all rows written so far, after checking them; returns their number.

        Raises:
            UnityObservationException: an observation or reward is NaN or infinite.
        """
        self.sealed = n = self.count
        if n:
            self._check_finite(n)
        return n

    def drop_sealed(self) -> None:
        """Forget the rows that were handed over; later ones move to the front."""
        done, end = self.sealed, self.count
        if end > done > 0:
            for column in self._columns():
                column[: end - done] = column[done:end]
        self.count = end - done
        self.sealed = 0

    def clear(self) -> None:
        """Forget all rows."""
        self.count = self.sealed = 0

    def get_state(self) -> dict[str, Any]:
        """Copies of the used rows, for saving."""
        return {
            "sealed": self.sealed,
            "columns": [column[: self.count].copy() for column in self._columns()],
        }

    def set_state(self, state: dict[str, Any]) -> None:
        """Put back the rows of :meth:`get_state`."""
        count = len(state["columns"][0])
        while self._capacity < count:
            self._grow()
        for column, saved in zip(self._columns(), state["columns"], strict=True):
            column[:count] = saved
        self.count, self.sealed = count, int(state["sealed"])

    def _columns(self) -> list[NDArray[Any]]:
        return [self.agent_id, self.reward, self.group_id, self.group_reward, *self.obs]

    def _grow(self) -> None:
        self._capacity *= 2
        self.obs = [_doubled(column) for column in self.obs]
        self.reward = _doubled(self.reward)
        self.agent_id = _doubled(self.agent_id)
        self.group_id = _doubled(self.group_id)
        self.group_reward = _doubled(self.group_reward)
        self._rows = self._make_rows()

    def _make_rows(self) -> list[tuple[NDArray[np.float32], ...]]:
        # Indexing an array costs more than writing a short vector, so the views are made once.
        return [tuple(column[row, ...] for column in self.obs) for row in range(self._capacity)]

    def _check_finite(self, n: int) -> None:
        for column, spec in zip(self.obs, self._spec.observation_specs, strict=True):
            used = column[:n]
            if not np.isfinite(used).all():
                row, *index = np.argwhere(~np.isfinite(used))[0].tolist()
                where = index[0] if len(index) == 1 else tuple(index)
                raise UnityObservationException(
                    f"Behavior {self._behavior}, agent {self.agent_id[row]}, sensor {spec.name}: the value "
                    f"at index {where} is {used[(row, *index)]}. Observations must be finite; check what the "
                    "agent adds there."
                )
        for kind, rewards, methods in (
            ("reward", self.reward, "add_reward and set_reward"),
            ("group reward", self.group_reward, "add_group_reward and set_group_reward"),
        ):
            if not np.isfinite(rewards[:n]).all():
                row = int(np.argmin(np.isfinite(rewards[:n])))
                raise UnityObservationException(
                    f"Behavior {self._behavior}, agent {self.agent_id[row]}: the {kind} is {rewards[row]}. "
                    f"Rewards must be finite; check what is given to {methods}."
                )


class DecisionColumns(RecordColumns):
    """Rows of the agents that ask for a decision.

    Attributes:
        mask: bool ``(capacity, sum of branch sizes)``, True where the action is forbidden. Rows are
            reused: whoever commits a row writes its mask too.
    """

    def __init__(self, behavior: str, spec: BehaviorSpec) -> None:
        super().__init__(behavior, spec)
        branches = spec.action_spec.discrete_branches
        self.mask = np.zeros((INITIAL_CAPACITY, sum(branches)), dtype=np.bool_)
        ends = np.cumsum(branches, dtype=int).tolist()
        self._branch_slices = [slice(end - size, end) for end, size in zip(ends, branches, strict=True)]

    def to_steps(self, n: int) -> DecisionSteps:
        """Copies of the first ``n`` rows."""
        masks = [self.mask[:n, part].copy() for part in self._branch_slices] if self._branch_slices else None
        return DecisionSteps(
            obs=[column[:n].copy() for column in self.obs],
            reward=self.reward[:n].copy(),
            agent_id=self.agent_id[:n].copy(),
            action_mask=masks,
            group_id=self.group_id[:n].copy(),
            group_reward=self.group_reward[:n].copy(),
        )

    def _columns(self) -> list[NDArray[Any]]:
        return [*super()._columns(), self.mask]

    def _grow(self) -> None:
        super()._grow()
        self.mask = _doubled(self.mask)


class TerminalColumns(RecordColumns):
    """Rows of the agents whose episode ended.

    Attributes:
        interrupted: bool ``(capacity,)``, True where a time limit cut the episode. Rows are reused:
            whoever commits a row writes this too.
    """

    def __init__(self, behavior: str, spec: BehaviorSpec) -> None:
        super().__init__(behavior, spec)
        self.interrupted = np.zeros(INITIAL_CAPACITY, dtype=np.bool_)

    def to_steps(self, n: int) -> TerminalSteps:
        """Copies of the first ``n`` rows."""
        return TerminalSteps(
            obs=[column[:n].copy() for column in self.obs],
            reward=self.reward[:n].copy(),
            interrupted=self.interrupted[:n].copy(),
            agent_id=self.agent_id[:n].copy(),
            group_id=self.group_id[:n].copy(),
            group_reward=self.group_reward[:n].copy(),
        )

    def _columns(self) -> list[NDArray[Any]]:
        return [*super()._columns(), self.interrupted]

    def _grow(self) -> None:
        super()._grow()
        self.interrupted = _doubled(self.interrupted)


class BehaviorColumns:
    """Both kinds of records of one behavior.

    Args:
        name: fully qualified name of the behavior.
        spec: observations and actions of the behavior.
    """

    def __init__(self, name: str, spec: BehaviorSpec) -> None:
        self.name = name
        self.spec = spec
        self.decisions = DecisionColumns(name, spec)
        self.terminals = TerminalColumns(name, spec)

    def drop_handed_over(self) -> None:
        """Forget the rows that were handed over; later ones stay."""
        self.decisions.drop_sealed()
        self.terminals.drop_sealed()

    def get_state(self) -> dict[str, Any]:
        """Copies of the used rows, for saving."""
        return {"decisions": self.decisions.get_state(), "terminals": self.terminals.get_state()}

    def set_state(self, state: dict[str, Any]) -> None:
        """Put back the rows of :meth:`get_state`."""
        self.decisions.set_state(state["decisions"])
        self.terminals.set_state(state["terminals"])

    def clear(self) -> None:
        """Forget all rows."""
        self.decisions.clear()
        self.terminals.clear()


def _doubled(column: NDArray[Any]) -> NDArray[Any]:
    """``column`` with twice as many rows, the new ones zero."""
    grown = np.zeros((2 * len(column), *column.shape[1:]), dtype=column.dtype)
    grown[: len(column)] = column
    return grown
