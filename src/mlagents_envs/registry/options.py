"""The contract between whoever wants an environment and whoever builds it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from mlagents_envs.base_env import BaseEnv
from mlagents_envs.side_channel.side_channel import SideChannel


@dataclass(frozen=True, slots=True)
class EnvironmentOptions:
    """What a factory is told about the environment that it is to build.

    Attributes:
        seed: seed of every random draw inside the environment.
        worker_id: index among the copies of this environment that run side by side.
        num_areas: number of training areas; None means the scene's own number.
        side_channels: channels that exchange messages with the environment.
        environment_args: what followed ``--env-args`` on the command line.
        rendering: whether a window or images for a person are wanted; sensors that need images
            render regardless.
    """

    seed: int = 0
    worker_id: int = 0
    num_areas: int | None = None
    side_channels: tuple[SideChannel, ...] = ()
    environment_args: tuple[str, ...] = ()
    rendering: bool = False

    def __post_init__(self) -> None:
        if self.num_areas is not None and self.num_areas < 1:
            raise ValueError(f"num_areas is {self.num_areas}; it must be at least 1, or None.")


EnvironmentFactory = Callable[[EnvironmentOptions], BaseEnv]
"""Builds an environment; registered under the entry-point group ``mlagents.environments``."""
