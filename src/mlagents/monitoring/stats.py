"""Statistics of a run: values come in one by one, summaries go out to writers.

A run owns one :class:`StatsHub`. Whoever has something to report holds a :class:`StatsReporter` of that
hub for its category (the behavior name) and adds values; at each summary the hub condenses them into one
:class:`StatsSummary` per tag and hands these to every :class:`StatsWriter`.

Adding a value costs one dictionary look-up and one list append and takes no lock: a series is only ever
appended to by reporters and only ever shortened at its front by the hub, and both are atomic in Python.
"""

from __future__ import annotations

import threading
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import Enum

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mlagents_envs.logging_util import get_logger
from mlagents_envs.side_channel.stats_side_channel import StatsAggregationMethod

__all__ = [
    "DEFAULT_HUB",
    "StatsAggregationMethod",
    "StatsHub",
    "StatsPropertyType",
    "StatsReporter",
    "StatsSummary",
    "StatsWriter",
    "flatten_settings",
]

_LOGGER = get_logger(__name__)


class StatsPropertyType(Enum):
    """What a property, told once rather than at every summary, is about."""

    HYPERPARAMETERS = "hyperparameters"
    """A nested mapping of settings."""
    SELF_PLAY = "selfplay"
    """A bool: whether the category is trained by self-play."""


@dataclass(frozen=True, eq=False)
class StatsSummary:
    """The values of one tag over one summary period.

    Attributes:
        full_dist: every value ``(num,)``, float64, in the order of arrival.
        aggregation_method: how they become :attr:`aggregated_value`.
    """

    full_dist: NDArray[np.float64]
    aggregation_method: StatsAggregationMethod

    def __post_init__(self) -> None:
        object.__setattr__(self, "full_dist", np.asarray(self.full_dist, dtype=np.float64))

    @staticmethod
    def empty() -> StatsSummary:
        """A summary of no values: mean and std are NaN, the sum is 0."""
        return StatsSummary(np.empty(0), StatsAggregationMethod.AVERAGE)

    @property
    def mean(self) -> float:
        """Mean of the values, NaN if there are none."""
        return float(self.full_dist.mean()) if self.num else float("nan")

    @property
    def std(self) -> float:
        """Standard deviation of the values (of the population), NaN if there are none."""
        return float(self.full_dist.std()) if self.num else float("nan")

    @property
    def num(self) -> int:
        """Number of values."""
        return int(self.full_dist.size)

    @property
    def sum(self) -> float:
        """Sum of the values."""
        return float(self.full_dist.sum())

    @property
    def aggregated_value(self) -> float:
        """The one number that stands for the period: the sum for SUM, else the mean."""
        return self.sum if self.aggregation_method is StatsAggregationMethod.SUM else self.mean


class StatsWriter(ABC):
    """Shows or stores summaries. Only :meth:`write_stats` must be implemented."""

    def on_add_stat(  # noqa: B027  (optional)
        self,
        category: str,
        key: str,
        value: float,
        aggregation: StatsAggregationMethod = StatsAggregationMethod.AVERAGE,
    ) -> None:
        """Hear of a single value as it is added; called only on writers that override this."""

    @abstractmethod
    def write_stats(self, category: str, values: dict[str, StatsSummary], step: int) -> None:
        """Take the summaries of one period.

        Args:
            category: behavior name.
            values: summary of each tag that got a value in the period.
            step: agent steps of the behavior so far.
        """

    def add_property(self, category: str, property_type: StatsPropertyType, value: object) -> None:  # noqa: B027
        """Take a property of a category; what ``value`` is depends on the type."""

    def close(self) -> None:  # noqa: B027
        """Release files; nothing is written afterwards."""


class _Series:
    """Values of one tag since the last summary: numbers, or arrays of numbers."""

    __slots__ = ("aggregation", "values")

    def __init__(self, aggregation: StatsAggregationMethod) -> None:
        self.aggregation = aggregation
        self.values: list[float | NDArray[np.float64]] = []

    def summary(self, count: int) -> StatsSummary:
        """Summary of the ``count`` oldest entries."""
        entries = self.values[:count]
        if self.aggregation is StatsAggregationMethod.MOST_RECENT:
            entries = entries[-1:]
        if any(isinstance(entry, np.ndarray) for entry in entries):
            flat = np.concatenate([np.atleast_1d(entry) for entry in entries])
            if self.aggregation is StatsAggregationMethod.MOST_RECENT:
                flat = flat[-1:]
        else:
            flat = np.array(entries, dtype=np.float64)
        return StatsSummary(flat, self.aggregation)

    def take(self) -> StatsSummary | None:
        """Summary of everything so far, which is forgotten; None if there is nothing.

        Values that another thread adds meanwhile stay for the next period.
        """
        count = len(self.values)
        if not count:
            return None
        summary = self.summary(count)
        del self.values[:count]
        return summary


