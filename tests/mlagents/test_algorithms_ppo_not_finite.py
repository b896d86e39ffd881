"""NaN and infinity from an environment: named, refused before they do harm, and survivable."""

from __future__ import annotations

import math
from pathlib import Path
from unittest.mock import MagicMock

import numpy as np
import pytest
import torch
from numpy.testing import assert_array_equal
from toy_envs import SavableDriftEnv
from trainer_game import SIZES, Game, Spy, make_trainer
from trainer_helpers import ACTION_SPECS, decision_steps, step_batch, terminal_steps

from mlagents.algorithms import ppo_trainer
from mlagents.algorithms.ppo_trainer import PPOTrainer
from mlagents.run.training_run import TrainingRun
from mlagents.settings import RunOptions, TrainerError
from mlagents_envs.exception import UnityObservationException


@pytest.fixture(autouse=True)
def _one_thread() -> None:
    torch.set_num_threads(1)


def snapshot(trainer: PPOTrainer) -> list[np.ndarray]:
    normalizers = [n.mean.copy() for n in trainer.encoder.normalizers or []]
    return [trainer.flat.values.numpy().copy(), trainer.optimizer.first_moment.numpy().copy(), *normalizers]


def trainer_due_to_learn() -> tuple[PPOTrainer, Game]:
    """A trainer just before its second update."""
    trainer = make_trainer("hybrid")
    game = Game(trainer.spec.action_spec)
    game.learn(trainer)
    while not trainer.is_update_due():
        trainer.act()
        game.observe(trainer)
    trainer.act()
    return trainer, game


def assert_refused(trainer: PPOTrainer, *names: str) -> None:
    before = snapshot(trainer)
    with pytest.raises(UnityObservationException) as caught:
        trainer.update(lambda tag, value: None)
    for name in names:
        assert name in str(caught.value)
    for array, unchanged in zip(snapshot(trainer), before, strict=True):
        assert_array_equal(array, unchanged)
    assert trainer.updates == 1


@pytest.mark.parametrize("kind", ACTION_SPECS)
def test_nan_observation_is_named_before_anybody_acts_on_it(kind: str) -> None:
    trainer = make_trainer(kind)
    observations = [np.zeros((3, size), dtype=np.float32) for size in SIZES]
    trainer.observe(step_batch(decision_steps([4, 8, 6], observations)))
    trainer.act()
    observations[0][2, 1] = np.nan
    trainer.observe(step_batch(decision_steps([4, 8, 6], observations)))
    with pytest.raises(UnityObservationException) as caught:
        trainer.act()
    for name in ("behavior Ball", "agent 6 of Ball?team=0 in environment 0", "sensor 'first'", "index 1"):
        assert name in str(caught.value)


def test_nan_reward_is_refused_before_weights_change() -> None:
    trainer, _ = trainer_due_to_learn()
    zeros = [np.zeros((1, size), dtype=np.float32) for size in SIZES]
    trainer.observe(step_batch(decision_steps([2], zeros, [math.nan])))
    assert_refused(trainer, "A reward of the behavior Ball", "agent 2 of Ball?team=0 in environment 0")


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_infinite_observation_that_normalisation_would_hide_is_refused(value: float) -> None:
    trainer, _ = trainer_due_to_learn()
    observations = [np.zeros((1, size), dtype=np.float32) for size in SIZES]
    observations[1][0, 0] = value
    trainer.observe(step_batch(decision_steps([3], observations)))
    assert_refused(trainer, "behavior Ball", "agent 3 of", "sensor 'second'", "index 0")


@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_final_observation_that_is_not_finite_is_refused(value: float) -> None:
    trainer, _ = trainer_due_to_learn()
    finals = [np.zeros((2, size), dtype=np.float32) for size in SIZES]
    finals[0][1, 1] = value
    trainer.observe(step_batch(None, terminal_steps([3, 2], finals, interrupted=[True, True])))
    assert_refused(trainer, "A final observation of the behavior Ball", "agent 2 of", "'first'", "index 1")


