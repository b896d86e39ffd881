"""The environments of a run: built from its options, in this process or in others."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable, Sequence

from mlagents.run.channels import RunChannels
from mlagents.run.results_folder import ResultsFolder
from mlagents.sampling.pool import RestartQuota, WorkerPool
from mlagents.sampling.process_worker import ProcessWorker
from mlagents.sampling.worker import EnvironmentWorker, InlineWorker, blaming
from mlagents.settings import RunOptions, TrainerConfigError
from mlagents.settings.sections import EnvironmentSettings
from mlagents_envs.base_env import BaseEnv
from mlagents_envs.logging_util import get_logger
from mlagents_envs.registry import (
    EnvironmentFactory,
    EnvironmentOptions,
    known_environments,
    make_environment,
)
from mlagents_envs.side_channel.side_channel import SideChannel

_LOGGER = get_logger(__name__)


def make_pool(
    options: RunOptions,
    seed: int,
    channels: RunChannels,
    folder: ResultsFolder,
    on_restart: Callable[[int], None],
    given: BaseEnv | EnvironmentFactory | None = None,
) -> WorkerPool:
    """The environments that the options name, or that were given.

    One environment runs in this process, several in processes of their own. So does one that is named where
    updates run beside collection: in this process, Python would let only one of the two go on at a time.

    Args:
        options: everything that the run is told.
        seed: seed of the first environment; those of the others follow it.
        channels: makes the side channels of each.
        folder: results folder; games write their logs there.
        on_restart: called with the index of an environment that is started again.
        given: an environment to use instead, or what builds it.

    Raises:
        TrainerConfigError: several environments are asked for, but cannot be made.
        UnityEnvironmentException: the environment is unknown or cannot be started.
        UnityTimeOutException: nothing connected in time.
    """
    settings = options.env_settings
    if isinstance(given, BaseEnv):
        return _pool_of_one(options, given)
    if settings.num_envs > 1 and settings.env_path is None and given is None:
        raise TrainerConfigError(
            f"num_envs is {settings.num_envs}, but no environment is named, and there is only one editor; "
            "name an executable or a built-in environment with --env"
        )
    make = _WorkerMaker(options, seed, channels, folder, given)
    quota = RestartQuota(
        settings.max_lifetime_restarts, settings.restarts_rate_limit_n, settings.restarts_rate_limit_period_s
    )
    return WorkerPool(make, settings.num_envs, quota, on_restart)


def _pool_of_one(options: RunOptions, environment: BaseEnv) -> WorkerPool:
    if options.environment_parameters:
        _LOGGER.warning(
            "environment_parameters have no effect on an environment that was built before; give the run a "
            "factory instead."
        )
    if options.env_settings.num_envs > 1:
        raise TrainerConfigError(
            f"num_envs is {options.env_settings.num_envs}, but the environment was built before; give the "
            "run a factory instead, or set num_envs to 1"
        )
    name = type(environment).__name__
    return WorkerPool(lambda index: InlineWorker(environment, name, index), 1, RestartQuota(lifetime=0))


class _WorkerMaker:
    """Makes the worker of an index, also when it is made again."""

    def __init__(
        self,
        options: RunOptions,
        seed: int,
        channels: RunChannels,
        folder: ResultsFolder,
        factory: EnvironmentFactory | None,
    ) -> None:
        self._options = options
        self._seed = seed
        self._channels = channels
        self._logs = str(folder.logs.resolve())
        self._factory = factory
        self._name = options.env_settings.env_path or "given"

    def __call__(self, index: int) -> EnvironmentWorker:
        settings = self._options.env_settings
        channels = self._channels.open(index)
        build = functools.partial(
            build_environment, settings.env_path, self._environment_options(index), self._factory
        )
        if settings.num_envs > 1 or (settings.env_path is not None and _learns_beside(self._options)):
            return ProcessWorker(build, self._name, index, channels, settings.timeout_wait)
        if settings.env_path is None and self._factory is None:
            _LOGGER.info(
                "No environment is named, so the run waits %d s for a game: press Play in the editor, or "
                "name an environment with --env (built in: %s).",
                settings.timeout_wait,
                ", ".join(known_environments()),
            )
        with blaming(self._name, "be built"):
            return InlineWorker(build(channels), self._name, index)

    def _environment_options(self, index: int) -> EnvironmentOptions:
        settings, engine = self._options.env_settings, self._options.engine_settings
        usual_port = settings.base_port == EnvironmentSettings().base_port
        return EnvironmentOptions(
            seed=(self._seed + index) % 2**31,
            worker_id=index,
            num_areas=settings.num_areas,
            environment_args=tuple(settings.env_args or ()),
            timeout_wait=settings.timeout_wait,
            base_port=None if usual_port else settings.base_port,
            no_graphics=engine.no_graphics,
            no_graphics_monitor=engine.no_graphics_monitor,
            log_folder=self._logs,
        )


def _learns_beside(options: RunOptions) -> bool:
    """Whether any behavior is to be updated beside collection."""
    behaviors = [*options.behaviors.values(), options.default_settings]
    threaded = any(behavior is not None and behavior.threaded for behavior in behaviors)
    return threaded and not options.checkpoint_settings.inference


def build_environment(
    env_path: str | None,
    options: EnvironmentOptions,
    factory: EnvironmentFactory | None,
    channels: Sequence[SideChannel],
) -> BaseEnv:
    """Build one environment, in whatever process this runs.

    Args:
        env_path: name or path; None for a game that somebody else starts, such as an editor.
        options: all about it but the channels.
        factory: builds it instead.
        channels: side channels that it talks through.

    Raises:
        UnityEnvironmentException: it is unknown or cannot be started.
        UnityTimeOutException: nothing connected in time.
    """
    options = dataclasses.replace(options, side_channels=tuple(channels))
    return factory(options) if factory is not None else make_environment(env_path, options)
