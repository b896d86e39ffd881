"""Statistics that an environment reports to the trainer."""

from __future__ import annotations

import uuid

from mlagents_envs.exception import UnityCommunicationException
from mlagents_envs.side_channel.incoming_message import IncomingMessage
from mlagents_envs.side_channel.outgoing_message import OutgoingMessage
from mlagents_envs.side_channel.side_channel import SideChannel
from mlagents_envs.side_channel.stats_side_channel import StatsAggregationMethod


class StatsRecorder:
    """Sends named values; the trainer aggregates them over each of its summary periods.

    Attributes:
        channel: side channel on which the values go out, with the next exchange.
    """

    def __init__(self) -> None:
        self.channel: SideChannel = _StatsSender()

    def add(
        self, key: str, value: float, method: StatsAggregationMethod = StatsAggregationMethod.AVERAGE
    ) -> None:
        """Report one value.

        Args:
            key: name of the statistic, ASCII; a slash groups related ones.
            value: the value.
            method: how several values become one.

        Raises:
            UnitySideChannelException: the key is not ASCII, or the value does not fit float32.
        """
        msg = OutgoingMessage()
        msg.write_string(key)
        msg.write_float32(value)
        msg.write_int32(method.value)
        self.channel.queue_message_to_send(msg)


class _StatsSender(SideChannel):
    """The environment's end of the statistics channel."""

    def __init__(self) -> None:
        super().__init__(uuid.UUID("a1d8f7b7-cec8-50f9-b78b-d3e165a78520"))

    def on_message_received(self, msg: IncomingMessage) -> None:
        """Refuse: this end only sends.

        Raises:
            UnityCommunicationException: always.
        """
        raise UnityCommunicationException("The environment's statistics channel only sends.")
