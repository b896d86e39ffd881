"""Makes PettingZoo views of registered environments."""

from __future__ import annotations

from typing import Any

from mlagents_envs.base_env import BaseEnv
from mlagents_envs.envs.environment_source import EnvironmentMaker
from mlagents_envs.envs.unity_aec_env import UnityAECEnv
from mlagents_envs.envs.unity_parallel_env import UnityParallelEnv
from mlagents_envs.exception import UnityWorkerInUseException
from mlagents_envs.registry import default_registry
from mlagents_envs.side_channel.engine_configuration_channel import EngineConfigurationChannel
from mlagents_envs.side_channel.environment_parameters_channel import EnvironmentParametersChannel
from mlagents_envs.side_channel.side_channel import SideChannel
from mlagents_envs.side_channel.stats_side_channel import StatsSideChannel

FIRST_PORT = 6000
"""Where the search for a free port begins."""

MAX_PORTS = 1000
"""Ports tried before giving up."""


class PettingZooEnvFactory:
    """Makes PettingZoo views of one environment of the default registry.

    Args:
        env_id: name of the environment.
    """

    def __init__(self, env_id: str) -> None:
        self.env_id = env_id

    def env(self, seed: int | None = None, **kwargs: Any) -> UnityAECEnv:  # noqa: ANN401
        """An AEC environment.

        Args:
            seed: seed of the environment and of the action spaces.
            **kwargs: arguments of the registry entry's ``make``. Without ``side_channels`` there are an
                engine configuration, an environment parameters and a stats channel. Without
                ``base_port`` a free one is looked for, from 6000 on.

        Raises:
            KeyError: the environment is not registered.
            UnityWorkerInUseException: no port is free.
        """
        return UnityAECEnv(self._maker(kwargs), seed)

    def parallel_env(self, seed: int | None = None, **kwargs: Any) -> UnityParallelEnv:  # noqa: ANN401
        """A parallel environment; arguments as of :meth:`env`."""
        return UnityParallelEnv(self._maker(kwargs), seed)

    def _maker(self, kwargs: dict[str, Any]) -> EnvironmentMaker:
        entry = default_registry[self.env_id]

        def make(seed: int) -> BaseEnv:
            arguments: dict[str, Any] = {"side_channels": _channels(), "seed": seed, **kwargs}
            if "base_port" in arguments:
                return entry.make(**arguments)
            for port in range(FIRST_PORT, FIRST_PORT + MAX_PORTS - 1):
                try:
                    return entry.make(**arguments, base_port=port)
                except UnityWorkerInUseException:
                    continue
            return entry.make(**arguments, base_port=FIRST_PORT + MAX_PORTS - 1)

        return make


def _channels() -> list[SideChannel]:
    return [EngineConfigurationChannel(), EnvironmentParametersChannel(), StatsSideChannel()]
