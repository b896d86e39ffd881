"""Gymnasium environments learn under our trainer, and our environment under somebody else's."""

from __future__ import annotations

import json
from pathlib import Path

import gymnasium
import numpy as np
import pytest
import torch

import mlagents_envs.envs  # noqa: F401  # registers the environments
from mlagents.cli.evaluate import main as evaluate_main
from mlagents.run.training_run import TrainingRun
from mlagents.settings.loading import load_run_options
from mlagents_envs.envs.vector_env import UnityVectorEnv

CONFIG = Path(__file__).resolve().parents[2] / "config" / "ppo"


def train_and_evaluate(name: str, seed: int, results: Path, capsys: pytest.CaptureFixture[str]) -> float:
    """Mean return of 100 episodes of the exported model, with the settings that ship."""
    options = load_run_options(str(CONFIG / f"{name}.yaml"))
    options = options.model_copy(
        update={
            "env_settings": options.env_settings.model_copy(
                update={"env_path": f"gym:{name}-v1", "seed": seed}
            ),
            "checkpoint_settings": options.checkpoint_settings.model_copy(
                update={"results_dir": str(results), "run_id": name}
            ),
        }
    )
    result = TrainingRun(options).run()
    model = results / name / f"{name}-v1.onnx"
    capsys.readouterr()
    arguments = [
        str(model),
        f"--env=gym:{name}-v1",
        "--episodes=100",
        "--seed=77",
        "--deterministic",
        "--json",
    ]
    assert evaluate_main(arguments) == 0
    mean = float(json.loads(capsys.readouterr().out.splitlines()[-1])["mean_return"])
    with capsys.disabled():
        trained = result.mean_return[f"{name}-v1"]
        print(f"\n{name}, seed {seed}: {result.steps} steps, training {trained:.1f}, evaluation {mean:.1f}")
    return mean


@pytest.mark.learning
@pytest.mark.parametrize("seed", [1, 2, 3])
def test_cartpole_reaches_475(tmp_path: Path, seed: int, capsys: pytest.CaptureFixture[str]) -> None:
    assert train_and_evaluate("CartPole", seed, tmp_path, capsys) >= 475.0


@pytest.mark.learning
@pytest.mark.parametrize("seed", [1, 2, 3])
def test_pendulum_swings_up(tmp_path: Path, seed: int, capsys: pytest.CaptureFixture[str]) -> None:
    assert train_and_evaluate("Pendulum", seed, tmp_path, capsys) >= -200.0


@pytest.mark.learning
def test_stable_baselines_ppo_learns_3dball(capsys: pytest.CaptureFixture[str]) -> None:
    stable_baselines = pytest.importorskip("stable_baselines3")
    from stable_baselines3.common.vec_env import VecMonitor

    from mlagents_envs.envs.stable_baselines_env import StableBaselinesVecEnv

    vector = gymnasium.make_vec("mlagents/3DBall-v0", num_envs=12)
    assert isinstance(vector, UnityVectorEnv)
    env = VecMonitor(StableBaselinesVecEnv(vector))
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        model = stable_baselines.PPO(
            "MlpPolicy",
            env,
            n_steps=256,
            batch_size=256,
            n_epochs=5,
            learning_rate=1e-3,
            policy_kwargs={"net_arch": [64, 64]},
            seed=1,
            device="cpu",
        )
        curve = []
        for _ in range(5):
            model.learn(24_576, reset_num_timesteps=False)
            curve.append(float(np.mean([episode["r"] for episode in model.ep_info_buffer])))
    finally:
        torch.set_num_threads(threads)
        env.close()
    with capsys.disabled():
        print(f"\nStable-Baselines3 PPO on 3DBall, mean returns every 24576 steps: {curve}")
    assert curve[0] < 20.0
    assert curve[-1] > 60.0
