"""Checkpoints that the original trained give the same policies and values here."""

from __future__ import annotations

import json
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import pytest
import torch
import yaml
from numpy.typing import NDArray
from tiny_game import ACTIONS, BEHAVIORS, random_observations

from mlagents.algorithms.ppo_trainer import PPOTrainer
from mlagents.run.checkpoint_file import load_checkpoint
from mlagents.settings import BehaviorSettings
from mlagents_envs.base_env import BehaviorSpec

HERE = Path(__file__).resolve().parent
STEPS = 400
TOLERANCE = 2e-5
ROWS = 12
STREAMS = ["extrinsic", "rnd"]
Columns = dict[str, NDArray[Any]]


def behavior_settings(name: str) -> dict[str, Any]:
    """Settings that both trainers understand."""
    network = {"hidden_units": 16, "num_layers": 2, **BEHAVIORS[name][1]}
    images = network.get("vis_encode_type", "simple")
    small = {"hidden_units": 8, "num_layers": 1, "vis_encode_type": images}
    return {
        "trainer_type": "ppo",
        "hyperparameters": {
            "batch_size": 32,
            "buffer_size": 128,
            "learning_rate": 0.003,
            "shared_critic": name == "Shared",
        },
        "network_settings": network,
        "reward_signals": {
            "extrinsic": {"gamma": 0.9, "strength": 1.0},
            "rnd": {"gamma": 0.9, "strength": 0.1, "network_settings": small},
        },
        "max_steps": STEPS,
        "time_horizon": 16,
        "summary_freq": 200,
    }


