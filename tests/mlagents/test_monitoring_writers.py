"""TensorBoard files, console lines and gauges."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from mlagents.monitoring.console import ConsoleWriter
from mlagents.monitoring.gauges import GaugeWriter
from mlagents.monitoring.stats import StatsAggregationMethod, StatsHub, StatsPropertyType, StatsSummary
from mlagents.monitoring.tensorboard import TensorboardWriter
from mlagents_envs.timers import TimerStack

REWARD = "Environment/Cumulative Reward"


def summary(*values: float, method: StatsAggregationMethod = StatsAggregationMethod.AVERAGE) -> StatsSummary:
    return StatsSummary(np.array(values), method)


def read(folder: Path) -> EventAccumulator:
    accumulator = EventAccumulator(str(folder), size_guidance={"histograms": 0, "scalars": 0, "tensors": 0})
    return accumulator.Reload()


# TensorBoard


def test_tensorboard_reads_scalars_histograms_and_text(tmp_path: Path) -> None:
    writer = TensorboardWriter(tmp_path, hidden_keys=["Is Training", "Step"])
    writer.add_property("Ball", StatsPropertyType.HYPERPARAMETERS, {"a": {"b": 1}})
    values = {
        REWARD: summary(1.0, 2.0, 6.0, method=StatsAggregationMethod.HISTOGRAM),
        "Losses/Policy Loss": summary(0.5, 1.5),
        "Count": summary(1.0, 2.0, method=StatsAggregationMethod.SUM),
        "Is Training": summary(1.0),
        "Step": summary(12.0),
    }
    writer.write_stats("Ball", values, 12000)
    # Complete on disk without closing: a killed run keeps its curves.
    seen = read(tmp_path / "Ball")
    assert sorted(seen.Tags()["scalars"]) == ["Count", REWARD, "Losses/Policy Loss"]
    assert [(e.step, e.value) for e in seen.Scalars(REWARD)] == [(12000, 3.0)]
    assert seen.Scalars("Count")[0].value == 3.0
    histogram = seen.Histograms(f"{REWARD}_hist")[0].histogram_value
    assert (histogram.num, histogram.min, histogram.max, histogram.sum) == (3.0, 1.0, 6.0, 9.0)
    assert sum(histogram.bucket) == 3.0
    assert histogram.bucket_limit[-1] == 6.0
    text = seen.Tensors("Hyperparameters/text_summary")[0]
    assert text.step == 0
    assert text.tensor_proto.string_val[0].decode() == "a:\n\tb:\t1"
    assert seen.SummaryMetadata("Hyperparameters/text_summary").plugin_data.plugin_name == "text"
    writer.close()


def test_a_histogram_survives_values_that_are_not_finite(tmp_path: Path) -> None:
    writer = TensorboardWriter(tmp_path)
    broken = summary(1.0, np.nan, np.inf, method=StatsAggregationMethod.HISTOGRAM)
    writer.write_stats(
        "Ball", {"x": broken, "y": summary(np.nan, method=StatsAggregationMethod.HISTOGRAM)}, 1
    )
    seen = read(tmp_path / "Ball")
    assert seen.Histograms("x_hist")[0].histogram_value.num == 1.0
    assert seen.Tags()["histograms"] == ["x_hist"]


def test_a_resumed_run_adds_a_file_and_replaces_what_was_past_the_checkpoint(tmp_path: Path) -> None:
    first = TensorboardWriter(tmp_path)
    for step in (100, 200, 300):
        first.write_stats("Ball", {"x": summary(float(step))}, step)
    first.close()
    resumed = TensorboardWriter(tmp_path)
    resumed.add_property("Ball", StatsPropertyType.HYPERPARAMETERS, {"a": 1})
    for step in (200, 300, 400):
        resumed.write_stats("Ball", {"x": summary(step + 1.0)}, step)
    resumed.close()
    assert len(list((tmp_path / "Ball").glob("events.out.tfevents.*"))) == 2
    seen = [(e.step, e.value) for e in read(tmp_path / "Ball").Scalars("x")]
    assert seen == [(100, 100.0), (200, 201.0), (300, 301.0), (400, 401.0)]


def test_clearing_deletes_only_old_event_files_of_behaviors_seen_again(tmp_path: Path) -> None:
    for name in ("Ball", "Gone"):
        old = TensorboardWriter(tmp_path)
        old.write_stats(name, {"x": summary(1.0)}, 1)
        old.close()
    checkpoint = tmp_path / "Ball" / "checkpoint.pt"
    checkpoint.write_bytes(b"weights")
    writer = TensorboardWriter(tmp_path, clear_past_data=True)
    writer.write_stats("Ball", {"x": summary(2.0)}, 5)
    writer.write_stats("Ball", {"x": summary(3.0)}, 6)
    assert [(e.step, e.value) for e in read(tmp_path / "Ball").Scalars("x")] == [(5, 2.0), (6, 3.0)]
    assert checkpoint.exists()
    assert len(list((tmp_path / "Gone").iterdir())) == 1


def test_nothing_shown_makes_no_file(tmp_path: Path) -> None:
    writer = TensorboardWriter(tmp_path, hidden_keys=["Step"])
    writer.write_stats("Ball", {"Step": summary(1.0)}, 1)
    writer.add_property("Ball", StatsPropertyType.SELF_PLAY, True)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", ["../outside", "/tmp/outside", "", "a/../../b"])
def test_a_behavior_cannot_write_outside_the_results(tmp_path: Path, name: str) -> None:
    base = tmp_path / "run"
    with pytest.raises(ValueError, match="behavior name"):
        TensorboardWriter(base).write_stats(name, {"x": summary(1.0)}, 1)
    assert list(tmp_path.rglob("events*")) == []


# Console


@pytest.mark.parametrize(
    ("values", "line"),
    [
        (
            {REWARD: summary(1.0, 2.0), "Is Training": summary(1.0)},
            "Mean Reward: 1.500. Std of Reward: 0.500. Training.",
        ),
        ({REWARD: summary(1.0)}, "Mean Reward: 1.000. Std of Reward: 0.000. Not Training."),
        ({"Is Training": summary(0.0)}, "No episode was completed since last summary. Not Training."),
        ({"Is Training": summary(1.0)}, "No episode was completed since last summary. Training."),
        (
            {
                REWARD: summary(1.0),
                "Environment/Group Cumulative Reward": summary(2.0, 4.0),
                "Is Training": summary(1.0),
            },
            "Mean Reward: 1.000. Mean Group Reward: 3.000. Training.",
        ),
        (
            {REWARD: summary(-1.0), "Self-play/ELO": summary(1199.5), "Is Training": summary(1.0)},
            "Mean Reward: -1.000. Std of Reward: 0.000. Training. ELO: 1199.500.",
        ),
    ],
)
def test_console_line(values: dict[str, StatsSummary], line: str) -> None:
    times = iter([10.0, 18.1234])
    lines: list[str] = []
    writer = ConsoleWriter(emit=lines.append, now=lambda: next(times))
    writer.write_stats("3DBall", values, 12000)
    assert lines == [f"[INFO] 3DBall. Step: 12000. Time Elapsed: 8.123 s. {line}"]


def test_console_prints_hyperparameters_to_stdout(capsys: pytest.CaptureFixture[str]) -> None:
    writer = ConsoleWriter()
    writer.add_property("3DBall", StatsPropertyType.HYPERPARAMETERS, {"hyperparameters": {"beta": 0.001}})
    writer.add_property("3DBall", StatsPropertyType.SELF_PLAY, True)
    assert capsys.readouterr().out == (
        "[INFO] Hyperparameters of behavior 3DBall:\n\thyperparameters:\n\t\tbeta:\t0.001\n"
    )


# Gauges


def test_gauges_are_named_after_behavior_and_tag() -> None:
    stack = TimerStack()
    hub = StatsHub()
    hub.add_writer(GaugeWriter(stack))
    reporter = hub.reporter("Ball")
    for values in ((1.0, 3.0), (5.0, 9.0)):
        reporter.add_stats(REWARD, values)
        reporter.add_stats("Goals", values, StatsAggregationMethod.SUM)
        reporter.add_stat("Broken", float("nan"))
        reporter.write_stats(1)
    gauges = stack.get_timer_tree()["gauges"]
    assert gauges["Ball.Environment.CumulativeReward.mean"] == {
        "value": 7.0,
        "min": 2.0,
        "max": 7.0,
        "count": 2,
    }
    assert gauges["Ball.Goals.sum"]["value"] == 14.0
    assert set(gauges) == {"Ball.Environment.CumulativeReward.mean", "Ball.Goals.sum"}
