"""Learned reward signals beside PPO: what they see, what reaches the targets, when they learn."""

from __future__ import annotations

import io
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any
from unittest.mock import MagicMock

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose, assert_array_equal
from toy_tasks import ChoiceEnv
from trainer_game import SIZES, Game, Spy
from trainer_helpers import (
    ACTION_SPECS,
    behavior_settings,
    behavior_spec,
    decision_steps,
    step_batch,
    terminal_steps,
)

from mlagents.algorithms import ppo_rewards
from mlagents.algorithms.ppo import PPOCoefficients
from mlagents.algorithms.ppo_batch import PPOBatch
from mlagents.algorithms.ppo_trainer import PPOTrainer
from mlagents.experience.store import RolloutStore
from mlagents.rewards.transitions import TransitionBatch
from mlagents.run.training_run import TrainingRun
from mlagents.sampling.collector import Collector
from mlagents.settings import RunOptions
from mlagents.state_tree import to_tensors


@pytest.fixture(autouse=True)
def _one_thread() -> None:
    torch.set_num_threads(1)


@dataclass
class Notebook:
    """A signal that rewards the first number of the next observation, and notes what it is shown."""

    name: str = "curiosity"
    gamma: float = 0.5
    strength: float = 2.0
    ignores_done: bool = True
    uses_next_observations: bool = True
    begun: list[TransitionBatch] = field(default_factory=list)
    links: list[torch.Tensor] = field(default_factory=list)
    learned: list[TransitionBatch] = field(default_factory=list)
    counter: torch.Tensor = field(default_factory=lambda: torch.zeros(1))

    def begin_iteration(self, batch: TransitionBatch, next_index: torch.Tensor | None = None) -> None:
        self.begun.append(batch)
        self.links.append(next_index)

    def evaluate(self, batch: TransitionBatch) -> torch.Tensor:
        return batch.next_observations[0].flatten(1)[:, 0]

    def update(self, batch: TransitionBatch) -> dict[str, float]:
        self.learned.append(batch)
        self.counter += 1
        return {"Losses/Note": float(self.counter)}

    def get_state(self) -> dict[str, Any]:
        return {"modules": {"Module:Notes": {"weight": self.counter}}, "training": {"gamma": self.gamma}}

    def set_state(self, state: dict[str, Any]) -> None:
        self.counter = state["modules"]["Module:Notes"]["weight"].clone()


@pytest.fixture
def notebooks(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[Notebook]]:
    """Every learned signal that is made is a notebook."""
    made: list[Notebook] = []

    def make(name: str, *_: object) -> Notebook:
        made.append(Notebook(name))
        return made[-1]

    monkeypatch.setattr(ppo_rewards, "make_signal", make)
    return made


BOTH = {"extrinsic": {"gamma": 0.9}, "curiosity": {}}


def make_trainer(
    signals: dict[str, dict[str, object]] | None = None, seed: int = 0, **network: object
) -> PPOTrainer:
    settings = behavior_settings(
        {"batch_size": 10, "buffer_size": 60}, network, reward_signals=signals or BOTH
    )
    return PPOTrainer("Ball", behavior_spec(ACTION_SPECS["hybrid"], SIZES), settings, seed=seed)


def collect(trainer: PPOTrainer, game: Game) -> None:
    while not trainer.is_update_due():
        trainer.act()
        game.observe(trainer)


MEMORY = {"memory": {"memory_size": 6, "sequence_length": 4}}


@pytest.mark.parametrize("network", [{}, MEMORY], ids=["plain", "recurrent"])
def test_signals_see_true_transitions_in_environment_units(
    notebooks: list[Notebook], network: dict[str, Any]
) -> None:
    trainer = make_trainer(**network)
    collect(trainer, Game(trainer.spec.action_spec))
    store = trainer.store
    rows = np.flatnonzero(store.ready())
    expected_next = []
    for row in rows:
        following, final = store.next_row[row], store.bootstrap_row[row]
        columns, at = (
            (store.observations, following) if following >= 0 else (store.bootstrap_observations, final)
        )
        assert at >= 0  # also where the episode really ended
        expected_next.append(columns[0][at].copy())
    observations = store.observations[0][rows].copy()
    actions, choices = store.continuous_actions[rows].copy(), store.discrete_actions[rows].copy()
    done, following = store.done[rows].copy(), store.next_row[rows].copy()
    trainer.update(lambda tag, value: None)
    (batch,) = notebooks[0].begun
    assert_array_equal(batch.observations[0], observations)
    assert_array_equal(batch.next_observations[0], np.array(expected_next))
    assert_allclose(batch.continuous_actions, actions.clip(-3, 3) / 3, rtol=1e-6)
    assert np.abs(actions).max() > 1.0
    assert_array_equal(batch.discrete_actions, choices)
    assert batch.discrete_actions.dtype == torch.int64
    assert_array_equal(batch.done, done)
    assert 0 < done.sum() < len(done)
    place = {int(row): index for index, row in enumerate(rows)}
    assert_array_equal(notebooks[0].links[0], [place.get(int(row), -1) for row in following])


