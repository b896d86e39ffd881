"""An environment as a PettingZoo parallel environment: all agents act at once.

Typical use::

    env = UnityParallelEnv(UnityEnvironment("Game.x86_64"))
    observations, infos = env.reset()
    while env.agents:
        actions = {agent: env.action_space(agent).sample() for agent in env.agents}
        observations, rewards, terminations, truncations, infos = env.step(actions)
"""

from __future__ import annotations

from typing import Any

import gymnasium
from pettingzoo import ParallelEnv  # type: ignore[import-untyped]

from mlagents_envs.base_env import BaseEnv
from mlagents_envs.envs.environment_source import EnvironmentMaker
from mlagents_envs.envs.unity_pettingzoo_base_env import UnityPettingzooBaseEnv

ParallelStepResult = tuple[
    dict[str, Any], dict[str, float], dict[str, bool], dict[str, bool], dict[str, dict[str, Any]]
]


class UnityParallelEnv(UnityPettingzooBaseEnv, ParallelEnv):  # type: ignore[misc]
    """PettingZoo parallel view of all agents of an environment.

    A step lasts until some agent asks for a decision. An agent that does not ask keeps its last
    observation, gets no reward, and its action is not used; ``infos[agent]["decision_requested"]`` says so.

    Args:
        env: an environment, or a function that builds one from a seed; see
            :class:`~mlagents_envs.envs.unity_pettingzoo_base_env.UnityPettingzooBaseEnv`.
        seed: seed of the action spaces, and of the first environment that the function builds.
    """

    def __init__(self, env: BaseEnv | EnvironmentMaker, seed: int | None = None) -> None:
        super().__init__(env, seed, {"render_modes": [], "name": "unity_parallel_env"})

    def reset(
        self, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[dict[str, Any], dict[str, dict[str, Any]]]:
        """Start new episodes of all agents.

        Args:
            seed: seed of the environment; None continues its random numbers.
            options: not used.

        Returns:
            Observations and infos by agent.

        Raises:
            gymnasium.error.Error: the environment is closed, or nobody asks for a decision.
        """
        self._restart(seed)
        return dict(self._observations), dict(self.infos)

    def step(self, actions: dict[str, Any]) -> ParallelStepResult:
        """Act for all agents.

        Args:
            actions: by agent; None and missing agents idle (zeros, or the first choice allowed), agents
                that are out are ignored.

        Returns:
            Observations, rewards, terminations, truncations and infos by agent: of all that were alive
            before, and those that came.

        Raises:
            gymnasium.error.Error: nobody is alive, there are no actions, an action does not fit, or the
                environment is closed.
        """
        self._check_open()
        if not self._agents:
            raise gymnasium.error.Error("No agent is alive: call reset() before the next step().")
        if not actions:
            raise gymnasium.error.Error("There are no actions; give one for each agent in `agents`.")
        for agent in actions:
            if agent not in self._seen:
                raise gymnasium.error.Error(
                    f"There is no agent {agent!r}; agents are {', '.join(self._agents)}."
                )
        self._advance(actions)
        result = (
            dict(self._observations),
            dict(self.rewards),
            dict(self.terminations),
            dict(self.truncations),
            dict(self.infos),
        )
        for agent in [agent for agent in self._agents if self._is_over(agent)]:
            self._agents.remove(agent)
            for table in (self._observations, self.rewards, self.terminations, self.truncations, self.infos):
                del table[agent]
        return result
