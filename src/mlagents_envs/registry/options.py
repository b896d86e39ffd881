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
        timeout_wait: executables only, as all below: seconds to wait for it to connect, and for each
            of its steps.
        base_port: port of worker 0, the others follow; None for the usual one, or another where that
            is taken.
        no_graphics: start it without graphics, unless ``rendering``; its cameras then see nothing.
        no_graphics_monitor: the same for all workers but 0.
        log_folder: folder for its log; None leaves the log where the executable puts it.
    """

    seed: int = 0
    worker_id: int = 0
    num_areas: int | None = None
    side_channels: tuple[SideChannel, ...] = ()
    environment_args: tuple[str, ...] = ()
    rendering: bool = False
    timeout_wait: int = 60
    base_port: int | None = None
    no_graphics: bool = False
    no_graphics_monitor: bool = False
    log_folder: str | None = None

    def __post_init__(self) -> None:
        if self.num_areas is not None and self.num_areas < 1:
            raise ValueError(f"num_areas is {self.num_areas}; it must be at least 1, or None.")


EnvironmentFactory = Callable[[EnvironmentOptions], BaseEnv]
"""Builds an environment; registered under the entry-point group ``mlagents.environments``."""
