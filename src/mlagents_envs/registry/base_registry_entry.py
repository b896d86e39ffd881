"""An environment that can be made by name."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any

from mlagents_envs.base_env import BaseEnv


class BaseRegistryEntry(ABC):
    """One entry of a registry.

    Args:
        identifier: name of the environment.
        expected_reward: mean return of a good policy, None when not known.
        description: what the environment is about.
    """

    def __init__(self, identifier: str, expected_reward: float | None, description: str | None) -> None:
        self._identifier = identifier
        self._expected_reward = expected_reward
        self._description = description

    @property
    def identifier(self) -> str:
        """Name of the environment."""
        return self._identifier

    @property
    def expected_reward(self) -> float | None:
        """Mean return of a good policy, None when not known."""
        return self._expected_reward

    @property
    def description(self) -> str | None:
        """What the environment is about."""
        return self._description

    @abstractmethod
    def make(self, **kwargs: Any) -> BaseEnv:  # noqa: ANN401  # each entry knows its own arguments
        """Build the environment."""
