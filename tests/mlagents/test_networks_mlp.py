"""Networks, their written-out gradients, their flat parameters and their initial weights."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn
from trainer_helpers import few_examples

from mlagents.networks import explicit_mlp
from mlagents.networks.actor_critic import ActorCritic, Mlp
from mlagents.networks.explicit_mlp import ExplicitMlp
from mlagents.networks.flat_parameters import FlatParameters
from mlagents.networks.initialization import kaiming_normal, xavier_uniform
from mlagents_envs.base_env import ActionSpec

HYBRID = ActionSpec.create_hybrid(2, (3, 2))


@pytest.fixture(autouse=True)
def _one_thread() -> None:
    torch.set_num_threads(1)


def make_network(seed: int = 0, actions: ActionSpec = HYBRID, **changes: int) -> ActorCritic:
    sizes = {"observation_size": 4, "hidden_units": 8, "num_layers": 2, "num_value_heads": 1, **changes}
    return ActorCritic(action_spec=actions, generator=torch.Generator().manual_seed(seed), **sizes)


def random_mlp(sizes: list[int], seed: int) -> Mlp:
    torch.manual_seed(seed)
    return Mlp(sizes)


# -- the written-out network ---------------------------------------------------------------------------


def test_forward_of_one_unit_worked_by_hand() -> None:
    mlp = Mlp([1, 1, 1])
    with torch.no_grad():
        for parameter, value in zip(mlp.parameters(), [2.0, -1.0, 3.0, 0.5], strict=True):
            parameter.fill_(value)
    FlatParameters(mlp)
    # z = 2 x - 1; out = 3 z sigma(z) + 0.5, for x = 1: 3 * 0.731059 + 0.5
    x = torch.tensor([[1.0], [0.5]])
    expected = torch.tensor([[3.0 / (1.0 + math.exp(-1.0)) + 0.5], [0.5]])
    torch.testing.assert_close(mlp(x).detach(), expected)
    torch.testing.assert_close(ExplicitMlp(mlp).forward(x), expected)


@few_examples
@given(
    st.lists(st.integers(1, 9), min_size=2, max_size=5),
    st.lists(st.integers(1, 12), min_size=1, max_size=3),
    st.integers(0, 2**31),
)
def test_gradients_equal_autograd(sizes: list[int], batches: list[int], seed: int) -> None:
    mlp = random_mlp(sizes, seed)
    flat = FlatParameters(mlp)
    explicit = ExplicitMlp(mlp)
    for batch in batches:  # several batch sizes share one object
        x = torch.randn(batch, sizes[0])
        grad_output = torch.randn(batch, sizes[-1])
        flat.gradients.zero_()
        expected_output = mlp(x)
        expected_output.backward(grad_output)
        expected = flat.gradients.clone()
        flat.gradients.fill_(99.0)  # leftovers must be overwritten, not added to
        with torch.no_grad():
            torch.testing.assert_close(explicit.forward(x), expected_output.detach())
            explicit.backward(grad_output)
        torch.testing.assert_close(flat.gradients, expected, rtol=1e-4, atol=1e-5)


def test_explicit_network_follows_changes_of_the_weights() -> None:
    mlp = random_mlp([3, 4, 2], 0)
    flat = FlatParameters(mlp)
    explicit = ExplicitMlp(mlp)
    x = torch.randn(5, 3)
    before = explicit.forward(x).clone()
    flat.values.mul_(1.5)
    torch.testing.assert_close(explicit.forward(x), mlp(x).detach())
    assert not torch.allclose(explicit.forward(x), before)


def test_workspaces_of_many_batch_sizes_do_not_pile_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(explicit_mlp, "_MAX_WORKSPACES", 3)
    mlp = random_mlp([2, 3, 1], 0)
    FlatParameters(mlp)
    explicit = ExplicitMlp(mlp)
    for batch in range(1, 20):
        x = torch.randn(batch, 2)
        torch.testing.assert_close(explicit.forward(x), mlp(x).detach())
        assert len(explicit._workspaces) <= 3


# -- flat parameters -----------------------------------------------------------------------------------


def test_flat_vector_and_module_stay_tied() -> None:
    network = make_network()
    original = [parameter.detach().clone() for parameter in network.parameters()]
    flat = FlatParameters(network)
    for parameter, value in zip(network.parameters(), original, strict=True):
        torch.testing.assert_close(parameter.detach(), value)
    assert len(flat.values) == sum(parameter.numel() for parameter in network.parameters())

    flat.values.fill_(0.25)
    assert all((parameter == 0.25).all() for parameter in network.parameters())
    network.load_state_dict(make_network(seed=5).state_dict())
    expected = torch.cat([p.detach().flatten() for p in make_network(seed=5).parameters()])
    torch.testing.assert_close(flat.values, expected)


def test_autograd_writes_into_the_flat_gradient() -> None:
    network = make_network()
    flat = FlatParameters(network)
    for _ in range(2):
        flat.gradients.zero_()
        outputs, values = network(torch.ones(3, 4))
        (outputs.sum() + 2.0 * values.sum() + 7.0 * network.log_sigma.sum()).backward()
    assert network.log_sigma.grad.tolist() == [7.0, 7.0]
    # the value head's bias: 2 per row, in the vector too
    assert network.critic.linear_layers()[-1].bias.grad.tolist() == [6.0]
    gathered = torch.cat([parameter.grad.flatten() for parameter in network.parameters()])
    assert torch.equal(flat.gradients, gathered)
    assert (flat.gradients == 7.0).sum() >= 2


def test_empty_parameters_have_a_gradient_too() -> None:
    network = make_network(actions=ActionSpec.create_discrete((3,)))
    FlatParameters(network)
    assert network.log_sigma.grad.shape == (0,)


# -- initial weights -----------------------------------------------------------------------------------


@pytest.mark.parametrize("gain", [1.0, 0.2])
def test_kaiming_normal_statistics(gain: float) -> None:
    weight = torch.empty(2000, 50)
    kaiming_normal(weight, gain, torch.Generator().manual_seed(0))
    # 100,000 draws: the deviation is known to about 0.2 %
    assert weight.std().item() == pytest.approx(gain / math.sqrt(50), rel=0.01)
    assert abs(weight.mean().item()) < 0.01 * gain
    kurtosis = ((weight / weight.std()) ** 4).mean().item()
    assert kurtosis == pytest.approx(3.0, abs=0.1)


def test_xavier_uniform_statistics() -> None:
    weight = torch.empty(300, 100)
    xavier_uniform(weight, torch.Generator().manual_seed(0))
    bound = math.sqrt(6 / 400)
    assert 0.999 * bound < weight.abs().max().item() <= bound
    assert weight.std().item() == pytest.approx(bound / math.sqrt(3), rel=0.01)


def test_initial_weights_of_actor_and_critic() -> None:
    actions = ActionSpec.create_hybrid(300, (200, 100))
    network = make_network(
        actions=actions, observation_size=40, hidden_units=256, num_layers=3, num_value_heads=50
    )
    for mlp in (network.actor, network.critic):
        *hidden, last = mlp.linear_layers()
        assert [layer.in_features for layer in hidden] == [40, 256, 256]
        for layer in hidden:
            assert layer.weight.std().item() == pytest.approx(1 / math.sqrt(layer.in_features), rel=0.03)
        assert all((layer.bias == 0).all() for layer in (*hidden, last))
    head = network.actor.linear_layers()[-1].weight
    assert head[:300].std().item() == pytest.approx(0.2 / 16, rel=0.02)
    assert head[300:].std().item() == pytest.approx(0.1 / 16, rel=0.02)
    # each reward stream is a head from 256 to 1, whatever the number of streams
    bound = math.sqrt(6 / 257)
    values = network.critic.linear_layers()[-1].weight
    assert 0.99 * bound < values.abs().max().item() <= bound
    assert (network.log_sigma == 0).all()
    assert network.log_sigma.shape == (300,)


def test_hidden_layers_of_actor_and_critic_differ() -> None:
    network = make_network()
    assert not torch.equal(network.actor.layers[0].weight, network.critic.layers[0].weight)


def test_same_generator_gives_same_weights_and_leaves_the_global_one_alone() -> None:
    torch.manual_seed(3)
    expected = torch.rand(1)
    first, second, other = make_network(seed=1), make_network(seed=1), make_network(seed=2)
    assert all(torch.equal(a, b) for a, b in zip(first.parameters(), second.parameters(), strict=True))
    assert not torch.equal(first.actor.layers[0].weight, other.actor.layers[0].weight)
    torch.manual_seed(3)
    kaiming_normal(torch.empty(4, 4), 1.0, torch.Generator().manual_seed(9))
    xavier_uniform(torch.empty(4, 4), torch.Generator().manual_seed(9))
    assert torch.equal(torch.rand(1), expected)


def test_output_shapes() -> None:
    outputs, values = make_network(num_value_heads=3)(torch.zeros(6, 4))
    assert outputs.shape == (6, 2 + 5)
    assert values.shape == (6, 3)


def test_there_is_always_a_hidden_layer() -> None:
    assert len(make_network(num_layers=0).actor.linear_layers()) == 2


def test_swish_is_between_layers_but_not_after_the_last() -> None:
    mlp = random_mlp([2, 5, 3], 1)
    x = torch.randn(4, 2)
    first, last = mlp.linear_layers()
    z = first(x)
    expected = last(z * torch.sigmoid(z))
    torch.testing.assert_close(mlp(x), expected)
    assert np.isfinite(expected.detach().numpy()).all()
    assert isinstance(mlp.layers[0], nn.Linear)
