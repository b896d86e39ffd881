"""The example of a trainer plugin: short, and it learns, resumes and exports like any other."""

from __future__ import annotations

import importlib.util
import json
from collections.abc import Iterator
from importlib.metadata import EntryPoint, EntryPoints
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
import torch
from toy_envs import DriftEnv

import mlagents.plugins
from mlagents import Policy, TrainedRun, train
from mlagents.algorithms.episodic_trainer import AgentKey
from mlagents.evaluation.evaluate import evaluate
from mlagents.evaluation.players import ModelPlayer
from mlagents.plugins import register_trainer
from mlagents.settings import TrainerConfigError, trainer_plugins
from mlagents_envs.base_env import ActionSpec
from mlagents_envs.inference import OnnxPolicy

EXAMPLE = Path(__file__).parents[2] / "docs" / "examples" / "evolution_strategy.py"


@pytest.fixture(autouse=True)
def example(monkeypatch: pytest.MonkeyPatch) -> Iterator[ModuleType]:
    """The example, installed as a package would be."""
    specification = importlib.util.spec_from_file_location("evolution_strategy", EXAMPLE)
    assert specification is not None
    assert specification.loader is not None
    module = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(module)
    monkeypatch.setitem(__import__("sys").modules, "evolution_strategy", module)
    points = EntryPoints([EntryPoint("es", "evolution_strategy:trainers", trainer_plugins.GROUP)])
    monkeypatch.setattr(trainer_plugins, "entry_points", lambda group: points.select(group=group))
    monkeypatch.setattr(trainer_plugins, "_registered", {})
    trainer_plugins.plugin_trainers.cache_clear()
    yield module
    trainer_plugins.plugin_trainers.cache_clear()


def options(max_steps: int, **settings: object) -> dict[str, Any]:
    return {
        "behaviors": {
            "Drift": {
                "trainer_type": "evolution",
                "hyperparameters": {"population": 20, "sigma": 0.1, "learning_rate": 0.1},
                "network_settings": {"hidden_units": 8, "num_layers": 1},
                "max_steps": max_steps,
                "summary_freq": 1000,
                "time_horizon": 40,
                **settings,
            }
        }
    }


def run(
    folder: Path, max_steps: int = 6000, actions: ActionSpec | None = None, **arguments: object
) -> TrainedRun:
    arguments = {"seed": 1, "quiet": True, "run_id": "es", **arguments}
    return train(options(max_steps), lambda: DriftEnv(action_spec=actions), results_dir=folder, **arguments)


def mean_return(path: Path, actions: ActionSpec | None = None) -> float:
    env = DriftEnv(action_spec=actions, seed=9)
    model = ModelPlayer(OnnxPolicy(path, deterministic=True))
    (score,) = evaluate(env, lambda behavior_id: model, 100)
    return score.mean_return


def test_it_fits_on_a_page() -> None:
    assert len(EXAMPLE.read_text().splitlines()) < 150


@pytest.mark.parametrize(
    "actions",
    [ActionSpec.create_continuous(1), ActionSpec.create_hybrid(1, (3,))],
    ids=["continuous", "hybrid"],
)
def test_it_learns_and_its_model_plays(actions: ActionSpec, tmp_path: Path) -> None:
    trained = run(tmp_path, actions=actions)
    untrained = run(tmp_path, max_steps=20, actions=actions, run_id="untrained")
    before = mean_return(untrained.folder / "Drift.onnx", actions)
    after = mean_return(trained.folder / "Drift.onnx", actions)
    assert after > max(8.0, before + 5.0)
    assert trained.metrics["Drift"]["Policy/Best Candidate"].values.size >= 5
    assert trained.steps["Drift"] >= 6000
    status = json.loads((trained.folder / "run_logs" / "training_status.json").read_text())
    assert status["Drift"]["best_checkpoint"]["reward"] is not None


