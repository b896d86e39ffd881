"""An environment as a PettingZoo AEC environment: agents act one after the other.

Typical use::

    env = UnityAECEnv(UnityEnvironment("Game.x86_64"))
    env.reset()
    for agent in env.agent_iter():
        observation, reward, terminated, truncated, info = env.last()
        env.step(None if terminated or truncated else env.action_space(agent).sample())
"""

from __future__ import annotations

from typing import Any

import gymnasium
from pettingzoo import AECEnv  # type: ignore[import-untyped]

from mlagents_envs.base_env import BaseEnv
from mlagents_envs.envs.environment_source import EnvironmentMaker
from mlagents_envs.envs.unity_pettingzoo_base_env import UnityPettingzooBaseEnv


class UnityAECEnv(UnityPettingzooBaseEnv, AECEnv):  # type: ignore[misc]
    """PettingZoo AEC view of all agents of an environment.

    Actions are collected agent by agent among those that ask for a decision; after the last of them the
    environment runs until somebody asks again.

    Args:
        env: an environment, or a function that builds one from a seed; see
            :class:`~mlagents_envs.envs.unity_pettingzoo_base_env.UnityPettingzooBaseEnv`.
        seed: seed of the action spaces, and of the first environment that the function builds.

    Attributes:
        agent_selection: the agent whose turn it is.
    """

    def __init__(self, env: BaseEnv | EnvironmentMaker, seed: int | None = None) -> None:
        metadata = {"render_modes": [], "name": "unity_aec_env", "is_parallelizable": True}
        super().__init__(env, seed, metadata)
        self.agent_selection: str
        self._begin()

    def reset(self, seed: int | None = None, options: dict[str, Any] | None = None) -> None:
        """Start new episodes of all agents.

        Args:
            seed: seed of the environment; None continues its random numbers.
            options: not used.

        Raises:
            gymnasium.error.Error: the environment is closed, or nobody asks for a decision.
        """
        self._restart(seed)
        self._begin()

    def step(self, action: Any) -> None:  # noqa: ANN401  # an element of the agent's action space
        """Act for the agent whose turn it is; an agent that is out is taken off the list.

        Args:
            action: an element of the agent's action space; None idles (zeros, or the first choice
                allowed). For an agent that is out, whatever is given is not used.

        Raises:
            gymnasium.error.Error: nobody is left, the action does not fit, or the environment is closed.
        """
        self._check_open()
        if not self._agents:
            raise gymnasium.error.Error("No agent is left: call reset() before the next step().")
        agent = self.agent_selection
        if self._is_over(agent):
            self._was_dead_step(None)
            return
        if action is not None:
            self._single_action(agent, action)  # refused now rather than when all have acted
        self._pending[agent] = action
        self._cumulative_rewards[agent] = 0.0
        if self._waiting:
            self._clear_rewards()
            self.agent_selection = self._waiting.pop(0)
            return
        self._advance(self._pending)
        self._begin_turns()
        for agent in self._agents:
            self._cumulative_rewards.setdefault(agent, 0.0)
        self._accumulate_rewards()
        self._deads_step_first()

    def observe(self, agent: str) -> Any:  # noqa: ANN401  # an element of the agent's observation space
        """The last observation of an agent.

        Raises:
            gymnasium.error.Error: the agent has not been seen since the last reset.
        """
        if agent not in self._observations:
            raise gymnasium.error.Error(f"There is no agent {agent!r}; agents are {', '.join(self._agents)}.")
        return self._observations[agent]

    def _begin(self) -> None:
        self._cumulative_rewards: dict[str, float] = dict.fromkeys(self._agents, 0.0)
        self.rewards = dict.fromkeys(self._agents, 0.0)
        self._skip_agent_selection: str | None = None
        self._begin_turns()

    def _begin_turns(self) -> None:
        """Put those that ask in order; with nobody left to ask, somebody who is out comes next."""
        self._pending: dict[str, Any] = {}
        self._waiting = list(self._asking)
        self.agent_selection = self._waiting.pop(0) if self._waiting else self._agents[0]
