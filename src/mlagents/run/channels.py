"""The side channels that a run talks through: one set per environment, all told the same."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, NamedTuple

from mlagents.curriculum.lessons import Lessons
from mlagents.sampling.worker import StepBatch
from mlagents.settings.parameters import (
    ConstantParameters,
    GaussianParameters,
    MultiRangeUniformParameters,
    UniformParameters,
)
from mlagents.settings.sampler_plugins import CustomSampler
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
        state: state of the channels of the run that is resumed.
    """

    def __init__(
        self, engine: EngineSettings, lessons: Lessons, state: Mapping[str, Any] | None = None
    ) -> None:
        self._engine = engine
        self._lessons = lessons
        self._sets: dict[int, ChannelSet] = {}
        self._queued: dict[int, list[str]] = {}
        self._draws: dict[str, dict[int, int]] = {}
        self._set_draws(state or {})

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
        self._sets[worker] = channels
        self._queued[worker] = []
        for name in self._lessons.names:
            self._queue(worker, name)
        return tuple(channels)

    def send_parameter(self, name: str) -> None:
        """Queue the present definition of one parameter for all environments."""
        for worker in self._sets:
            self._queue(worker, name)

    def redraw(self, batches: Iterable[StepBatch]) -> None:
        """Queue new numbers from custom samplers where an episode ended, for the next one to begin."""
        if not self._draws:
            return
        ended = {batch.worker for batch in batches if len(batch.terminal)}
        for name in self._draws:
            if isinstance(self._lessons.sampler(name).sampler_parameters, CustomSampler):
                for worker in sorted(ended):
                    self._queue(worker, name)

    def get_state(self) -> dict[str, Any]:
        """What environments were told, beyond the definitions.

        Returns:
            ``draws``, how many numbers were drawn from custom samplers, by parameter and environment; and
            ``unsent``, parameters that are queued for an environment that has not stepped since.
        """
        unsent = {worker: self._unsent(worker) for worker in self._sets}
        return {"draws": {name: dict(counts) for name, counts in self._draws.items()}, "unsent": unsent}

    def continue_from(self, state: Mapping[str, Any]) -> None:
        """Send environments that were restored only what they had not been told when they were saved.

        Told again, they would begin their random numbers anew.
        """
        self._set_draws(state)
        unsent = state.get("unsent", {})
        for worker, channels in self._sets.items():
            channels.parameters.message_queue.clear()
            self._queued[worker] = []
            for name in unsent.get(worker, []):
                if name in self._lessons.names:
                    self._queue(worker, name, again=True)

    def _set_draws(self, state: Mapping[str, Any]) -> None:
        draws = state.get("draws", {})
        self._draws = {name: dict(counts) for name, counts in draws.items() if name in self._lessons.names}

    def _unsent(self, worker: int) -> list[str]:
        if not self._sets[worker].parameters.message_queue:  # taken by a step since
            self._queued[worker].clear()
        return list(dict.fromkeys(self._queued[worker]))

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

    def _queue(self, worker: int, name: str, *, again: bool = False) -> None:
        """Queue the present definition of a parameter, or what was queued of it last."""
        channel = self._sets[worker].parameters
        self._unsent(worker)
        self._queued[worker].append(name)
        parameters = self._lessons.sampler(name).sampler_parameters
        match parameters:
            case ConstantParameters():
                channel.set_float_parameter(name, parameters.value)
            case UniformParameters():
                channel.set_uniform_sampler_parameters(
                    name, parameters.min_value, parameters.max_value, parameters.seed
                )
            case GaussianParameters():
                channel.set_gaussian_sampler_parameters(
                    name, parameters.mean, parameters.st_dev, parameters.seed
                )
            case MultiRangeUniformParameters():
                intervals = [(low, high) for low, high in parameters.intervals]
                channel.set_multirangeuniform_sampler_parameters(name, intervals, parameters.seed)
            case CustomSampler():
                counts = self._draws.setdefault(name, {})
                count = max(0, counts.get(worker, 0) - again)
                counts[worker] = count + 1
                channel.set_float_parameter(name, parameters.value(name, worker, count))
