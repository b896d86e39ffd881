# ruff: noqa: ANN401  # spaces hold anything
"""PettingZoo environments whose every number can be predicted."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np
from gymnasium import spaces
from pettingzoo import AECEnv, ParallelEnv


class Tag(ParallelEnv):
    """Runners 0 and 1 and a chaser; runner 1 is caught at ``caught``, the rest is cut at ``limit``."""

    metadata: ClassVar[dict[str, Any]] = {"name": "tag"}

    def __init__(self, caught: int = 2, limit: int = 4, render_mode: str | None = None) -> None:
        self.possible_agents = ["runner_0", "chaser_0", "runner_1"]
        self.agents: list[str] = []
        self.caught, self.limit, self.render_mode = caught, limit, render_mode
        self.seeds: list[int | None] = []
        self.received: list[dict[str, Any]] = []
        self.closed = False
        box = spaces.Box(-np.inf, np.inf, (3,), np.float64)
        self._observation = {"runner": box, "chaser": spaces.Dict({"far": box, "near": spaces.Discrete(3)})}
        self._action = {
            "runner": spaces.Box(np.array([0.0], np.float32), np.array([4.0], np.float32)),
            "chaser": spaces.Tuple((spaces.Box(-1.0, 1.0, (2,), np.float32), spaces.Discrete(3))),
        }

    def observation_space(self, agent: str) -> spaces.Space[Any]:
        return self._observation[agent[:-2]]

    def action_space(self, agent: str) -> spaces.Space[Any]:
        return self._action[agent[:-2]]

    def _observe(self) -> dict[str, Any]:
        seen = np.array([self.t, self.start, 0.0])
        return {
            agent: {"far": seen, "near": self.t % 3}
            if agent == "chaser_0"
            else seen + np.array([0, 0, int(agent[-1])])
            for agent in self.agents
        }

    def reset(self, seed: int | None = None, options: object = None) -> tuple[dict[str, Any], dict[str, Any]]:
        self.seeds.append(seed)
        self.start = float(np.random.default_rng(seed).uniform())
        self.t = 0
        self.agents = list(self.possible_agents)
        return self._observe(), {agent: {} for agent in self.agents}

    def step(self, actions: dict[str, Any]) -> tuple[dict[str, Any], ...]:
        assert set(actions) == set(self.agents)
        for agent, action in actions.items():
            assert self.action_space(agent).contains(action), (agent, action)
        self.received.append(actions)
        self.t += 1
        observations, present = self._observe(), self.agents
        terminations = {agent: agent == "runner_1" and self.t == self.caught for agent in present}
        truncations = dict.fromkeys(present, self.t == self.limit)
        rewards = {agent: float(self.t + 10 * self.possible_agents.index(agent)) for agent in present}
        self.agents = [a for a in present if not (terminations[a] or truncations[a])]
        return observations, rewards, terminations, truncations, {agent: {} for agent in present}

    def close(self) -> None:
        self.closed = True


class Nim(AECEnv):
    """Two players take one to three of seven matches; who takes the last one wins."""

    metadata: ClassVar[dict[str, Any]] = {"name": "nim"}

    def __init__(self, matches: int = 7, mask_in_info: bool = False) -> None:
        super().__init__()
        self.matches, self.mask_in_info = matches, mask_in_info
        self.possible_agents = ["player_0", "player_1"]
        seen = spaces.Box(0.0, 20.0, (1,), np.float32)
        mask = spaces.Box(0, 1, (3,), np.int8)
        space = seen if mask_in_info else spaces.Dict({"observation": seen, "action_mask": mask})
        self._space, self._actions = space, spaces.Discrete(3)

    def observation_space(self, agent: str) -> spaces.Space[Any]:
        return self._space

    def action_space(self, agent: str) -> spaces.Space[Any]:
        return self._actions

    def _mask(self) -> Any:
        return (np.arange(1, 4) <= self.left).astype(np.int8)

    def observe(self, agent: str) -> Any:
        seen = np.array([self.left], np.float32)
        mask = self._mask() if agent == self.agent_selection else np.zeros(3, np.int8)
        return seen if self.mask_in_info else {"observation": seen, "action_mask": mask}

    def reset(self, seed: int | None = None, options: object = None) -> None:
        self.left = self.matches
        self.agents = list(self.possible_agents)
        self.rewards = dict.fromkeys(self.agents, 0.0)
        self._cumulative_rewards = dict.fromkeys(self.agents, 0.0)
        self.terminations = dict.fromkeys(self.agents, False)
        self.truncations = dict.fromkeys(self.agents, False)
        self.agent_selection = self.agents[0]
        self._tell()

    def _tell(self) -> None:
        self.infos = {a: {"action_mask": self._mask()} if self.mask_in_info else {} for a in self.agents}

    def step(self, action: int | None) -> None:
        agent = self.agent_selection
        if self.terminations[agent]:
            self._was_dead_step(action)
            return
        assert action + 1 <= self.left, "forbidden choice"
        self._cumulative_rewards[agent] = 0.0
        self._clear_rewards()
        self.left -= int(action) + 1
        other = self.agents[1 - self.agents.index(agent)]
        if self.left == 0:
            self.rewards[agent], self.rewards[other] = 1.0, -1.0
            self.terminations = dict.fromkeys(self.agents, True)
        self.agent_selection = other
        self._tell()
        self._accumulate_rewards()

    def close(self) -> None:
        """Nothing to release."""


parallel_env = Tag


def not_an_environment() -> int:
    return 3
