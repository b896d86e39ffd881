"""One behavior that learns: what it stores, when it learns, what it refuses, and what it saves."""

from __future__ import annotations

import io
import math

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose, assert_array_equal
from trainer_game import SIZES, Game, Spy, make_trainer
from trainer_helpers import ACTION_SPECS, decision_steps, step_batch

from mlagents.algorithms.ppo_trainer import PPOTrainer
from mlagents.state_tree import to_tensors


@pytest.fixture(autouse=True)
def _one_thread() -> None:
    torch.set_num_threads(1)


# -- acting and learning see the same ------------------------------------------------------------------


@pytest.mark.parametrize("kind", ACTION_SPECS)
def test_probability_ratio_begins_at_one(kind: str) -> None:
    # one minibatch holds the whole buffer, so that its first one has every row
    trainer = make_trainer(kind, {"batch_size": 1000, "buffer_size": 60, "learning_rate": 0.01})
    game = Game(ACTION_SPECS[kind])
    game.learn(trainer)
    game.learn(trainer)  # by now weights, log sigma and normalisers have all moved
    spy = Spy(trainer)
    game.learn(trainer)
    assert len(spy.batches[0]) >= 60
    assert_allclose(spy.log_ratios[0], 0.0, atol=2e-5)
    assert np.abs(spy.log_ratios[1]).max() > 1e-3  # after one step it is 1 no more
    # the inputs were normalised indeed: raw ones lie around 20
    assert spy.batches[0].inputs[0].abs().mean() < 3.0


def test_statistics_move_only_with_updates_and_see_every_row_once() -> None:
    trainer = make_trainer(hyperparameters={"buffer_size": 40})
    game = Game(trainer.spec.action_spec)
    game.play(trainer, 9)
    assert [n.count for n in trainer.encoder.normalizers] == [1, 1]
    learned = 0
    for _ in range(3):
        while not trainer.is_update_due():
            game.observe(trainer)
            if not trainer.is_update_due():
                trainer.act()
        learned += trainer.store.num_complete
        trainer.update(lambda tag, value: None)
        trainer.act()
        assert [n.count for n in trainer.encoder.normalizers] == [1 + learned] * 2
    assert_allclose(trainer.encoder.normalizers[0].mean, 20.0, atol=2.0)
    assert trainer.updates == 3


def test_acting_follows_the_learner_after_an_update() -> None:
    trainer = make_trainer()
    trainer.acting.deterministic = True
    game = Game(trainer.spec.action_spec)
    before = trainer.flat.values.clone()
    game.learn(trainer)
    assert not torch.equal(trainer.flat.values, before)
    game.observe(trainer)
    trainer.act()
    rows = slice(trainer.store.num_rows - game.agents, trainer.store.num_rows)
    (inputs,) = trainer.encoder.encode([column[rows] for column in trainer.store.observations])
    expected = trainer.network.actor(torch.from_numpy(inputs)).detach()
    assert_allclose(trainer.store.continuous_actions[rows], expected, rtol=1e-4, atol=1e-5)


def test_returns_are_made_of_scaled_rewards() -> None:
    # without discount a return is the reward itself; V cancels out
    signals = {"extrinsic": {"gamma": 0.0, "strength": 3.0}}
    trainer = make_trainer(hyperparameters={"batch_size": 1000, "num_epoch": 1}, reward_signals=signals)
    game = Game(trainer.spec.action_spec)
    while not trainer.is_update_due():
        trainer.act()
        game.observe(trainer)
    rewards = trainer.store.rewards[np.flatnonzero(trainer.store.complete)].copy()
    spy = Spy(trainer)
    stats: dict[str, float] = {}
    trainer.update(stats.__setitem__)
    assert_allclose(np.sort(spy.batches[0].returns[:, 0]), np.sort(3.0 * rewards), rtol=1e-4, atol=1e-5)
    assert abs(float(spy.batches[0].advantages.mean())) < 1e-6
    assert float(spy.batches[0].advantages.std(unbiased=False)) == pytest.approx(1.0, rel=1e-5)
    assert stats["Policy/Extrinsic Value Estimate"] == pytest.approx(
        float(spy.batches[0].old_values.mean()), rel=1e-4, abs=1e-6
    )