def test_broken_experience_can_be_dropped_and_learning_goes_on() -> None:
    trainer, game = trainer_due_to_learn()
    step = trainer.step
    trainer.drop_broken_experience()
    assert trainer.store.num_complete > 0  # nothing was broken
    trainer.store.rewards[1] = math.nan
    trainer.drop_broken_experience()
    assert trainer.store.num_rows == 0
    assert trainer.step == step
    game.learn(trainer)
    assert trainer.updates == 2
    assert np.isfinite(trainer.flat.values.numpy()).all()


def test_policy_that_is_not_finite_is_told_from_its_observations() -> None:
    trainer = make_trainer()
    trainer.acting._flat.values.fill_(math.nan)
    Game(trainer.spec.action_spec).observe(trainer)
    with pytest.raises(TrainerError, match="policy of the behavior Ball gives NaN or infinite actions"):
        trainer.act()


def test_skipped_gradient_steps_are_reported(monkeypatch: pytest.MonkeyPatch) -> None:
    logger = MagicMock()
    monkeypatch.setattr(ppo_trainer, "_LOGGER", logger)
    trainer, _ = trainer_due_to_learn()
    logger.warning.assert_not_called()
    before = snapshot(trainer)[:2]
    spy = Spy(trainer)
    spy.inner = MagicMock(wraps=spy.inner)
    spy.inner.compute.side_effect = lambda batch, coefficients: trainer.flat.gradients.fill_(math.nan)
    trainer.update(lambda tag, value: None)
    steps = len(spy.batches)
    assert steps >= 3
    assert trainer.optimizer.num_skipped == steps
    text, *arguments = logger.warning.call_args.args
    assert f"Ball: {steps} gradient steps were skipped" in text % tuple(arguments)
    for array, unchanged in zip(snapshot(trainer)[:2], before, strict=True):
        assert_array_equal(array, unchanged)


# -- a whole run ---------------------------------------------------------------------------------------


class BrokenEnv(SavableDriftEnv):
    """Reports one value that is not finite, in its 100th step."""

    def __init__(self, where: str, value: float) -> None:
        super().__init__()
        self.where = where
        self.value = value
        self.num_steps = 0

    def step(self) -> None:
        super().step()
        self.num_steps += 1
        if self.num_steps == 100:
            decision, _ = self._steps
            if self.where == "reward":
                decision.reward[3] = self.value
            else:
                decision.obs[0][3, 1] = self.value


def run_options(folder: Path, *, resume: bool) -> RunOptions:
    behavior = {
        "trainer_type": "ppo",
        "hyperparameters": {"batch_size": 32, "buffer_size": 200},
        "network_settings": {"normalize": True, "hidden_units": 8},
        "max_steps": 1000,
    }
    checkpoint = {"run_id": "r", "results_dir": str(folder), "resume": resume}
    return RunOptions(behaviors={"Drift": behavior}, env_settings={"seed": 3}, checkpoint_settings=checkpoint)


@pytest.mark.parametrize(
    ("where", "value"), [("reward", math.nan), ("observation", math.nan), ("observation", math.inf)]
)
def test_run_that_met_a_broken_value_can_be_resumed(tmp_path: Path, where: str, value: float) -> None:
    run = TrainingRun(run_options(tmp_path, resume=False), environment=BrokenEnv(where, value))
    with pytest.raises(UnityObservationException, match="agent 3 of Drift"):
        run.run()
    failed = run.behaviors["Drift"].trainer
    assert failed.updates >= 2  # it was no failure of the first moment
    resumed = TrainingRun(run_options(tmp_path, resume=True), environment=SavableDriftEnv())
    result = resumed.run()
    trainer = resumed.behaviors["Drift"].trainer
    assert result.steps["Drift"] >= 1000
    assert trainer.updates > failed.updates
    assert trainer.optimizer.num_skipped == 0
    assert np.isfinite(trainer.encoder.normalizers[0].mean).all()
