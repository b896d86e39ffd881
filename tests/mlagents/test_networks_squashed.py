"""The networks of SAC, and the policy that acts with them."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from sac_helpers import SPECS, make_networks
from trainer_helpers import behavior_spec

from mlagents.algorithms.sac_networks import SACNetworks
from mlagents.networks.acting import ActionColumns, NonFiniteActionError
from mlagents.networks.observations import ObservationEncoder
from mlagents.networks.settings import NetworkSettings
from mlagents.networks.squashed_acting import SquashedActingPolicy
from mlagents.networks.squashed_actor import LOG_SIGMA_MAX, LOG_SIGMA_MIN
from mlagents_envs.base_env import ActionSpec, BehaviorSpec

MEMORY = {"memory": {"memory_size": 6, "sequence_length": 4}}
FLAT, IMAGE = (4,), ((3, 20, 20), 2)
CASES = [(kind, sizes, network) for kind in SPECS for sizes in (FLAT, IMAGE) for network in ({}, MEMORY)]


def columns(spec: BehaviorSpec, rows: int, notes: int = 0, memory: int = 0) -> ActionColumns:
    actions = spec.action_spec
    return ActionColumns(
        np.zeros((rows, actions.continuous_size), dtype=np.float32),
        np.zeros((rows, actions.discrete_size), dtype=np.int32),
        np.zeros((rows, notes), dtype=np.float32),
        np.ones((rows, sum(actions.discrete_branches)), dtype=np.bool_),
        memory=np.zeros((rows, memory), dtype=np.float32) if memory else None,
        critic_memory=np.zeros((rows, 2 * memory), dtype=np.float32) if memory else None,
    )


def acting_policy(
    spec: BehaviorSpec, network: dict[str, object] | None = None, *, deterministic: bool = False
) -> SquashedActingPolicy:
    networks, _ = make_networks(spec, network=network)
    policy = SquashedActingPolicy(
        networks.make_actor(),
        ObservationEncoder("B", spec.observation_specs, normalize=False),
        np.random.default_rng(0),
        deterministic=deterministic,
        copy_of_critic=networks.make_critic() if network else None,
    )
    policy.load_weights(networks.flat_actor, networks.flat_critic)
    policy.networks = networks
    return policy


def observations(spec: BehaviorSpec, rows: int, seed: int = 0) -> list[np.ndarray]:
    rng = np.random.default_rng(seed)
    return [rng.random((rows, *o.shape), dtype=np.float32) for o in spec.observation_specs]


@pytest.mark.parametrize(("kind", "sizes", "network"), CASES)
def test_every_parameter_takes_part(kind: str, sizes: tuple, network: dict) -> None:
    spec = behavior_spec(SPECS[kind], sizes)
    networks, _ = make_networks(spec, streams=2, network=network, deviation=0.1)
    inputs = [torch.from_numpy(column) for column in observations(spec, 8)]
    length = 4 if network else 1
    outputs, log_sigma, _ = networks.actor(inputs, None, length)
    (outputs.square().sum() + log_sigma.square().sum()).backward()
    for name, parameter in networks.actor.named_parameters():
        assert parameter.grad is not None, name
        assert parameter.grad.any(), name
    encodings, after = networks.critic.encode(inputs, None, length)
    actions = torch.rand(8, spec.action_spec.continuous_size)
    values = networks.critic.evaluate(encodings, actions)
    assert after.shape == (8 // length, networks.critic.memory_size)
    assert values[0].shape == values[1].shape == (8, 2, sum(spec.action_spec.discrete_branches) or 1)
    assert not torch.allclose(*values)
    sum(each.square().sum() for each in values).backward()
    for name, parameter in networks.critic.named_parameters():
        assert parameter.grad.any(), name


@pytest.mark.parametrize("network", [{}, MEMORY])
@pytest.mark.parametrize("sizes", [FLAT, IMAGE])
def test_values_depend_on_the_continuous_actions_of_their_own_row(sizes: tuple, network: dict) -> None:
    spec = behavior_spec(SPECS["hybrid"], sizes)
    networks, _ = make_networks(spec, network=network)
    inputs = [torch.from_numpy(column) for column in observations(spec, 4)]
    encodings, _ = networks.critic.encode(inputs, None, 4 if network else 1)
    actions = torch.zeros(4, 2)
    other = actions.clone()
    other[1] = 1.0
    for before, after in zip(
        networks.critic.evaluate(encodings, actions), networks.critic.evaluate(encodings, other), strict=True
    ):
        changed = (before != after).flatten(1).any(dim=1)
        assert changed.tolist() == [False, True, False, False]


def test_initial_weights_depend_on_the_seed_only_and_targets_begin_as_the_critics() -> None:
    spec = behavior_spec(SPECS["hybrid"], FLAT)
    networks = [make_networks(spec, seed=seed)[0] for seed in (1, 1, 2)]
    fresh = [torch.cat([p.flatten() for p in n.make_critic().parameters()]) for n in networks]
    assert torch.equal(fresh[0], fresh[1])
    assert not torch.equal(fresh[0], fresh[2])
    _, settings = make_networks(spec)
    encoder = ObservationEncoder("B", spec.observation_specs, normalize=False)
    shape = NetworkSettings(hidden_units=8)
    new = SACNetworks(encoder, spec.action_spec, shape, settings, 1, 3, torch.device("cpu"))
    assert torch.equal(new.flat_critic.values, new.flat_target.values)


def test_deviations_are_clamped() -> None:
    spec = behavior_spec(SPECS["continuous"], FLAT)
    networks, _ = make_networks(spec)
    head = networks.actor.policy.linear_layers()[-1]
    head.bias.data[2:] = torch.tensor([100.0, -100.0])
    _, log_sigma, _ = networks.actor([torch.zeros(1, 4)])
    assert log_sigma[0].tolist() == [LOG_SIGMA_MAX, LOG_SIGMA_MIN]


def test_deterministic_actions_are_the_squashed_means() -> None:
    """D15: in the original they are the means themselves, outside of -1 to 1."""
    spec = behavior_spec(SPECS["hybrid"], FLAT)
    policy = acting_policy(spec, deterministic=True)
    seen = [20.0 * column for column in observations(spec, 6)]
    target = columns(spec, 6)
    actions = policy.act(seen, target)
    outputs, _, _ = policy.networks.actor([torch.from_numpy(seen[0])])
    means = outputs[:, :2].detach()
    assert means.abs().max() > 1.0
    np.testing.assert_allclose(actions.continuous, torch.tanh(means).numpy(), atol=1e-6)
    assert actions.discrete[:, 0].tolist() == outputs[:, 2:4].argmax(dim=1).tolist()
    assert actions.discrete[:, 1].tolist() == outputs[:, 4:].argmax(dim=1).tolist()
    np.testing.assert_array_equal(target.continuous, actions.continuous)
    assert actions.continuous.base is not target.continuous


def test_samples_follow_the_distribution() -> None:
    spec = behavior_spec(SPECS["continuous"], FLAT)
    policy = acting_policy(spec)
    seen = [np.repeat(observations(spec, 1)[0], 4000, axis=0)]
    actions = policy.act(seen, columns(spec, 4000)).continuous
    outputs, log_sigma, _ = policy.networks.actor([torch.from_numpy(seen[0][:1])])
    u = np.arctanh(np.clip(actions.astype(np.float64), -0.9999999, 0.9999999))
    mean, sigma = outputs[0].detach().numpy(), log_sigma[0].exp().detach().numpy()
    below = (u < mean + sigma).mean(axis=0)
    np.testing.assert_allclose(below, 0.8413, atol=0.03)
    np.testing.assert_allclose((u < mean).mean(axis=0), 0.5, atol=0.04)


def test_samples_have_clamped_deviations_too() -> None:
    spec = behavior_spec(SPECS["continuous"], FLAT)
    policy = acting_policy(spec)
    head = policy.networks.actor.policy.linear_layers()[-1]
    head.bias.data[2:] = 100.0
    head.weight.data[:] = 0.0
    policy.load_weights(policy.networks.flat_actor, policy.networks.flat_critic)
    actions = policy.act([np.zeros((4000, 4), dtype=np.float32)], columns(spec, 4000)).continuous
    # with the deviation unclamped every action would be -1 or 1
    expected = math.erf(math.atanh(0.9) / math.exp(LOG_SIGMA_MAX) / math.sqrt(2.0))
    assert (abs(actions) < 0.9).mean() == pytest.approx(expected, abs=0.03)


def test_forbidden_choices_are_never_taken_and_entropies_are_noted() -> None:
    spec = behavior_spec(ActionSpec.create_discrete((3, 2)), FLAT)
    policy = acting_policy(spec)
    seen = [np.repeat(observations(spec, 1)[0], 500, axis=0)]
    target = columns(spec, 500, notes=2)
    target.allowed[:, 1] = False
    actions = policy.act(seen, target)
    assert set(actions.discrete[:, 0]) == {0, 2}
    logits = policy.networks.actor([torch.from_numpy(seen[0][:1])])[0][0].detach().double().numpy()
    for branch, chosen in enumerate([logits[[0, 2]], logits[3:]]):
        p = np.exp(chosen) / np.exp(chosen).sum()
        np.testing.assert_allclose(target.log_probs[:, branch], -(p * np.log(p)).sum(), rtol=1e-5)


@pytest.mark.parametrize("sizes", [FLAT, IMAGE])
def test_memories_of_policy_and_critics_are_carried_on(sizes: tuple) -> None:
    spec = behavior_spec(SPECS["hybrid"], sizes)
    policy = acting_policy(spec, MEMORY)
    target = columns(spec, 3, memory=6)
    seen = [observations(spec, 3, seed) for seed in range(4)]
    for each in seen:
        policy.act(each, target)
    paths = [
        torch.from_numpy(np.stack(c, axis=1).reshape(12, *c[0].shape[1:])) for c in zip(*seen, strict=True)
    ]
    _, _, after = policy.networks.actor(paths, None, 4)
    torch.testing.assert_close(torch.from_numpy(target.memory), after)
    _, after = policy.networks.critic.encode(paths, None, 4)
    torch.testing.assert_close(torch.from_numpy(target.critic_memory), after)
    assert after.abs().max() > 0.01
    with pytest.raises(ValueError, match="memory"):
        policy.act(seen[0], columns(spec, 3))


def test_nan_is_refused() -> None:
    for kind in SPECS:
        spec = behavior_spec(SPECS[kind], FLAT)
        policy = acting_policy(spec)
        seen = observations(spec, 2)
        seen[0][1, 0] = np.nan
        with pytest.raises(NonFiniteActionError):
            policy.act(seen, columns(spec, 2))
