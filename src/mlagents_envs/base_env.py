"""The contract between environments and trainers: specs, steps, actions and :class:`BaseEnv`.

Everything is columnar. A batch of agents that share a behavior is one array per field, with one row
per agent; ``n`` is always the number of agents of that batch. Single-agent views exist for
convenience and cost a slice each.

Typical loop::

    env.reset()
    name = next(iter(env.behavior_specs))
    spec = env.behavior_specs[name]
    while True:
        decision_steps, terminal_steps = env.get_steps(name)
        env.set_actions(name, spec.action_spec.random_action(len(decision_steps)))
        env.step()
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from enum import Enum, IntFlag
from typing import Any, NamedTuple, TypeVar

import numpy as np
from numpy.typing import NDArray

from mlagents_envs.actions import ActionSpec as ActionSpec
from mlagents_envs.actions import ActionTuple as ActionTuple
from mlagents_envs.actions import _ActionTupleBase as _ActionTupleBase  # a name that scripts import

AgentId = int
GroupId = int
BehaviorName = str

_Step = TypeVar("_Step")


class DimensionProperty(IntFlag):
    """How one axis of an observation may be treated by a network."""

    UNSPECIFIED = 0
    """Nothing is promised about this axis."""
    NONE = 1
    """The position along this axis has its own meaning (as in a vector)."""
    TRANSLATIONAL_EQUIVARIANCE = 2
    """The axis is spatial: shifting the content shifts its meaning (as in an image)."""
    VARIABLE_SIZE = 4
    """The axis lists a varying number of entities, padded with zeros."""


class ObservationType(Enum):
    """What an observation is about."""

    DEFAULT = 0
    """A plain observation."""
    GOAL_SIGNAL = 1
    """The observation describes the task at hand, not the state of the world."""


class ObservationSpec(NamedTuple):
    """Shape and meaning of one observation of an agent.

    Attributes:
        shape: size of each axis, without the batch axis; images are (channels, height, width).
        dimension_property: one property per axis.
        observation_type: plain observation or goal signal.
        name: name of the sensor that makes it.
    """

    shape: tuple[int, ...]
    dimension_property: tuple[DimensionProperty, ...]
    observation_type: ObservationType
    name: str


class DecisionStep(NamedTuple):
    """What one agent that asks for a decision has to tell.

    Attributes:
        obs: one float32 array per observation, each of the shape in its spec.
        reward: reward since the agent's previous step.
        agent_id: identity of the agent within its behavior.
        action_mask: one bool array ``(branch_size,)`` per discrete branch, True where the action is
            forbidden; None when the behavior has no discrete actions.
        group_id: group of the agent, 0 for none.
        group_reward: group reward since the agent's previous step.
    """

    obs: list[NDArray[Any]]
    reward: float
    agent_id: AgentId
    action_mask: list[NDArray[Any]] | None
    group_id: GroupId
    group_reward: float


class TerminalStep(NamedTuple):
    """What one agent whose episode just ended has to tell.

    Attributes:
        obs: final observation, one array per sensor.
        reward: reward since the agent's previous step.
        interrupted: True when the episode was cut by a time limit rather than by its outcome.
        agent_id: identity of the agent within its behavior.
        group_id: group of the agent, 0 for none.
        group_reward: group reward since the agent's previous step.
    """

    obs: list[NDArray[Any]]
    reward: float
    interrupted: bool
    agent_id: AgentId
    group_id: GroupId
    group_reward: float


class _AgentRows(Mapping[AgentId, _Step]):
    """Mapping from agent id to its row; shared by the two kinds of steps."""

    agent_id: NDArray[np.int32]
    _agent_id_to_index: dict[AgentId, int] | None

    @property
    def agent_id_to_index(self) -> dict[AgentId, int]:
        """Row of each agent id, built when first asked for."""
        if self._agent_id_to_index is None:
            self._agent_id_to_index = {int(agent): row for row, agent in enumerate(self.agent_id)}
        return self._agent_id_to_index

    def __len__(self) -> int:
        return len(self.agent_id)

    def __iter__(self) -> Iterator[AgentId]:
        return iter(self.agent_id.tolist())

    # Mapping would compare the arrays within; two batches are the same only if they are one object.
    __eq__ = object.__eq__
    __hash__ = object.__hash__

    def _row(self, agent_id: AgentId) -> int:
        try:
            return self.agent_id_to_index[agent_id]
        except KeyError:
            raise KeyError(f"Agent {agent_id} is not in this batch of {len(self)} agents.") from None


def _empty_observations(spec: BehaviorSpec) -> list[NDArray[Any]]:
    return [np.zeros((0, *observation.shape), dtype=np.float32) for observation in spec.observation_specs]


class DecisionSteps(_AgentRows[DecisionStep]):
    """All agents of a behavior that ask for a decision, as columns.

    Args:
        obs: one float32 array ``(n, *shape)`` per observation.
        reward: float32 ``(n,)``.
        agent_id: int32 ``(n,)``.
        action_mask: one bool array ``(n, branch_size)`` per discrete branch, True where the action
            is forbidden, or None.
        group_id: int32 ``(n,)``.
        group_reward: float32 ``(n,)``.
    """

    def __init__(
        self,
        obs: list[NDArray[Any]],
        reward: NDArray[np.float32],
        agent_id: NDArray[np.int32],
        action_mask: list[NDArray[Any]] | None,
        group_id: NDArray[np.int32],
        group_reward: NDArray[np.float32],
    ) -> None:
        self.obs = obs
        self.reward = reward
        self.agent_id = agent_id
        self.action_mask = action_mask
        self.group_id = group_id
        self.group_reward = group_reward
        self._agent_id_to_index = None

    def __getitem__(self, agent_id: AgentId) -> DecisionStep:
        row = self._row(agent_id)
        masks = None if self.action_mask is None else [mask[row] for mask in self.action_mask]
        return DecisionStep(
            obs=[column[row] for column in self.obs],
            reward=float(self.reward[row]),
            agent_id=agent_id,
            action_mask=masks,
            group_id=int(self.group_id[row]),
            group_reward=float(self.group_reward[row]),
        )

    @staticmethod
    def empty(spec: BehaviorSpec) -> DecisionSteps:
        """Steps of no agents, with the right shapes for ``spec``."""
        return DecisionSteps(
            obs=_empty_observations(spec),
            reward=np.zeros(0, dtype=np.float32),
            agent_id=np.zeros(0, dtype=np.int32),
            action_mask=None,
            group_id=np.zeros(0, dtype=np.int32),
            group_reward=np.zeros(0, dtype=np.float32),
        )


class TerminalSteps(_AgentRows[TerminalStep]):
    """All agents of a behavior whose episode just ended, as columns.

    Args:
        obs: one float32 array ``(n, *shape)`` per observation.
        reward: float32 ``(n,)``.
        interrupted: bool ``(n,)``, True where a time limit cut the episode.
        agent_id: int32 ``(n,)``.
        group_id: int32 ``(n,)``.
        group_reward: float32 ``(n,)``.
    """

    def __init__(
        self,
        obs: list[NDArray[Any]],
        reward: NDArray[np.float32],
        interrupted: NDArray[np.bool_],
        agent_id: NDArray[np.int32],
        group_id: NDArray[np.int32],
        group_reward: NDArray[np.float32],
    ) -> None:
        self.obs = obs
        self.reward = reward
        self.interrupted = interrupted
        self.agent_id = agent_id
        self.group_id = group_id
        self.group_reward = group_reward
        self._agent_id_to_index = None

    def __getitem__(self, agent_id: AgentId) -> TerminalStep:
        row = self._row(agent_id)
        return TerminalStep(
            obs=[column[row] for column in self.obs],
            reward=float(self.reward[row]),
            interrupted=bool(self.interrupted[row]),
            agent_id=agent_id,
            group_id=int(self.group_id[row]),
            group_reward=float(self.group_reward[row]),
        )

    @staticmethod
    def empty(spec: BehaviorSpec) -> TerminalSteps:
        """Steps of no agents, with the right shapes for ``spec``."""
        return TerminalSteps(
            obs=_empty_observations(spec),
            reward=np.zeros(0, dtype=np.float32),
            interrupted=np.zeros(0, dtype=np.bool_),
            agent_id=np.zeros(0, dtype=np.int32),
            group_id=np.zeros(0, dtype=np.int32),
            group_reward=np.zeros(0, dtype=np.float32),
        )


class BehaviorSpec(NamedTuple):
    """Observations and actions shared by all agents of a behavior."""

    observation_specs: list[ObservationSpec]
    action_spec: ActionSpec


class BehaviorMapping(Mapping[BehaviorName, BehaviorSpec]):
    """Read-only live view of the behaviors that an environment has announced so far."""

    def __init__(self, specs: dict[BehaviorName, BehaviorSpec]) -> None:
        self._specs = specs

    def __len__(self) -> int:
        return len(self._specs)

    def __getitem__(self, behavior: BehaviorName) -> BehaviorSpec:
        return self._specs[behavior]

    def __iter__(self) -> Iterator[BehaviorName]:
        return iter(self._specs)


class BaseEnv(ABC):
    """An environment in which agents, grouped by behavior, ask for decisions.

    The order of calls is ``reset``, then ``get_steps`` / ``set_actions`` for each behavior, then
    ``step``, and so on until ``close``. New behaviors may appear at any ``reset`` or ``step``.
    """

    @abstractmethod
    def step(self) -> None:
        """Send the actions set so far (zeros for the rest) and advance to the next decision."""

    @abstractmethod
    def reset(self) -> None:
        """Start anew; running episodes end without a terminal step."""

    @abstractmethod
    def close(self) -> None:
        """Release everything; the environment cannot be used afterwards."""

    @property
    @abstractmethod
    def behavior_specs(self) -> BehaviorMapping:
        """Specs by behavior name; empty before the first ``reset`` for some environments."""

    @abstractmethod
    def set_actions(self, behavior_name: BehaviorName, action: ActionTuple) -> None:
        """Set the actions of all agents of a behavior that asked for a decision.

        Args:
            behavior_name: a key of :attr:`behavior_specs`.
            action: rows in the order of the last ``DecisionSteps``.

        Raises:
            UnityActionException: unknown behavior or wrong shape.
        """

    @abstractmethod
    def set_action_for_agent(
        self, behavior_name: BehaviorName, agent_id: AgentId, action: ActionTuple
    ) -> None:
        """Set the action of one agent, arrays of one row.

        Raises:
            UnityActionException: unknown behavior or wrong shape.
            IndexError: the agent did not ask for a decision.
        """

    @abstractmethod
    def get_steps(self, behavior_name: BehaviorName) -> tuple[DecisionSteps, TerminalSteps]:
        """Steps of a behavior since the last ``step`` or ``reset``.

        One agent may be in both when its episode ended and the next one began.

        Raises:
            UnityActionException: unknown behavior.
        """
