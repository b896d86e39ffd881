"""PPO with memory: values, sequences, masks, and what padding must not do."""

from __future__ import annotations

import io
from dataclasses import fields, replace

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose, assert_array_equal
from trainer_game import SIZES, Game
from trainer_helpers import ACTION_SPECS, behavior_settings, behavior_spec

from mlagents.algorithms.ppo import (
    AutogradGradients,
    PPOCoefficients,
    PPOLosses,
    component_log_probs_and_entropy,
    ppo_loss,
)
from mlagents.algorithms.ppo_batch import PPOBatch
from mlagents.algorithms.ppo_experience import PPOExperience
from mlagents.algorithms.ppo_trainer import PPOTrainer
from mlagents.experience.targets import RewardStream, compute_targets
from mlagents.state_tree import to_tensors

LENGTH = 4


@pytest.fixture(autouse=True)
def _one_thread() -> None:
    torch.set_num_threads(1)


def make_trainer(kind: str = "hybrid", *, seed: int = 0, shared: bool = False, **hyperparameters: object):  # noqa: ANN201
    settings = behavior_settings(
        {"buffer_size": 60, "shared_critic": shared, **hyperparameters},
        {"normalize": True, "memory": {"memory_size": 6, "sequence_length": LENGTH}},
        time_horizon=7,
    )
    return PPOTrainer("Ball", behavior_spec(ACTION_SPECS[kind], SIZES), settings, seed=seed)


def collect(trainer: PPOTrainer, game: Game) -> None:
    """Play until an update is due; agents wait for actions then."""
    while not trainer.is_update_due():
        trainer.act()
        game.observe(trainer)


def experience_of(trainer: PPOTrainer) -> PPOExperience:
    return PPOExperience(trainer.store, trainer.encoder, trainer.network, 1, torch.device("cpu"))


def targets_of(trainer: PPOTrainer, experience: PPOExperience):  # noqa: ANN201
    rewards = trainer.store.rewards[: trainer.store.num_rows]
    stream = RewardStream(rewards, 0.9)
    return compute_targets(trainer.store, [stream], experience.values, experience.final_values, 0.95)


def encoded(trainer: PPOTrainer, columns: list[np.ndarray], row: int) -> list[torch.Tensor]:
    inputs = trainer.encoder.encode([column[row : row + 1] for column in columns])
    return [torch.from_numpy(column) for column in inputs]


@pytest.mark.parametrize("shared", [False, True])
def test_values_are_those_of_following_each_agent(shared: bool) -> None:
    """One batch with the memories noted while acting gives what a walk through each episode gives."""
    trainer = make_trainer(shared=shared)
    collect(trainer, Game(trainer.spec.action_spec))
    store, network = trainer.store, trainer.network
    experience = experience_of(trainer)
    finals = 0
    for first in np.flatnonzero(store.begins[: store.num_rows]):
        memory, row = None, int(first)
        while True:
            value, memory = network.value(encoded(trainer, store.observations, row), memory)
            assert_allclose(experience.values[row], value[0].detach(), rtol=1e-4, atol=1e-5)
            if store.next_row[row] < 0:
                break
            row = int(store.next_row[row])
        end = int(store.bootstrap_row[row])
        if end >= 0:  # interrupted: the final observation comes one step of memory later
            value, _ = network.value(encoded(trainer, store.bootstrap_observations, end), memory)
            assert_allclose(experience.final_values[end], value[0].detach(), rtol=1e-4, atol=1e-5)
            finals += 1
    assert finals == store.num_bootstrap >= 2


def log_ratios(trainer: PPOTrainer, batch: PPOBatch) -> np.ndarray:
    network = trainer.network
    with torch.no_grad():
        outputs, _, _, _ = network(batch.inputs, batch.memory, batch.critic_memory, batch.sequence_length)
        log_probs, _ = component_log_probs_and_entropy(
            outputs[batch.mask],
            network.log_sigma,
            network.action_spec,
            batch.continuous_actions[batch.mask],
            batch.discrete_actions[batch.mask],
            batch.allowed_actions[batch.mask],
            mean_continuous_entropy=False,
        )
    return (log_probs - batch.old_log_probs[batch.mask]).numpy()


