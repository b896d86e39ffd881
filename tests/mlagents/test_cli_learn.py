"""``mlagents-learn`` from the outside: results of a run, and what a user's mistakes look like."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import onnxruntime
import pytest
import yaml
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from toy_envs import DriftEnv

from mlagents.cli.learn import main
from mlagents_envs.registry import options as registry_options

SMALL = """
behaviors:
  3DBall:
    trainer_type: ppo
    hyperparameters: {batch_size: 64, buffer_size: 600}
    network_settings: {normalize: true, hidden_units: 16}
    max_steps: 3000
    summary_freq: 1000
    checkpoint_interval: 1000
    keep_checkpoints: 2
"""


@pytest.fixture
def workplace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "small.yaml").write_text(SMALL)
    return tmp_path


@pytest.fixture
def finished(workplace: Path, capsys: pytest.CaptureFixture[str]) -> str:
    """A small run that is done; gives what it printed."""
    assert main(["small.yaml", "--env=3DBall", "--run-id=done", "--seed=1"]) == 0
    return capsys.readouterr().out


def error_of(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    """Run the command, which must fail with one line, and return that line."""
    assert main(list(arguments)) == 1
    captured = capsys.readouterr()
    assert "Traceback" not in captured.err + captured.out
    lines = [line for line in captured.err.splitlines() if line.startswith("error: ")]
    assert len(lines) == 1, captured.err
    return lines[0]


def test_results_folder_is_complete(workplace: Path, finished: str) -> None:
    folder = workplace / "results" / "done"
    configuration = yaml.safe_load((folder / "configuration.yaml").read_text())
    assert configuration["behaviors"]["3DBall"]["hyperparameters"]["buffer_size"] == 600
    assert configuration["env_settings"]["seed"] == 1

    status = json.loads((folder / "run_logs" / "training_status.json").read_text())
    steps = [record["steps"] for record in status["3DBall"]["checkpoints"]]
    assert len(steps) == 2
    for step in steps:
        assert (folder / "3DBall" / f"3DBall-{step}.pt").is_file()
        assert (folder / "3DBall" / f"3DBall-{step}.onnx").is_file()
    assert len(list((folder / "3DBall").glob("3DBall-*.pt"))) == 2
    assert status["3DBall"]["final_checkpoint"]["file_path"].endswith("3DBall.onnx")
    assert set(status["metadata"]) == {"stats_format_version", "mlagents_version", "torch_version"}

    timers = json.loads((folder / "run_logs" / "timers.json").read_text())
    assert timers["name"] == "root"
    advance = timers["children"]["TrainerController.start_learning"]["children"]["TrainerController.advance"]
    assert advance["children"]["env_step"]["total"] > 0
    assert advance["children"]["trainer_advance"]["children"]["_update_policy"]["total"] > 0
    assert "3DBall.Environment.CumulativeReward.mean" in timers["gauges"]


def test_exported_model_plays(workplace: Path, finished: str) -> None:
    session = onnxruntime.InferenceSession(workplace / "results" / "done" / "3DBall.onnx")
    actions = session.run(
        ["deterministic_continuous_actions"], {"obs_0": np.zeros((7, 8), dtype=np.float32)}
    )[0]
    assert actions.shape == (7, 2)
    assert np.isfinite(actions).all()


def test_tensorboard_has_the_scalars_and_the_hyperparameters(workplace: Path, finished: str) -> None:
    events = EventAccumulator(str(workplace / "results" / "done" / "3DBall"))
    events.Reload()
    tags = set(events.Tags()["scalars"])
    expected = {
        "Environment/Cumulative Reward",
        "Environment/Episode Length",
        "Policy/Entropy",
        "Policy/Learning Rate",
        "Policy/Epsilon",
        "Policy/Beta",
        "Policy/Extrinsic Reward",
        "Policy/Extrinsic Value Estimate",
        "Losses/Policy Loss",
        "Losses/Value Loss",
    }
    assert expected <= tags
    assert not {"Is Training", "Step"} & tags
    steps = [event.step for event in events.Scalars("Environment/Cumulative Reward")]
    assert steps == [1000, 2000, 3000]
    rates = [event.value for event in events.Scalars("Policy/Learning Rate")]
    assert rates == sorted(rates, reverse=True)
    assert rates[0] < 3e-4


def test_console_lines(finished: str) -> None:
    summaries = [line for line in finished.splitlines() if line.startswith("[INFO] 3DBall. Step: ")]
    assert [line.split(". ")[1] for line in summaries] == ["Step: 1000", "Step: 2000", "Step: 3000"]
    assert all("Mean Reward: " in line and line.endswith("Training.") for line in summaries)


def test_run_id_that_exists(workplace: Path, finished: str, capsys: pytest.CaptureFixture[str]) -> None:
    line = error_of(capsys, "small.yaml", "--env=3DBall", "--run-id=done")
    assert "'done' exists already" in line
    assert "--resume" in line
    assert "--force" in line


def test_force_starts_over(workplace: Path, finished: str) -> None:
    assert main(["small.yaml", "--env=3DBall", "--run-id=done", "--force", "--seed=1"]) == 0
    files = list((workplace / "results" / "done" / "3DBall").glob("events.out*"))
    assert len(files) == 1


def test_resume_of_a_finished_run_does_nothing_more(workplace: Path, finished: str) -> None:
    assert main(["small.yaml", "--env=3DBall", "--run-id=done", "--resume", "--seed=1"]) == 0


def test_resume_of_nothing(workplace: Path, capsys: pytest.CaptureFixture[str]) -> None:
    line = error_of(capsys, "small.yaml", "--env=3DBall", "--run-id=nothing", "--resume")
    assert "no run 'nothing' to resume" in line


def test_initialize_from_nothing(workplace: Path, capsys: pytest.CaptureFixture[str]) -> None:
    line = error_of(capsys, "small.yaml", "--env=3DBall", "--run-id=x", "--initialize-from=nothing")
    assert "no run 'nothing'" in line


@pytest.mark.parametrize("damage", ["truncate", "garbage", "empty", "delete"])
def test_corrupt_checkpoint(
    workplace: Path, finished: str, capsys: pytest.CaptureFixture[str], damage: str
) -> None:
    path = workplace / "results" / "done" / "3DBall" / "checkpoint.pt"
    content = path.read_bytes()
    if damage == "delete":
        path.unlink()
    else:
        path.write_bytes(
            {"truncate": content[: len(content) // 2], "garbage": b"junk" * 99, "empty": b""}[damage]
        )
    line = error_of(capsys, "small.yaml", "--env=3DBall", "--run-id=done", "--resume")
    assert str(Path("results/done/3DBall/checkpoint.pt")) in line


def test_checkpoint_of_another_shape(
    workplace: Path, finished: str, capsys: pytest.CaptureFixture[str]
) -> None:
    (workplace / "small.yaml").write_text(SMALL.replace("hidden_units: 16", "hidden_units: 24"))
    line = error_of(capsys, "small.yaml", "--env=3DBall", "--run-id=done", "--resume")
    assert "does not fit the behavior 3DBall" in line


def test_corrupt_status_file(workplace: Path, finished: str, capsys: pytest.CaptureFixture[str]) -> None:
    path = workplace / "results" / "done" / "run_logs" / "training_status.json"
    path.write_text("{")
    assert "training_status.json" in error_of(
        capsys, "small.yaml", "--env=3DBall", "--run-id=done", "--resume"
    )


def test_missing_yaml(workplace: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert "smal.yaml" in error_of(capsys, "smal.yaml", "--env=3DBall")


def test_yaml_with_a_tab(workplace: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (workplace / "tab.yaml").write_text("behaviors:\n\t3DBall: {}\n")
    line = error_of(capsys, "tab.yaml", "--env=3DBall")
    assert "tab" in line
    assert "line 2" in line or ":2" in line


def test_unknown_key_names_the_nearest(workplace: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (workplace / "bad.yaml").write_text(SMALL.replace("summary_freq", "sumary_freq"))
    line = error_of(capsys, "bad.yaml", "--env=3DBall")
    assert "sumary_freq" in line
    assert "summary_freq" in line.replace("sumary_freq", "")


def test_negative_hidden_units(workplace: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (workplace / "bad.yaml").write_text(SMALL.replace("hidden_units: 16", "hidden_units: -3"))
    line = error_of(capsys, "bad.yaml", "--env=3DBall")
    assert "behaviors.3DBall.network_settings.hidden_units" in line
    assert "-3" in line


def test_unknown_environment_lists_the_known(workplace: Path, capsys: pytest.CaptureFixture[str]) -> None:
    line = error_of(capsys, "small.yaml", "--env=3Dball2")
    assert "3Dball2" in line
    assert "Known environments: " in line
    assert "3DBall" in line.split("Known environments: ")[1]


def test_no_environment(workplace: Path, capsys: pytest.CaptureFixture[str]) -> None:
    line = error_of(capsys, "small.yaml", "--run-id=x", "--timeout-wait=1", "--base-port=5994")
    assert "connect" in line


def test_behavior_that_the_file_does_not_mention(workplace: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (workplace / "other.yaml").write_text(SMALL.replace("  3DBall:", "  3DBal:"))
    line = error_of(capsys, "other.yaml", "--env=3DBall")
    assert "'3DBall'" in line
    assert "3DBal" in line


def test_unusable_device(workplace: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert "nonsense" in error_of(capsys, "small.yaml", "--env=3DBall", "--torch-device=nonsense")


def test_results_directory_that_cannot_be_written(
    workplace: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (workplace / "file").write_text("in the way")  # works for root too, who ignores permissions
    line = error_of(capsys, "small.yaml", "--env=3DBall", "--results-dir=file/results")
    assert "file/results" in line
    assert "--results-dir" in line


class _BrokenSensorEnv(DriftEnv):
    """Its sensor gives NaN after a while."""

    def step(self) -> None:
        super().step()
        self._steps[0].obs[0][3, 1] = np.nan if self._rng.random() < 0.01 else 0.0


def test_nan_from_a_sensor_is_named_and_nothing_is_lost(
    workplace: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def make(name: str, options: registry_options.EnvironmentOptions) -> DriftEnv:
        return _BrokenSensorEnv()

    monkeypatch.setattr("mlagents.run.environment.make_environment", make)
    (workplace / "drift.yaml").write_text(SMALL.replace("3DBall", "Drift").replace("3000", "300000"))
    line = error_of(capsys, "drift.yaml", "--env=Broken", "--run-id=nan")
    for part in ("behavior Drift", "agent 3", "'state'", "index 1"):
        assert part in line
    assert (workplace / "results" / "nan" / "Drift.onnx").is_file()
    assert (workplace / "results" / "nan" / "Drift" / "checkpoint.pt").is_file()


def test_inference_writes_no_models(workplace: Path, finished: str, monkeypatch: pytest.MonkeyPatch) -> None:
    from mlagents.run import training_run

    before = {path: path.stat().st_mtime_ns for path in (workplace / "results").rglob("*.pt")}
    steps = []

    def stop_later(self: training_run.TrainingRun) -> None:
        steps.append(1)
        if len(steps) > 300:
            self.stop()

    original = training_run.TrainingRun._housekeeping
    monkeypatch.setattr(
        training_run.TrainingRun, "_housekeeping", lambda self: (original(self), stop_later(self))[0]
    )
    assert main(["small.yaml", "--env=3DBall", "--run-id=done", "--resume", "--inference"]) == 0
    after = {path: path.stat().st_mtime_ns for path in (workplace / "results").rglob("*.pt")}
    assert after == before
