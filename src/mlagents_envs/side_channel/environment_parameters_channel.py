"""Numbers that the environment may read, and samplers to draw them, sent from Python."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from enum import IntEnum

from mlagents_envs.exception import UnityCommunicationException
from mlagents_envs.side_channel.incoming_message import IncomingMessage
from mlagents_envs.side_channel.outgoing_message import OutgoingMessage
from mlagents_envs.side_channel.side_channel import SideChannel


class EnvironmentParametersChannel(SideChannel):
    """Sends environment parameters: constants, or distributions sampled by the environment."""

    class EnvironmentDataTypes(IntEnum):
        """What follows the key of a message."""

        FLOAT = 0
        SAMPLER = 1

    class SamplerTypes(IntEnum):
        """Distribution of a sampler."""

        UNIFORM = 0
        GAUSSIAN = 1
        MULTIRANGEUNIFORM = 2

    def __init__(self) -> None:
        super().__init__(uuid.UUID("534c891e-810f-11ea-a9d0-822485860400"))

    def on_message_received(self, msg: IncomingMessage) -> None:
        """Refuse: this channel only sends.

        Raises:
            UnityCommunicationException: always.
        """
        raise UnityCommunicationException(
            "The environment parameters channel received a message, but it only sends. "
            "Another channel of the environment may use its id by mistake."
        )

    def set_float_parameter(self, key: str, value: float) -> None:
        """Set the parameter ``key`` to a constant."""
        msg = OutgoingMessage()
        msg.write_string(key)
        msg.write_int32(self.EnvironmentDataTypes.FLOAT)
        msg.write_float32(value)
        self.queue_message_to_send(msg)

    def set_uniform_sampler_parameters(self, key: str, min_value: float, max_value: float, seed: int) -> None:
        """Let the environment draw ``key`` uniformly from [min_value, max_value]."""
        msg = self._sampler_message(key, seed, self.SamplerTypes.UNIFORM)
        msg.write_float32(min_value)
        msg.write_float32(max_value)
        self.queue_message_to_send(msg)

    def set_gaussian_sampler_parameters(self, key: str, mean: float, st_dev: float, seed: int) -> None:
        """Let the environment draw ``key`` from a normal distribution."""
        msg = self._sampler_message(key, seed, self.SamplerTypes.GAUSSIAN)
        msg.write_float32(mean)
        msg.write_float32(st_dev)
        self.queue_message_to_send(msg)

    def set_multirangeuniform_sampler_parameters(
        self, key: str, intervals: Sequence[tuple[float, float]], seed: int
    ) -> None:
        """Let the environment draw ``key`` uniformly from a union of intervals.

        Args:
            key: name of the parameter.
            intervals: (min, max) of each interval.
            seed: seed of the sampler.
        """
        msg = self._sampler_message(key, seed, self.SamplerTypes.MULTIRANGEUNIFORM)
        msg.write_float32_list([bound for interval in intervals for bound in interval])
        self.queue_message_to_send(msg)

    def _sampler_message(self, key: str, seed: int, sampler: SamplerTypes) -> OutgoingMessage:
        msg = OutgoingMessage()
        msg.write_string(key)
        msg.write_int32(self.EnvironmentDataTypes.SAMPLER)
        msg.write_int32(seed)
        msg.write_int32(sampler)
        return msg
