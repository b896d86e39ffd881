"""What happens around a run: copies, crashes, full disks, late behaviors, broken environments."""

from __future__ import annotations

import errno
import json
import os
import shutil
import signal
import threading
import time
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml
from toy_envs import DriftEnv, SavableDriftEnv, vector_spec

from mlagents.monitoring.stats import StatsSummary, StatsWriter
from mlagents.run import behavior_run, training_run
from mlagents.run.checkpoint_file import load_checkpoint
from mlagents.run.training_run import RunResult, TrainingRun
from mlagents.settings import RunOptions, TrainerError, UnityTrainerException
from mlagents.settings.errors import EnvironmentFailure
from mlagents_envs.base_env import (
    ActionSpec,
    BaseEnv,
    BehaviorMapping,
    BehaviorSpec,
    DecisionSteps,
    TerminalSteps,
)
from mlagents_envs.registry import EnvironmentOptions, make_environment


def options(folder: Path, behavior: str = "Drift", **sections: Any) -> RunOptions:  # noqa: ANN401
    checkpoint = {"run_id": "r", "results_dir": str(folder), **sections.pop("checkpoint", {})}
    settings = {
        "trainer_type": "ppo",
        "hyperparameters": {"batch_size": 32, "buffer_size": 200},
        "network_settings": {"normalize": True, "hidden_units": 16},
        "max_steps": 1000,
        "summary_freq": 250,
        "checkpoint_interval": 250,
        "keep_checkpoints": 2,
        **sections.pop("settings", {}),
    }
    sections.setdefault("env_settings", {"seed": 7})
    return RunOptions(behaviors={behavior: settings}, checkpoint_settings=checkpoint, **sections)


def train(folder: Path, env: BaseEnv | None = None, **kwargs: Any) -> RunResult:  # noqa: ANN401
    return TrainingRun(options(folder, **kwargs), environment=env or DriftEnv()).run()


def test_pruning_leaves_the_run_alone_that_the_folder_was_copied_from(tmp_path: Path) -> None:
    train(tmp_path)
    shutil.copytree(tmp_path / "r", tmp_path / "copy")
    before = sorted((tmp_path / "r" / "Drift").glob("*-*.*"))
    train(tmp_path, settings={"max_steps": 2000}, checkpoint={"run_id": "copy", "resume": True})
    assert sorted((tmp_path / "r" / "Drift").glob("*-*.*")) == before
    assert len(list((tmp_path / "copy" / "Drift").glob("*-*.pt"))) == 2


def test_pruning_deletes_no_file_that_the_status_merely_names(tmp_path: Path) -> None:
    train(tmp_path)
    precious = tmp_path / "precious.txt"
    precious.write_text("mine")
    path = tmp_path / "r" / "run_logs" / "training_status.json"
    status = json.loads(path.read_text())
    status["Drift"]["checkpoints"][0]["file_path"] = str(precious)
    path.write_text(json.dumps(status))
    train(tmp_path, settings={"max_steps": 2000}, checkpoint={"resume": True})
    assert precious.exists()


def test_failed_resume_leaves_the_configuration_alone(tmp_path: Path) -> None:
    train(tmp_path)
    path = tmp_path / "r" / "configuration.yaml"
    before = path.read_text()
    with pytest.raises(UnityTrainerException, match="does not fit"):
        train(tmp_path, settings={"network_settings": {"hidden_units": 64}}, checkpoint={"resume": True})
    assert path.read_text() == before


PARAMETERS = {
    "mass": {"sampler_type": "uniform", "sampler_parameters": {"min_value": 0.5, "max_value": 5.0}},
    "scale": 1.5,
}


def ball(folder: Path, **kwargs: Any) -> TrainingRun:  # noqa: ANN401
    kwargs.setdefault("env_settings", {"seed": 3, "env_path": "3DBall"})
    return TrainingRun(options(folder, "3DBall", environment_parameters=PARAMETERS, **kwargs))


def stopped_after(run: TrainingRun, updates: int) -> TrainingRun:
    (name,) = run.options.behaviors
    run._on_step = lambda r: r.stop() if r.behaviors[name].trainer.updates == updates else None
    run.run()
    return run


