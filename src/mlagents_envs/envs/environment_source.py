"""Where a view gets its environment from, and how it is seeded anew."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from mlagents_envs.base_env import BaseEnv
from mlagents_envs.logging_util import get_logger
from mlagents_envs.side_channel.side_channel import SideChannel
from mlagents_envs.side_channel.side_channel_manager import SideChannelManager

_LOGGER = get_logger(__name__)

MAX_SILENT_STEPS = 1000
"""Environment steps without any agent asking for a decision after which waiting is given up."""

_LARGEST_SEED = 2**31 - 1

EnvironmentMaker = Callable[[int], BaseEnv]
"""Builds an environment from its seed, 0 to 2³¹ - 1."""


class EnvironmentSource:
    """Holds the environment of a view, and builds it anew where ``reset(seed=...)`` asks for that.

    The seed of an environment is given to it when it is built. So only a view that was given a function
    can honour a seed at ``reset``; one that was given an environment says that it cannot, once.

    Args:
        env: an environment, or a function that builds one from a seed.
        seed: seed of the first environment that the function builds; None draws one.

    Attributes:
        env: the environment in use.
    """

    def __init__(self, env: BaseEnv | EnvironmentMaker, seed: int | None = None) -> None:
        self._make: EnvironmentMaker | None = None
        self._warned = False
        self._used = False
        self._seed = seed
        if isinstance(env, BaseEnv):
            self.env = env
        else:
            self._make = env
            if seed is None:
                self._seed = int(np.random.default_rng().integers(_LARGEST_SEED))
            self.env = env(_fold(self._seed or 0))

    def reset(self, seed: int | None = None) -> BaseEnv:
        """Reset the environment, built anew if a seed is given.

        Args:
            seed: seed of the environment; None continues its random numbers.

        Returns:
            The environment in use from now on.
        """
        if seed is not None:
            self._reseed(seed)
        self._used = True
        self.env.reset()
        return self.env

    def _reseed(self, seed: int) -> None:
        if self._make is None:
            if not self._warned:
                self._warned = True
                _LOGGER.warning(
                    "reset(seed=%d) does not reach %s: it was seeded when it was built. Give the view a "
                    "function that builds the environment from a seed instead of the environment itself.",
                    seed,
                    type(self.env).__name__,
                )
            return
        if self._used or seed != self._seed:
            self.env.close()
            self._seed, self._used = seed, False
            self.env = self._make(_fold(seed))


def side_channels_of(env: BaseEnv) -> dict[str, SideChannel]:
    """The side channels that an environment was given, by the name of their class."""
    managers = [value for value in vars(env).values() if isinstance(value, SideChannelManager)]
    return {type(channel).__name__: channel for manager in managers for channel in manager._channels.values()}


def _fold(seed: int) -> int:
    """A seed that fits the wire protocol (int32); most seeds stay as they are."""
    return seed % (_LARGEST_SEED + 1)
