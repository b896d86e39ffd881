"""Behavioral cloning beside PPO: it moves the policy, reports, fades out, and is part of the checkpoint."""

from __future__ import annotations

import io

import numpy as np
import pytest
import torch
from imitation_helpers import demonstrations_of
from trainer_game import SIZES, Game
from trainer_helpers import ACTION_SPECS, behavior_settings, behavior_spec

from mlagents.algorithms import cloning
from mlagents.algorithms.ppo_trainer import PPOTrainer
from mlagents.state_tree import to_tensors

EXPERT = np.array([0.5, -0.25])
TAG = "Losses/Pretraining Loss"
MEMORY = {"memory": {"memory_size": 6, "sequence_length": 4}}


@pytest.fixture(autouse=True)
def _expert(monkeypatch: pytest.MonkeyPatch) -> None:
    """An expert who always does the same, whatever it sees."""
    torch.set_num_threads(1)
    rng = np.random.default_rng(0)
    recorded = demonstrations_of(
        [rng.normal(20.0, 3.0, (40, size)) for size in SIZES], continuous=np.tile(EXPERT, (40, 1))
    )
    monkeypatch.setattr(cloning, "load_demonstrations", lambda *_: recorded)


def make_trainer(
    network: dict[str, object] | None = None, seed: int = 0, learning: bool = True, **settings: object
) -> PPOTrainer:
    configured = behavior_settings(
        {"buffer_size": 60, "learning_rate": 1e-2}, {"normalize": True, **(network or {})}, **settings
    )
    spec = behavior_spec(ACTION_SPECS["continuous"], SIZES)
    return PPOTrainer("Ball", spec, configured, seed=seed, learning=learning)


def distance(trainer: PPOTrainer) -> float:
    """Of the policy's mean actions from the expert's, in environment units."""
    trainer.acting.deterministic = True
    game = Game(trainer.spec.action_spec, seed=3)
    game.observe(trainer)
    ((_, _, action),) = trainer.act()
    return float(np.abs(action.continuous - EXPERT).max())


@pytest.mark.parametrize("network", [{}, MEMORY], ids=["plain", "recurrent"])
def test_policy_comes_to_do_what_the_expert_did(network: dict[str, object]) -> None:
    trainer = make_trainer(network, behavioral_cloning={"demo_path": "x", "num_epoch": 20})
    game = Game(trainer.spec.action_spec)
    losses = [game.learn(trainer)[TAG] for _ in range(5)]
    assert losses[-1] < losses[0] - 0.5
    assert distance(trainer) < 0.15
    without = make_trainer(network)
    game = Game(without.spec.action_spec)
    assert all(TAG not in game.learn(without) for _ in range(5))
    assert distance(without) > 0.15


def test_cloning_fades_out() -> None:
    trainer = make_trainer(behavioral_cloning={"demo_path": "x", "steps": 1})
    assert Game(trainer.spec.action_spec).learn(trainer)[TAG] == 0.0


def test_saved_trainer_continues_cloning_bit_for_bit() -> None:
    settings = {"behavioral_cloning": {"demo_path": "x", "num_epoch": 2, "batch_size": 8}}
    trainer = make_trainer(MEMORY, **settings)
    Game(trainer.spec.action_spec).learn(trainer)
    file = io.BytesIO()
    torch.save(to_tensors(trainer.get_state()), file)
    file.seek(0)
    other = make_trainer(MEMORY, seed=4, **settings)
    other.set_state(torch.load(file, weights_only=True))
    for each in (trainer, other):
        Game(trainer.spec.action_spec, seed=6).learn(each)
    assert torch.equal(trainer.flat.values, other.flat.values)


def test_who_only_acts_needs_no_demonstrations(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(*_: object) -> None:
        raise FileNotFoundError

    monkeypatch.setattr(cloning, "load_demonstrations", missing)
    signals = {"extrinsic": {}, "gail": {"demo_path": "nowhere"}}
    trainer = make_trainer(learning=False, behavioral_cloning={"demo_path": "x"}, reward_signals=signals)
    Game(trainer.spec.action_spec).play(trainer, 30)
    trainer.forget()
    assert trainer.rewards.learned == {}
    with pytest.raises(FileNotFoundError):
        make_trainer(behavioral_cloning={"demo_path": "x"})