@pytest.mark.parametrize("seed", [3, -1])
def test_resume_is_exact_with_samplers_and_with_a_seed_left_to_chance(tmp_path: Path, seed: int) -> None:
    env_settings = {"seed": seed, "env_path": "3DBall"}
    stopped = stopped_after(ball(tmp_path / "b", env_settings=env_settings), 2)
    straight = ball(tmp_path / "a", env_settings={**env_settings, "seed": stopped.seed})
    straight.run()
    resumed = ball(tmp_path / "b", env_settings=env_settings, checkpoint={"resume": True})
    resumed.run()
    assert resumed.seed == stopped.seed
    values = [run.behaviors["3DBall"].trainer.flat.values for run in (straight, resumed)]
    assert torch.equal(values[0], values[1])


def test_lessons_seeds_and_init_path_are_written_down(tmp_path: Path) -> None:
    ball(tmp_path).run()
    status = json.loads((tmp_path / "r" / "run_logs" / "training_status.json").read_text())
    assert status["mass"] == status["scale"] == {"lesson_num": 0}
    written = yaml.safe_load((tmp_path / "r" / "configuration.yaml").read_text())
    sampler = written["environment_parameters"]["mass"]["curriculum"][0]["value"]
    assert sampler["sampler_parameters"]["seed"] == 3
    ball(tmp_path, checkpoint={"run_id": "next", "initialize_from": "r"}).run()
    written = yaml.safe_load((tmp_path / "next" / "configuration.yaml").read_text())
    assert written["behaviors"]["3DBall"]["init_path"] == str(tmp_path / "r" / "3DBall" / "checkpoint.pt")


class _Tags(StatsWriter):
    def __init__(self) -> None:
        self.seen: list[dict[str, float]] = []

    def write_stats(self, category: str, values: dict[str, StatsSummary], step: int) -> None:
        self.seen.append({tag: summary.aggregated_value for tag, summary in values.items()})


def test_lesson_numbers_and_training_to_the_last_step(tmp_path: Path) -> None:
    tags = _Tags()
    run = ball(tmp_path)
    run._hub.add_writer(tags)
    run.run()
    assert all(values["Environment/Lesson Number/mass"] == 0.0 for values in tags.seen)
    assert [values["Is Training"] for values in tags.seen] == [1.0] * 4


