"""Random network distillation: the error, what learns, whitening, warm-up, scaling."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from imitation_helpers import CPU, image_spec, random_batch, saved, spec_of, vectors
from numpy.testing import assert_allclose

from mlagents.rewards.networks import encode
from mlagents.rewards.rnd import RND
from mlagents.rewards.rnd_settings import RNDSettings
from mlagents.rewards.statistics import discounted_sums
from mlagents_envs.base_env import ActionSpec, BehaviorSpec

SMALL = {"hidden_units": 16, "num_layers": 2}
PLAIN = {"normalize_reward": False, "whiten_observations": False}
SPEC = spec_of(3, actions=ActionSpec.create_discrete((2,)))


@pytest.fixture(autouse=True)
def one_thread() -> None:
    torch.set_num_threads(1)


def make(spec: BehaviorSpec = SPEC, seed: int = 0, **settings: object) -> RND:
    settings = {"network_settings": SMALL, **settings}
    return RND(RNDSettings.model_validate(settings), spec, CPU, seed)


def test_reward_is_the_squared_distance_of_both_networks_at_the_next_observation() -> None:
    signal, batch = make(**PLAIN), random_batch(SPEC, 5)
    with torch.no_grad():
        guess, target = (encode(each, batch.next_observations) for each in (signal.predictor, signal.target))
    expected = ((guess.double() - target.double()) ** 2).sum(dim=1)
    assert (expected > 0).all()
    assert_allclose(signal.evaluate(batch), expected, rtol=1e-5)
    assert signal.update(batch)["Losses/RND Loss"] == pytest.approx(expected.mean().item(), rel=1e-5)


def test_only_the_predictor_learns() -> None:
    signal = make(**PLAIN)
    target, predictor = (
        saved(signal)["modules"]["Module:RND-target"],
        saved(signal)["modules"]["Module:RND-pred"],
    )
    for seed in range(5):
        signal.update(random_batch(SPEC, 16, seed))
    after = saved(signal)["modules"]
    assert all(torch.equal(target[name], after["Module:RND-target"][name]) for name in target)
    assert not any(torch.equal(predictor[name], after["Module:RND-pred"][name]) for name in predictor)
    assert not any(parameter.requires_grad for parameter in signal.target.parameters())


def test_states_seen_often_earn_little_and_new_ones_much() -> None:
    signal = make(learning_rate=1e-3, warm_up_steps=0, normalize_reward=False)
    rng = np.random.default_rng(0)
    known = vectors(rng.normal([1, 0, 0], 0.3, (128, 3)))
    new = vectors(rng.normal([-1, 2, -2], 0.3, (128, 3)))
    both = vectors(np.concatenate([known.observations[0], new.observations[0]]))
    signal.begin_iteration(both)
    before = signal.evaluate(known).mean(), signal.evaluate(new).mean()
    for _ in range(300):
        signal.update(known)
    assert signal.evaluate(known).mean() < 0.05 * before[0]
    assert signal.evaluate(new).mean() > 10 * signal.evaluate(known).mean()


def test_nothing_is_rewarded_or_learned_before_the_scale_of_observations_is_known() -> None:
    signal, batch = make(warm_up_steps=20), random_batch(SPEC, 10)
    weights = saved(signal)["modules"]["Module:RND-pred"]
    signal.begin_iteration(batch)
    assert signal.evaluate(batch).tolist() == [0.0] * 10
    assert signal.update(batch) == {}
    now = saved(signal)["modules"]["Module:RND-pred"]
    assert all(torch.equal(weights[name], now[name]) for name in weights)
    signal.begin_iteration(random_batch(SPEC, 10, 1))
    assert (signal.evaluate(batch) > 0).all()
    assert signal.update(batch) != {}


def test_units_of_observations_do_not_matter() -> None:
    rng = np.random.default_rng(1)
    places = rng.normal(size=(4000, 3))
    rewards = []
    for scaled in (places, 1e-3 * places, 1e4 * places - 3e4):
        signal = make(normalize_reward=False)
        batch = vectors(scaled)
        signal.begin_iteration(batch)
        rewards.append(signal.evaluate(batch).numpy())
    assert rewards[0].mean() > 0
    assert_allclose(rewards[1], rewards[0], rtol=1e-3)
    assert_allclose(rewards[2], rewards[0], rtol=1e-2)


def test_the_original_way_leaves_observations_as_they_are_unless_normalize_is_set() -> None:
    batch = vectors(np.random.default_rng(1).normal(90, 5, (500, 3)))
    plain, normalized = make(**PLAIN), make(**PLAIN, network_settings={**SMALL, "normalize": True})
    for signal in (plain, normalized):
        raw = signal.evaluate(batch)
        signal.begin_iteration(batch)
        assert torch.equal(signal.evaluate(batch), raw) is (signal is plain)


def test_images_are_whitened_too() -> None:
    spec = BehaviorSpec([image_spec(20, 20)], ActionSpec.create_discrete((2,)))
    batch = random_batch(spec, 32)
    signal = make(spec, warm_up_steps=0, normalize_reward=False)
    raw = signal.evaluate(batch)
    signal.begin_iteration(batch)
    assert not torch.allclose(signal.evaluate(batch), raw, rtol=1e-3)


def test_rewards_are_in_units_of_the_deviation_of_their_discounted_sum() -> None:
    signal = make(gamma=0.9, warm_up_steps=0)
    batch = random_batch(SPEC, 60)
    chains = torch.cat([torch.arange(1, 30), torch.tensor([-1]), torch.arange(31, 60), torch.tensor([-1])])
    signal.begin_iteration(batch, chains)
    raw = signal.errors(batch).detach()
    deviation = discounted_sums(raw.double().numpy(), chains.numpy(), 0.9).std()
    assert deviation != pytest.approx(1.0, rel=0.1)
    assert_allclose(signal.evaluate(batch), raw / deviation, rtol=1e-5)


def test_the_stream_goes_on_after_the_end_of_an_episode() -> None:
    assert RND.ignores_done
    assert RND.uses_next_observations


def test_a_restored_signal_goes_on_bit_for_bit() -> None:
    signal = make(warm_up_steps=16)
    for seed in range(4):
        batch = random_batch(SPEC, 8, seed)
        signal.begin_iteration(batch)
        signal.update(batch)
    other = make(warm_up_steps=16, seed=5)
    other.set_state(saved(signal))
    for seed in range(4, 7):
        batch = random_batch(SPEC, 8, seed)
        for each in (signal, other):
            each.begin_iteration(batch)
        assert signal.update(batch) == other.update(batch) != {}
        assert torch.equal(signal.evaluate(batch), other.evaluate(batch))
