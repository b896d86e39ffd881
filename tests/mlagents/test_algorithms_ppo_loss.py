"""The PPO loss: numbers worked by hand, its variants, and the closed form against autograd."""

from __future__ import annotations

import math
from dataclasses import fields, replace

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor
from trainer_helpers import ACTION_SPECS, few_examples

from mlagents.algorithms.ppo import (
    AutogradGradients,
    PPOCoefficients,
    PPOLosses,
    component_log_probs_and_entropy,
    ppo_loss,
)
from mlagents.algorithms.ppo_batch import PPOBatch
from mlagents.algorithms.ppo_explicit import ExplicitGradients
from mlagents.algorithms.ppo_settings import PPOSettings
from mlagents.networks.actor_critic import ActorCritic
from mlagents.networks.flat_parameters import FlatParameters
from mlagents_envs.base_env import ActionSpec

LOG_PROB_OF_MEAN = -0.5 * math.log(2 * math.pi)  # of a standard normal distribution
NORMAL_ENTROPY = 0.5 * math.log(2 * math.pi * math.e)


@pytest.fixture(autouse=True)
def _one_thread() -> None:
    torch.set_num_threads(1)


def hand_batch(
    ratios: list[list[float]],
    advantages: list[float],
    returns: list[float] | None = None,
    old_values: list[float] | None = None,
) -> PPOBatch:
    """Rows whose actions are the means of standard normal policies, with the given probability ratios."""
    count, size = len(ratios), len(ratios[0])
    zeros = [0.0] * count
    return PPOBatch(
        inputs=(torch.zeros(count, 1),),
        continuous_actions=torch.zeros(count, size),
        discrete_actions=torch.zeros(count, 0, dtype=torch.int32),
        allowed_actions=torch.zeros(count, 0, dtype=torch.bool),
        old_log_probs=LOG_PROB_OF_MEAN - torch.tensor(ratios).log(),
        advantages=torch.tensor(advantages),
        returns=torch.tensor(returns or zeros).unsqueeze(1),
        old_values=torch.tensor(old_values or zeros).unsqueeze(1),
    )


def hand_loss(
    batch: PPOBatch, values: list[float] | None = None, *, epsilon: float = 0.2, **settings: object
) -> tuple[PPOLosses, Tensor, Tensor]:
    """Terms of the loss, and its gradients by the means and by the values."""
    count, size = batch.continuous_actions.shape
    outputs = torch.zeros(count, size, requires_grad=True)
    values_tensor = torch.tensor(values or [0.0] * count).unsqueeze(1).requires_grad_()
    loss, losses = ppo_loss(
        outputs,
        torch.zeros(size),
        values_tensor,
        batch,
        ActionSpec.create_continuous(size),
        PPOSettings(**settings),
        PPOCoefficients(epsilon=epsilon, beta=0.0),
    )
    loss.backward()
    return losses, outputs.grad, values_tensor.grad.squeeze(1)


# clipped means: the ratio is outside 1 ± 0.2 and moving it further would not pay
@pytest.mark.parametrize(
    ("ratio", "advantage", "objective", "clipped"),
    [
        (1.5, 2.0, 2.4, True),  # min(1.5 * 2, 1.2 * 2)
        (0.5, 2.0, 1.0, False),  # min(0.5 * 2, 0.8 * 2)
        (1.5, -1.0, -1.5, False),  # min(-1.5, -1.2)
        (0.5, -1.0, -0.8, True),  # min(-0.5, -0.8)
        (1.1, -1.0, -1.1, False),
    ],
)
def test_surrogate_of_one_row(ratio: float, advantage: float, objective: float, clipped: bool) -> None:
    batch = hand_batch([[ratio]], [advantage])
    batch = replace(batch, continuous_actions=torch.ones(1, 1))  # z = 1, so that dlog pi / dmu = 1
    batch = replace(batch, old_log_probs=batch.old_log_probs - 0.5)
    losses, gradient, _ = hand_loss(batch)
    assert losses.policy == pytest.approx(-objective, rel=1e-5)
    assert gradient.item() == pytest.approx(0.0 if clipped else -ratio * advantage, rel=1e-5)
    assert losses.clip_fraction == (0.0 if ratio == 1.1 else 1.0)
    assert losses.approximate_kl == pytest.approx(ratio - 1 - math.log(ratio), rel=1e-4)


