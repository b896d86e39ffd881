"""Statistics writers of plugins, and Weights & Biases."""

from __future__ import annotations

from importlib.metadata import EntryPoint, EntryPoints
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import numpy as np
import pytest
from api_helpers import small_run
from toy_envs import DriftEnv

from mlagents.monitoring import writer_plugins
from mlagents.monitoring.console import ConsoleWriter
from mlagents.monitoring.stats import StatsSummary, StatsWriter
from mlagents.monitoring.tensorboard import TensorboardWriter
from mlagents.monitoring.writer_plugins import load_writers
from mlagents.settings import RunOptions, TrainerConfigError


class Collecting(StatsWriter):
    """Keeps what it is given."""

    def __init__(self, options: RunOptions) -> None:
        self.options = options
        self.summaries: list[tuple[str, int, dict[str, float]]] = []

    def write_stats(self, category: str, values: dict[str, StatsSummary], step: int) -> None:
        self.summaries.append((category, step, {tag: s.aggregated_value for tag, s in values.items()}))


class Plugin:
    """A package with entry points of the group."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.made: list[Collecting] = []
        self._monkeypatch = monkeypatch
        module = ModuleType("writer_toolbox")
        module.good = self._make
        module.foreign = lambda options: [object()]
        module.broken = lambda options: 1 / 0
        monkeypatch.setitem(__import__("sys").modules, "writer_toolbox", module)

    def _make(self, options: RunOptions) -> list[StatsWriter]:
        self.made.append(Collecting(options))
        return [self.made[-1]]

    def install(self, **values: str) -> None:
        points = EntryPoints(EntryPoint(name, value, writer_plugins.GROUP) for name, value in values.items())
        self._monkeypatch.setattr(writer_plugins, "entry_points", lambda group: points.select(group=group))


@pytest.fixture
def plugin(monkeypatch: pytest.MonkeyPatch) -> Plugin:
    return Plugin(monkeypatch)


DEFAULT = "mlagents.monitoring.writer_plugins:default_writers"


def test_plugins_get_every_tag_of_their_run(plugin: Plugin, tmp_path: Path) -> None:
    plugin.install(default=DEFAULT, mine="writer_toolbox:good")
    run = small_run(tmp_path, DriftEnv)
    (writer,) = plugin.made
    assert writer.options.checkpoint_settings.run_id == "run"
    assert [step for _, step, _ in writer.summaries] == [1000, 2000, 3000]
    assert {"Is Training", "Step"} <= set(writer.summaries[0][2])  # hidden from TensorBoard only
    assert list((run.folder / "Drift").glob("events.out*"))
    small_run(tmp_path, DriftEnv, run_id="other")
    assert len(plugin.made) == 2  # every run has writers of its own
    assert len(writer.summaries) == 3


def test_plugins_that_fail_are_named_and_left_out(
    plugin: Plugin, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    plugin.install(
        default=DEFAULT,
        a="writer_toolbox:broken",
        b="nowhere:x",
        c="writer_toolbox:foreign",
        d="writer_toolbox:good",
    )
    writers = load_writers(RunOptions())
    assert [type(writer) for writer in writers] == [TensorboardWriter, ConsoleWriter, Collecting]
    out = capsys.readouterr().out
    for line in (
        "plugin a (writer_toolbox:broken) was left out: ZeroDivisionError",
        "plugin b (nowhere:x) was left out: ModuleNotFoundError",
        "plugin c (writer_toolbox:foreign) was left out: TypeError: it returned a object",
    ):
        assert line in out


def test_defaults_are_there_without_their_entry_point(plugin: Plugin) -> None:
    plugin.install()
    assert [type(writer) for writer in load_writers(RunOptions())] == [TensorboardWriter, ConsoleWriter]
    plugin.install(default="writer_toolbox:good")
    assert [type(writer) for writer in load_writers(RunOptions())] == [Collecting]


class FakeWandb(ModuleType):
    """Stands for the package: notes what it is told."""

    class Histogram:
        def __init__(self, values: np.ndarray) -> None:
            self.count = len(values)

    def __init__(self) -> None:
        super().__init__("wandb")
        self.runs: list[Any] = []

    def init(self, **arguments: object) -> SimpleNamespace:
        run = SimpleNamespace(arguments=arguments, logged=[], metrics=[], configuration={}, finished=0)
        run.log = run.logged.append
        run.define_metric = lambda name, step_metric=None: run.metrics.append((name, step_metric))
        run.config = SimpleNamespace(update=lambda data, allow_val_change: run.configuration.update(data))

        def finish() -> None:
            run.finished += 1

        run.finish = finish
        self.runs.append(run)
        return run


def test_weights_and_biases(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fake = FakeWandb()
    monkeypatch.setitem(__import__("sys").modules, "wandb", fake)
    monkeypatch.setenv("WANDB_PROJECT", "tests")
    from api_helpers import small_options

    from mlagents import train

    data = {**small_options(), "checkpoint_settings": {"wandb": True}}
    trained = train(data, DriftEnv, results_dir=tmp_path, run_id="run", seed=1, quiet=True)
    (run,) = fake.runs
    assert run.arguments["project"] == "tests"
    assert run.arguments["name"] == "run"
    assert run.arguments["dir"] == str(tmp_path / "run")
    assert run.configuration["Drift"]["max_steps"] == 3000
    assert run.metrics == [("Drift/Step", None), ("Drift/*", "Drift/Step")]
    assert [entry["Drift/Step"] for entry in run.logged] == [1000, 2000, 3000]
    returns = [entry["Drift/Environment/Cumulative Reward"] for entry in run.logged]
    assert returns == trained.metrics["Drift"]["Environment/Cumulative Reward"].values.tolist()
    assert run.logged[0]["Drift/Environment/Cumulative Reward_hist"].count > 5
    assert run.finished == 1


def test_weights_and_biases_is_optional(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "wandb", None)
    options = RunOptions(checkpoint_settings={"wandb": True})
    with pytest.raises(TrainerConfigError, match=r'pip install "open-mlagents\[wandb\]"'):
        load_writers(options)
