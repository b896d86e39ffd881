"""Values come in, summaries go out: the hub, the reporter and the old import path."""

from __future__ import annotations

import math
import sys
import threading

import numpy as np
import pytest

from mlagents.monitoring import stats
from mlagents.monitoring.stats import (
    StatsAggregationMethod,
    StatsHub,
    StatsPropertyType,
    StatsReporter,
    StatsSummary,
    StatsWriter,
    flatten_settings,
)


class Recorder(StatsWriter):
    def __init__(self) -> None:
        self.written: list[tuple[str, dict[str, StatsSummary], int]] = []
        self.properties: list[tuple[str, StatsPropertyType, object]] = []
        self.closed = False

    def write_stats(self, category: str, values: dict[str, StatsSummary], step: int) -> None:
        self.written.append((category, values, step))

    def add_property(self, category: str, property_type: StatsPropertyType, value: object) -> None:
        self.properties.append((category, property_type, value))

    def close(self) -> None:
        self.closed = True


class Listener(Recorder):
    def __init__(self) -> None:
        super().__init__()
        self.heard: list[tuple[str, str, float, StatsAggregationMethod]] = []

    def on_add_stat(
        self,
        category: str,
        key: str,
        value: float,
        aggregation: StatsAggregationMethod = StatsAggregationMethod.AVERAGE,
    ) -> None:
        self.heard.append((category, key, value, aggregation))


@pytest.fixture
def recorder() -> Recorder:
    return Recorder()


@pytest.fixture
def hub(recorder: Recorder) -> StatsHub:
    hub = StatsHub()
    hub.add_writer(recorder)
    return hub


@pytest.fixture
def default_hub(monkeypatch: pytest.MonkeyPatch) -> StatsHub:
    """The hub of the old interface, replaced so that tests do not see each other."""
    hub = StatsHub()
    monkeypatch.setattr(stats, "DEFAULT_HUB", hub)
    return hub


def test_values_are_summarised_and_forgotten(hub: StatsHub, recorder: Recorder) -> None:
    reporter = hub.reporter("Ball")
    for value in (1.0, 2.0, 6.0):
        reporter.add_stat("a", value)
    reporter.add_stat("s", 2.0, StatsAggregationMethod.SUM)
    reporter.add_stat("s", 3.0, StatsAggregationMethod.SUM)
    reporter.set_stat("latest", 7.0)
    reporter.set_stat("latest", 8.0)
    reporter.write_stats(100)
    category, values, step = recorder.written[0]
    assert (category, step) == ("Ball", 100)
    assert values["a"].mean == values["a"].aggregated_value == 3.0
    assert values["a"].std == pytest.approx(math.sqrt(14 / 3))
    assert values["a"].num == 3
    assert values["s"].aggregated_value == values["s"].sum == 5.0
    assert values["latest"].full_dist.tolist() == [8.0]

    reporter.add_stat("a", 5.0)
    reporter.write_stats(200)
    assert {tag: s.mean for tag, s in recorder.written[1][1].items()} == {"a": 5.0}


def test_arrays_and_numbers_make_one_series(hub: StatsHub, recorder: Recorder) -> None:
    reporter = hub.reporter("Ball")
    values = np.array([[1, 2], [3, 4]], dtype=np.float32)
    reporter.add_stats("r", values, StatsAggregationMethod.HISTOGRAM)
    values[:] = -1.0  # the caller reuses its array
    reporter.add_stat("r", 5.0, StatsAggregationMethod.HISTOGRAM)
    reporter.add_stats("nothing", np.empty(0))
    reporter.write_stats(1)
    written = recorder.written[0][1]
    assert list(written) == ["r"]
    assert written["r"].full_dist.tolist() == [1.0, 2.0, 3.0, 4.0, 5.0]
    assert written["r"].aggregation_method is StatsAggregationMethod.HISTOGRAM


def test_most_recent_of_an_array_is_its_last(hub: StatsHub) -> None:
    reporter = hub.reporter("Ball")
    reporter.add_stats("x", [1.0, 2.0], StatsAggregationMethod.MOST_RECENT)
    assert reporter.get_stats_summaries("x").full_dist.tolist() == [2.0]


def test_pending_values_can_be_seen(hub: StatsHub, recorder: Recorder) -> None:
    reporter = hub.reporter("Ball")
    reporter.add_stat("a", 4.0)
    assert reporter.get_stats_summaries("a").mean == 4.0
    reporter.write_stats(1)
    assert recorder.written[0][1]["a"].mean == 4.0, "looking must not forget"
    empty = reporter.get_stats_summaries("a")
    assert empty.num == 0
    assert math.isnan(empty.mean)
    assert math.isnan(StatsSummary.empty().std)
    assert StatsSummary.empty().sum == 0.0


def test_reporters_of_a_category_share_values_and_categories_do_not(
    hub: StatsHub, recorder: Recorder
) -> None:
    hub.reporter("A").add_stat("x", 1.0)
    hub.reporter("A").add_stat("x", 3.0)
    hub.reporter("B").add_stat("x", 10.0)
    hub.write_stats("A", 1)
    assert recorder.written[0][1]["x"].mean == 2.0
    hub.write_stats("B", 1)
    assert recorder.written[1][1]["x"].mean == 10.0


def test_a_summary_without_values_is_still_written(hub: StatsHub, recorder: Recorder) -> None:
    hub.write_stats("A", 5)
    assert recorder.written == [("A", {}, 5)]


def test_runs_do_not_see_each_other(recorder: Recorder, hub: StatsHub) -> None:
    other = StatsHub()
    other.reporter("A").add_stat("x", 1.0)
    hub.write_stats("A", 1)
    other.write_stats("A", 1)
    assert recorder.written == [("A", {}, 1)]


