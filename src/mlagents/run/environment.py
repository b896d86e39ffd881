"""The environment of a run: built from its options, with the side channels that carry its settings."""

from __future__ import annotations

from mlagents.settings import RunOptions, TrainerConfigError
from mlagents.settings.parameters import (
    ConstantParameters,
    GaussianParameters,
    MultiRangeUniformParameters,
    SamplerSettings,
    UniformParameters,
)
from mlagents_envs.base_env import BaseEnv
from mlagents_envs.registry import EnvironmentOptions, make_environment
from mlagents_envs.side_channel.engine_configuration_channel import EngineConfigurationChannel
from mlagents_envs.side_channel.environment_parameters_channel import EnvironmentParametersChannel
from mlagents_envs.side_channel.stats_side_channel import StatsSideChannel


class RunChannels:
    """The side channels that a run talks through.

    Args:
        options: engine settings and environment parameters to send at the first reset.
        seed: seed of the run, from which samplers without one derive theirs.
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
        seeded = options.with_sampler_seeds(seed)
        for name, parameter in (seeded.environment_parameters or {}).items():
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

    def build_environment(self, options: RunOptions, seed: int) -> BaseEnv:
        """The environment that the options name.

        Raises:
            TrainerConfigError: no environment is named.
            UnityEnvironmentException: it is unknown or cannot be built.
        """
        settings = options.env_settings
        if settings.env_path is None:
            raise TrainerConfigError(
                "No environment is named. Give one with --env=NAME, for instance --env=3DBall; "
                "connecting to the editor of a game engine needs the wire protocol, which this version "
                "does not have yet."
            )
        return make_environment(
            settings.env_path,
            EnvironmentOptions(
                seed=seed,
                worker_id=0,
                num_areas=settings.num_areas,
                side_channels=(self.engine, self.parameters, self.stats),
                environment_args=tuple(settings.env_args or ()),
            ),
        )
