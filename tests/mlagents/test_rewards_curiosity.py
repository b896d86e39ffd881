"""Curiosity: losses against the formulas, where gradients go, what is rewarded."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from imitation_helpers import CPU, HYBRID, image_spec, random_batch, saved, spec_of
from numpy.testing import assert_allclose
from numpy.typing import NDArray
from torch import nn

from mlagents.networks.actor_critic import Mlp
from mlagents.rewards.curiosity import Curiosity
from mlagents.rewards.curiosity_settings import CuriositySettings
from mlagents.rewards.networks import encode
from mlagents.rewards.statistics import discounted_sums
from mlagents.rewards.transitions import TransitionBatch, flatten_actions
from mlagents_envs.base_env import ActionSpec, BehaviorSpec

SMALL = {"hidden_units": 12, "num_layers": 1}


@pytest.fixture(autouse=True)
def one_thread() -> None:
    torch.set_num_threads(1)


def make(spec: BehaviorSpec, seed: int = 0, **settings: object) -> Curiosity:
    settings = {"network_settings": SMALL, **settings}
    return Curiosity(CuriositySettings.model_validate(settings), spec, CPU, seed)


def by_hand(mlp: Mlp, x: NDArray[np.float64]) -> NDArray[np.float64]:
    first, second = (layer for layer in mlp.layers if isinstance(layer, nn.Linear))
    weights = [
        tensor.detach().numpy().astype(float) for layer in (first, second) for tensor in layer.parameters()
    ]
    hidden = x @ weights[0].T + weights[1]
    hidden = hidden / (1 + np.exp(-hidden))
    return hidden @ weights[2].T + weights[3]


def test_actions_become_one_vector() -> None:
    flat = flatten_actions(torch.tensor([[0.5, -1.0]]), torch.tensor([[2, 0]]), HYBRID)
    assert flat.tolist() == [[0.5, -1.0, 0.0, 0.0, 1.0, 1.0, 0.0]]


def standardized(features: np.ndarray) -> np.ndarray:
    """Rows with mean 0 and deviation 1."""
    centred = features - features.mean(axis=1, keepdims=True)
    return centred / np.sqrt((centred**2).mean(axis=1, keepdims=True) + 1e-5)


def test_far_off_observations_are_not_worth_more_than_others() -> None:
    spec = spec_of(4)
    signal, batch = make(spec, normalize_reward=False), random_batch(spec, 6)
    far = TransitionBatch(
        *((1e6 * column[0],) for column in (batch.observations, batch.next_observations)),
        batch.continuous_actions,
        batch.discrete_actions,
        batch.done,
    )
    (usual, _), (unusual, _) = signal.losses(batch), signal.losses(far)
    assert unusual.item() < 10.0 * usual.item()


def test_losses_and_reward_equal_the_formulas() -> None:
    spec = spec_of(4, 3)
    signal, batch = make(spec, normalize_reward=False), random_batch(spec, 6)
    with torch.no_grad():
        before = standardized(encode(signal.network.features, batch.observations).double().numpy())
        after = standardized(encode(signal.network.features, batch.next_observations).double().numpy())
    actions = flatten_actions(batch.continuous_actions, batch.discrete_actions, HYBRID).double().numpy()
    guess = by_hand(signal.network.inverse_model, np.concatenate([before, after], axis=1))
    inverse = ((guess[:, :2] - batch.continuous_actions.numpy()) ** 2).sum(axis=1)
    for branch, columns in enumerate((slice(2, 5), slice(5, 7))):
        likelihood = np.exp(guess[:, columns])
        likelihood /= likelihood.sum(axis=1, keepdims=True)
        inverse -= np.log(likelihood[np.arange(6), batch.discrete_actions[:, branch]])
    prediction = by_hand(signal.network.forward_model, np.concatenate([before, actions], axis=1))
    forward = 0.5 * ((prediction - after) ** 2).sum(axis=1)

    forward_loss, inverse_loss = signal.losses(batch)
    assert forward_loss.item() == pytest.approx(forward.mean(), rel=1e-5)
    assert inverse_loss.item() == pytest.approx(inverse.mean(), rel=1e-5)
    state = saved(signal)
    state["training"]["has_learned"] = True  # until then nothing is rewarded
    signal.set_state(state)
    assert_allclose(signal.evaluate(batch), np.minimum(forward, 1.0), rtol=1e-5)


def gradients(loss: torch.Tensor, module: nn.Module) -> float:
    found = torch.autograd.grad(loss, list(module.parameters()), allow_unused=True, retain_graph=True)
    return sum(0.0 if each is None else float(each.abs().sum()) for each in found)


def test_each_loss_teaches_its_own_part_and_features_follow_the_inverse_model_alone() -> None:
    spec = spec_of(4)
    signal = make(spec)
    network = signal.network
    forward_loss, inverse_loss = signal.losses(random_batch(spec, 8))
    assert gradients(forward_loss, network.features) == 0.0
    assert gradients(forward_loss, network.inverse_model) == 0.0
    assert gradients(forward_loss, network.forward_model) > 0.0
    assert gradients(inverse_loss, network.features) > 0.0
    assert gradients(inverse_loss, network.inverse_model) > 0.0
    assert gradients(inverse_loss, network.forward_model) == 0.0


def test_a_step_follows_ten_times_the_weighted_losses() -> None:
    spec = spec_of(4)
    signal, batch = make(spec, learning_rate=1e-3), random_batch(spec, 8)
    reference = make(spec)
    forward_loss, inverse_loss = reference.losses(batch)
    loss = 10.0 * (0.2 * forward_loss + 0.8 * inverse_loss)
    parameters = list(reference.network.parameters())
    adam = torch.optim.Adam(parameters, lr=1e-3)
    loss.backward()
    nn.utils.clip_grad_norm_(parameters, 10.0)
    adam.step()
    signal.update(batch)
    for mine, theirs in zip(signal.network.parameters(), parameters, strict=True):
        assert_allclose(mine.detach(), theirs.detach(), atol=2e-6)
        assert mine.grad is None


def walk(count: int, seed: int) -> TransitionBatch:
    """Steps of a walker whose action is added to its place."""
    rng = np.random.default_rng(seed)
    place = rng.uniform(-1, 1, (count, 2)).astype(np.float32)
    action = rng.uniform(-1, 1, (count, 2)).astype(np.float32)
    return TransitionBatch(
        (torch.from_numpy(place),),
        (torch.from_numpy(place + action),),
        torch.from_numpy(action),
        torch.zeros(count, 0, dtype=torch.int64),
        torch.zeros(count, dtype=torch.bool),
    )


WALKER = spec_of(2, actions=ActionSpec.create_continuous(2))


def test_what_was_learned_to_predict_earns_little_and_surprises_earn_much() -> None:
    signal = make(WALKER, learning_rate=3e-3)
    first = signal.losses(walk(256, 100))
    for seed in range(300):
        stats = signal.update(walk(128, seed))
    assert stats["Losses/Curiosity Forward Loss"] < 0.1 * first[0].item()
    assert stats["Losses/Curiosity Inverse Loss"] < 0.1 * first[1].item()
    usual = walk(256, 101)
    surprising = TransitionBatch(
        usual.observations,
        (usual.next_observations[0].roll(1, 0),),
        usual.continuous_actions,
        usual.discrete_actions,
        usual.done,
    )
    assert signal.evaluate(surprising).mean() > 10 * signal.evaluate(usual).mean()


def test_nothing_is_rewarded_before_anything_was_learned() -> None:
    signal, batch = make(WALKER), walk(8, 0)
    signal.begin_iteration(batch)
    assert signal.evaluate(batch).tolist() == [0.0] * 8
    signal.update(batch)
    assert (signal.evaluate(batch) > 0).all()


def test_rewards_are_in_units_of_the_deviation_of_their_discounted_sum() -> None:
    signal, raw = (make(WALKER, gamma=0.9, strength=0.01, normalize_reward=flag) for flag in (True, False))
    batch = walk(50, 3)
    for each in (signal, raw):
        each.update(batch)
    chain = torch.cat([torch.arange(1, 50), torch.tensor([-1])])
    signal.begin_iteration(batch, chain)
    plain = raw.evaluate(batch)
    assert plain.max() < 100.0  # not clipped
    deviation = discounted_sums(plain.double().numpy(), chain.numpy(), 0.9).std()
    assert deviation != pytest.approx(1.0, rel=0.1)
    assert_allclose(signal.evaluate(batch), plain / deviation, rtol=1e-5)


def test_without_scaling_rewards_end_at_one_over_strength() -> None:
    signal = make(WALKER, strength=1000.0, normalize_reward=False)
    batch = walk(20, 1)
    signal.update(batch)
    assert signal.evaluate(batch).max().item() == pytest.approx(1e-3)
    nothing = make(WALKER, strength=0.0, normalize_reward=False)
    nothing.update(batch)
    assert torch.isfinite(nothing.evaluate(batch)).all()


@pytest.mark.parametrize("normalize", [True, False])
def test_observations_are_scaled_where_the_settings_say_so(normalize: bool) -> None:
    near = walk(64, 5)
    far = TransitionBatch(
        *((500 * column[0] + 90,) for column in (near.observations, near.next_observations)),
        near.continuous_actions,
        near.discrete_actions,
        near.done,
    )
    errors = []
    for batch in (near, far):
        again = make(
            WALKER, network_settings={**SMALL, "normalize": normalize}, normalize_reward=False, strength=1e-6
        )
        again._has_learned = True
        again.begin_iteration(batch)
        errors.append(again.evaluate(batch).numpy())
    assert np.allclose(errors[0], errors[1], rtol=0.1, atol=0.1) is normalize


def test_a_restored_signal_goes_on_bit_for_bit() -> None:
    spec = BehaviorSpec([*spec_of(3).observation_specs, image_spec(20, 20)], HYBRID)
    signal = make(spec, network_settings={**SMALL, "normalize": True})
    for seed in range(3):
        batch = random_batch(spec, 8, seed)
        signal.begin_iteration(batch)
        signal.update(batch)
    other = make(spec, seed=9, network_settings={**SMALL, "normalize": True})
    other.set_state(saved(signal))
    for seed in range(3, 6):
        batch = random_batch(spec, 8, seed)
        for each in (signal, other):
            each.begin_iteration(batch)
        assert signal.update(batch) == other.update(batch)
        assert torch.equal(signal.evaluate(batch), other.evaluate(batch))
    assert list(saved(signal)["modules"]) == ["Module:Curiosity"]


def test_rows_beyond_one_chunk_are_judged_alike() -> None:
    signal, batch = make(WALKER), walk(2500, 0)
    signal.update(batch)
    whole = signal.evaluate(batch)
    assert len(whole) == 2500
    assert_allclose(whole[2000:], signal.evaluate(batch.select(slice(2000, None))), rtol=1e-5)
    assert len(signal.evaluate(batch.select(slice(0, 0)))) == 0