def test_surrogate_is_the_mean_over_rows() -> None:
    losses, _, _ = hand_loss(hand_batch([[1.5], [0.5], [1.5], [0.5], [1.0]], [2.0, 2.0, -1.0, -1.0, 3.0]))
    assert losses.policy == pytest.approx(-(2.4 + 1.0 - 1.5 - 0.8 + 3.0) / 5, rel=1e-5)
    assert losses.clip_fraction == pytest.approx(0.8)


def test_ratio_of_the_whole_action_against_one_per_component() -> None:
    # ratios 1.5 and 0.8, epsilon 0.1, A = 1. Joint: 1.2, clipped to 1.1.
    # Per component: min(1.5, 1.1) = 1.1 and min(0.8, 0.9) = 0.8, whose mean is 0.95.
    batch = hand_batch([[1.5, 0.8]], [1.0])
    joint, _, _ = hand_loss(batch, epsilon=0.1)
    single, _, _ = hand_loss(batch, epsilon=0.1, ratio_per_component=True)
    assert joint.policy == pytest.approx(-1.1, rel=1e-5)
    assert single.policy == pytest.approx(-0.95, rel=1e-5)


def test_value_loss_is_the_mean_squared_error() -> None:
    batch = hand_batch([[1.0], [1.0]], [0.0, 0.0], returns=[1.0, -1.0], old_values=[1.5, 0.0])
    losses, _, gradient = hand_loss(batch, [3.0, -0.5])
    # ((3 - 1)² + (-0.5 + 1)²) / 2; half of it is minimised: d/dV = (V - R) / 2
    assert losses.value == pytest.approx(2.125)
    assert gradient.tolist() == pytest.approx([1.0, 0.25])


@pytest.mark.parametrize(
    ("value", "ret", "old_value", "loss", "gradient"),
    [
        (3.0, 1.0, 1.5, 4.0, 2.0),  # kept within 0.2 of 1.5: (1.7 - 1)² = 0.49 < 4
        (1.0, 1.0, 2.0, 0.64, 0.0),  # V = R, but it moved too far: (1.8 - 1)²
        (1.1, 0.0, 1.0, 1.21, 1.1),  # within reach of the old value: the plain loss
    ],
)
def test_clipped_value_loss(value: float, ret: float, old_value: float, loss: float, gradient: float) -> None:
    batch = hand_batch([[1.0]], [0.0], returns=[ret], old_values=[old_value])
    clipped, _, by_value = hand_loss(batch, [value], clip_value_loss=True)
    plain, _, _ = hand_loss(batch, [value])
    assert clipped.value == pytest.approx(loss, rel=1e-5)
    assert by_value.item() == pytest.approx(gradient, abs=1e-6)
    assert plain.value == pytest.approx((value - ret) ** 2, abs=1e-6)


def test_clipping_has_no_effect_when_the_old_value_is_the_return() -> None:
    batch = hand_batch([[1.0], [1.0]], [0.0, 0.0], returns=[1.0, 2.0], old_values=[1.0, 2.0])
    assert hand_loss(batch, [5.0, 1.9], clip_value_loss=True)[0].value == pytest.approx(
        hand_loss(batch, [5.0, 1.9])[0].value
    )


@pytest.mark.parametrize("averaged", [False, True])
def test_entropy_of_a_hybrid_policy(averaged: bool) -> None:
    spec = ActionSpec.create_hybrid(2, (4, 3))
    allowed = torch.tensor([[1, 1, 1, 1, 1, 0, 1]], dtype=torch.bool)
    _, entropy = component_log_probs_and_entropy(
        torch.zeros(1, 9),
        torch.tensor([0.0, math.log(2.0)]),
        spec,
        torch.zeros(1, 2),
        torch.zeros(1, 2, dtype=torch.int32),
        allowed,
        mean_continuous_entropy=averaged,
    )
    # two normal distributions, then uniform choices among four and among the two that are allowed
    continuous = 2 * NORMAL_ENTROPY + math.log(2.0)
    expected = continuous / (2 if averaged else 1) + math.log(4) + math.log(2)
    assert entropy.item() == pytest.approx(expected, rel=1e-6)