@pytest.mark.parametrize("kind", ACTION_SPECS)
@pytest.mark.parametrize("shared", [False, True])
def test_probability_ratio_of_sequences_begins_at_one(kind: str, shared: bool) -> None:
    trainer = make_trainer(kind, shared=shared)
    collect(trainer, Game(trainer.spec.action_spec))
    experience = experience_of(trainer)
    targets = targets_of(trainer, experience)
    batch, places = experience.sequence_batch(targets)
    assert len(log_ratios(trainer, batch)) == len(targets.rows) >= 60
    assert_allclose(log_ratios(trainer, batch), 0.0, atol=2e-5)
    # memory is what makes it so: without it the ratios are wrong
    forgetful = replace(batch, memory=torch.zeros_like(batch.memory))
    assert np.abs(log_ratios(trainer, forgetful)).max() > 1e-4
    # every row that is ready is there once, with its own targets
    present = places.flatten()[batch.mask]
    assert_array_equal(torch.sort(present).values, np.arange(len(targets.rows)))
    assert_array_equal((places.flatten() >= 0), batch.mask)
    assert_array_equal(batch.advantages[batch.mask], targets.advantages[present])
    assert_array_equal(batch.returns[batch.mask], targets.returns[present])


def test_padding_has_no_influence() -> None:
    trainer = make_trainer()
    collect(trainer, Game(trainer.spec.action_spec))
    experience = experience_of(trainer)
    batch, _ = experience.sequence_batch(targets_of(trainer, experience))
    assert not batch.mask.all()
    padding = ~batch.mask
    changed = replace(
        batch,
        inputs=tuple(torch.where(padding[:, None], torch.tensor(50.0), column) for column in batch.inputs),
        advantages=torch.where(padding, torch.tensor(1e6), batch.advantages),
        returns=torch.where(padding[:, None], torch.tensor(1e6), batch.returns),
        old_log_probs=torch.where(padding[:, None], torch.tensor(-1e3), batch.old_log_probs),
    )
    gradients = AutogradGradients(trainer.network, trainer.flat, trainer.hyperparameters)
    results = []
    for each in (batch, changed):
        gradients.compute(each, PPOCoefficients(0.2, 0.01))
        results.append((trainer.flat.gradients.clone(), gradients.take_losses()))
    assert torch.isfinite(results[0][0]).all()
    assert_array_equal(results[0][0], results[1][0])
    assert results[0][1] == results[1][1]


def test_loss_is_the_mean_over_real_rows() -> None:
    trainer = make_trainer()
    collect(trainer, Game(trainer.spec.action_spec))
    experience = experience_of(trainer)
    batch, _ = experience.sequence_batch(targets_of(trainer, experience))
    generator = torch.Generator().manual_seed(0)
    outputs = torch.randn(len(batch), 2 + 6, generator=generator)
    values = torch.randn(len(batch), 1, generator=generator)
    arguments = (trainer.spec.action_spec, trainer.hyperparameters, PPOCoefficients(0.2, 0.01))
    loss, losses = ppo_loss(outputs, trainer.network.log_sigma, values, batch, *arguments)
    rows = batch.mask.nonzero().squeeze(1)
    plain = batch.without_padding()
    assert plain.mask is None
    assert len(plain) == len(rows) < len(batch)
    expected, expected_losses = ppo_loss(
        outputs[rows], trainer.network.log_sigma, values[rows], plain, *arguments
    )
    assert_allclose(loss.item(), expected.item(), rtol=1e-6)
    for column in fields(PPOLosses):
        assert getattr(losses, column.name) == pytest.approx(getattr(expected_losses, column.name))
    error = (values[rows] - batch.returns[rows]).square().mean()
    assert losses.value == pytest.approx(error.item(), rel=1e-5)


