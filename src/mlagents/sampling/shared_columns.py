"""The steps and actions of one behavior as columns in memory that two processes share.

Observations, rewards and actions never pass through a pipe: the worker writes them here, the trainer reads
them as arrays, and only the numbers of rows are sent.
"""

from __future__ import annotations

from collections.abc import Iterator
from multiprocessing.shared_memory import SharedMemory
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

from mlagents_envs.base_env import ActionTuple, BehaviorSpec, DecisionSteps, TerminalSteps

_ALIGNMENT = 64


def columns_of(spec: BehaviorSpec, capacity: int) -> Iterator[tuple[str, DTypeLike, tuple[int, ...]]]:
    """Name, type and shape of every column for up to ``capacity`` agents."""
    for kind in ("decision", "terminal"):
        for index, observation in enumerate(spec.observation_specs):
            yield f"{kind}.obs{index}", np.float32, (capacity, *observation.shape)
        yield f"{kind}.reward", np.float32, (capacity,)
        yield f"{kind}.group_reward", np.float32, (capacity,)
        yield f"{kind}.agent_id", np.int32, (capacity,)
        yield f"{kind}.group_id", np.int32, (capacity,)
    yield "terminal.interrupted", np.bool_, (capacity,)
    for branch, size in enumerate(spec.action_spec.discrete_branches):
        yield f"decision.mask{branch}", np.bool_, (capacity, size)
    yield "action.continuous", np.float32, (capacity, spec.action_spec.continuous_size)
    yield "action.discrete", np.int32, (capacity, spec.action_spec.discrete_size)


def needed_bytes(spec: BehaviorSpec, capacity: int) -> int:
    """Size of a block for up to ``capacity`` agents, bytes."""
    return sum(
        _aligned(int(np.prod(shape)) * np.dtype(dtype).itemsize)
        for _, dtype, shape in columns_of(spec, capacity)
    )


def _aligned(size: int) -> int:
    return -(-size // _ALIGNMENT) * _ALIGNMENT


class SharedColumns:
    """Arrays over one block of shared memory.

    Args:
        memory: the block, at least :func:`needed_bytes` long.
        spec: observations and actions of the behavior.
        capacity: most agents that fit, C.
    """

    def __init__(self, memory: SharedMemory, spec: BehaviorSpec, capacity: int) -> None:
        self.memory = memory
        self.capacity = capacity
        self._num_observations = len(spec.observation_specs)
        self._num_branches = spec.action_spec.discrete_size
        self._arrays: dict[str, NDArray[Any]] = {}
        offset = 0
        for name, dtype, shape in columns_of(spec, capacity):
            array: NDArray[Any] = np.ndarray(shape, dtype=dtype, buffer=memory.buf, offset=offset)
            self._arrays[name] = array
            offset += _aligned(array.nbytes)

    def write_steps(self, decision: DecisionSteps, terminal: TerminalSteps) -> None:
        """Copy the steps in; they must fit."""
        for kind, steps in (("decision", decision), ("terminal", terminal)):
            count = len(steps.agent_id)
            if not count:
                continue
            for index, observation in enumerate(steps.obs):
                self._arrays[f"{kind}.obs{index}"][:count] = observation
            self._arrays[f"{kind}.reward"][:count] = steps.reward
            self._arrays[f"{kind}.group_reward"][:count] = steps.group_reward
            self._arrays[f"{kind}.agent_id"][:count] = steps.agent_id
            self._arrays[f"{kind}.group_id"][:count] = steps.group_id
        self._arrays["terminal.interrupted"][: len(terminal.agent_id)] = terminal.interrupted
        for branch in range(self._num_branches):
            mask = None if decision.action_mask is None else decision.action_mask[branch]
            self._arrays[f"decision.mask{branch}"][: len(decision.agent_id)] = False if mask is None else mask

    def read_steps(self, decisions: int, terminals: int) -> tuple[DecisionSteps, TerminalSteps]:
        """The steps as views, valid until the worker is asked for its next step.

        Raises:
            ValueError: there cannot be so many.
        """
        if not (0 <= decisions <= self.capacity and 0 <= terminals <= self.capacity):
            raise ValueError(f"{decisions} decisions and {terminals} ends, where {self.capacity} fit")
        a = self._arrays
        masks = [a[f"decision.mask{branch}"][:decisions] for branch in range(self._num_branches)]
        decision = DecisionSteps(
            [a[f"decision.obs{index}"][:decisions] for index in range(self._num_observations)],
            a["decision.reward"][:decisions],
            a["decision.agent_id"][:decisions],
            masks or None,
            a["decision.group_id"][:decisions],
            a["decision.group_reward"][:decisions],
        )
        terminal = TerminalSteps(
            [a[f"terminal.obs{index}"][:terminals] for index in range(self._num_observations)],
            a["terminal.reward"][:terminals],
            a["terminal.interrupted"][:terminals],
            a["terminal.agent_id"][:terminals],
            a["terminal.group_id"][:terminals],
            a["terminal.group_reward"][:terminals],
        )
        return decision, terminal

    def write_actions(self, actions: ActionTuple) -> int:
        """Copy actions in; returns the number of rows."""
        count = len(actions.continuous)
        self._arrays["action.continuous"][:count] = actions.continuous
        self._arrays["action.discrete"][:count] = actions.discrete
        return count

    def read_actions(self, count: int) -> ActionTuple:
        """Copies of the first ``count`` rows of actions."""
        return ActionTuple(
            self._arrays["action.continuous"][:count].copy(), self._arrays["action.discrete"][:count].copy()
        )

    def release(self) -> None:
        """Let go of the arrays, so that the block can be closed."""
        self._arrays.clear()