def test_log_probs_of_components_equal_torch() -> None:
    torch.manual_seed(0)
    spec = ActionSpec.create_hybrid(2, (3, 2))
    outputs, log_sigma = torch.randn(6, 7), torch.randn(2)
    actions = torch.randn(6, 2)
    choices = torch.stack([torch.arange(6) % 3, torch.arange(6) % 2], dim=1).int()
    allowed = torch.ones(6, 5, dtype=torch.bool)
    log_probs, _ = component_log_probs_and_entropy(
        outputs, log_sigma, spec, actions, choices, allowed, mean_continuous_entropy=False
    )
    normal = torch.distributions.Normal(outputs[:, :2], log_sigma.exp()).log_prob(actions)
    first = torch.distributions.Categorical(logits=outputs[:, 2:5]).log_prob(choices[:, 0])
    second = torch.distributions.Categorical(logits=outputs[:, 5:]).log_prob(choices[:, 1])
    expected = torch.cat([normal, first[:, None], second[:, None]], dim=1)
    torch.testing.assert_close(log_probs, expected)


def test_terms_are_weighted_and_added() -> None:
    batch = hand_batch([[1.0]], [3.0], returns=[2.0])
    loss, losses = ppo_loss(
        torch.zeros(1, 1),
        torch.zeros(1),
        torch.zeros(1, 1),
        batch,
        ActionSpec.create_continuous(1),
        PPOSettings(),
        PPOCoefficients(epsilon=0.2, beta=0.1),
    )
    assert (losses.policy, losses.value) == pytest.approx((-3.0, 4.0))
    assert losses.entropy == pytest.approx(NORMAL_ENTROPY)
    assert loss.item() == pytest.approx(-3.0 + 0.5 * 4.0 - 0.1 * NORMAL_ENTROPY)


# -- the closed form -----------------------------------------------------------------------------------


def random_case(
    spec: ActionSpec, rows: int, streams: int, seed: int, all_forbidden: bool = False
) -> tuple[ActorCritic, PPOBatch]:
    """A network, and a batch whose ratios and values lie inside and outside the clipping range."""
    generator = torch.Generator().manual_seed(seed)
    network = ActorCritic(3, spec, 6, 2, streams, generator)
    rng = np.random.default_rng(seed)
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.add_(torch.from_numpy(rng.normal(0, 0.4, parameter.shape)).float())
        inputs = torch.from_numpy(rng.normal(size=(rows, 3))).float()
        outputs, values = network(inputs)
        allowed = rng.random((rows, sum(spec.discrete_branches))) < 0.7
        choices = np.zeros((rows, spec.discrete_size), dtype=np.int32)
        begin = 0
        for branch, size in enumerate(spec.discrete_branches):
            choices[:, branch] = rng.integers(0, size, rows)
            allowed[np.arange(rows), begin + choices[:, branch]] = True
            begin += size
        if all_forbidden and spec.discrete_size:
            allowed[::2, : spec.discrete_branches[0]] = False
            choices[::2, 0] = 0
        noise = torch.from_numpy(rng.normal(size=(rows, spec.continuous_size))).float()
        actions = outputs[:, : spec.continuous_size] + network.log_sigma.exp() * noise
        choices_tensor, allowed_tensor = torch.from_numpy(choices), torch.from_numpy(allowed)
        log_probs, _ = component_log_probs_and_entropy(
            outputs,
            network.log_sigma,
            spec,
            actions,
            choices_tensor,
            allowed_tensor,
            mean_continuous_entropy=False,
        )

        def near(tensor: Tensor, spread: float) -> Tensor:
            return tensor + torch.from_numpy(rng.normal(0, spread, tensor.shape)).float()

        batch = PPOBatch(
            inputs=(inputs,),
            continuous_actions=actions,
            discrete_actions=choices_tensor,
            allowed_actions=allowed_tensor,
            old_log_probs=near(log_probs, 0.2),
            advantages=torch.from_numpy(rng.normal(size=rows)).float(),
            returns=near(values, 0.5),
            old_values=near(values, 0.3),
        )
    return network, batch


