"""Passes over a batch, schedules, and what settings do to them."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from trainer_helpers import behavior_settings, behavior_spec

from mlagents.algorithms.optimizer import FlatAdam
from mlagents.algorithms.ppo import PPOCoefficients, PPOLosses, ppo_update
from mlagents.algorithms.ppo_batch import PPOBatch
from mlagents.algorithms.ppo_settings import PPOSettings
from mlagents.algorithms.ppo_trainer import PPOTrainer
from mlagents.algorithms.schedules import linear_decay

LOSSES = PPOLosses(policy=1.0, value=2.0, entropy=3.0, approximate_kl=4.0, clip_fraction=5.0)


@pytest.fixture(autouse=True)
def _one_thread() -> None:
    torch.set_num_threads(1)


class Recorder:
    """Stands in for the gradients: notes which rows each minibatch has."""

    def __init__(self) -> None:
        self.minibatches: list[list[int]] = []
        self.coefficients: list[PPOCoefficients] = []

    def compute(self, batch: PPOBatch, coefficients: PPOCoefficients) -> None:
        rows = batch.inputs[0][:, 0]
        # every column of a row must have moved with it
        assert torch.equal(batch.continuous_actions[:, 0], rows + 0.5)
        assert torch.equal(batch.discrete_actions[:, 0], rows.int() + 1)
        assert torch.equal(batch.allowed_actions[:, 0], rows % 2 == 0)
        assert torch.equal(batch.old_log_probs[:, 0], -rows)
        assert torch.equal(batch.advantages, rows * 2)
        assert torch.equal(batch.returns[:, 0], rows * 3)
        assert torch.equal(batch.old_values[:, 0], rows * 4)
        self.minibatches.append(rows.int().tolist())
        self.coefficients.append(coefficients)

    def take_losses(self) -> PPOLosses:
        return LOSSES


def numbered_batch(count: int) -> PPOBatch:
    rows = torch.arange(count).float()
    column = rows[:, None]
    return PPOBatch(
        inputs=(column,),
        continuous_actions=column + 0.5,
        discrete_actions=column.int() + 1,
        allowed_actions=column % 2 == 0,
        old_log_probs=-column,
        advantages=rows * 2,
        returns=column * 3,
        old_values=column * 4,
    )


def update(count: int, batch_size: int, num_epoch: int, seed: int = 0) -> tuple[Recorder, FlatAdam]:
    recorder = Recorder()
    optimizer = FlatAdam(torch.zeros(1), torch.ones(1), 0.0)
    losses = ppo_update(
        numbered_batch(count),
        recorder,
        optimizer,
        PPOSettings(batch_size=batch_size, num_epoch=num_epoch),
        PPOCoefficients(0.1, 0.2),
        0.01,
        np.random.default_rng(seed),
    )
    assert losses is LOSSES
    assert recorder.coefficients == [PPOCoefficients(0.1, 0.2)] * len(recorder.minibatches)
    return recorder, optimizer


@pytest.mark.parametrize(
    ("count", "batch_size", "per_epoch"),
    [(12, 4, 3), (14, 4, 3), (15, 4, 3), (4, 4, 1), (5, 64, 1), (1, 64, 1)],
)
def test_rows_are_used_at_most_once_per_pass(count: int, batch_size: int, per_epoch: int) -> None:
    recorder, optimizer = update(count, batch_size, num_epoch=3)
    size = min(count, batch_size)
    assert len(recorder.minibatches) == optimizer.num_steps == 3 * per_epoch
    for epoch in range(3):
        minibatches = recorder.minibatches[epoch * per_epoch : (epoch + 1) * per_epoch]
        assert all(len(rows) == size for rows in minibatches)
        used = [row for rows in minibatches for row in rows]
        assert len(used) == len(set(used)) == per_epoch * size  # the remainder is dropped
        assert set(used) <= set(range(count))


def test_each_pass_shuffles_and_drops_differently() -> None:
    recorder, _ = update(70, 64, num_epoch=3)
    left_out = [tuple(sorted(set(range(70)) - set(rows))) for rows in recorder.minibatches]
    assert len(set(left_out)) == 3
    assert recorder.minibatches[0] != sorted(recorder.minibatches[0])


def test_shuffles_depend_on_the_generator_alone() -> None:
    assert update(40, 8, 2, seed=1)[0].minibatches == update(40, 8, 2, seed=1)[0].minibatches
    assert update(40, 8, 2, seed=1)[0].minibatches != update(40, 8, 2, seed=2)[0].minibatches


def test_every_minibatch_is_a_step_at_the_learning_rate() -> None:
    _, optimizer = update(12, 4, num_epoch=2)
    # with a constant gradient every step of Adam has the size of the learning rate
    assert optimizer.values.item() == pytest.approx(-6 * 0.01, rel=1e-4)


@pytest.mark.parametrize(("step", "expected"), [(0, 0.8), (250, 0.625), (1000, 0.1), (5000, 0.1)])
def test_linear_decay(step: int, expected: float) -> None:
    # 0.1 + 0.7 * (1 - 250 / 1000) = 0.625
    assert linear_decay(0.8, 0.1, step, 1000) == pytest.approx(expected, rel=1e-12)


def test_linear_decay_rises_to_a_floor_above_the_initial_value() -> None:
    assert linear_decay(0.05, 0.1, 0, 10) == pytest.approx(0.05)
    assert linear_decay(0.05, 0.1, 5, 10) == pytest.approx(0.075)
    assert linear_decay(0.05, 0.1, 99, 10) == pytest.approx(0.1)


def trainer(**hyperparameters: object) -> PPOTrainer:
    settings = behavior_settings(hyperparameters, max_steps=1000)
    return PPOTrainer("Ball", behavior_spec(), settings, seed=0)


def test_scheduled_values_end_at_their_floors() -> None:
    linear = trainer(learning_rate=4e-4, epsilon=0.3, beta=0.01, learning_rate_schedule="linear")
    assert linear.scheduled() == (
        pytest.approx(4e-4),
        PPOCoefficients(pytest.approx(0.3), pytest.approx(0.01)),
    )
    linear.step = 500
    rate, coefficients = linear.scheduled()
    assert rate == pytest.approx((4e-4 + 1e-10) / 2)
    assert coefficients == PPOCoefficients(pytest.approx(0.2), pytest.approx((0.01 + 1e-5) / 2))
    linear.step = 1234
    assert linear.scheduled() == (
        pytest.approx(1e-10),
        PPOCoefficients(pytest.approx(0.1), pytest.approx(1e-5)),
    )


def test_schedules_are_independent() -> None:
    mixed = trainer(
        learning_rate=4e-4,
        epsilon=0.3,
        beta=0.01,
        learning_rate_schedule="constant",
        epsilon_schedule="linear",
        beta_schedule="constant",
    )
    mixed.step = 1000
    assert mixed.scheduled() == (4e-4, PPOCoefficients(pytest.approx(0.1), 0.01))
