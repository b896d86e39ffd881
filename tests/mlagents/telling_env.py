"""An environment whose every number says where it belongs, so that mixed-up experience shows."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from toy_envs import vector_spec

from mlagents_envs.base_env import (
    ActionSpec,
    ActionTuple,
    BaseEnv,
    BehaviorMapping,
    BehaviorSpec,
    DecisionSteps,
    TerminalSteps,
)

BEHAVIOR = "Telling?team=0"
SPEC = BehaviorSpec([vector_spec(3)], ActionSpec.create_continuous(1))


class TellingEnv(BaseEnv):
    """Observations are (agent, episode, decision); a reward is the action that earned it.

    A third of the agents are late at every step, and episodes of random length end, half of them as
    interrupted, with the number after the last decision as final observation.
    """

    def __init__(self, num_agents: int = 5, seed: int = 0) -> None:
        self._rng = np.random.default_rng(seed)
        self._n = num_agents
        self.episode = np.zeros(num_agents, dtype=np.int64)
        self.decision = np.full(num_agents, -1, dtype=np.int64)
        self._reward = np.zeros(num_agents, dtype=np.float32)
        self._asked = np.arange(num_agents)
        self._set: NDArray[np.float32] = np.zeros((num_agents, 1), dtype=np.float32)
        self.completed = 0
        """Decisions whose outcome was told since the last reset or before."""
        self._steps = DecisionSteps.empty(SPEC), TerminalSteps.empty(SPEC)

    @property
    def behavior_specs(self) -> BehaviorMapping:
        return BehaviorMapping({BEHAVIOR: SPEC})

    def reset(self) -> None:
        self.episode += 1
        self.decision[:] = 0
        self._reward[:] = 0.0
        self._asked = np.arange(self._n)
        self._steps = self._decisions(), TerminalSteps.empty(SPEC)

    def step(self) -> None:
        waiting = self._asked
        self._reward[waiting] = self._set[: len(waiting), 0]  # nobody sets actions where nobody waits
        ready = np.flatnonzero(self._rng.random(self._n) < 2 / 3)
        self.decision[ready] += 1
        self.completed += len(ready)
        ends = ready[self._rng.random(len(ready)) < 0.1]
        terminal = TerminalSteps(
            [self._observations(ends)],
            self._reward[ends],
            self._rng.random(len(ends)) < 0.5,
            ends.astype(np.int32),
            *self._nothing(len(ends)),
        )
        self.episode[ends] += 1
        self.decision[ends] = 0
        self._reward[ends] = 0.0
        self._asked = ready
        self._steps = self._decisions(), terminal

    def _decisions(self) -> DecisionSteps:
        asked = self._asked
        rewards, ids = self._reward[asked], asked.astype(np.int32)
        return DecisionSteps([self._observations(asked)], rewards, ids, None, *self._nothing(len(asked)))

    def _observations(self, agents: NDArray[np.int64]) -> NDArray[np.float32]:
        return np.stack([agents, self.episode[agents], self.decision[agents]], axis=1).astype(np.float32)

    @staticmethod
    def _nothing(count: int) -> tuple[Any, Any]:
        return np.zeros(count, dtype=np.int32), np.zeros(count, dtype=np.float32)

    def get_steps(self, behavior_name: str) -> tuple[DecisionSteps, TerminalSteps]:
        return self._steps

    def set_actions(self, behavior_name: str, action: ActionTuple) -> None:
        self._set = action.continuous

    def set_action_for_agent(self, behavior_name: str, agent_id: int, action: ActionTuple) -> None:
        raise NotImplementedError

    def close(self) -> None:
        pass
