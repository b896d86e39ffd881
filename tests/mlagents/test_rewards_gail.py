"""Adversarial imitation: loss, penalty and rewards against the formulas, and what it tells apart."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from imitation_helpers import CPU, HYBRID, demonstrations_of, random_batch, saved, spec_of, vectors
from numpy.testing import assert_allclose
from torch.nn import functional

from mlagents.imitation.demonstration_buffer import DemonstrationBuffer
from mlagents.rewards.gail import GAIL
from mlagents.rewards.gail_settings import GAILSettings
from mlagents.rewards.transitions import TransitionBatch, flatten_actions
from mlagents_envs.base_env import ActionSpec, BehaviorSpec

SMALL = {"hidden_units": 16, "num_layers": 1}
NO_ACTIONS = ActionSpec(0, ())
PLACE = spec_of(2, actions=NO_ACTIONS)


@pytest.fixture(autouse=True)
def one_thread() -> None:
    torch.set_num_threads(1)


def make(spec: BehaviorSpec, demonstrations: DemonstrationBuffer, seed: int = 0, **settings: object) -> GAIL:
    settings = {"network_settings": SMALL, "demo_path": "expert.demo", **settings}
    return GAIL(GAILSettings.model_validate(settings), spec, demonstrations, CPU, seed)


def random_demonstrations(spec: BehaviorSpec, count: int = 40, seed: int = 7) -> DemonstrationBuffer:
    batch = random_batch(spec, count, seed)
    return demonstrations_of(
        [column.numpy() for column in batch.observations],
        continuous=batch.continuous_actions.numpy(),
        discrete=batch.discrete_actions.numpy(),
        branches=spec.action_spec.discrete_branches,
    )


def around(center: float, count: int, seed: int) -> np.ndarray:
    return np.random.default_rng(seed).normal(center, 0.3, (count, 2)).astype(np.float32)


def with_logit(signal: GAIL, logit: float) -> GAIL:
    """The signal, judging everything alike."""
    with torch.no_grad():
        signal.network.head.weight.zero_()
        signal.network.head.bias.fill_(logit)
    return signal


def ending(batch: TransitionBatch, rows: list[int]) -> TransitionBatch:
    done = batch.done.clone()
    done[rows] = True
    return TransitionBatch(
        batch.observations, batch.next_observations, batch.continuous_actions, batch.discrete_actions, done
    )


# Rewards


@pytest.mark.parametrize(("form", "reward"), [("log_odds", np.log(3.0)), ("survival", -np.log(0.25))])
def test_reward_of_a_judgement_by_hand(form: str, reward: float) -> None:
    signal = make(PLACE, demonstrations_of([around(1, 9, 0)]), reward_form=form)
    with_logit(signal, np.log(3.0))  # D = 3/4
    assert_allclose(signal.evaluate(vectors(around(0, 3, 1))), [reward] * 3, rtol=1e-6)


@pytest.mark.parametrize("form", ["log_odds", "survival"])
def test_the_end_of_an_episode_is_rewarded_for_ever_after(form: str) -> None:
    signal = make(PLACE, demonstrations_of([around(1, 9, 0)]), gamma=0.8, reward_form=form)
    with_logit(signal, -2.0)
    plain, last = signal.evaluate(ending(vectors(around(0, 2, 1)), [1])).tolist()
    assert last == pytest.approx(plain * (1 + 0.8 / (1 - 0.8)))  # r + gamma r + gamma² r + ...
    old = with_logit(make(PLACE, demonstrations_of([around(1, 9, 0)]), absorbing_states=False), -2.0)
    assert old.evaluate(ending(vectors(around(0, 2, 1)), [1])).tolist() == pytest.approx([-2.0, -2.0])


def test_a_discount_of_one_gives_no_endless_reward() -> None:
    signal = with_logit(make(PLACE, demonstrations_of([around(1, 9, 0)]), gamma=1.0), 1.0)
    assert signal.evaluate(ending(vectors(around(0, 1, 1)), [0])).item() == pytest.approx(1001.0)


def test_ending_episodes_is_bad_where_the_expert_never_did_and_good_where_it_did() -> None:
    place = around(0, 64, 3)
    ends = list(range(0, 64, 4))
    rewards = {}
    for who in ("expert", "policy"):
        done = np.isin(np.arange(64), ends) if who == "expert" else None
        signal = make(PLACE, demonstrations_of([place], done=done), learning_rate=1e-2)
        batch = ending(vectors(place), ends if who == "policy" else [])
        for _ in range(150):
            signal.update(batch)
        going_on = signal.evaluate(vectors(place[:1])).item()
        rewards[who] = signal.evaluate(ending(vectors(place[:1]), [0])).item() - going_on
    # worth of 99 decisions, each within what slopes of at most 1 allow
    assert 50 < rewards["expert"] < 300
    assert -300 < rewards["policy"] < -50


# Loss


def test_loss_equals_the_formula() -> None:
    spec = spec_of(3, 2)
    demonstrations = random_demonstrations(spec)
    signal = make(spec, demonstrations, use_actions=True, absorbing_states=False)
    batch = random_batch(spec, 12)
    again = np.random.default_rng(0)
    rows = again.integers(40, size=12)
    expert = demonstrations.transitions(rows, CPU)
    with torch.no_grad():
        on_policy, on_expert = (signal.evaluate(each).double() for each in (batch, expert))
    judged = -torch.log(torch.sigmoid(on_expert)).mean() - torch.log(1 - torch.sigmoid(on_policy)).mean()
    stats = signal.update(batch)
    assert stats["Losses/GAIL Loss"] - stats["Policy/GAIL Grad Mag Loss"] == pytest.approx(
        judged.item(), rel=1e-5
    )
    assert stats["Policy/GAIL Policy Estimate"] == pytest.approx(
        torch.sigmoid(on_policy).mean().item(), rel=1e-5
    )
    assert stats["Policy/GAIL Expert Estimate"] == pytest.approx(
        torch.sigmoid(on_expert).mean().item(), rel=1e-5
    )


def test_penalty_covers_all_inputs_and_mixes_each_pair_with_one_factor() -> None:
    spec = spec_of(3, 2)
    demonstrations = random_demonstrations(spec)
    signal = make(spec, demonstrations, use_actions=True, absorbing_states=False)
    with torch.no_grad():
        signal.network.head.weight.mul_(7.5)  # gradients of norms around 1
    batch, expert = random_batch(spec, 10), random_batch(spec, 10, seed=5)

    def flat(one: TransitionBatch) -> torch.Tensor:
        actions = flatten_actions(one.continuous_actions, one.discrete_actions, HYBRID)
        return torch.cat([*one.observations, actions], dim=1)

    def logit(x: torch.Tensor) -> torch.Tensor:
        return signal.network.logits(signal.network.features((x[None, :3], x[None, 3:5]), x[None, 5:]))[0]

    factors = torch.from_numpy(np.random.default_rng(0).random(10, dtype=np.float32))
    penalties = []
    for factor, mine, theirs in zip(factors, flat(batch), flat(expert), strict=True):
        slope = torch.autograd.functional.jacobian(logit, factor * mine + (1 - factor) * theirs)
        penalties.append(max(0.0, float(torch.linalg.vector_norm(slope)) - 1.0) ** 2)
    assert 0 < np.count_nonzero(penalties) < 10
    found = signal.gradient_penalty(signal._inputs(batch), signal._inputs(expert))
    assert found.item() == pytest.approx(np.mean(penalties), rel=1e-4)


def test_penalty_reaches_the_mark_of_absorbing_states() -> None:
    spec = spec_of(2)
    signal = make(spec, random_demonstrations(spec))
    batch = random_batch(spec, 4)
    with torch.no_grad():  # a discriminator that looks at the mark only, with slope 3
        for parameter in signal.network.parameters():
            parameter.zero_()
        layer = signal.network.body.layers[0]
        layer.weight[0, -1] = 3.0
        layer.bias[0] = 40.0  # far up, where Swish is the identity
        signal.network.head.weight[0, 0] = 1.0
    inputs = signal._inputs(batch)
    assert signal.gradient_penalty(inputs, inputs).item() == pytest.approx((3.0 - 1.0) ** 2, rel=1e-4)


def test_flat_points_have_a_finite_penalty() -> None:
    signal = with_logit(make(PLACE, demonstrations_of([around(1, 9, 0)])), 0.0)
    stats = signal.update(vectors(around(0, 4, 1)))
    assert stats["Policy/GAIL Grad Mag Loss"] == 0.0
    assert all(torch.isfinite(parameter).all() for parameter in signal.network.parameters())
    assert signal._optimizer.num_skipped == 0


# What it learns


def test_expert_and_stranger_are_told_apart() -> None:
    signal = make(PLACE, demonstrations_of([around(1, 200, 0)]), learning_rate=3e-3)
    for seed in range(400):
        stats = signal.update(vectors(around(-1, 64, seed)))
    assert stats["Policy/GAIL Expert Estimate"] > 0.75
    assert stats["Policy/GAIL Policy Estimate"] < 0.25
    assert (
        signal.evaluate(vectors(around(1, 50, 900))).min()
        > signal.evaluate(vectors(around(-1, 50, 901))).max()
    )
    assert not any(parameter.grad is not None for parameter in signal.network.parameters())


def test_a_policy_that_acts_like_the_expert_cannot_be_told_apart_by_the_units_of_its_actions() -> None:
    spec = spec_of(1, actions=ActionSpec.create_continuous(1))
    rng = np.random.default_rng(0)
    expert = rng.uniform(-1, 1, (500, 1))
    demonstrations = demonstrations_of([np.zeros((500, 1))], continuous=expert)

    def estimates(scale: float) -> tuple[float, float]:
        signal = make(spec, demonstrations, use_actions=True, learning_rate=1e-2)
        for _ in range(100):
            actions = torch.from_numpy((scale * rng.uniform(-1, 1, (128, 1))).astype(np.float32))
            stats = signal.update(vectors(np.zeros((128, 1)), continuous_actions=actions))
        return stats["Policy/GAIL Policy Estimate"], stats["Policy/GAIL Expert Estimate"]

    assert estimates(1.0) == pytest.approx((0.5, 0.5), abs=0.05)
    assert estimates(3.0)[0] < 0.43  # what it would see if the policy's raw actions were given


def test_actions_count_only_where_they_are_used() -> None:
    spec = spec_of(2)
    batch = random_batch(spec, 6)
    other = TransitionBatch(
        batch.observations,
        batch.next_observations,
        -batch.continuous_actions,
        1 - batch.discrete_actions.clamp(max=1),
        batch.done,
    )
    for use_actions in (True, False):
        signal = make(spec, random_demonstrations(spec), use_actions=use_actions)
        assert torch.equal(signal.evaluate(batch), signal.evaluate(other)) is not use_actions


@pytest.mark.parametrize("normalize", [True, False])
def test_observations_are_scaled_by_demonstrations_and_experience(normalize: bool) -> None:
    far = demonstrations_of([around(1, 2000, 0) * 100 + 900])
    signal = make(PLACE, far, network_settings={**SMALL, "normalize": normalize})
    near = make(
        PLACE, demonstrations_of([around(1, 2000, 0)]), network_settings={**SMALL, "normalize": normalize}
    )
    one = signal.evaluate(vectors(around(1, 5, 3) * 100 + 900))
    other = near.evaluate(vectors(around(1, 5, 3)))
    assert torch.allclose(one, other, rtol=0.4, atol=0.05) is normalize
    before = signal.evaluate(vectors(around(0, 5, 3)))
    signal.begin_iteration(vectors(around(-900, 2000, 4)))
    assert torch.equal(signal.evaluate(vectors(around(0, 5, 3))), before) is not normalize


# The bottleneck


def test_divergence_of_the_code_equals_that_of_the_distributions() -> None:
    network = make(PLACE, demonstrations_of([around(1, 9, 0)]), use_vail=True).network
    with torch.no_grad():
        network.log_sigma.normal_(generator=torch.Generator().manual_seed(0))
    mean = torch.randn(5, 128)
    code = torch.distributions.Normal(mean, network.log_sigma.exp())
    expected = torch.distributions.kl_divergence(code, torch.distributions.Normal(0.0, 1.0)).sum(dim=1)
    assert_allclose(network.code_divergence(mean).detach(), expected.detach(), rtol=1e-5)


def test_the_bottleneck_bounds_the_mean_divergence_and_its_price_follows() -> None:
    demonstrations = demonstrations_of([around(1, 30, 0)])
    signal = make(PLACE, demonstrations, use_vail=True)
    batch = vectors(around(-1, 16, 1))
    expert = demonstrations.transitions(np.random.default_rng(0).integers(30, size=16), CPU)
    with torch.no_grad():
        both = [
            signal.network.code_divergence(signal.network.features(*signal._inputs(each))).mean().item()
            for each in (batch, expert)
        ]
    signal.beta = 2.0
    stats = signal.update(batch)
    assert stats["Losses/GAIL KL Loss"] == pytest.approx(np.mean(both), rel=1e-5)
    assert signal.beta == pytest.approx(2.0 + 5e-4 * (np.mean(both) - 0.5), rel=1e-9)
    assert stats["Policy/GAIL Beta"] == signal.beta
    estimates = stats["Losses/GAIL Loss"] - stats["Policy/GAIL Grad Mag Loss"] - 2.0 * (np.mean(both) - 0.5)
    assert estimates == pytest.approx(2 * np.log(2.0), rel=0.2)  # it judges nothing yet


def test_the_price_of_information_is_never_negative() -> None:
    signal = make(PLACE, demonstrations_of([around(1, 30, 0)]), use_vail=True)
    with torch.no_grad():
        signal.network.code.weight.zero_()  # no information at all
    signal.update(vectors(around(-1, 16, 1)))
    assert signal.beta == 0.0


def test_rewards_do_not_depend_on_the_noise() -> None:
    signal = make(PLACE, demonstrations_of([around(1, 30, 0)]), use_vail=True)
    batch = vectors(around(-1, 16, 1))
    assert torch.equal(signal.evaluate(batch), signal.evaluate(batch))
    features = signal.network.features(*signal._inputs(batch))
    noise = torch.full((16, 128), 0.5)
    sampled = signal.network.logits(features, noise)
    shift = functional.linear(0.5 * signal.network.log_sigma.exp(), signal.network.head.weight).item()
    assert_allclose((sampled - signal.network.logits(features)).detach(), shift, atol=1e-5)


# State


@pytest.mark.parametrize("use_vail", [True, False])
def test_a_restored_signal_goes_on_bit_for_bit(use_vail: bool) -> None:
    spec = spec_of(3)
    settings = {"use_vail": use_vail, "use_actions": True, "network_settings": {**SMALL, "normalize": True}}
    signal, other = (make(spec, random_demonstrations(spec), seed, **settings) for seed in (0, 1))
    for seed in range(3):
        signal.begin_iteration(random_batch(spec, 8, seed))
        signal.update(random_batch(spec, 8, seed))
    other.set_state(saved(signal))
    for seed in range(3, 6):
        batch = ending(random_batch(spec, 8, seed), [2, 5])
        for each in (signal, other):
            each.begin_iteration(batch)
        assert signal.update(batch) == other.update(batch)
        assert torch.equal(signal.evaluate(batch), other.evaluate(batch))
    assert list(saved(signal)["modules"]) == ["Module:GAIL"]
