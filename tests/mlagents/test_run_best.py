"""The best checkpoint of a run, and runs that end when they are good enough."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from api_helpers import small_options, small_run
from toy_envs import DriftEnv, SavableDriftEnv

from mlagents import Policy, train
from mlagents.run.best_checkpoint import BestCheckpoint
from mlagents.run.checkpoint_file import load_checkpoint
from mlagents.run.checkpoint_keeper import CheckpointKeeper
from mlagents.run.results_folder import ResultsFolder
from mlagents.run.training_run import TrainingRun


def status(folder: Path) -> dict[str, Any]:
    content: dict[str, Any] = json.loads((folder / "run_logs" / "training_status.json").read_text())
    return content


class Watch:
    """Notes mean return and step at every summary."""

    def __init__(self) -> None:
        self.seen: list[tuple[float, int]] = []
        self.weights: dict[int, list[float]] = {}

    def on_summary(self, run: TrainingRun, behavior: str, step: int, statistics: dict[str, float]) -> None:
        of_behavior = run.behaviors[behavior]
        assert of_behavior.mean_return is not None
        if of_behavior._best.has_window:
            self.seen.append((of_behavior.mean_return, of_behavior.trainer.step))
        self.weights[of_behavior.trainer.step] = of_behavior.trainer.get_weights()["Policy"][
            "log_sigma"
        ].tolist()


def test_the_best_summary_is_kept(tmp_path: Path) -> None:
    watch = Watch()
    behavior = {
        "max_steps": 12_000,
        "hyperparameters": {"batch_size": 64, "buffer_size": 256, "learning_rate": 0.02},
    }
    run = small_run(tmp_path, DriftEnv, behavior, callbacks=[watch])
    reward, step = max(watch.seen, key=lambda seen: seen[0])
    last = status(run.folder)["Drift"]["final_checkpoint"]["steps"]
    assert step < last  # so that the best is not simply the last
    record = status(run.folder)["Drift"]["best_checkpoint"]
    assert (record["steps"], record["reward"]) == (step, pytest.approx(reward))
    assert record["file_path"].endswith("Drift/best.onnx")
    assert record["auxillary_file_paths"][0].endswith("Drift/best.pt")
    state = load_checkpoint(run.folder / "Drift" / "best.pt").state
    assert int(state["global_step"]["_GlobalSteps__global_step"]) == step
    assert state["Policy"]["log_sigma"].tolist() == watch.weights[step]
    seen = np.random.default_rng(0).standard_normal((5, 3))
    best = run.policy(best=True, deterministic=True).act(seen).continuous
    from_state = Policy.load(run.folder / "Drift" / "best.pt", deterministic=True).act(seen).continuous
    np.testing.assert_allclose(best, from_state, atol=1e-6)
    assert not np.allclose(best, run.policy(deterministic=True).act(seen).continuous, atol=1e-4)


def test_a_short_run_has_its_last_state(tmp_path: Path) -> None:
    run = small_run(tmp_path, DriftEnv, {"max_steps": 400})
    record = status(run.folder)["Drift"]["best_checkpoint"]
    assert record["steps"] == run.steps["Drift"]
    assert (run.folder / "Drift" / "best.onnx").is_file()


def test_pruning_and_resuming_keep_the_best(tmp_path: Path) -> None:
    behavior = {"keep_checkpoints": 1, "max_steps": 4000}
    run = small_run(tmp_path, SavableDriftEnv(), behavior)
    before = status(run.folder)["Drift"]
    assert len(before["checkpoints"]) == 1
    assert (run.folder / "Drift" / "best.pt").is_file()
    resumed = small_run(tmp_path, SavableDriftEnv(), {**behavior, "max_steps": 4010}, resume=True)
    assert status(resumed.folder)["Drift"]["best_checkpoint"] == before["best_checkpoint"]


def test_even_checkpoints(tmp_path: Path) -> None:
    behavior = {"even_checkpoints": True, "keep_checkpoints": 4, "max_steps": 3000}
    run = small_run(tmp_path, DriftEnv, behavior)
    steps = [record["steps"] for record in status(run.folder)["Drift"]["checkpoints"]]
    assert [step // 100 for step in steps] == [7, 15, 22, 30]


@pytest.fixture
def best(tmp_path: Path) -> tuple[BestCheckpoint, CheckpointKeeper, dict[str, int]]:
    keeper = CheckpointKeeper(ResultsFolder(str(tmp_path), "r"), "Drift", keep=2)
    lessons = {"height": 0}
    return BestCheckpoint(keeper, lessons, window=10), keeper, lessons


def test_only_full_windows_of_the_present_lesson_compete(
    best: tuple[BestCheckpoint, CheckpointKeeper, dict[str, int]],
) -> None:
    search, keeper, lessons = best
    search.count_episodes(9)
    assert not search.is_beaten_by(5.0)
    search.count_episodes(1)
    assert search.is_beaten_by(5.0)
    assert not search.is_beaten_by(None)
    search.save({"Policy": {}}, 100, 5.0)
    assert not search.is_beaten_by(5.0)
    assert search.is_beaten_by(5.5)
    lessons["height"] = 1  # a harder task, whose returns are lower
    assert not search.is_beaten_by(7.0)
    search.count_episodes(3)
    assert keeper.best is None
    assert not search.is_beaten_by(7.0)
    search.count_episodes(7)
    assert search.is_beaten_by(1.0)
    other = BestCheckpoint(keeper, lessons, window=10)
    search.save({"Policy": {}}, 200, 1.0)
    other.set_state(search.get_state())
    assert keeper.best is not None
    assert keeper.best.steps == 200
    assert not other.is_beaten_by(1.0)
    assert other.is_beaten_by(1.1)


def test_a_model_that_cannot_be_exported_costs_nothing_else(
    best: tuple[BestCheckpoint, CheckpointKeeper, dict[str, int]], capsys: pytest.CaptureFixture[str]
) -> None:
    search, _, _ = best
    search.count_episodes(10)
    search.save({"Policy": {}, "Training": {}}, 1, 1.0)
    search.export()
    assert "best.onnx was not exported" in capsys.readouterr().out
    search.export()  # once is enough
    assert capsys.readouterr().out == ""


def test_full_disk_ends_no_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    failures = []

    def fail(self: BestCheckpoint, state: object, step: int, mean_return: float) -> None:
        if step < 6000:
            failures.append(step)
            raise OSError(28, "No space left on device")
        original(self, state, step, mean_return)

    original = BestCheckpoint.save
    monkeypatch.setattr(BestCheckpoint, "save", fail)
    run = small_run(tmp_path, DriftEnv, {"max_steps": 8000})
    assert failures
    assert run.steps["Drift"] >= 8000


def test_stopping_waits_for_the_last_lesson(tmp_path: Path) -> None:
    options = small_options(max_steps=12_000)
    criteria = {"measure": "progress", "behavior": "Drift", "threshold": 0.4}
    lessons = [
        {"name": "first", "value": 0.0, "completion_criteria": criteria},
        {"name": "second", "value": 1.0},
    ]
    options["environment_parameters"] = {"difficulty": {"curriculum": lessons}}
    run = train(
        options,
        lambda: DriftEnv(),
        results_dir=tmp_path,
        seed=1,
        stop_at_reward=-1000.0,
        quiet=True,
    )
    assert 0.4 * 12_000 < run.steps["Drift"] < 12_000
