"""The environment of a run: built from its options, with the side channels that carry its settings."""

from __future__ import annotations

import json

from mlagents.run.results_folder import ResultsFolder
from mlagents.settings import RunOptions
from mlagents.settings.parameters import (
    ConstantParameters,
    GaussianParameters,
    MultiRangeUniformParameters,
    SamplerSettings,
    UniformParameters,
)
from mlagents.settings.sections import EnvironmentSettings
from mlagents_envs.base_env import BaseEnv
from mlagents_envs.logging_util import get_logger
from mlagents_envs.registry import (
    EnvironmentFactory,
    EnvironmentOptions,
    known_environments,
    make_environment,
)
from mlagents_envs.side_channel.engine_configuration_channel import EngineConfigurationChannel
from mlagents_envs.side_channel.environment_parameters_channel import EnvironmentParametersChannel
from mlagents_envs.side_channel.stats_side_channel import StatsSideChannel

_LOGGER = get_logger(__name__)


class RunChannels:
    """The side channels that a run talks through.

    Args:
        options: engine settings and environment parameters to send at the first reset.
        seed: seed of the run, from which samplers without one derive theirs.

    Attributes:
        names: environment parameters.
        definitions: what is sent of them, as text, to tell whether an environment knows it already.
    """

    def __init__(self, options: RunOptions, seed: int) -> None:
        self.engine = EngineConfigurationChannel()
        self.parameters = EnvironmentParametersChannel()
        self.stats = StatsSideChannel()
        engine = options.engine_settings
        self.engine.set_configuration_parameters(
            width=engine.width,
            height=engine.height,
            quality_level=engine.quality_level,
            time_scale=engine.time_scale,
            target_frame_rate=engine.target_frame_rate,
            capture_frame_rate=engine.capture_frame_rate,
        )
        parameters = options.with_sampler_seeds(seed).environment_parameters or {}
        self.names = list(parameters)
        self.definitions = json.dumps({name: p.model_dump(mode="json") for name, p in parameters.items()})
        for name, parameter in parameters.items():
            self.send_parameter(name, parameter.curriculum[0].value)

    def send_parameter(self, name: str, sampler: SamplerSettings) -> None:
        """Queue the definition of one environment parameter."""
        parameters = sampler.sampler_parameters
        match parameters:
            case ConstantParameters():
                self.parameters.set_float_parameter(name, parameters.value)
            case UniformParameters():
                self.parameters.set_uniform_sampler_parameters(
                    name, parameters.min_value, parameters.max_value, parameters.seed
                )
            case GaussianParameters():
                self.parameters.set_gaussian_sampler_parameters(
                    name, parameters.mean, parameters.st_dev, parameters.seed
                )
            case MultiRangeUniformParameters():
                intervals = [(low, high) for low, high in parameters.intervals]
                self.parameters.set_multirangeuniform_sampler_parameters(name, intervals, parameters.seed)

    def forget_parameters(self) -> None:
        """Do not send the parameters: the environment knows them already."""
        self.parameters.message_queue.clear()


def build_environment(
    options: RunOptions,
    seed: int,
    channels: RunChannels,
    folder: ResultsFolder,
    factory: EnvironmentFactory | None = None,
) -> BaseEnv:
    """The environment that the options name, or that a factory builds.

    Without a name it is a game that somebody else starts, such as the editor of a game engine: the run
    waits for it.

    Args:
        options: environment and engine settings.
        seed: seed of the environment.
        channels: side channels of the run.
        folder: results folder; games write their log there.
        factory: builds the environment instead.

    Raises:
        UnityEnvironmentException: it is unknown or cannot be started.
        UnityTimeOutException: nothing connected in time.
    """
    settings, engine = options.env_settings, options.engine_settings
    usual_port = settings.base_port == EnvironmentSettings().base_port
    environment_options = EnvironmentOptions(
        seed=seed,
        worker_id=0,
        num_areas=settings.num_areas,
        side_channels=(channels.engine, channels.parameters, channels.stats),
        environment_args=tuple(settings.env_args or ()),
        timeout_wait=settings.timeout_wait,
        base_port=None if usual_port else settings.base_port,
        no_graphics=engine.no_graphics,
        no_graphics_monitor=engine.no_graphics_monitor,
        log_folder=str(folder.logs.resolve()),
    )
    if factory is not None:
        return factory(environment_options)
    if settings.env_path is None:
        _LOGGER.info(
            "No environment is named, so the run waits %d s for a game: press Play in the editor, or name an "
            "environment with --env (built in: %s).",
            settings.timeout_wait,
            ", ".join(known_environments()),
        )
    return make_environment(settings.env_path, environment_options)
