"""The collecting half of a trainer: who waits for actions, what they remember, and what they do next."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from mlagents.experience.store import RolloutStore
from mlagents.networks.acting import ActionColumns, NonFiniteActionError
from mlagents.sampling.checks import check_observations
from mlagents.sampling.collector import Collector
from mlagents.sampling.step_checks import branch_without_actions, check_shapes
from mlagents.sampling.worker import StepBatch
from mlagents.settings.errors import TrainerError
from mlagents_envs.base_env import ActionTuple, BehaviorSpec
from mlagents_envs.logging_util import get_logger

_LOGGER = get_logger(__name__)
_Rows = slice | NDArray[np.int64]


class Actor(Protocol):
    """Chooses actions; see :class:`~mlagents.networks.acting.ActingPolicy`."""

    def act(self, observations: list[NDArray[np.float32]], columns: ActionColumns) -> ActionTuple:
        """Actions in environment units; raw ones, log-probabilities and new memories go to ``columns``."""


@dataclass(frozen=True, slots=True)
class WaitingBatch:
    """Agents of one worker and behavior id that asked for decisions.

    Attributes:
        worker: index of the worker.
        behavior_id: name of the behavior with its team.
        first: first of their consecutive rows in the store.
        count: number of agents.
    """

    worker: int
    behavior_id: str
    first: int
    count: int


class ActingLoop:
    """Writes what agents report into a store, and acts for all that wait in one forward pass.

    What a network remembers is kept per agent, is zero at the beginning of each episode, and is noted in the
    store as it was before each decision.

    Args:
        behavior: name for messages.
        spec: its observations and actions.
        collector: writes rows; its store says how much a policy and its critic remember.
        acting: chooses the actions.

    Attributes:
        collector: follows the agents.
        waiting: batches that wait for actions, in order of arrival.
    """

    def __init__(self, behavior: str, spec: BehaviorSpec, collector: Collector, acting: Actor) -> None:
        self.behavior = behavior
        self.spec = spec
        self.collector = collector
        self.acting = acting
        self.waiting: list[WaitingBatch] = []
        self._warned = False
        store = collector.store
        self._has_memory = bool(store.memory.shape[1] or store.critic_memory.shape[1])
        self._memory = np.zeros((0, store.memory.shape[1]), dtype=np.float32)
        self._critic_memory = np.zeros((0, store.critic_memory.shape[1]), dtype=np.float32)

    # -- agents report ---------------------------------------------------------------------------------

    def observe(self, batch: StepBatch) -> int:
        """Take in what the agents of one worker reported; those that ask for decisions now wait.

        Returns:
            Number of rows whose outcome became known.

        Raises:
            UnityObservationException: something has another shape than was declared.
        """
        check_shapes(self.behavior, self.spec, batch)
        store = self.collector.store
        before = store.num_complete
        first = self.collector.observe(batch)
        count = len(batch.decision)
        if self._has_memory:
            self._forget_ended(batch)
        if count:
            self.waiting.append(WaitingBatch(batch.worker, batch.behavior_id, first, count))
            if batch.decision.action_mask is not None:
                self._warn_of_stuck_agents(batch)
                self._store_masks(first, batch.decision.action_mask)
            if self._has_memory:
                self._note_memories(slice(first, first + count))
        return store.num_complete - before

    def reset_worker(self, worker: int) -> None:
        """Forget running episodes of a worker whose environment was reset."""
        self.waiting = [batch for batch in self.waiting if batch.worker != worker]
        self.collector.reset_worker(worker)
        if self._has_memory:
            self._clear_memories(self.collector.slots.slots_of_worker(worker))

    def keep_unready(self) -> None:
        """Empty the store after an update; rows that cannot be learned from yet stay."""
        self._follow(self.collector.keep_unready())

    def move_unready(self, target: RolloutStore) -> None:
        """Go on with another store, and leave the present one to an update; see :meth:`keep_unready`."""
        self._follow(self.collector.move_unready(target))

    def _follow(self, moved: NDArray[np.int64]) -> None:
        self.waiting = [replace(batch, first=int(moved[batch.first])) for batch in self.waiting]

    def _warn_of_stuck_agents(self, batch: StepBatch) -> None:
        stuck = None if self._warned else branch_without_actions(batch)
        if stuck is not None:
            self._warned = True
            _LOGGER.warning(
                "%s: all actions of branch %d are masked for %s, which has to take one all the same. "
                "An environment should leave at least one action of every branch.",
                self.behavior,
                *stuck,
            )

    def _store_masks(self, first: int, masks: list[NDArray[np.bool_]]) -> None:
        begin = 0
        for mask in masks:
            end = begin + mask.shape[1]
            rows = slice(first, first + len(mask))
            np.logical_not(mask, out=self.collector.store.allowed_actions[rows, begin:end])
            begin = end

    # -- memories --------------------------------------------------------------------------------------

    def _forget_ended(self, batch: StepBatch) -> None:
        ended = batch.terminal.agent_id
        if len(ended):
            slots = self.collector.slots
            self._clear_memories(slots.lookup(batch.behavior_id, batch.worker, "terminal", ended))

    def _clear_memories(self, slots: NDArray[np.int64]) -> None:
        self._ensure_slots()
        self._memory[slots] = 0.0
        self._critic_memory[slots] = 0.0

    def _note_memories(self, rows: slice) -> None:
        """Write to the store what the agents of new rows remember before their decisions."""
        self._ensure_slots()
        store = self.collector.store
        slots = store.agent_slot[rows]
        store.memory[rows] = self._memory[slots]
        store.critic_memory[rows] = self._critic_memory[slots]

    def _ensure_slots(self) -> None:
        missing = self.collector.slots.num_slots - len(self._memory)
        if missing > 0:
            self._memory, self._critic_memory = (
                np.append(memory, np.zeros((missing, memory.shape[1]), dtype=np.float32), axis=0)
                for memory in (self._memory, self._critic_memory)
            )

    # -- agents act ------------------------------------------------------------------------------------

    def act(self, step: int) -> list[tuple[int, str, ActionTuple]]:
        """Choose actions for all agents that wait, in one forward pass.

        Args:
            step: step of the trainer, for messages.

        Returns:
            Worker, behavior id and actions in environment units, for each batch observed since the last
            call that had agents asking for decisions.

        Raises:
            UnityObservationException: an observation is NaN or infinite.
            TrainerError: the observations are fine, but the policy gives NaN or infinite actions.
        """
        if not self.waiting:
            return []
        rows = self._waiting_rows()
        try:
            actions = self._act_for(rows)
        except NonFiniteActionError:
            check_observations(self.behavior, self.spec, self.collector.store, self.collector.slots, rows)
            raise TrainerError(
                f"The policy of the behavior {self.behavior} gives NaN or infinite actions at step {step}, "
                "although its observations are finite. Lower learning_rate, or set normalize."
            ) from None
        waiting, self.waiting = self.waiting, []
        if len(waiting) == 1:
            return [(waiting[0].worker, waiting[0].behavior_id, actions)]
        answers = []
        begin = 0
        for batch in waiting:
            end = begin + batch.count
            part = ActionTuple(actions.continuous[begin:end], actions.discrete[begin:end])
            answers.append((batch.worker, batch.behavior_id, part))
            begin = end
        return answers

    def _waiting_rows(self) -> _Rows:
        """All rows that wait: a slice where they follow each other, as they nearly always do."""
        first = end = self.waiting[0].first
        for batch in self.waiting:
            if batch.first != end:
                ranges = [np.arange(each.first, each.first + each.count) for each in self.waiting]
                return np.concatenate(ranges)
            end += batch.count
        return slice(first, end)

    def _act_for(self, rows: _Rows) -> ActionTuple:
        store = self.collector.store
        columns = ActionColumns(
            store.continuous_actions[rows],
            store.discrete_actions[rows],
            store.log_probs[rows],
            store.allowed_actions[rows],
        )
        if self._has_memory:
            columns = replace(
                columns, memory=_copy(store.memory, rows), critic_memory=_copy(store.critic_memory, rows)
            )
        actions = self.acting.act([column[rows] for column in store.observations], columns)
        if not isinstance(rows, slice):  # then the columns are copies
            store.continuous_actions[rows] = columns.continuous
            store.discrete_actions[rows] = columns.discrete
            store.log_probs[rows] = columns.log_probs
        slots = store.agent_slot[rows]
        if columns.memory is not None:
            self._memory[slots] = columns.memory
        if columns.critic_memory is not None:
            self._critic_memory[slots] = columns.critic_memory
        return actions

    # -- state -----------------------------------------------------------------------------------------

    def get_state(self) -> dict[str, Any]:
        """Agents, stored rows, who waits, and what everyone remembers."""
        return {
            "collector": self.collector.get_state(),
            "waiting": [[each.worker, each.behavior_id, each.first, each.count] for each in self.waiting],
            "memory": self._memory,
            "critic_memory": self._critic_memory,
        }

    def set_state(self, state: dict[str, Any]) -> None:
        """Continue from a state returned by :meth:`get_state`, with arrays.

        Raises:
            ValueError: its agents remember more or less.
        """
        self._memory = _memory_like(self._memory, state["memory"])
        self._critic_memory = _memory_like(self._critic_memory, state["critic_memory"])
        self.collector.set_state(state["collector"])
        self.waiting = [
            WaitingBatch(int(worker), str(name), int(first), int(count))
            for worker, name, first, count in state["waiting"]
        ]


def _copy(memories: NDArray[np.float32], rows: _Rows) -> NDArray[np.float32] | None:
    """A copy of rows ``[n, m]``; None where m is 0."""
    return memories[rows].copy() if memories.shape[1] else None


def _memory_like(mine: NDArray[np.float32], saved: NDArray[np.float32]) -> NDArray[np.float32]:
    if saved.shape[1] != mine.shape[1]:
        raise ValueError(f"agents remember {mine.shape[1]} numbers, but {saved.shape[1]} in the saved state")
    return np.array(saved, dtype=np.float32)