class Recorder:
    def __init__(self, trainer: PPOTrainer) -> None:
        self.inner = trainer._gradients
        self.batches: list[PPOBatch] = []
        trainer._gradients = self

    def compute(self, batch: PPOBatch, coefficients: PPOCoefficients) -> None:
        self.batches.append(batch)
        self.inner.compute(batch, coefficients)

    def take_losses(self) -> PPOLosses:
        return self.inner.take_losses()


def test_minibatches_are_whole_sequences() -> None:
    trainer = make_trainer(batch_size=14, num_epoch=2)  # three sequences of four rows
    game = Game(trainer.spec.action_spec)
    collect(trainer, game)
    experience = experience_of(trainer)
    batch, _ = experience.sequence_batch(targets_of(trainer, experience))
    marks = {tuple(x.flatten().tolist()) for x in batch.old_log_probs.split(LENGTH)}
    recorder = Recorder(trainer)
    trainer.update(lambda tag, value: None)
    assert len(recorder.batches) == 2 * (batch.num_units // 3)
    for minibatch in recorder.batches:
        assert (len(minibatch), minibatch.num_units, len(minibatch.memory)) == (12, 3, 3)
        for sequence in minibatch.old_log_probs.split(LENGTH):
            assert tuple(sequence.flatten().tolist()) in marks


def test_selection_takes_rows_and_memories_of_sequences_along() -> None:
    trainer = make_trainer()
    collect(trainer, Game(trainer.spec.action_spec))
    experience = experience_of(trainer)
    batch, _ = experience.sequence_batch(targets_of(trainer, experience))
    order = torch.tensor([5, 0, 3])
    selected = batch.select(order)
    part = selected.range(1, 3)
    for unit, chosen in enumerate((0, 3)):
        mine, theirs = (
            slice(unit * LENGTH, (unit + 1) * LENGTH),
            slice(chosen * LENGTH, (chosen + 1) * LENGTH),
        )
        for column in fields(PPOBatch):
            if column.name == "sequence_length":
                continue
            value, expected = getattr(part, column.name), getattr(batch, column.name)
            if column.name in {"memory", "critic_memory"}:
                assert_array_equal(value[unit], expected[chosen])
            elif column.name == "inputs":
                assert_array_equal(value[0][mine], expected[0][theirs])
            else:
                assert_array_equal(value[mine], expected[theirs], err_msg=column.name)


@pytest.mark.parametrize("shared", [False, True])
@pytest.mark.parametrize("waiting", [False, True])
def test_saved_recurrent_trainer_continues_bit_for_bit(waiting: bool, shared: bool) -> None:
    trainer, game = make_trainer(shared=shared), Game(ACTION_SPECS["hybrid"])
    game.learn(trainer)
    game.play(trainer, 3)
    if waiting:
        game.observe(trainer)
    file = io.BytesIO()
    torch.save(to_tensors(trainer.get_state()), file)
    file.seek(0)
    other = make_trainer(seed=9, shared=shared)
    other.set_state(torch.load(file, weights_only=True))
    results = []
    for each in (trainer, other):
        continued = Game(ACTION_SPECS["hybrid"], seed=5)
        each.act()
        continued.learn(each)
        continued.learn(each)
        results.append(each.flat.values.clone())
    assert torch.equal(*results)


def test_memory_of_one_step_sequences_still_counts() -> None:
    settings = behavior_settings(network={"memory": {"memory_size": 6, "sequence_length": 1}})
    trainer = PPOTrainer("Ball", behavior_spec(ACTION_SPECS["discrete"], SIZES), settings, seed=0)
    collect(trainer, Game(trainer.spec.action_spec))
    recorder = Recorder(trainer)
    trainer.update(lambda tag, value: None)
    assert_allclose(log_ratios_before(recorder, trainer), 0.0, atol=2e-5)


def log_ratios_before(recorder: Recorder, trainer: PPOTrainer) -> np.ndarray:
    """Of the first minibatch, with the weights that acted: a fresh trainer has them still."""
    batch = recorder.batches[0]
    assert batch.memory is not None
    fresh = PPOTrainer("Ball", trainer.spec, trainer.settings, seed=0)
    return log_ratios(fresh, batch)
