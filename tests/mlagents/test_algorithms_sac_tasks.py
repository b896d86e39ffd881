"""SAC learns small tasks of every kind of actions, and what needs memory, sight, goals and attention."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from toy_envs import DriftEnv
from toy_tasks import ChoiceEnv

from mlagents.run.training_run import TrainingRun
from mlagents.settings import RunOptions
from mlagents_envs.base_env import ActionSpec, BaseEnv

SPECS = {
    "continuous": ActionSpec.create_continuous(2),
    "discrete": ActionSpec.create_discrete((3, 2)),
    "hybrid": ActionSpec.create_hybrid(1, (3,)),
}
MEMORY = {"memory": {"memory_size": 16, "sequence_length": 6}}


@pytest.fixture(autouse=True)
def _one_thread() -> None:
    torch.set_num_threads(1)


def train(
    folder: Path,
    environment: BaseEnv,
    solved: float,
    *,
    max_steps: int,
    network: dict[str, Any] | None = None,
    hyper: dict[str, Any] | None = None,
) -> float:
    """Mean return of the last 100 episodes at the end, or when it exceeds ``solved``."""
    (behavior_id,) = environment.behavior_specs
    name = behavior_id.split("?")[0]
    run = TrainingRun(
        RunOptions(
            behaviors={
                name: {
                    "trainer_type": "sac",
                    "hyperparameters": {
                        "batch_size": 64,
                        "buffer_size": 10_000,
                        "learning_rate": 2e-3,
                        "steps_per_update": 8,
                        "init_entcoef": 0.2,
                        **(hyper or {}),
                    },
                    "network_settings": {"hidden_units": 32, "num_layers": 1, **(network or {})},
                    "max_steps": max_steps,
                    "checkpoint_interval": 10**9,
                }
            },
            env_settings={"seed": 3},
            torch_settings={"device": "cpu"},
            checkpoint_settings={"run_id": "r", "results_dir": str(folder)},
        ),
        environment=environment,
    )

    def stop_when_solved(run: TrainingRun) -> None:
        behavior = run.behaviors[name]
        behavior.collect_episodes()
        if behavior.trainer.updates > 50 and (behavior.mean_return or 0.0) > solved:
            run.stop()

    run._on_step = stop_when_solved
    return run.run().mean_return[name] or 0.0


@pytest.mark.parametrize("kind", SPECS)
def test_every_kind_of_actions_is_learned(tmp_path: Path, kind: str) -> None:
    """An untrained policy earns 6 to 13, the best possible about 20."""
    environment = DriftEnv(12, action_spec=SPECS[kind])
    assert train(tmp_path, environment, 17.0, max_steps=8000) > 17.0


def test_memory_solves_what_needs_memory(tmp_path: Path) -> None:
    hyper = {"batch_size": 192, "steps_per_update": 16}
    environment = ChoiceEnv("memory", interrupts=True)
    assert train(tmp_path, environment, 0.8, max_steps=30_000, network=MEMORY, hyper=hyper) > 0.8


@pytest.mark.parametrize("kind", ["image", "goal", "entities"])
def test_other_tasks_are_solved(tmp_path: Path, kind: str) -> None:
    assert train(tmp_path, ChoiceEnv(kind), 0.8, max_steps=20_000) > 0.8
