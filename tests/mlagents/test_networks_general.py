"""Actor and critic for any observations, acting with them, and which network a behavior gets."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from network_helpers import (
    entities,
    generator,
    image,
    network_settings,
    observations,
    randomize,
    vector,
    without_gradient,
)
from numpy.testing import assert_allclose, assert_array_equal
from torch import nn
from trainer_helpers import ACTION_SPECS

from mlagents.networks.acting import ActingPolicy, ActionColumns, NonFiniteActionError
from mlagents.networks.actor_critic import ActorCritic
from mlagents.networks.factory import make_acting_policy, make_actor_critic
from mlagents.networks.flat_parameters import FlatParameters
from mlagents.networks.general_acting import GeneralActingPolicy
from mlagents.networks.general_actor_critic import GeneralActorCritic
from mlagents.networks.observations import ObservationEncoder, UnsupportedObservationError
from mlagents_envs.base_env import ActionSpec, BehaviorSpec, ObservationSpec

HYBRID = ACTION_SPECS["hybrid"]  # two continuous actions, branches of 2 and 4
MIXED = [vector(2), image(1, 20, 20), entities(3, 2), vector(3, goal=True)]
MEMORY = {"memory_size": 6, "sequence_length": 4}


@pytest.fixture(autouse=True)
def _one_thread() -> None:
    torch.set_num_threads(1)


def make(
    specs: list[ObservationSpec] = MIXED, *, shared: bool = False, seed: int = 0, **settings: object
) -> GeneralActorCritic:
    network = GeneralActorCritic(
        specs, HYBRID, network_settings(**settings), 2, generator(seed), shared_critic=shared
    )
    randomize(network, seed, scale=1.5)
    return network


# -- the network ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("shared", [False, True])
@pytest.mark.parametrize("memory", [None, MEMORY])
def test_forward_equals_its_halves(shared: bool, memory: dict[str, int] | None) -> None:
    network = make(shared=shared, memory=memory)
    inputs = observations(MIXED, 8)
    size = 6 if memory else 0
    assert network.actor_memory_size == size
    assert network.critic_memory_size == (0 if shared else size)
    actor_memory = torch.randn(2, network.actor_memory_size, generator=generator(1))
    critic_memory = torch.randn(2, network.critic_memory_size, generator=generator(2))
    outputs, values, actor_after, critic_after = network(inputs, actor_memory, critic_memory, 4)
    assert outputs.shape == (8, 2 + 6)
    assert values.shape == (8, 2)
    assert actor_after.shape == actor_memory.shape
    assert critic_after.shape == critic_memory.shape
    half, after = network.act(inputs, actor_memory, 4)
    torch.testing.assert_close(half, outputs)
    torch.testing.assert_close(after, actor_after)
    half, after = network.value(inputs, actor_memory if shared else critic_memory, 4)
    torch.testing.assert_close(half, values)
    torch.testing.assert_close(after, actor_after if shared else critic_after)


def test_outputs_are_heads_on_the_encoding() -> None:
    network = make()
    inputs = observations(MIXED, 3)
    outputs, values, _, _ = network(inputs)
    encoding, _ = network.actor.body(inputs)
    torch.testing.assert_close(outputs, encoding @ network.actor.head.weight.T + network.actor.head.bias)
    encoding, _ = network.critic.body(inputs)
    torch.testing.assert_close(values, encoding @ network.critic.head.weight.T + network.critic.head.bias)


def test_actor_and_critic_remember_separately() -> None:
    network = make(memory=MEMORY)
    inputs = observations(MIXED, 2)
    other = torch.ones(2, 6)
    outputs, values, _, _ = network(inputs)
    with_actor, same_values, _, _ = network(inputs, other, None)
    same_outputs, with_critic, _, _ = network(inputs, None, other)
    assert torch.equal(same_values, values)
    assert torch.equal(same_outputs, outputs)
    assert not torch.isclose(with_actor, outputs).any()
    assert not torch.isclose(with_critic, values).any()


@pytest.mark.parametrize("shared", [False, True])
def test_gradients_flow_where_they_should(shared: bool) -> None:
    network = make(shared=shared, memory=MEMORY)
    # a constant for all keys has no effect
    allowed = {f"{half}.body.inputs.entity_encoder.attention.key.bias" for half in ("actor", "critic")}
    names = {name for name, _ in network.named_parameters()}
    critic = {name for name in names if name.startswith("critic.")}
    body = {name for name in names if name.startswith("actor.body.")}

    def missing(*, policy: float, value: float) -> set[str]:
        outputs, values, _, _ = network(observations(MIXED, 8), sequence_length=4)
        weight = torch.randn(8, 8, generator=generator(5))
        loss = policy * (outputs * weight).sum() + value * (values * weight[:, :2]).sum()
        return without_gradient(network, loss) - allowed

    assert missing(policy=1.0, value=1.0) == {"log_sigma"}
    assert missing(policy=1.0, value=0.0) == critic - allowed | {"log_sigma"}
    reached = critic | body if shared else critic
    assert missing(policy=0.0, value=1.0) == names - reached - allowed
    assert critic
    assert body


def test_initial_heads() -> None:
    actions = ActionSpec.create_hybrid(300, (200, 100))
    network = GeneralActorCritic([vector(3)], actions, network_settings(hidden_units=256), 50, generator())
    head = network.actor.head
    assert head.weight[:300].std().item() == pytest.approx(0.2 / 16, rel=0.02)
    assert head.weight[300:].std().item() == pytest.approx(0.1 / 16, rel=0.02)
    assert isinstance(network.critic, nn.Module)
    bound = math.sqrt(6 / 257)
    values = network.critic.head.weight
    assert 0.99 * bound < values.abs().max().item() <= bound
    assert not torch.cat([head.bias, network.critic.head.bias, network.log_sigma]).any()
    first, second = (half.body.layers[0].weight for half in (network.actor, network.critic))
    assert not torch.equal(first, second)


@pytest.mark.parametrize("shared", [False, True])
def test_flat_parameters_and_state_carry_everything(shared: bool) -> None:
    network, other = make(shared=shared, memory=MEMORY), make(shared=shared, memory=MEMORY, seed=1)
    inputs = observations(MIXED, 4)
    expected = network(inputs)
    flat, flat_other = FlatParameters(network), FlatParameters(other)
    assert not torch.allclose(other(inputs)[0], expected[0])
    flat_other.values.copy_(flat.values)
    for mine, theirs in zip(other(inputs), expected, strict=True):
        torch.testing.assert_close(mine, theirs)
    another = make(shared=shared, memory=MEMORY, seed=2)
    another.load_state_dict(network.state_dict())
    for mine, theirs in zip(another(inputs), expected, strict=True):
        torch.testing.assert_close(mine, theirs)


# -- acting --------------------------------------------------------------------------------------------


def make_policy(
    specs: list[ObservationSpec] = MIXED, *, normalize: bool = False, **settings: object
) -> tuple[GeneralActingPolicy, GeneralActorCritic, FlatParameters, ObservationEncoder]:
    learner = make(specs, **settings)
    flat = FlatParameters(learner)
    encoder = ObservationEncoder("Ball", specs, normalize=normalize)
    policy = make_acting_policy(
        make(specs, seed=9, **settings), encoder, np.random.default_rng(1), deterministic=True
    )
    assert isinstance(policy, GeneralActingPolicy)
    policy.load_weights(flat)
    return policy, learner, flat, encoder


def make_columns(count: int, memory: int = 0, critic_memory: int = 0) -> ActionColumns:
    return ActionColumns(
        np.full((count, 2), np.nan, dtype=np.float32),
        np.full((count, 2), -1, dtype=np.int32),
        np.full((count, 4), np.nan, dtype=np.float32),
        np.ones((count, 6), dtype=np.bool_),
        np.zeros((count, memory), dtype=np.float32) if memory else None,
        np.zeros((count, critic_memory), dtype=np.float32) if critic_memory else None,
    )


def test_actions_come_from_the_learners_weights() -> None:
    policy, learner, flat, encoder = make_policy(normalize=True)
    columns = [x.numpy() for x in observations(MIXED, 6)]
    encoder.fold([3.0 * x for x in columns])
    for _ in range(2):
        written = make_columns(6)
        sent = policy.act(columns, written)
        outputs, _ = learner.act([torch.from_numpy(x) for x in encoder.encode(columns)])
        outputs = outputs.detach().numpy()
        assert_allclose(written.continuous, outputs[:, :2], rtol=1e-4, atol=1e-5)
        assert_allclose(sent.continuous, np.clip(outputs[:, :2], -3, 3) / 3, rtol=1e-4, atol=1e-5)
        assert_array_equal(sent.discrete, np.stack([outputs[:, 2:4].argmax(1), outputs[:, 4:].argmax(1)], 1))
        assert np.isfinite(written.log_probs).all()
        flat.values.neg_()  # the learner moves; the policy follows when told
        policy.load_weights(flat)


def test_memories_are_carried_on_step_by_step_as_in_one_sequence() -> None:
    policy, learner, _, _ = make_policy(memory=MEMORY)
    steps = [observations(MIXED, 3, seed=step) for step in range(4)]
    columns = make_columns(3, 6, 6)
    means = []
    for step in steps:
        policy.act([x.numpy() for x in step], columns)
        means.append(columns.continuous.copy())
    # the same steps as three sequences of four
    inputs = [torch.stack(parts, dim=1).flatten(0, 1) for parts in zip(*steps, strict=True)]
    outputs, _, memory, critic_memory = learner(inputs, sequence_length=4)
    assert_allclose(np.stack(means, 1).reshape(12, 2), outputs[:, :2].detach(), rtol=1e-3, atol=1e-5)
    assert_allclose(columns.memory, memory.detach(), rtol=1e-3, atol=1e-5)
    assert_allclose(columns.critic_memory, critic_memory.detach(), rtol=1e-3, atol=1e-5)
    assert (memory - critic_memory).abs().max() > 0.01


def test_critic_memory_may_be_left_out_but_not_the_policys_own() -> None:
    policy, _, _, _ = make_policy(memory=MEMORY)
    columns = [x.numpy() for x in observations(MIXED, 2)]
    written = make_columns(2, 6)
    policy.act(columns, written)
    assert written.memory is not None
    assert written.memory.all()
    with pytest.raises(ValueError, match="needs the column of what its agents remember"):
        policy.act(columns, make_columns(2))


def test_memory_of_a_shared_critic_is_the_actors() -> None:
    policy, learner, _, _ = make_policy(memory=MEMORY, shared=True)
    columns = observations(MIXED, 2)
    written = make_columns(2, 6)
    policy.act([x.numpy() for x in columns], written)
    assert_allclose(written.memory, learner(columns)[2].detach(), rtol=1e-4, atol=1e-5)


def test_column_of_no_memory_is_fine() -> None:
    policy, _, _, _ = make_policy()
    written = make_columns(2)
    empty = np.zeros((2, 0), dtype=np.float32)
    columns = ActionColumns(
        written.continuous, written.discrete, written.log_probs, written.allowed, empty, empty
    )
    policy.act([x.numpy() for x in observations(MIXED, 2)], columns)
    assert np.isfinite(columns.continuous).all()


def test_nan_is_an_error_and_memories_stay() -> None:
    policy, _, _, _ = make_policy(memory=MEMORY)
    columns = [x.numpy() for x in observations(MIXED, 3)]
    columns[1][1, 0, 5, 5] = np.nan
    written = make_columns(3, 6, 6)
    with pytest.raises(NonFiniteActionError):
        policy.act(columns, written)
    assert written.memory is not None
    assert not written.memory.any()


# -- which network a behavior gets ---------------------------------------------------------------------


@pytest.mark.parametrize(
    ("specs", "settings", "shared", "kind"),
    [
        ([vector(2), vector(3)], {}, False, ActorCritic),
        ([vector(2), vector(3)], {"memory": MEMORY}, False, GeneralActorCritic),
        ([vector(2), vector(3)], {}, True, GeneralActorCritic),
        ([vector(2), vector(3, goal=True)], {}, False, GeneralActorCritic),
        ([image(3, 20, 20)], {}, False, GeneralActorCritic),
    ],
)
def test_factory(specs: list[ObservationSpec], settings: dict[str, object], shared: bool, kind: type) -> None:
    encoder = ObservationEncoder("Ball", specs, normalize=False)
    behavior = BehaviorSpec(specs, HYBRID)
    networks = [
        make_actor_critic(encoder, behavior, network_settings(**settings), 2, generator(), shared)
        for _ in range(2)
    ]
    network = networks[0]
    assert type(network) is kind
    policy = make_acting_policy(networks[1], encoder, np.random.default_rng(0))
    assert isinstance(policy, ActingPolicy if kind is ActorCritic else GeneralActingPolicy)
    columns = [x.numpy() for x in observations(specs, 4)]
    sent = policy.act(columns, make_columns(4, network.actor_memory_size))
    assert sent.continuous.shape == (4, 2)
    # halves are called alike, whatever the network
    inputs = [torch.from_numpy(x) for x in encoder.encode(columns)]
    outputs, after = network.act(inputs, None, 2)
    assert outputs.shape == (4, 8)
    assert after.shape == (2, network.actor_memory_size)
    values, after = network.value(inputs, None, 2)
    assert values.shape == (4, 2)
    assert len(after) == 2


def test_flat_network_called_by_halves_is_the_same() -> None:
    network = ActorCritic(3, HYBRID, 8, 1, 2, generator())
    x = torch.randn(4, 3, generator=generator(1))
    outputs, values = network(x)
    assert torch.equal(network.act([x])[0], outputs)
    assert torch.equal(network.value([x])[0], values)


def test_factory_names_the_behavior_of_a_small_image() -> None:
    specs = [image(3, 10, 10)]
    encoder = ObservationEncoder("Ball", specs, normalize=False)
    with pytest.raises(UnsupportedObservationError, match=r"^behavior Ball: observation 0 \(camera\)"):
        make_actor_critic(encoder, BehaviorSpec(specs, HYBRID), network_settings(), 1, generator())