def test_statistics_of_an_update() -> None:
    trainer = make_trainer("hybrid", {"learning_rate": 2e-4, "beta": 0.02, "epsilon": 0.15})
    stats = Game(trainer.spec.action_spec).learn(trainer)
    assert stats["Policy/Learning Rate"] == 2e-4
    assert stats["Policy/Beta"] == 0.02
    assert stats["Policy/Epsilon"] == 0.15
    assert stats["Losses/Policy Loss"] >= 0.0
    assert stats["Losses/Value Loss"] > 0.0
    assert stats["Policy/Entropy"] > 0.0
    assert all(math.isfinite(value) for value in stats.values())


# -- collecting ----------------------------------------------------------------------------------------


def test_masks_are_stored_for_the_rows_that_they_came_with() -> None:
    trainer = make_trainer("hybrid", normalize=False)  # branches of 2 and 4 choices
    masks = [np.array([[1, 0], [0, 0]], dtype=bool), np.array([[0, 1, 1, 1], [0, 0, 1, 0]], dtype=bool)]
    zeros = [np.zeros((2, size), dtype=np.float32) for size in SIZES]
    trainer.observe(step_batch(decision_steps([1, 2], zeros)))
    trainer.observe(step_batch(decision_steps([3, 4], zeros, masks=masks)))
    trainer.observe(step_batch(decision_steps([5], [column[:1] for column in zeros])))
    allowed = trainer.store.allowed_actions
    assert allowed[[0, 1, 4]].all()
    assert_array_equal(allowed[2], [0, 1, 1, 0, 0, 0])
    assert_array_equal(allowed[3], [1, 1, 1, 1, 0, 1])
    actions = [action for _, _, action in trainer.act()]
    assert actions[1].discrete[0].tolist() == [1, 0]  # all that was left to agent 3


def test_answers_go_to_the_batches_that_asked() -> None:
    trainer = make_trainer("hybrid", normalize=False)
    trainer.acting.deterministic = True
    game = Game(trainer.spec.action_spec)
    batches = [(0, "Ball?team=0", 3), (0, "Ball?team=1", 1), (1, "Ball?team=0", 2)]
    asked = [game.observations(count) for _, _, count in batches]
    for (worker, behavior_id, count), observations in zip(batches, asked, strict=True):
        trainer.observe(
            step_batch(decision_steps(range(count), observations), worker=worker, behavior_id=behavior_id)
        )
    trainer.observe(step_batch(behavior_id="Ball?team=2"))  # nobody asks here
    answers = trainer.act()
    assert [(worker, behavior_id) for worker, behavior_id, _ in answers] == [b[:2] for b in batches]
    for (_, _, action), observations in zip(answers, asked, strict=True):
        raw = trainer.network.actor(torch.from_numpy(np.concatenate(observations, axis=1))).detach()
        assert_allclose(action.continuous, raw[:, :2].clamp(-3, 3) / 3, rtol=1e-4, atol=1e-5)
        assert_array_equal(action.discrete[:, 0], raw[:, 2:4].argmax(dim=1))
        assert_array_equal(action.discrete[:, 1], raw[:, 4:].argmax(dim=1))
    assert trainer.act() == []


def test_agents_of_a_worker_that_was_reset_wait_no_more() -> None:
    trainer = make_trainer()
    game = Game(trainer.spec.action_spec)
    game.observe(trainer)
    trainer.reset_worker(0)
    assert trainer.act() == []
    game.observe(trainer)
    assert len(trainer.act()[0][2].continuous) == game.agents
    game.observe(trainer)
    assert trainer.step == game.agents  # the abandoned rows never count


def test_steps_are_rows_whose_outcome_is_known() -> None:
    trainer = make_trainer(max_steps=20)
    game = Game(trainer.spec.action_spec)
    game.play(trainer, 4)
    assert trainer.step == trainer.store.num_complete == 12
    assert trainer.is_training
    game.play(trainer, 2)
    assert trainer.step == 20
    assert not trainer.is_training
    game.play(trainer, 5)  # only acts from now on
    assert trainer.step == 20


def test_update_is_due_when_the_buffer_is_full() -> None:
    trainer = make_trainer(hyperparameters={"buffer_size": 12})
    game = Game(trainer.spec.action_spec)
    game.play(trainer, 3)
    assert not trainer.is_update_due()
    game.play(trainer, 1)
    assert trainer.is_update_due()
    trainer.forget()
    assert not trainer.is_update_due()
    assert trainer.store.num_rows == game.agents


