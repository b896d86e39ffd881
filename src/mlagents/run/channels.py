"""The side channels that a run talks through: one set per environment, all told the same."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import NamedTuple

from mlagents.curriculum.lessons import Lessons
from mlagents.settings.parameters import (
    ConstantParameters,
    GaussianParameters,
    MultiRangeUniformParameters,
    SamplerSettings,
    UniformParameters,
)
from mlagents.settings.sections import EngineSettings
from mlagents_envs.side_channel.engine_configuration_channel import EngineConfigurationChannel
from mlagents_envs.side_channel.environment_parameters_channel import EnvironmentParametersChannel
from mlagents_envs.side_channel.side_channel import SideChannel
from mlagents_envs.side_channel.stats_side_channel import StatsAggregationMethod, StatsSideChannel


class ChannelSet(NamedTuple):
    """The channels of one environment."""

    engine: EngineConfigurationChannel
    parameters: EnvironmentParametersChannel
    stats: StatsSideChannel


class RunChannels:
    """Makes the channels of environments, and tells them about parameters.

    Args:
        engine: window and clock of game engines.
        lessons: environment parameters, and the lesson that each is in.
    """

    def __init__(self, engine: EngineSettings, lessons: Lessons) -> None:
        self._engine = engine
        self._lessons = lessons
        self._sets: dict[int, ChannelSet] = {}

    @property
    def definitions(self) -> str:
        """What environments are told of the parameters, as text, to tell whether one knows it already."""
        samplers = {name: self._lessons.sampler(name).model_dump(mode="json") for name in self._lessons.names}
        return json.dumps(samplers)

    def open(self, worker: int) -> tuple[SideChannel, ...]:
        """New channels for an environment that is about to start, with everything it has to be told."""
        channels = ChannelSet(
            EngineConfigurationChannel(), EnvironmentParametersChannel(), StatsSideChannel()
        )
        engine = self._engine
        channels.engine.set_configuration_parameters(
            width=engine.width,
            height=engine.height,
            quality_level=engine.quality_level,
            time_scale=engine.time_scale,
            target_frame_rate=engine.target_frame_rate,
            capture_frame_rate=engine.capture_frame_rate,
        )
        for name in self._lessons.names:
            _queue(channels.parameters, name, self._lessons.sampler(name))
        self._sets[worker] = channels
        return tuple(channels)

    def send_parameter(self, name: str) -> None:
        """Queue the present definition of one parameter for all environments."""
        for channels in self._sets.values():
            _queue(channels.parameters, name, self._lessons.sampler(name))

    def forget_parameters(self) -> None:
        """Do not send the parameters that are queued: the environments know them already."""
        for channels in self._sets.values():
            channels.parameters.message_queue.clear()

    def take_stats(self) -> Iterator[tuple[str, float, StatsAggregationMethod]]:
        """Statistics of all environments since the last call.

        Where only the most recent value counts, environments would contradict each other: the first speaks.
        """
        for worker, channels in self._sets.items():
            if not channels.stats.stats:
                continue
            for key, values in channels.stats.get_and_reset_stats().items():
                for value, aggregation in values:
                    if worker == 0 or aggregation is not StatsAggregationMethod.MOST_RECENT:
                        yield key, value, aggregation


def _queue(channel: EnvironmentParametersChannel, name: str, sampler: SamplerSettings) -> None:
    parameters = sampler.sampler_parameters
    match parameters:
        case ConstantParameters():
            channel.set_float_parameter(name, parameters.value)
        case UniformParameters():
            channel.set_uniform_sampler_parameters(
                name, parameters.min_value, parameters.max_value, parameters.seed
            )
        case GaussianParameters():
            channel.set_gaussian_sampler_parameters(name, parameters.mean, parameters.st_dev, parameters.seed)
        case MultiRangeUniformParameters():
            intervals = [(low, high) for low, high in parameters.intervals]
            channel.set_multirangeuniform_sampler_parameters(name, intervals, parameters.seed)
