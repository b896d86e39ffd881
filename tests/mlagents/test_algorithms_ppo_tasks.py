"""PPO learns tasks that need memory, sight, goals and attention; and resumes in the middle of them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from toy_tasks import ChoiceEnv

from mlagents.run.training_run import TrainingRun
from mlagents.settings import RunOptions

MEMORY = {"memory": {"memory_size": 16, "sequence_length": 4}}


@pytest.fixture(autouse=True)
def _one_thread() -> None:
    torch.set_num_threads(1)


def make_run(
    folder: Path,
    kind: str,
    *,
    network: dict[str, Any] | None = None,
    hyperparameters: dict[str, Any] | None = None,
    max_steps: int = 20_000,
    interrupts: bool = False,
    env_seed: int = 0,
    checkpoint: dict[str, Any] | None = None,
    **behavior: object,
) -> TrainingRun:
    options = RunOptions(
        behaviors={
            "Task": {
                "trainer_type": "ppo",
                "hyperparameters": {
                    "batch_size": 128,
                    "buffer_size": 512,
                    "learning_rate": 3e-3,
                    "learning_rate_schedule": "constant",
                    **(hyperparameters or {}),
                },
                "network_settings": {"hidden_units": 32, "num_layers": 1, **(network or {})},
                "max_steps": max_steps,
                "checkpoint_interval": 10**9,
                **behavior,
            }
        },
        env_settings={"seed": 3},
        torch_settings={"device": "cpu"},
        checkpoint_settings={"run_id": "r", "results_dir": str(folder), **(checkpoint or {})},
    )
    return TrainingRun(options, environment=ChoiceEnv(kind, seed=env_seed, interrupts=interrupts))


def steps_until_solved(run: TrainingRun) -> int | None:
    """Steps after which the mean of the last 100 returns exceeded 0.8; None if that never happened."""
    solved: list[int] = []

    def stop_when_solved(run: TrainingRun) -> None:
        behavior = run.behaviors["Task"]
        behavior.collect_episodes()
        if behavior.trainer.updates > 2 and (behavior.mean_return or 0.0) > 0.8:
            solved.append(behavior.trainer.step)
            run.stop()

    run._on_step = stop_when_solved
    run.run()
    return solved[0] if solved else None


@pytest.mark.parametrize("shared_critic", [False, True])
def test_memory_solves_what_needs_memory(tmp_path: Path, shared_critic: bool) -> None:
    hyperparameters = {"shared_critic": shared_critic}
    run = make_run(tmp_path, "memory", network=MEMORY, hyperparameters=hyperparameters, max_steps=40_000)
    assert steps_until_solved(run)


def test_without_memory_the_same_task_is_a_coin_toss(tmp_path: Path) -> None:
    run = make_run(tmp_path, "memory", max_steps=40_000)
    assert steps_until_solved(run) is None
    assert abs(run.behaviors["Task"].mean_return or 0.0) < 0.4


@pytest.mark.parametrize("kind", ["image", "goal", "entities"])
def test_other_tasks_are_solved(tmp_path: Path, kind: str) -> None:
    assert steps_until_solved(make_run(tmp_path, kind))