def test_last_update_comes_at_max_steps_also_after_a_resume() -> None:
    trainer = make_trainer(hyperparameters={"buffer_size": 12}, max_steps=12)
    game = Game(trainer.spec.action_spec)
    game.play(trainer, 4)
    assert trainer.step == 12
    assert not trainer.is_training
    assert trainer.is_update_due()  # what was collected until now is learned from
    trainer.update(lambda tag, value: None)
    other = make_trainer(hyperparameters={"buffer_size": 12}, max_steps=12)
    other.set_state(to_tensors(trainer.get_state()))
    for each in (trainer, other):
        game.play(each, 5)
        assert each.store.num_complete >= 12
        assert not each.is_update_due()


def test_behavior_that_does_not_learn_only_acts_and_counts() -> None:
    trainer = make_trainer(learning=False, max_steps=10)
    game = Game(trainer.spec.action_spec)
    before = trainer.flat.values.clone()
    for _ in range(30):
        game.play(trainer, 1)
        assert not trainer.is_update_due()
        trainer.forget()
        assert trainer.store.num_rows <= 32 + 2 * game.agents
    assert not trainer.is_training
    assert trainer.step == 29 * game.agents
    assert torch.equal(trainer.flat.values, before)


# -- seeds and state -----------------------------------------------------------------------------------


def train(trainer: PPOTrainer, updates: int = 2) -> torch.Tensor:
    game = Game(trainer.spec.action_spec)
    for _ in range(updates):
        game.learn(trainer)
    return trainer.flat.values.clone()


def test_seed_decides_weights_exploration_and_shuffles() -> None:
    assert torch.equal(train(make_trainer(seed=1)), train(make_trainer(seed=1)))
    first, other = make_trainer(seed=1), make_trainer(seed=2)
    assert not torch.equal(first.flat.values, other.flat.values)
    # two behaviors of one run explore differently
    game, other_game = Game(first.spec.action_spec), Game(first.spec.action_spec)
    second = make_trainer(seed=1, behavior="Cube")
    game.observe(first)
    other_game.observe(second)
    assert (first.act()[0][2].continuous != second.act()[0][2].continuous).all()


@pytest.mark.parametrize("kind", ACTION_SPECS)
@pytest.mark.parametrize("waiting", [False, True])
def test_saved_trainer_continues_bit_for_bit(kind: str, waiting: bool) -> None:
    trainer, game = make_trainer(kind), Game(ACTION_SPECS[kind])
    game.learn(trainer)
    game.play(trainer, 3)
    if waiting:
        game.observe(trainer)
    file = io.BytesIO()
    torch.save(to_tensors(trainer.get_state()), file)
    file.seek(0)
    other = make_trainer(kind, seed=77)
    other.set_state(torch.load(file, weights_only=True))
    assert (other.step, other.updates) == (trainer.step, 1)

    results = []
    for each in (trainer, other):
        continued = Game(ACTION_SPECS[kind], seed=5)
        sent = each.act()
        continued.learn(each)
        continued.learn(each)
        results.append((sent, each))
    assert len(results[0][0]) == len(results[1][0]) == int(waiting)
    for (_, _, mine), (_, _, theirs) in zip(results[0][0], results[1][0], strict=True):
        assert_array_equal(mine.continuous, theirs.continuous)
        assert_array_equal(mine.discrete, theirs.discrete)
    assert torch.equal(other.flat.values, trainer.flat.values)
    assert torch.equal(other.optimizer.second_moment, trainer.optimizer.second_moment)
    assert_array_equal(other.encoder.normalizers[0].mean, trainer.encoder.normalizers[0].mean)
    assert other.collector.take_finished() == trainer.collector.take_finished()


def test_weights_alone_carry_policy_critic_and_statistics() -> None:
    trainer = make_trainer()
    Game(trainer.spec.action_spec).learn(trainer)
    other = make_trainer(seed=3)
    other.set_weights(trainer.get_weights())
    assert torch.equal(other.flat.values, trainer.flat.values)
    assert other.step == other.updates == 0
    observations = Game(trainer.spec.action_spec).observations(3)
    assert_array_equal(other.encoder.encode(observations)[0], trainer.encoder.encode(observations)[0])
    other.acting.deterministic = trainer.acting.deterministic = True
    for each in (trainer, other):
        each.observe(step_batch(decision_steps([20, 21, 22], observations)))
    assert_array_equal(other.act()[0][2].continuous, trainer.act()[0][2].continuous)