def test_stream_has_its_own_discount_and_goes_on_beyond_the_end(notebooks: list[Notebook]) -> None:
    """Without traces a return is reward + gamma V(next); next may lie beyond the end of an episode."""
    trainer = make_trainer()
    trainer.hyperparameters = trainer.hyperparameters.model_copy(update={"lambd": 0.0, "batch_size": 1000})
    collect(trainer, Game(trainer.spec.action_spec))
    rewards = trainer.store.rewards[np.flatnonzero(trainer.store.ready())].copy()
    spy = Spy(trainer)
    trainer.update(lambda tag, value: None)
    (whole,) = notebooks[0].begun
    first = spy.batches[0]
    fresh = make_trainer().network  # the weights before the first step
    for index in range(len(whole)):
        inputs = torch.cat([column[index] for column in whole.observations])
        shuffled = int((first.inputs[0] == inputs).all(dim=1).nonzero())
        following = torch.cat([column[index] for column in whole.next_observations])
        values = fresh.critic(following[None])[0].detach()
        curious = 2.0 * whole.next_observations[0][index, 0] + 0.5 * values[1]
        assert first.returns[shuffled, 1].item() == pytest.approx(curious.item(), rel=1e-4)
        beyond = 0.0 if whole.done[index] else 0.9 * values[0].item()
        assert first.returns[shuffled, 0].item() == pytest.approx(rewards[index] + beyond, rel=1e-4, abs=1e-5)


@pytest.mark.parametrize("network", [{}, MEMORY], ids=["plain", "recurrent"])
def test_signals_learn_on_the_rows_of_each_minibatch(
    notebooks: list[Notebook], network: dict[str, Any]
) -> None:
    trainer = make_trainer(**network)
    collect(trainer, Game(trainer.spec.action_spec))

    inner, rows = trainer._gradients, []

    def compute(batch: PPOBatch, coefficients: PPOCoefficients) -> None:
        rows.append(batch.without_padding().continuous_actions.numpy().copy())
        inner.compute(batch, coefficients)

    trainer._gradients = MagicMock(compute=compute, take_losses=inner.take_losses)
    stats: dict[str, float] = {}
    trainer.update(stats.__setitem__)
    learned = notebooks[0].learned
    assert len(learned) == len(rows) >= 12
    for batch, raw in zip(learned, rows, strict=True):
        assert_allclose(batch.continuous_actions, raw.clip(-3, 3) / 3, rtol=1e-6)
    assert stats["Losses/Note"] == pytest.approx((1 + len(learned)) / 2)
    assert {"Policy/Extrinsic Value Estimate", "Policy/Curiosity Value Estimate"} <= set(stats)


def test_the_reward_of_the_environment_may_be_left_out(notebooks: list[Notebook]) -> None:
    trainer = make_trainer({"curiosity": {}})
    stats = Game(trainer.spec.action_spec).learn(trainer)
    assert "Policy/Curiosity Value Estimate" in stats
    assert "Policy/Extrinsic Value Estimate" not in stats
    assert set(trainer.take_episodes().rewards) == {"curiosity"}


def test_the_reward_of_the_environment_alone_costs_nothing() -> None:
    trainer = make_trainer({"extrinsic": {"strength": 3.0}})
    assert not trainer.store.keeps_all_ends
    Game(trainer.spec.action_spec).learn(trainer)
    assert trainer.rewards._transitions is None
    returns, _, rewards = trainer.take_episodes()
    assert rewards == {"extrinsic": [3.0 * value for value in returns]}
    assert len(returns) > 2


# -- episodes ------------------------------------------------------------------------------------------


def test_sums_over_episodes_go_on_over_updates_and_forget_what_was_reset(notebooks: list[Notebook]) -> None:
    trainer = make_trainer({"curiosity": {}})
    rewards = trainer.rewards
    spec = behavior_spec()
    store = RolloutStore(spec, 16, keeps_all_ends=True)
    collector = Collector(store, 100)

    def follow(observation: float, agent: int = 1) -> None:
        collector.observe(step_batch(decision_steps([agent], [observation])))

    def end(observation: float, interrupted: bool) -> None:
        collector.observe(step_batch(None, terminal_steps([1], [observation], interrupted=[interrupted])))

    def learn() -> list[float]:
        rewards.streams(store)
        rewards.finish()
        collector.keep_unready()
        return rewards.take_finished([])["curiosity"]

    # strength is 2, and the reward is the observation that follows
    follow(1.0)
    follow(2.0)
    follow(4.0)
    assert learn() == []
    follow(8.0)
    end(16.0, interrupted=True)
    follow(100.0, agent=2)
    follow(32.0)
    follow(64.0)
    assert learn() == [2.0 * (2 + 4 + 8 + 16)]
    collector.reset_worker(0)  # the sum of 64 is forgotten
    follow(1.0)
    end(0.25, interrupted=False)
    assert learn() == [0.5]


def test_sums_reach_the_statistics(notebooks: list[Notebook]) -> None:
    trainer = make_trainer()
    Game(trainer.spec.action_spec).learn(trainer)
    returns, _, rewards = trainer.take_episodes()
    assert len(rewards["curiosity"]) > 2
    assert rewards["extrinsic"] == returns
    assert min(rewards["curiosity"]) > 20.0  # observations lie around 20
    assert trainer.take_episodes().rewards == {"extrinsic": [], "curiosity": []}