def test_state_is_saved_by_the_clock_not_only_after_updates(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(training_run, "RECOVERY_INTERVAL", 0.0)
    monkeypatch.setattr(training_run, "SAVING_SHARE", 1e9)
    run = TrainingRun(
        options(tmp_path, settings={"hyperparameters": {"buffer_size": 5000}, "checkpoint_interval": 10**6}),
        environment=DriftEnv(),
    )
    steps: list[int] = []

    def look(r: TrainingRun) -> None:
        saved = load_checkpoint(tmp_path / "r" / "Drift" / "checkpoint.pt").state
        steps.append(int(saved["global_step"]["_GlobalSteps__global_step"]))
        if len(steps) == 5:
            r.stop()

    run._on_step = look
    run.run()
    assert run.behaviors["Drift"].trainer.updates == 0
    assert steps == [0, 6, 12, 18, 24]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_signals_stop_and_save(tmp_path: Path, number: signal.Signals) -> None:
    run = TrainingRun(options(tmp_path, settings={"max_steps": 10**9}), environment=DriftEnv())
    run._on_begin = lambda r: os.kill(os.getpid(), number)
    result = run.run()
    assert result.interrupted
    assert (tmp_path / "r" / "Drift.onnx").is_file()


def test_two_processes_cannot_share_a_run(tmp_path: Path) -> None:
    first = TrainingRun(options(tmp_path, settings={"max_steps": 10**9}), environment=DriftEnv())
    begun = threading.Event()
    first._on_begin = lambda r: begun.set()
    thread = threading.Thread(target=first.run)
    thread.start()
    try:
        assert begun.wait(30)
        with pytest.raises(
            UnityTrainerException, match=rf"in use by another process \(process {os.getpid()}\)"
        ):
            train(tmp_path, checkpoint={"force": True})
    finally:
        first.stop()
        thread.join()
    train(tmp_path, checkpoint={"force": True})


class _LateEnv(DriftEnv):
    """A second behavior appears after a while."""

    late_after = 30

    def __init__(self) -> None:
        super().__init__()
        self._count = 0

    def step(self) -> None:
        super().step()
        self._count += 1

    @property
    def behavior_specs(self) -> BehaviorMapping:
        names = [self.behavior, "Late?team=0"] if self._count > self.late_after else [self.behavior]
        return BehaviorMapping(dict.fromkeys(names, self._spec))


def test_behavior_that_appears_only_after_resuming_starts_fresh(tmp_path: Path) -> None:
    late = options(tmp_path).model_copy(
        update={"behaviors": dict.fromkeys(("Drift", "Late"), options(tmp_path).behaviors["Drift"])}
    )
    first = TrainingRun(late, environment=_LateEnv())
    first._on_step = lambda r: r.stop() if r.behaviors["Drift"].trainer.step > 60 else None
    first.run()
    assert list(first.behaviors) == ["Drift"]
    resuming = late.model_copy(
        update={"checkpoint_settings": late.checkpoint_settings.model_copy(update={"resume": True})}
    )
    result = TrainingRun(resuming, environment=_LateEnv()).run()
    assert set(result.steps) == {"Drift", "Late"}
    assert min(result.steps.values()) >= 1000


class _BrokenEnv(DriftEnv):
    def __init__(self, after: int) -> None:
        super().__init__()
        self._after = after

    def step(self) -> None:
        super().step()
        self._after -= 1
        if self._after < 0:
            raise ZeroDivisionError("division by zero")


def test_bug_of_an_environment_is_blamed_on_it_and_nothing_is_lost(tmp_path: Path) -> None:
    with pytest.raises(EnvironmentFailure, match="_BrokenEnv failed to step: ZeroDivisionError") as caught:
        train(tmp_path, _BrokenEnv(100))
    assert isinstance(caught.value.__cause__, ZeroDivisionError)
    assert (tmp_path / "r" / "Drift.onnx").is_file()
    train(tmp_path, checkpoint={"resume": True})


def test_bug_of_a_factory_is_blamed_on_it_and_leaves_no_folder(tmp_path: Path) -> None:
    def factory(_: EnvironmentOptions) -> BaseEnv:
        raise KeyError("missing")

    with pytest.raises(EnvironmentFailure, match="failed to be built: KeyError"):
        TrainingRun(options(tmp_path), environment=factory).run()
    assert not (tmp_path / "r").exists()


def test_typo_in_the_environment_needs_no_force_afterwards(tmp_path: Path) -> None:
    with pytest.raises(Exception, match="no environment named '3DBal'"):
        ball(tmp_path, env_settings={"env_path": "3DBal", "seed": 1}).run()
    ball(tmp_path).run()


def test_factory_gets_seed_and_parameters(tmp_path: Path) -> None:
    seen: list[EnvironmentOptions] = []

    def factory(given: EnvironmentOptions) -> BaseEnv:
        seen.append(given)
        return make_environment("3DBall", given)

    TrainingRun(options(tmp_path, "3DBall", environment_parameters=PARAMETERS), environment=factory).run()
    assert seen[0].seed == 7
    assert len(seen[0].side_channels) == 3


class _SpecEnv(DriftEnv):
    def __init__(self, spec: BehaviorSpec) -> None:
        super().__init__()
        self._spec = spec
        self._steps = DecisionSteps.empty(spec), TerminalSteps.empty(spec)

    def reset(self) -> None:
        pass


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        (BehaviorSpec([vector_spec(2)], ActionSpec(0, ())), "has no actions"),
        (BehaviorSpec([], ActionSpec(1, ())), "observe nothing"),
        (BehaviorSpec([vector_spec(2)._replace(shape=(3, 8, 8))], ActionSpec(1, ())), "shape"),
    ],
)
def test_what_cannot_be_learned_is_one_clear_error(tmp_path: Path, spec: BehaviorSpec, message: str) -> None:
    with pytest.raises(TrainerError, match=message):
        train(tmp_path, _SpecEnv(spec))