class StatsHub:
    """Writers and pending values of one run.

    Args:
        plugins: hub of code that does not know the run, see :data:`DEFAULT_HUB`. Its writers get the
            summaries of this hub as well, and values pending there are written with ours.
    """

    def __init__(self, plugins: StatsHub | None = None) -> None:
        self._plugins = plugins
        self._writers: list[StatsWriter] = []
        self._series: dict[str, dict[str, _Series]] = {}
        self._lock = threading.RLock()
        self.listeners: tuple[StatsWriter, ...] = ()
        """Writers that hear of every single value; plain, because reporters test it per value."""
        self._find_listeners()

    def add_writer(self, writer: StatsWriter) -> None:
        """Send all summaries from now on to ``writer`` too."""
        with self._lock:
            self._writers.append(writer)
            self._find_listeners()

    @property
    def writers(self) -> tuple[StatsWriter, ...]:
        """Writers that get the summaries, those of the plugin hub last."""
        own = tuple(self._writers)
        return own if self._plugins is None else own + self._plugins.writers

    def reporter(self, category: str) -> StatsReporter:
        """A reporter that adds values to ``category`` of this hub."""
        return StatsReporter(category, self)

    def series_of(self, category: str) -> dict[str, _Series]:
        """The table from tag to pending values of one category; it stays the same for good."""
        with self._lock:
            return self._series.setdefault(category, {})

    def write_stats(self, category: str, step: int) -> None:
        """Summarise what is pending for ``category``, forget it, and tell every writer.

        A writer that fails is reported and does not disturb the run or the other writers.
        """
        summaries = self._take(category)
        self._find_listeners()  # plugins may have brought writers meanwhile
        for writer in self.writers:
            _guarded(writer, "statistics", category, lambda w: w.write_stats(category, summaries, step))

    def add_property(self, category: str, property_type: StatsPropertyType, value: object) -> None:
        """Tell every writer a property of ``category``."""
        for writer in self.writers:
            _guarded(
                writer,
                property_type.value,
                category,
                lambda w: w.add_property(category, property_type, value),
            )

    def close(self) -> None:
        """Close every writer of the run; writers of plugins stay usable for the next run."""
        for writer in self._writers:
            _guarded(writer, "the end of the run", "", lambda w: w.close())

    def _find_listeners(self) -> None:
        self.listeners = tuple(w for w in self.writers if type(w).on_add_stat is not StatsWriter.on_add_stat)

    def _take(self, category: str) -> dict[str, StatsSummary]:
        with self._lock:
            taken = {} if self._plugins is None else self._plugins._take(category)
            for key, series in tuple(self._series.get(category, {}).items()):
                summary = series.take()
                if summary is not None:
                    taken[key] = summary
            return taken


def _guarded(writer: StatsWriter, what: str, category: str, call: Callable[[StatsWriter], None]) -> None:
    """Call a writer; log what it raises, because a full disk must not cost a day of training."""
    try:
        call(writer)
    except Exception as error:
        whose = f"{what} of {category}" if category else what
        _LOGGER.warning("%s could not take %s: %s", type(writer).__name__, whose, error)


DEFAULT_HUB = StatsHub()
"""Hub of reporters and writers that were made without one.

Only code written for ``mlagents.trainers.stats`` uses it: there, a reporter needs no more than a category.
A run joins it to its own hub with ``StatsHub(plugins=DEFAULT_HUB)``.
"""


class StatsReporter:
    """Adds values to one category.

    Args:
        category: behavior name.
        hub: hub of the run; the default one if None.
    """

    def __init__(self, category: str, hub: StatsHub | None = None) -> None:
        self.category = category
        self._hub = DEFAULT_HUB if hub is None else hub
        self._series = self._hub.series_of(category)

    @staticmethod
    def add_writer(writer: StatsWriter) -> None:
        """Add a writer to the default hub."""
        DEFAULT_HUB.add_writer(writer)

    def add_stat(
        self,
        key: str,
        value: float,
        aggregation: StatsAggregationMethod = StatsAggregationMethod.AVERAGE,
    ) -> None:
        """Add one value; the last aggregation given for a key within a period counts."""
        series = self._series.get(key)
        if series is None or series.aggregation is not aggregation:
            series = self._prepare(key, aggregation)
        series.values.append(value)
        if self._hub.listeners:
            self._notify(key, value, aggregation)

    def add_stats(
        self,
        key: str,
        values: ArrayLike,
        aggregation: StatsAggregationMethod = StatsAggregationMethod.AVERAGE,
    ) -> None:
        """Add many values at once.

        Args:
            key: tag.
            values: numbers of any shape; copied, so that the caller may reuse the array.
            aggregation: how they become one number, together with the others of the period.
        """
        flat = np.array(values, dtype=np.float64).ravel()
        if not flat.size:
            return
        self._prepare(key, aggregation).values.append(flat)
        if self._hub.listeners:
            for value in flat.tolist():
                self._notify(key, value, aggregation)

    def set_stat(self, key: str, value: float) -> None:
        """Add a value of which only the latest of the period counts."""
        self.add_stat(key, value, StatsAggregationMethod.MOST_RECENT)

    def write_stats(self, step: int) -> None:
        """Summarise the period, tell the writers and start a new one; ``step`` labels the summary."""
        self._hub.write_stats(self.category, step)

    def add_property(self, property_type: StatsPropertyType, value: object) -> None:
        """Tell the writers a property of the category."""
        self._hub.add_property(self.category, property_type, value)

    def get_stats_summaries(self, key: str) -> StatsSummary:
        """Summary of what is pending for ``key``, which stays pending."""
        series = self._series.get(key)
        return StatsSummary.empty() if series is None else series.summary(len(series.values))

    def _notify(self, key: str, value: float, aggregation: StatsAggregationMethod) -> None:
        for writer in self._hub.listeners:
            writer.on_add_stat(self.category, key, value, aggregation)

    def _prepare(self, key: str, aggregation: StatsAggregationMethod) -> _Series:
        series = self._series.setdefault(key, _Series(aggregation))
        series.aggregation = aggregation
        return series


def flatten_settings(settings: Mapping[str, object], indent: int = 0) -> list[str]:
    """Nested settings as lines ``key:<tab>value``, one tab deeper per level."""
    lines: list[str] = []
    for key, value in settings.items():
        if isinstance(value, Mapping):
            lines.append("\t" * indent + f"{key}:")
            lines.extend(flatten_settings(value, indent + 1))
        else:
            lines.append("\t" * indent + f"{key}:\t{value}")
    return lines
