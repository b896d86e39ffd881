"""The statistics API under the name by which plugins import it.

Reporters and writers made through this module share one hub, as they always did there: a reporter needs
no more than a category, and a writer added with ``StatsReporter.add_writer`` sees every run.
"""

from __future__ import annotations

from mlagents.monitoring.console import ConsoleWriter
from mlagents.monitoring.gauges import GaugeWriter
from mlagents.monitoring.stats import (
    StatsAggregationMethod,
    StatsPropertyType,
    StatsReporter,
    StatsSummary,
    StatsWriter,
)
from mlagents.monitoring.tensorboard import TensorboardWriter

__all__ = [
    "ConsoleWriter",
    "GaugeWriter",
    "StatsAggregationMethod",
    "StatsPropertyType",
    "StatsReporter",
    "StatsSummary",
    "StatsWriter",
    "TensorboardWriter",
]