@pytest.fixture(scope="module")
def results(peer_python: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Results folder of a short training of all behaviors by the original, over the wire."""
    folder = tmp_path_factory.mktemp("peer")
    settings = {"behaviors": {name: behavior_settings(name) for name in BEHAVIORS}}
    (folder / "config.yaml").write_text(yaml.safe_dump(settings))
    game = folder / "tiny.x86_64"
    game.write_text(f'#!/bin/sh\nexec {shlex.join([sys.executable, str(HERE / "tiny_game.py")])} "$@"\n')
    game.chmod(0o755)
    options = ["--run-id=tiny", "--base-port=6405", "--no-graphics", "--seed=1", "--torch-device=cpu"]
    done = subprocess.run(
        [peer_python, HERE / "peer_learn.py", "config.yaml", f"--env={game}", *options],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    return folder / "results" / "tiny"


def our_trainer(name: str, results: Path) -> PPOTrainer:
    """A trainer of ours that starts from the original's weights."""
    settings = behavior_settings(name)
    settings["network_settings"]["padding_norm"] = 0.1
    trainer = PPOTrainer(
        name, BehaviorSpec(BEHAVIORS[name][0], ACTIONS), BehaviorSettings(**settings), seed=0
    )
    misfits = trainer.take_over_weights(load_checkpoint(results / name / "checkpoint.pt").state)
    # The predictors of random network distillation are laid out differently.
    assert set(misfits) <= {"network of rnd"}, misfits
    return trainer


def play(trainer: PPOTrainer, columns: Columns, memory: NDArray[np.float32] | None) -> Columns:
    """What our network computes of inputs as of an exported model."""
    observations = [columns[f"obs_{index}"] for index in range(len(trainer.spec.observation_specs))]
    inputs = [torch.from_numpy(column) for column in trainer.encoder.encode(observations)]
    state = None if memory is None else torch.from_numpy(memory[:, 0])
    with torch.no_grad():
        outputs, after = trainer.network.act(inputs, state)
    mean, *logits = np.split(outputs.numpy(), np.cumsum([2, *ACTIONS.discrete_branches])[:-1], axis=1)
    masks = np.split(columns["action_masks"], np.cumsum(ACTIONS.discrete_branches)[:-1], axis=1)
    best = [np.where(mask > 0, each, -1e8).argmax(axis=1) for each, mask in zip(logits, masks, strict=True)]
    return {
        "deterministic_continuous_actions": np.clip(mean, -3.0, 3.0) / 3.0,
        "deterministic_discrete_actions": np.stack(best, axis=1),
        "recurrent_out": after.numpy()[:, None],
    }


@pytest.mark.parametrize("name", BEHAVIORS)
def test_policies_equal_the_models_that_the_original_exported(name: str, results: Path) -> None:
    trainer = our_trainer(name, results)
    session = onnxruntime.InferenceSession(str(results / f"{name}.onnx"))
    outputs = ["deterministic_continuous_actions", "deterministic_discrete_actions"]
    ours = theirs = None
    if trainer.network.actor_memory_size:
        outputs.append("recurrent_out")
        ours = theirs = np.zeros((ROWS, 1, trainer.network.actor_memory_size), dtype=np.float32)
    rng = np.random.default_rng(5)
    worst, actions = 0.0, []
    for _ in range(20):
        observations = random_observations(BEHAVIORS[name][0], ROWS, rng)
        columns: Columns = {f"obs_{index}": column for index, column in enumerate(observations)}
        masks = rng.integers(0, 2, (ROWS, sum(ACTIONS.discrete_branches))).astype(np.float32)
        masks[:, [0, 3]] = 1.0
        columns["action_masks"] = masks
        memory = {} if theirs is None else {"recurrent_in": theirs}
        wanted = dict(zip(outputs, session.run(outputs, {**columns, **memory}), strict=True))
        found = play(trainer, columns, ours)
        worst = max(worst, *(float(np.abs(found[key] - wanted[key]).max()) for key in outputs))
        actions.append(found["deterministic_continuous_actions"])
        if theirs is not None:
            ours, theirs = found["recurrent_out"], wanted["recurrent_out"]
    print(f"{name}: largest difference {worst:.2g}")
    assert worst < TOLERANCE
    assert worst < 0.05 * np.std(np.concatenate(actions), axis=0).max(), "rows differ hardly more"


VALUED = [name for name in BEHAVIORS if name != "Shared"]
"""Behaviors whose critic is a network of its own."""


def seen_observations(name: str) -> list[NDArray[np.float32]]:
    return random_observations(BEHAVIORS[name][0], ROWS, np.random.default_rng(6))


@pytest.fixture(scope="module")
def values(results: Path, peer_python: Path) -> Columns:
    """What the original's critics say, ``[ROWS]`` by ``Behavior/stream``."""
    descriptions, columns = {}, {}
    for name in VALUED:
        specs = BEHAVIORS[name][0]
        descriptions[name] = {
            "observations": [
                (spec.shape, [int(flag) for flag in spec.dimension_property], spec.observation_type.value)
                for spec in specs
            ],
            "network_settings": behavior_settings(name)["network_settings"],
            "streams": STREAMS,
        }
        columns |= {f"{name}/{index}": column for index, column in enumerate(seen_observations(name))}
    (results / "specs.json").write_text(json.dumps(descriptions))
    np.savez(results / "seen.npz", **columns)
    files = [results, results / "specs.json", results / "seen.npz", results / "values.npz"]
    subprocess.run([peer_python, HERE / "peer_values.py", *files], check=True, timeout=120)
    return dict(np.load(results / "values.npz"))


@pytest.mark.parametrize("name", VALUED)
def test_values_equal_those_of_the_original(name: str, results: Path, values: Columns) -> None:
    trainer = our_trainer(name, results)
    inputs = [torch.from_numpy(column) for column in trainer.encoder.encode(seen_observations(name))]
    with torch.no_grad():
        found, _ = trainer.network.value(inputs)
    for index, stream in enumerate(trainer.rewards.names):
        wanted = values[f"{name}/{stream}"]
        difference = np.abs(found[:, index].numpy() - wanted).max()
        assert difference < TOLERANCE
        assert difference < 0.05 * wanted.std(), "rows differ hardly more"
