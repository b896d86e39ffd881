"""Statistics as gauges of ``timers.json``."""

from __future__ import annotations

from mlagents.monitoring.stats import StatsAggregationMethod, StatsSummary, StatsWriter
from mlagents_envs.timers import TimerStack, set_gauge


class GaugeWriter(StatsWriter):
    """Sets a gauge ``<category>.<tag>.mean`` (or ``.sum``) per tag.

    Args:
        timer_stack: timers that get the gauges; None means those of the calling thread.
    """

    def __init__(self, timer_stack: TimerStack | None = None) -> None:
        self._timer_stack = timer_stack

    def write_stats(self, category: str, values: dict[str, StatsSummary], step: int) -> None:
        """Set the gauges of one summary; slashes of a tag become dots and blanks vanish."""
        for tag, summary in values.items():
            is_sum = summary.aggregation_method is StatsAggregationMethod.SUM
            name = f"{category}.{tag}.{'sum' if is_sum else 'mean'}".replace("/", ".").replace(" ", "")
            set_gauge(name, summary.aggregated_value, self._timer_stack)
