"""Statistics that the environment reports to the trainer."""

from __future__ import annotations

import uuid
from collections import defaultdict
from collections.abc import Mapping
from enum import Enum

from mlagents_envs.exception import UnityEnvironmentException
from mlagents_envs.side_channel.incoming_message import IncomingMessage
from mlagents_envs.side_channel.side_channel import SideChannel


class StatsAggregationMethod(Enum):
    """How several values of one statistic become one number."""

    AVERAGE = 0
    """Mean of the values."""
    MOST_RECENT = 1
    """The last value."""
    SUM = 2
    """Sum of the values."""
    HISTOGRAM = 3
    """Mean, and the distribution beside it."""


StatList = list[tuple[float, StatsAggregationMethod]]
EnvironmentStats = Mapping[str, StatList]


class StatsSideChannel(SideChannel):
    """Receives named values; they wait in :attr:`stats` until collected."""

    def __init__(self) -> None:
        super().__init__(uuid.UUID("a1d8f7b7-cec8-50f9-b78b-d3e165a78520"))
        self.stats: dict[str, StatList] = defaultdict(list)

    def on_message_received(self, msg: IncomingMessage) -> None:
        """Keep the statistic in ``msg``.

        Raises:
            UnityEnvironmentException: the aggregation method is unknown.
        """
        key = msg.read_string()
        value = msg.read_float32()
        method = msg.read_int32()
        try:
            aggregation = StatsAggregationMethod(method)
        except ValueError as error:
            raise UnityEnvironmentException(
                f"The environment reported the statistic {key!r} with the unknown aggregation method "
                f"{method}; known are {[f'{m.value} {m.name}' for m in StatsAggregationMethod]}."
            ) from error
        self.stats[key].append((value, aggregation))

    def get_and_reset_stats(self) -> EnvironmentStats:
        """Everything received since the last call, values in the order of their arrival."""
        stats, self.stats = self.stats, defaultdict(list)
        return stats