def test_a_failing_writer_disturbs_nobody(
    hub: StatsHub, recorder: Recorder, capsys: pytest.CaptureFixture[str]
) -> None:
    class Broken(Recorder):
        def write_stats(self, category: str, values: dict[str, StatsSummary], step: int) -> None:
            raise OSError("disk full")

    hub = StatsHub()
    hub.add_writer(Broken())
    hub.add_writer(recorder)
    hub.write_stats("Ball", 1)
    assert len(recorder.written) == 1
    assert "Broken could not take statistics of Ball: disk full" in capsys.readouterr().out


def test_only_writers_that_listen_hear_single_values(hub: StatsHub) -> None:
    listener = Listener()
    hub.add_writer(listener)
    reporter = hub.reporter("Ball")
    reporter.add_stat("a", 1.0)
    reporter.add_stats("b", [2.0, 3.0], StatsAggregationMethod.SUM)
    reporter.set_stat("c", 4.0)
    assert listener.heard == [
        ("Ball", "a", 1.0, StatsAggregationMethod.AVERAGE),
        ("Ball", "b", 2.0, StatsAggregationMethod.SUM),
        ("Ball", "b", 3.0, StatsAggregationMethod.SUM),
        ("Ball", "c", 4.0, StatsAggregationMethod.MOST_RECENT),
    ]
    assert hub.listeners == (listener,)


def test_properties_and_closing_reach_every_writer(hub: StatsHub, recorder: Recorder) -> None:
    hub.reporter("Ball").add_property(StatsPropertyType.SELF_PLAY, True)
    hub.close()
    assert recorder.properties == [("Ball", StatsPropertyType.SELF_PLAY, True)]
    assert recorder.closed


def test_no_value_is_lost_between_threads(hub: StatsHub, recorder: Recorder) -> None:
    """A summary is taken exactly between a reporter's look-up of the series and its append."""
    reporter = hub.reporter("Ball")
    reporter.add_stat("n", 1.0, StatsAggregationMethod.SUM)
    values = hub.series_of("Ball")["n"].values  # where the other thread is about to append
    hub.write_stats("Ball", 1)
    values.append(2.0)
    hub.write_stats("Ball", 2)
    assert [summaries["n"].sum for _, summaries, _ in recorder.written] == [1.0, 2.0]


def test_threads_add_while_summaries_are_taken(hub: StatsHub, recorder: Recorder) -> None:
    reporter = hub.reporter("Ball")
    done = threading.Event()

    def add() -> None:
        for _ in range(20_000):
            reporter.add_stat("n", 1.0, StatsAggregationMethod.SUM)

    def write() -> None:
        while not done.is_set():
            hub.write_stats("Ball", 0)

    writer = threading.Thread(target=write)
    threads = [threading.Thread(target=add) for _ in range(3)]
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-5)
    try:
        for thread in [writer, *threads]:
            thread.start()
        for thread in threads:
            thread.join()
        done.set()
        writer.join()
    finally:
        sys.setswitchinterval(interval)
    hub.write_stats("Ball", 1)
    assert sum(values["n"].sum for _, values, _ in recorder.written if "n" in values) == 60_000


def test_old_interface_needs_only_a_category(default_hub: StatsHub, recorder: Recorder) -> None:
    from mlagents.trainers import stats as old

    assert old.StatsReporter is StatsReporter
    old.StatsReporter.add_writer(recorder)
    reporter = old.StatsReporter("Plugin")
    reporter.add_stat("a", 1.0, old.StatsAggregationMethod.SUM)
    old.StatsReporter("Plugin").add_stat("a", 2.0, old.StatsAggregationMethod.SUM)
    reporter.write_stats(3)
    assert recorder.written[0][1]["a"].sum == 3.0


def test_a_run_serves_writers_and_values_of_plugins(default_hub: StatsHub, recorder: Recorder) -> None:
    plugin_writer = Listener()
    StatsReporter.add_writer(plugin_writer)
    hub = StatsHub(plugins=default_hub)
    hub.add_writer(recorder)
    StatsReporter("Ball").add_stat("from plugin", 1.0)
    reporter = hub.reporter("Ball")
    reporter.add_stat("from run", 2.0)
    assert ("Ball", "from run", 2.0, StatsAggregationMethod.AVERAGE) in plugin_writer.heard
    reporter.write_stats(10)
    for writer in (recorder, plugin_writer):
        assert {tag: s.mean for tag, s in writer.written[0][1].items()} == {
            "from plugin": 1.0,
            "from run": 2.0,
        }
    hub.close()
    assert recorder.closed
    assert not plugin_writer.closed


def test_a_writer_of_a_plugin_may_come_late(default_hub: StatsHub) -> None:
    hub = StatsHub(plugins=default_hub)
    reporter = hub.reporter("Ball")
    late = Listener()
    StatsReporter.add_writer(late)
    reporter.add_stat("a", 1.0)
    reporter.write_stats(1)
    reporter.add_stat("a", 2.0)
    assert late.written[0][1]["a"].mean == 1.0
    assert [value for _, _, value, _ in late.heard] == [2.0], "from the first summary on"


def test_settings_become_lines() -> None:
    nested = {"trainer_type": "ppo", "hyperparameters": {"batch_size": 64, "deep": {"x": None}}, "steps": 5}
    assert flatten_settings(nested) == [
        "trainer_type:\tppo",
        "hyperparameters:",
        "\tbatch_size:\t64",
        "\tdeep:",
        "\t\tx:\tNone",
        "steps:\t5",
    ]
