"""A run that stops and resumes continues as if it had never stopped."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from toy_envs import DriftEnv, SavableDriftEnv

from mlagents.algorithms.ppo_trainer import PPOTrainer
from mlagents.run.checkpoint_file import load_checkpoint
from mlagents.run.training_run import TrainingRun
from mlagents.settings import RunOptions
from mlagents_envs.base_env import ActionSpec

SPECS = {
    "continuous": ActionSpec.create_continuous(2),
    "discrete": ActionSpec.create_discrete((3, 2)),
    "hybrid": ActionSpec.create_hybrid(1, (3,)),
}


def options(folder: Path, *, max_steps: int = 2100, **checkpoint: object) -> RunOptions:
    return RunOptions(
        behaviors={
            "Drift": {
                "trainer_type": "ppo",
                "hyperparameters": {"batch_size": 32, "buffer_size": 400, "learning_rate": 1e-3},
                "network_settings": {"normalize": True, "hidden_units": 16},
                "max_steps": max_steps,
                "time_horizon": 16,
                "summary_freq": 500,
            }
        },
        env_settings={"seed": 7},
        checkpoint_settings={"run_id": "r", "results_dir": str(folder), **checkpoint},
    )


def weights(run: TrainingRun) -> torch.Tensor:
    return run.behaviors["Drift"].trainer.flat.values.clone()


def run_until(run: TrainingRun, stop_when: Callable[[PPOTrainer], bool]) -> None:
    run._on_step = lambda r: r.stop() if stop_when(r.behaviors["Drift"].trainer) else None
    run.run()


@pytest.mark.parametrize("actions", SPECS)
def test_resume_at_update_boundary_is_bit_identical(tmp_path: Path, actions: str) -> None:
    straight = TrainingRun(options(tmp_path / "a"), environment=SavableDriftEnv(action_spec=SPECS[actions]))
    straight.run()

    run_until(
        TrainingRun(options(tmp_path / "b"), environment=SavableDriftEnv(action_spec=SPECS[actions])),
        lambda trainer: trainer.updates == 2,
    )
    resumed = TrainingRun(
        options(tmp_path / "b", resume=True),
        environment=SavableDriftEnv(action_spec=SPECS[actions], seed=99),  # its own state must not matter
    )
    resumed.run()

    assert resumed.behaviors["Drift"].trainer.updates == straight.behaviors["Drift"].trainer.updates == 5
    assert torch.equal(weights(resumed), weights(straight))


def test_resume_in_the_middle_of_collecting_is_bit_identical(tmp_path: Path) -> None:
    straight = TrainingRun(options(tmp_path / "a"), environment=SavableDriftEnv())
    straight.run()
    for limit in (100, 550, 1300):
        resume = limit > 100
        run = TrainingRun(options(tmp_path / "b", resume=resume), environment=SavableDriftEnv())
        run_until(run, lambda trainer, limit=limit: trainer.step >= limit)
    resumed = TrainingRun(options(tmp_path / "b", resume=True), environment=SavableDriftEnv())
    resumed.run()
    assert torch.equal(weights(resumed), weights(straight))


def test_environment_that_cannot_save_is_reset_and_learning_goes_on(tmp_path: Path) -> None:
    first = TrainingRun(options(tmp_path), environment=DriftEnv())
    run_until(first, lambda trainer: trainer.step >= 900)
    resumed = TrainingRun(options(tmp_path, resume=True), environment=DriftEnv(seed=5))
    before = first.behaviors["Drift"].trainer
    begun: list[int] = []
    resumed._on_begin = lambda r: begun.append(r.behaviors["Drift"].trainer.step)
    result = resumed.run()
    assert begun == [before.step]
    assert result.steps["Drift"] >= 2100
    assert resumed.behaviors["Drift"].trainer.updates == 5


def test_resume_after_a_crash_between_two_files_continues_the_behavior(tmp_path: Path) -> None:
    first = TrainingRun(options(tmp_path), environment=SavableDriftEnv())
    run_until(first, lambda trainer: trainer.step >= 900)
    path = tmp_path / "r" / "run_logs" / "run_state.pt"
    state = load_checkpoint(path).state
    state["save_id"] += 1
    torch.save(state, path)
    resumed = TrainingRun(options(tmp_path, resume=True), environment=SavableDriftEnv())
    result = resumed.run()
    assert result.steps["Drift"] >= 2100


def test_finished_run_resumes_with_more_steps(tmp_path: Path) -> None:
    TrainingRun(options(tmp_path), environment=SavableDriftEnv()).run()
    longer = TrainingRun(options(tmp_path, max_steps=3000, resume=True), environment=SavableDriftEnv())
    assert longer.run().steps["Drift"] >= 3000


def test_initialize_from_takes_weights_and_statistics_but_no_steps(tmp_path: Path) -> None:
    source = TrainingRun(options(tmp_path), environment=DriftEnv())
    source.run()
    run = TrainingRun(options(tmp_path, run_id="second", initialize_from="r"), environment=DriftEnv())
    seen: dict[str, object] = {}

    def begin(r: TrainingRun) -> None:
        trainer = r.behaviors["Drift"].trainer
        seen["step"] = trainer.step
        seen["weights"] = trainer.flat.values.clone()
        seen["count"] = trainer.encoder.normalizers[0].count
        r.stop()

    run._on_begin = begin
    run.run()
    assert seen["step"] == 0
    assert torch.equal(seen["weights"], weights(source))
    assert seen["count"] == source.behaviors["Drift"].trainer.encoder.normalizers[0].count


def test_training_improves_the_return(tmp_path: Path) -> None:
    run = TrainingRun(options(tmp_path, max_steps=12_000), environment=DriftEnv(num_agents=12))
    first_mean: list[float] = []

    def remember(r: TrainingRun) -> None:
        mean = r.behaviors["Drift"].mean_return
        if mean is not None and not first_mean:
            first_mean.append(mean)

    run._on_step = remember
    result = run.run()
    assert result.mean_return["Drift"] > first_mean[0] + 5.0
    assert np.isfinite(result.mean_return["Drift"])


def test_3dball_resumes_bit_for_bit(tmp_path: Path) -> None:
    """The physics, the agents and their random generators are part of the saved state."""

    def ball(folder: Path, **checkpoint: object) -> TrainingRun:
        return TrainingRun(
            RunOptions(
                behaviors={
                    "3DBall": {
                        "trainer_type": "ppo",
                        "hyperparameters": {"batch_size": 64, "buffer_size": 600},
                        "network_settings": {"normalize": True, "hidden_units": 16},
                        "max_steps": 3000,
                    }
                },
                env_settings={"seed": 3, "env_path": "3DBall"},
                checkpoint_settings={"run_id": "b", "results_dir": str(folder), **checkpoint},
            )
        )

    straight = ball(tmp_path / "straight")
    straight.run()
    stopped = ball(tmp_path / "stopped")
    stopped._on_step = lambda run: run.stop() if run.behaviors["3DBall"].trainer.updates == 2 else None
    stopped.run()
    resumed = ball(tmp_path / "stopped", resume=True)
    resumed.run()
    values = [run.behaviors["3DBall"].trainer.flat.values for run in (straight, resumed)]
    assert torch.equal(values[0], values[1])
