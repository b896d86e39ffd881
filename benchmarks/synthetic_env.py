"""An environment that costs next to nothing, so that what is measured is the trainer.

Eight observations or one image, two continuous actions, every agent decides at every step, episodes of 100
to 1000 steps whose lengths each agent draws from its own seeded stream. It needs NumPy and a
`mlagents_envs`, ours or the peer's: the contract that it implements is the same in both.
"""

from __future__ import annotations

import math
import time
from argparse import Namespace
from typing import Any

import numpy as np

from mlagents_envs.base_env import (
    ActionSpec,
    ActionTuple,
    BaseEnv,
    BehaviorMapping,
    BehaviorSpec,
    DecisionSteps,
    DimensionProperty,
    ObservationSpec,
    ObservationType,
    TerminalSteps,
)

VECTOR = (8,)
IMAGE = (3, 84, 84)
ACTION_SIZE = 2
SHORTEST, LONGEST = 100, 1000
"""Bounds of an episode, in steps, both included."""
NOISE_FLOATS = 1 << 22
NOISE_BATCHES = (16, 256)
"""Steps for which noise is prepared, at least and at most; a window slides over it, so observations repeat
after that many."""


def make_synthetic(options: Namespace) -> SyntheticEnv:
    """The environment for the options of a contestant: one image per agent if the workload says so."""
    return SyntheticEnv(options.agents, options.seed, shape=IMAGE if options.workload == "images" else VECTOR)


class SyntheticEnv(BaseEnv):
    """`num_agents` agents of one behavior whose observations are prepared noise.

    The reward of a step is the dot product of the action with the first two numbers observed, so that
    there is something to learn. An agent whose episode ends appears in the terminal steps, with its
    last observation and reward, and in the decision steps of the same step, with the first
    observation of its next episode and reward 0. Agent ids are 0 to ``num_agents - 1`` throughout.

    Args:
        num_agents: number of agents.
        seed: seed of noise and episode lengths.
        behavior: name of the behavior.
        shape: of an observation; images, channels first, hold multiples of 1/255, as games send them.
    """

    def __init__(
        self,
        num_agents: int,
        seed: int = 0,
        behavior: str = "Synthetic?team=0",
        shape: tuple[int, ...] = VECTOR,
    ) -> None:
        is_image = len(shape) == len(IMAGE)
        space = DimensionProperty.TRANSLATIONAL_EQUIVARIANCE
        properties = (DimensionProperty.NONE, space, space)[: len(shape)]
        observation = ObservationSpec(shape, properties, ObservationType.DEFAULT, "noise")
        spec = BehaviorSpec([observation], ActionSpec.create_continuous(ACTION_SIZE))
        self._specs = BehaviorMapping({behavior: spec})
        self._num_agents = num_agents
        self._lengths = _EpisodeLengths(num_agents, seed)
        fewest, most = NOISE_BATCHES
        self._batches = min(most, max(fewest, NOISE_FLOATS // (num_agents * math.prod(shape))))
        rng, size = np.random.default_rng(seed), ((self._batches + 1) * num_agents, *shape)
        if is_image:
            self._noise = rng.integers(0, 256, size, dtype=np.uint8).astype(np.float32) / np.float32(255)
        else:
            self._noise = rng.standard_normal(size, dtype=np.float32)
        # Trainers may keep what they are given, and nobody may write into it: these never change.
        self._agent_ids = np.arange(num_agents, dtype=np.int32)
        self._no_groups = np.zeros(num_agents, dtype=np.int32)
        self._no_rewards = np.zeros(num_agents, dtype=np.float32)
        for array in (self._noise, self._agent_ids, self._no_groups, self._no_rewards):
            array.flags.writeable = False
        self._tick = 0
        self._nobody = self._terminal_steps(np.flatnonzero(self._no_rewards), self._no_rewards)
        self._actions = np.zeros((num_agents, ACTION_SIZE), dtype=np.float32)
        self.seconds = 0.0
        """Wall time spent in :meth:`step` so far."""
        self.agent_steps = 0
        """Agent-steps taken so far, over all agents."""
        self.reset()

    def reset(self) -> None:
        """Start a new episode for every agent."""
        self._tick = 0
        self._observations = self._noise[: self._num_agents]
        self._left = self._lengths.draw(self._agent_ids)
        self._decisions = self._decision_steps(self._no_rewards)
        self._terminals = self._nobody

    def step(self) -> None:
        """Advance every agent by one step with the actions set last."""
        start = time.perf_counter()
        seen = self._observations.reshape(self._num_agents, -1)[:, :ACTION_SIZE]
        rewards = np.einsum("na,na->n", self._actions, seen)
        self._tick += 1
        first = (self._tick % self._batches) * self._num_agents
        self._observations = self._noise[first : first + self._num_agents]
        self._left -= 1
        ended = np.flatnonzero(self._left == 0)
        if ended.size:
            self._terminals = self._terminal_steps(ended, rewards)
            rewards[ended] = 0.0
            self._left[ended] = self._lengths.draw(ended)
        else:
            self._terminals = self._nobody
        self._decisions = self._decision_steps(rewards)
        self.agent_steps += self._num_agents
        self.seconds += time.perf_counter() - start

    def get_steps(self, behavior_name: str) -> tuple[DecisionSteps, TerminalSteps]:
        """Return what the last step produced."""
        return self._decisions, self._terminals

    def set_actions(self, behavior_name: str, action: ActionTuple) -> None:
        """Set the actions of all agents, continuous float32 ``(num_agents, 2)``."""
        self._actions = action.continuous

    def set_action_for_agent(self, behavior_name: str, agent_id: int, action: ActionTuple) -> None:
        """Set the action of one agent, continuous float32 ``(1, 2)``."""
        self._actions = self._actions.copy()
        self._actions[agent_id] = action.continuous[0]

    @property
    def behavior_specs(self) -> BehaviorMapping:
        """The one behavior."""
        return self._specs

    def close(self) -> None:
        """Nothing to release."""

    def _decision_steps(self, rewards: np.ndarray[Any, Any]) -> DecisionSteps:
        return DecisionSteps(
            [self._observations], rewards, self._agent_ids, None, self._no_groups, self._no_rewards
        )

    def _terminal_steps(self, ended: np.ndarray[Any, Any], rewards: np.ndarray[Any, Any]) -> TerminalSteps:
        # The episode's last observation is one row further in the noise: not the next one's first.
        last_observations = self._noise[(self._tick % self._batches) * self._num_agents + ended + 1]
        return TerminalSteps(
            [last_observations],
            rewards[ended],
            np.zeros(ended.size, dtype=bool),
            self._agent_ids[ended],
            self._no_groups[ended],
            self._no_rewards[ended],
        )


class _EpisodeLengths:
    """The lengths of the episodes of each agent, one seeded stream per agent, drawn in advance."""

    DRAWN = 64

    def __init__(self, num_agents: int, seed: int) -> None:
        streams = [np.random.default_rng([seed, agent]) for agent in range(num_agents)]
        table = [stream.integers(SHORTEST, LONGEST, self.DRAWN, endpoint=True) for stream in streams]
        self._table = np.array(table, dtype=np.int64)
        self._next = np.zeros(num_agents, dtype=np.int64)

    def draw(self, agents: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
        """Length of the next episode of each of `agents`; a stream starts over after 64 episodes."""
        lengths: np.ndarray[Any, Any] = self._table[agents, self._next[agents] % self.DRAWN]
        self._next[agents] += 1
        return lengths