def test_full_disk_at_a_checkpoint_does_not_end_the_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    real = behavior_run.save_checkpoint
    full = [False]

    def save(state: dict[str, Any], path: Path) -> None:
        if full[0] and path.name != "checkpoint.pt":
            raise OSError(errno.ENOSPC, "No space left on device")
        real(state, path)

    monkeypatch.setattr(behavior_run, "save_checkpoint", save)
    run = TrainingRun(options(tmp_path), environment=DriftEnv())

    def fill_and_empty(r: TrainingRun) -> None:
        full[0] = 300 < r.behaviors["Drift"].trainer.step < 800

    run._on_step = fill_and_empty
    with caplog.at_level("ERROR"):
        result = run.run()
    assert result.steps["Drift"] >= 1000
    assert any("No space left on device" in record.message for record in caplog.records)
    assert (tmp_path / "r" / "Drift.onnx").is_file()


def test_damaged_environment_state_resets_the_environment(tmp_path: Path) -> None:
    train(tmp_path, SavableDriftEnv())
    path = tmp_path / "r" / "run_logs" / "run_state.pt"
    for content in (b"junk", b""):
        path.write_bytes(content)
        train(tmp_path, SavableDriftEnv(), settings={"max_steps": 1500}, checkpoint={"resume": True})


@pytest.mark.parametrize("broken", [{"checkpoints": [{"steps": 1}]}, {"checkpoints": 3}, [1]])
def test_malformed_status_is_one_clear_error(tmp_path: Path, broken: object) -> None:
    train(tmp_path)
    path = tmp_path / "r" / "run_logs" / "training_status.json"
    status = json.loads(path.read_text())
    status["Drift"] = broken
    path.write_text(json.dumps(status))
    with pytest.raises(TrainerError, match="training_status"):
        train(tmp_path, checkpoint={"resume": True})


def test_weights_of_another_shape_are_skipped_part_by_part(tmp_path: Path) -> None:
    train(tmp_path)
    source = load_checkpoint(tmp_path / "r" / "Drift" / "checkpoint.pt").state
    source["Optimizer:critic"] = {}
    torch.save(source, tmp_path / "other.pt")
    run = TrainingRun(
        options(tmp_path, checkpoint={"run_id": "new"}, settings={"init_path": str(tmp_path / "other.pt")}),
        environment=DriftEnv(),
    )
    kept: dict[str, Any] = {}

    def begin(r: TrainingRun) -> None:
        kept.update(r.behaviors["Drift"].trainer.get_weights())
        r.stop()

    run._on_begin = begin
    run.run()
    for name, weight in source["Policy"]["actor"].items():
        assert torch.equal(kept["Policy"]["actor"][name], weight)
    assert all(bool(torch.isfinite(weight).all()) for weight in kept["Optimizer:critic"].values())


def test_updates_are_counted_in_the_timers(tmp_path: Path) -> None:
    run = TrainingRun(options(tmp_path), environment=DriftEnv())
    run.run()
    timers = json.loads((tmp_path / "r" / "run_logs" / "timers.json").read_text())
    assert timers["children"]["run_training.setup"]["count"] == 1
    advance = timers["children"]["TrainerController.start_learning"]["children"]["TrainerController.advance"]
    update = advance["children"]["trainer_advance"]["children"]["_update_policy"]
    assert update["count"] == run.behaviors["Drift"].trainer.updates


def test_rate_counts_only_this_runs_steps(tmp_path: Path) -> None:
    train(tmp_path)
    result = train(tmp_path, settings={"max_steps": 1500}, checkpoint={"resume": True})
    assert result.steps["Drift"] >= 1500
    assert result.new_steps["Drift"] < 700


def test_run_leaves_no_lock_behind(tmp_path: Path) -> None:
    started = time.monotonic()
    train(tmp_path)
    assert not list((tmp_path / "r").rglob(".lock"))
    assert time.monotonic() - started < 60