def test_same_seed_same_run_and_checkpoints_play(tmp_path: Path) -> None:
    first, second = run(tmp_path, 2000, run_id="a"), run(tmp_path, 2000, run_id="b")
    seen = np.random.default_rng(0).standard_normal((6, 3))
    actions = first.policy(deterministic=True).act(seen).continuous
    np.testing.assert_array_equal(actions, second.policy(deterministic=True).act(seen).continuous)
    checkpoint = Policy.load(first.folder / "Drift" / "checkpoint.pt", deterministic=True)
    np.testing.assert_allclose(checkpoint.act(seen).continuous, actions, atol=1e-6)


def test_resume_and_initialize(tmp_path: Path) -> None:
    run(tmp_path, 2000)
    saved = torch.load(tmp_path / "es" / "Drift" / "checkpoint.pt", weights_only=True)
    resumed = run(tmp_path, 3000, resume=True)
    assert 3000 <= resumed.steps["Drift"] < 3020
    later = torch.load(tmp_path / "es" / "Drift" / "checkpoint.pt", weights_only=True)
    assert later["Training"]["updates"] > saved["Training"]["updates"]
    data = options(30) | {"checkpoint_settings": {"initialize_from": "es"}}
    started = train(data, DriftEnv, results_dir=tmp_path, run_id="new", seed=2, quiet=True)
    seen = np.zeros((1, 3))
    np.testing.assert_allclose(
        started.policy(deterministic=True).act(seen).continuous,
        resumed.policy(deterministic=True).act(seen).continuous,
        atol=1e-6,
    )


def test_exported_model_acts_as_the_undisturbed_policy(example: ModuleType, tmp_path: Path) -> None:
    trained = run(tmp_path, 1000, actions=ActionSpec.create_hybrid(1, (3,)))
    from mlagents.run.saved_policy import load_trainer

    trainer = load_trainer(trained.folder / "Drift" / "checkpoint.pt")
    assert isinstance(trainer, example.EvolutionStrategy)
    env = DriftEnv(action_spec=ActionSpec.create_hybrid(1, (3,)), num_agents=30)
    env.reset()
    steps, _ = env.get_steps("Drift?team=0")
    agents = [AgentKey(0, "Drift?team=0", agent) for agent in steps.agent_id.tolist()]
    chosen = trainer.choose(agents, steps)  # it does not learn, so nobody plays a candidate
    exported = trained.policy(deterministic=True).act_on(steps)
    np.testing.assert_allclose(chosen.continuous, exported.continuous, atol=1e-6)
    np.testing.assert_array_equal(chosen.discrete, exported.discrete)


def test_lost_environments_are_forgotten(example: ModuleType, tmp_path: Path) -> None:
    trained = run(tmp_path, 300)
    from mlagents.run.saved_policy import load_trainer

    trainer = load_trainer(trained.folder / "Drift" / "checkpoint.pt")
    from mlagents.sampling.worker import StepBatch

    env = DriftEnv()
    env.reset()
    for worker in (0, 1):
        trainer.observe(StepBatch(worker, "Drift?team=0", *env.get_steps("Drift?team=0")))
    trainer.reset_worker(0)
    assert [worker for worker, _, _ in trainer.act()] == [1]
    assert {agent.worker for agent in trainer._trials} == {1}


def test_registries(example: ModuleType) -> None:
    from mlagents.plugins import all_trainer_settings, all_trainer_types  # as they are at this moment

    assert all_trainer_types["evolution"] is example.EvolutionStrategy
    assert all_trainer_settings["evolution"] is example.EvolutionSettings
    assert {"ppo", "sac"} <= set(all_trainer_types)
    register_trainer("mine", example.EvolutionStrategy, example.EvolutionSettings)
    assert mlagents.plugins.all_trainer_types["mine"] is example.EvolutionStrategy
    with pytest.raises(TypeError, match="the settings class of 'wrong'"):
        register_trainer("wrong", example.EvolutionStrategy, dict)  # type: ignore[arg-type]
    with pytest.raises(AttributeError, match="all_trainers"):
        mlagents.plugins.all_trainers  # noqa: B018


def test_hyperparameters_are_checked(tmp_path: Path) -> None:
    with pytest.raises(TrainerConfigError, match="did you mean 'population'"):
        train(options(20, hyperparameters={"populaton": 3}), DriftEnv, results_dir=tmp_path, quiet=True)