# -- state ---------------------------------------------------------------------------------------------


def test_weights_of_signals_are_modules_of_the_checkpoint(notebooks: list[Notebook]) -> None:
    trainer = make_trainer()
    Game(trainer.spec.action_spec).learn(trainer)
    state = to_tensors(trainer.get_state())
    assert float(state["Module:Notes"]["weight"]) > 0
    other = make_trainer(seed=1)
    assert other.take_over_weights(state) == {}
    assert notebooks[1].counter == notebooks[0].counter
    del state["Module:Notes"]
    assert list(other.take_over_weights(state)) == ["network of curiosity"]
    with pytest.raises(ValueError, match="its learned reward signals are curiosity"):
        make_trainer({"extrinsic": {}, "rnd": {}}).set_state(to_tensors(trainer.get_state()))


@pytest.mark.parametrize("signal", ["curiosity", "rnd"])
@pytest.mark.parametrize("network", [{}, MEMORY], ids=["plain", "recurrent"])
def test_trainer_with_a_real_signal_continues_bit_for_bit(signal: str, network: dict[str, Any]) -> None:
    signals = {"extrinsic": {}, signal: {"strength": 0.1, "network_settings": {"hidden_units": 8}}}
    trainer = make_trainer(signals, **network)
    game = Game(trainer.spec.action_spec)
    game.learn(trainer)
    game.play(trainer, 5)
    file = io.BytesIO()
    torch.save(to_tensors(trainer.get_state()), file)
    file.seek(0)
    other = make_trainer(signals, seed=5, **network)
    other.set_state(torch.load(file, weights_only=True))
    results = []
    for each in (trainer, other):
        continued = Game(trainer.spec.action_spec, seed=8)
        continued.learn(each)
        continued.learn(each)
        results.append((each.flat.values.clone(), each.take_episodes()))
    assert torch.equal(results[0][0], results[1][0])
    assert results[0][1] == results[1][1]


# -- a whole run ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["memory", "image"])
def test_run_with_curiosity_resumes_bit_for_bit(tmp_path: Any, kind: str) -> None:  # noqa: ANN401
    def run(folder: str, *, resume: bool = False, env_seed: int = 0) -> TrainingRun:
        behavior = {
            "trainer_type": "ppo",
            "hyperparameters": {"batch_size": 32, "buffer_size": 128, "num_epoch": 1},
            "network_settings": {"hidden_units": 8, "num_layers": 1, **(MEMORY if kind == "memory" else {})},
            "reward_signals": {
                "extrinsic": {},
                "curiosity": {"strength": 0.1, "network_settings": {"hidden_units": 8}},
            },
            "max_steps": 800,
        }
        options = RunOptions(
            behaviors={"Task": behavior},
            env_settings={"seed": 7},
            torch_settings={"device": "cpu"},
            checkpoint_settings={"run_id": "r", "results_dir": str(tmp_path / folder), "resume": resume},
        )
        environment = ChoiceEnv(kind, num_agents=5, seed=env_seed, interrupts=True)
        return TrainingRun(options, environment=environment)

    straight = run("straight")
    straight.run()
    stopped = run("stopped")
    stopped._on_step = lambda r: r.stop() if r.behaviors["Task"].trainer.step >= 333 else None
    stopped.run()
    resumed = run("stopped", resume=True, env_seed=9)
    resumed.run()
    trainers = [each.behaviors["Task"].trainer for each in (straight, resumed)]
    assert trainers[0].updates == trainers[1].updates >= 5
    assert torch.equal(trainers[0].flat.values, trainers[1].flat.values)
    modules = [each.get_state()["Module:Curiosity"] for each in trainers]
    assert all(torch.equal(modules[0][name], modules[1][name]) for name in modules[0])


def test_pieces_of_large_experience_are_linked_within(monkeypatch: pytest.MonkeyPatch) -> None:
    trainer = make_trainer({"curiosity": {"network_settings": {"hidden_units": 8}}})
    collect(trainer, Game(trainer.spec.action_spec))
    store = trainer.store
    rows = np.flatnonzero(store.ready())
    whole = ppo_rewards.StoredTransitions(store, rows, torch.device("cpu"), with_next=True)
    (everything,) = whole.pieces()
    monkeypatch.setattr(ppo_rewards, "_PIECE_BYTES", 8 * 3 * 20)
    pieces = list(whole.pieces())
    assert not whole.is_one_piece
    assert [len(piece.batch) for piece in pieces] == [20] * (len(rows) // 20) + [len(rows) % 20][
        : len(rows) % 20
    ]
    for piece in pieces:
        begin = piece.places.start
        assert_array_equal(
            piece.batch.next_observations[0], everything.batch.next_observations[0][piece.places]
        )
        links = everything.next_index[piece.places] - begin
        links[(links < 0) | (links >= len(piece.batch))] = -1
        assert_array_equal(piece.next_index, links)