@few_examples
@given(
    kind=st.sampled_from(sorted(ACTION_SPECS)),
    rows=st.integers(1, 20),
    streams=st.integers(1, 3),
    seed=st.integers(0, 2**31),
    ratio_per_component=st.booleans(),
    mean_continuous_entropy=st.booleans(),
    clip_value_loss=st.booleans(),
    all_forbidden=st.booleans(),
    epsilon=st.sampled_from([0.05, 0.2]),
    beta=st.sampled_from([0.0, 0.3]),
)
def test_closed_form_equals_autograd(
    kind: str,
    rows: int,
    streams: int,
    seed: int,
    ratio_per_component: bool,
    mean_continuous_entropy: bool,
    clip_value_loss: bool,
    all_forbidden: bool,
    epsilon: float,
    beta: float,
) -> None:
    network, batch = random_case(ACTION_SPECS[kind], rows, streams, seed, all_forbidden)
    flat = FlatParameters(network)
    settings = PPOSettings(
        ratio_per_component=ratio_per_component,
        mean_continuous_entropy=mean_continuous_entropy,
        clip_value_loss=clip_value_loss,
    )
    coefficients = PPOCoefficients(epsilon, beta)
    autograd, explicit = AutogradGradients(network, flat, settings), ExplicitGradients(network, settings)
    flat.gradients.fill_(99.0)
    autograd.compute(batch, coefficients)
    expected = flat.gradients.clone()
    flat.gradients.fill_(99.0)
    explicit.compute(batch, coefficients)
    torch.testing.assert_close(flat.gradients, expected, rtol=1e-3, atol=1e-5)
    expected_losses, losses = autograd.take_losses(), explicit.take_losses()
    for column in fields(PPOLosses):
        value = getattr(losses, column.name)
        assert value == pytest.approx(getattr(expected_losses, column.name), rel=1e-4, abs=1e-5), column.name


@pytest.mark.parametrize("which", ["autograd", "explicit"])
def test_losses_are_means_over_minibatches_since_last_taken(which: str) -> None:
    network, batch = random_case(ACTION_SPECS["hybrid"], 12, 1, 3)
    flat = FlatParameters(network)
    settings, coefficients = PPOSettings(), PPOCoefficients(0.2, 0.01)

    def make() -> AutogradGradients | ExplicitGradients:
        if which == "autograd":
            return AutogradGradients(network, flat, settings)
        return ExplicitGradients(network, settings)

    parts = []
    for begin, end in ((0, 4), (4, 8), (8, 12)):
        single = make()
        single.compute(batch.range(begin, end), coefficients)
        parts.append(single.take_losses())
    gradients = make()
    gradients.compute(batch.range(8, 12), coefficients)
    gradients.take_losses()  # must not leak into what follows
    gradients.compute(batch.range(0, 4), coefficients)
    gradients.compute(batch.range(4, 8), coefficients)
    taken = gradients.take_losses()
    for column in fields(PPOLosses):
        mean = (getattr(parts[0], column.name) + getattr(parts[1], column.name)) / 2
        assert getattr(taken, column.name) == pytest.approx(mean, rel=1e-5, abs=1e-7), column.name


def test_action_that_did_not_matter_gets_no_gradient() -> None:
    spec = ActionSpec.create_discrete((3,))
    network, batch = random_case(spec, 4, 1, 0)
    batch = replace(
        batch,
        allowed_actions=torch.zeros(4, 3, dtype=torch.bool),
        discrete_actions=torch.zeros(4, 1, dtype=torch.int32),
        old_log_probs=torch.zeros(4, 1),  # as the acting side stores it
    )
    flat = FlatParameters(network)
    for gradients in (
        AutogradGradients(network, flat, PPOSettings()),
        ExplicitGradients(network, PPOSettings()),
    ):
        gradients.compute(batch, PPOCoefficients(0.2, 0.5))
        assert all((p.grad == 0).all() for p in network.actor.parameters())
        losses = gradients.take_losses()
        assert (losses.entropy, losses.approximate_kl, losses.clip_fraction) == (0.0, 0.0, 0.0)


@pytest.mark.parametrize("kind", ACTION_SPECS)
@pytest.mark.parametrize("column", ["inputs", "old_log_probs", "advantages", "returns"])
def test_nan_in_a_batch_reaches_the_gradient(kind: str, column: str) -> None:
    network, batch = random_case(ACTION_SPECS[kind], 5, 1, 1)
    (batch.inputs[0] if column == "inputs" else getattr(batch, column))[3] = math.nan
    flat = FlatParameters(network)
    ExplicitGradients(network, PPOSettings()).compute(batch, PPOCoefficients(0.2, 0.01))
    assert not torch.isfinite(flat.gradients).all()
