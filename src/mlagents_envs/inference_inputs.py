"""What a model may want beside observations: memories of its agents, and inputs of earlier exporters."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mlagents_envs.base_env import AgentId

OPTIONAL_INPUTS = frozenset({"prev_action", "epsilon", "batch_size", "sequence_length"})
"""Inputs that models of the original's earlier exporters have; today's have none of them."""

_TYPES: dict[str, type[np.generic]] = {
    "tensor(float)": np.float32,
    "tensor(int32)": np.int32,
    "tensor(int64)": np.int64,
}


def input_type(name: str) -> type[np.generic]:
    """NumPy type of an ONNX type such as ``tensor(float)``; float32 for types that no policy has."""
    return _TYPES.get(name, np.float32)


class AgentMemories:
    """One row of numbers for each agent, handed out by agent id.

    Args:
        size: numbers per agent.

    Attributes:
        values: float32 ``[capacity, size]``.
    """

    def __init__(self, size: int) -> None:
        self.values: NDArray[np.float32] = np.zeros((0, size), dtype=np.float32)
        self._slot_of: dict[AgentId, int] = {}
        self._free: list[int] = []

    def slots(self, agent_ids: list[AgentId]) -> NDArray[np.intp]:
        """Rows of these agents, zeros for those not seen before."""
        for agent_id in agent_ids:
            if agent_id not in self._slot_of:
                if not self._free:
                    self._grow()
                slot = self._free.pop()
                self.values[slot] = 0.0
                self._slot_of[agent_id] = slot
        return np.fromiter((self._slot_of[agent_id] for agent_id in agent_ids), np.intp, len(agent_ids))

    def read(self, agent_ids: list[AgentId]) -> NDArray[np.float32]:
        """Numbers of these agents, float32 ``[n, size]``; zeros for those not seen before."""
        slots = self.slots(agent_ids)  # first, because it may replace the array
        return self.values[slots]

    def write(self, agent_ids: list[AgentId], values: NDArray[Any]) -> None:
        """Replace the numbers of these agents, ``[n, size]``."""
        slots = self.slots(agent_ids)
        self.values[slots] = values

    def drop(self, agent_ids: Iterable[AgentId]) -> None:
        """Forget these agents."""
        for agent_id in agent_ids:
            slot = self._slot_of.pop(agent_id, None)
            if slot is not None:
                self._free.append(slot)

    def clear(self) -> None:
        """Forget all agents."""
        self.drop(list(self._slot_of))

    def get_state(self) -> dict[str, NDArray[Any]]:
        """Ids of the agents and their rows, for saving."""
        agent_ids = list(self._slot_of)
        return {"agent_id": np.array(agent_ids, dtype=np.int64), "values": self.read(agent_ids)}

    def set_state(self, state: Mapping[str, NDArray[Any]]) -> None:
        """Put back the rows of :meth:`get_state`, and forget all other agents."""
        self.clear()
        self.write(state["agent_id"].tolist(), state["values"])

    def _grow(self) -> None:
        old = len(self.values)
        new = max(16, 2 * old)
        self.values = np.concatenate(
            [self.values, np.zeros((new - old, self.values.shape[1]), dtype=np.float32)]
        )
        self._free.extend(range(new - 1, old - 1, -1))


class OptionalInputs:
    """Fills the inputs among :data:`OPTIONAL_INPUTS` that a model has.

    Args:
        types: NumPy type of each of them by name.
        continuous_size: number of continuous actions.
        num_branches: number of discrete branches.
        seed: seed of ``epsilon``.
    """

    def __init__(
        self, types: Mapping[str, type[np.generic]], continuous_size: int, num_branches: int, seed: int
    ) -> None:
        self._types = types
        self._continuous_size = continuous_size
        self._rng = np.random.default_rng(seed)
        self._previous = AgentMemories(num_branches) if "prev_action" in types else None

    def feed(self, agent_ids: list[AgentId]) -> dict[str, NDArray[Any]]:
        """Values for these ``n`` agents.

        ``epsilon`` ``[n, c]`` is drawn from the standard normal distribution, ``prev_action`` ``[n, d]``
        holds the discrete actions chosen last, zeros at the beginning of an episode; ``batch_size`` and
        ``sequence_length`` ``[1]`` are ``n`` and 1.
        """
        n = len(agent_ids)
        values: dict[str, NDArray[Any]] = {}
        if "epsilon" in self._types:
            values["epsilon"] = self._rng.standard_normal((n, self._continuous_size))
        if self._previous is not None:
            values["prev_action"] = self._previous.read(agent_ids)
        if "batch_size" in self._types:
            values["batch_size"] = np.array([n])
        if "sequence_length" in self._types:
            values["sequence_length"] = np.ones(1)
        return {name: value.astype(self._types[name]) for name, value in values.items()}

    def remember(self, agent_ids: list[AgentId], discrete: NDArray[np.int32]) -> None:
        """Note what these agents chose, ``[n, d]``."""
        if self._previous is not None:
            self._previous.write(agent_ids, discrete)

    def drop(self, agent_ids: Iterable[AgentId]) -> None:
        """Forget what these agents chose."""
        if self._previous is not None:
            self._previous.drop(agent_ids)

    def clear(self) -> None:
        """Forget what all agents chose."""
        if self._previous is not None:
            self._previous.clear()
