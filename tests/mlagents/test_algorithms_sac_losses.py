"""The losses of SAC against numbers worked by hand and independent formulas."""

from __future__ import annotations

import dataclasses
import math

import numpy as np
import pytest
import torch
from sac_helpers import SPECS, random_batch
from trainer_helpers import behavior_spec

from mlagents.algorithms import sac
from mlagents.algorithms.sac import PolicySample, Temperatures
from mlagents_envs.base_env import ActionSpec

HYBRID = SPECS["hybrid"]
CONTINUOUS = SPECS["continuous"]
DISCRETE = SPECS["discrete"]
BRANCHES = SPECS["branches"]


def sample(log_prob: float, probs: list[float], actions: tuple[float, ...] = (0.1, -0.2)) -> PolicySample:
    p = torch.tensor([probs])
    return PolicySample(torch.tensor([actions]), torch.tensor([log_prob]), p, p.clamp(min=1e-30).log())


def temperatures(continuous: float, *discrete: float) -> Temperatures:
    return Temperatures(torch.tensor(continuous), torch.tensor(discrete))


def test_squashed_log_prob_is_the_density_of_the_action() -> None:
    """Compared with the slope of the distribution function of tanh(u), found numerically."""
    mean, sigma = 0.3, 0.7

    def distribution(action: float) -> float:
        return 0.5 * (1.0 + math.erf((math.atanh(action) - mean) / (sigma * math.sqrt(2.0))))

    for action in (-0.9, -0.2, 0.4, 0.97):
        u = math.atanh(action)
        step = 1e-6
        density = (distribution(action + step) - distribution(action - step)) / (2.0 * step)
        found = sac.squashed_log_prob(
            torch.tensor([[u]], dtype=torch.float64),
            torch.tensor([[(u - mean) / sigma]], dtype=torch.float64),
            torch.tensor([[math.log(sigma)]], dtype=torch.float64),
        )
        assert found.item() == pytest.approx(math.log(density), abs=1e-5)


def test_log_prob_is_finite_where_the_action_rounds_to_one() -> None:
    """D15: it comes from u. From a = tanh(30) = 1 it would be -log 0."""
    u = torch.tensor([[30.0, -30.0]], requires_grad=True)
    assert torch.tanh(u).abs().eq(1.0).all()
    log_prob = sac.squashed_log_prob(u, torch.zeros(1, 2), torch.zeros(1, 2))
    # each: log N(0) - 2 (log 2 - 30) to rounding
    assert log_prob.item() == pytest.approx(
        2 * (-0.5 * math.log(2 * math.pi) + 60.0 - 2 * math.log(2)), rel=1e-5
    )
    log_prob.backward()
    assert u.grad is not None
    assert u.grad.isfinite().all()


def test_samples_are_squashed_and_forbidden_choices_have_no_probability() -> None:
    outputs = torch.tensor([[0.5, -1.0, 0.0, 3.0, 1.0, 2.0, 3.0, 4.0]])
    allowed = torch.tensor([[True, False, True, False, True, True]])
    log_sigma, noise = torch.tensor([[0.0, -1.0]]), torch.tensor([[1.0, 2.0]])
    found = sac.sample_policy(outputs, log_sigma, noise, allowed, HYBRID)
    expected = np.tanh([1.5, -1.0 + 2.0 * math.exp(-1.0)])
    np.testing.assert_allclose(found.actions[0].numpy(), expected, rtol=1e-6)
    weights = np.exp([1.0, 3.0, 4.0])
    branch = weights / weights.sum()
    np.testing.assert_allclose(
        found.probs[0].numpy(), [1.0, 0.0, branch[0], 0.0, branch[1], branch[2]], rtol=1e-6
    )


def test_soft_value_by_hand() -> None:
    """D10, D13: the expectation over choices, every entropy once and with the same sign."""
    values = torch.tensor([[[1.0, 3.0, 2.0, 0.0, 4.0, 6.0]]])
    chosen = sample(-1.5, [0.25, 0.75, 0.5, 0.5, 0.0, 0.0])
    alpha = temperatures(0.2, 0.1, 0.4)
    expectation = 0.5 * ((0.25 * 1 + 0.75 * 3) + (0.5 * 2 + 0.5 * 0))
    entropy_1 = -(0.25 * math.log(0.25) + 0.75 * math.log(0.75))
    expected = expectation + 0.2 * 1.5 + 0.1 * entropy_1 + 0.4 * math.log(2.0)
    assert sac.soft_values(values, chosen, alpha, HYBRID).item() == pytest.approx(expected, rel=1e-6)


def test_more_entropy_of_any_kind_is_worth_more() -> None:
    """D10: in the original the hybrid value falls with the entropy of the continuous actions."""
    values, alpha = torch.zeros(1, 1, 6), temperatures(0.2, 0.1, 0.4)
    flat = [0.5, 0.5, 0.25, 0.25, 0.25, 0.25]
    peaked = [0.9, 0.1, 0.25, 0.25, 0.25, 0.25]

    def value(log_prob: float, probs: list[float]) -> float:
        return sac.soft_values(values, sample(log_prob, probs), alpha, HYBRID).item()

    assert value(-2.0, flat) > value(-1.0, flat) > value(0.0, flat)
    assert value(0.0, flat) > value(0.0, peaked)


def test_target_of_the_original_is_not_ours_for_discrete_actions() -> None:
    """D11: the expectation of the smaller value per choice, not the smaller one of two expectations."""
    first, second = torch.tensor([[[0.0, 4.0, 1.0]]]), torch.tensor([[[4.0, 0.0, 1.0]]])
    chosen = sample(0.0, [0.5, 0.5, 0.0], ())
    alpha = temperatures(0.0, 0.0)
    found = sac.soft_values(torch.minimum(first, second), chosen, alpha, DISCRETE).item()
    assert found == pytest.approx(0.0)
    each = [sac.expected_values(value, chosen.probs, DISCRETE).item() for value in (first, second)]
    assert min(each) == pytest.approx(2.0)


def test_critic_loss_by_hand() -> None:
    """D11: every branch's value of its choice is held against the target, not their mean."""
    spec = behavior_spec(BRANCHES, (2,))
    batch = random_batch(spec, 2)
    batch = dataclasses.replace(batch, discrete_actions=torch.tensor([[2, 0], [0, 1]]))
    values = torch.tensor([[[1.0, 2.0, 3.0, 10.0, 20.0]], [[1.0, 2.0, 3.0, 10.0, 20.0]]])
    targets = torch.tensor([[5.0], [4.0]])
    by_hand = 0.5 * np.mean([(3 - 5) ** 2, (10 - 5) ** 2, (1 - 4) ** 2, (20 - 4) ** 2])
    assert sac.critic_loss(values, targets, batch, BRANCHES).item() == pytest.approx(by_hand)
    mean_of_branches = 0.5 * np.mean([(6.5 - 5) ** 2, (10.5 - 4) ** 2])
    assert by_hand != pytest.approx(mean_of_branches)


def test_critic_loss_masks_before_it_averages() -> None:
    """D9: the original averages first, so that padding takes part."""
    spec = behavior_spec(CONTINUOUS, (2,))
    batch = dataclasses.replace(random_batch(spec, 3), mask=torch.tensor([True, False, True]))
    values = torch.tensor([1.0, 100.0, 3.0]).view(3, 1, 1)
    loss = sac.critic_loss(values, torch.zeros(3, 1), batch, CONTINUOUS)
    assert loss.item() == pytest.approx(0.5 * (1 + 9) / 2)


def test_policy_loss_by_hand() -> None:
    """D10: the values of choices count once for the choices, and once for the continuous actions."""
    values = torch.tensor([[[1.0, 3.0, 2.0, 0.0, 4.0, 6.0]]])
    chosen = sample(-1.5, [0.25, 0.75, 0.5, 0.5, 0.0, 0.0])
    alpha = temperatures(0.2, 0.1, 0.4)
    continuous = 0.2 * -1.5 - 0.5 * (2.5 + 1.0)
    first = 0.25 * (0.1 * math.log(0.25) - 1.0) + 0.75 * (0.1 * math.log(0.75) - 3.0)
    second = 2 * 0.5 * 0.4 * math.log(0.5) - 0.5 * 2.0
    found = sac.policy_loss(values, chosen, alpha, HYBRID).item()
    assert found == pytest.approx(continuous + first + second, rel=1e-6)


def test_gradient_of_hybrid_policy_loss_is_that_of_the_soft_value() -> None:
    """D10: with one branch, minus the gradient of V(s); the original counts the values twice."""
    spec = ActionSpec.create_hybrid(2, (3,))
    torch.manual_seed(0)
    outputs = torch.randn(5, 2 + 3, requires_grad=True)
    log_sigma = torch.randn(5, 2, requires_grad=True)
    noise, weight = torch.randn(5, 2), torch.randn(2, 3)
    alpha = temperatures(0.2, 0.3)

    def value_of(actions: torch.Tensor) -> torch.Tensor:
        return torch.sin(actions @ weight).unsqueeze(1)  # [N, 1, 3]

    def drawn() -> PolicySample:
        allowed = torch.ones(5, 3, dtype=torch.bool)
        return sac.sample_policy(outputs, log_sigma, noise, allowed, spec)

    chosen = drawn()
    loss = sac.policy_loss(value_of(chosen.actions), chosen, alpha, spec).sum()
    mine = torch.autograd.grad(loss, [outputs, log_sigma])
    chosen = drawn()
    soft = sac.soft_values(value_of(chosen.actions), chosen, alpha, spec).sum()
    theirs = torch.autograd.grad(-soft, [outputs, log_sigma])
    for one, other in zip(mine, theirs, strict=True):
        assert one.abs().max() > 1e-2
        torch.testing.assert_close(one, other)


def test_streams_are_averaged_for_the_policy() -> None:
    values = torch.tensor([[[2.0], [6.0]]])
    loss = sac.policy_loss(values, sample(-1.0, []), temperatures(0.5), CONTINUOUS)
    assert loss.item() == pytest.approx(0.5 * -1.0 - 4.0)


def test_entropy_penalty_by_hand() -> None:
    now, old = torch.tensor([[0.5, 1.0]]), torch.tensor([[0.7, 0.4]])
    assert sac.entropy_penalty(now, old).item() == pytest.approx(0.5 * (0.04 + 0.36) / 2)


def test_target_entropy_counts_allowed_choices_only() -> None:
    allowed = torch.tensor([[True, True, True, True, True], [False, True, False, True, False]])
    found = sac.target_entropies(allowed, 0.5, BRANCHES)
    expected = 0.5 * np.log([[3, 2], [1, 1]])
    np.testing.assert_allclose(found.numpy(), expected, atol=1e-7)


def test_gap_of_entropies_by_hand() -> None:
    batch = dataclasses.replace(
        random_batch(behavior_spec(HYBRID, (2,)), 2),
        allowed=torch.ones(2, 6, dtype=torch.bool),
        mask=torch.tensor([True, False]),
    )
    chosen = PolicySample(
        torch.zeros(2, 2),
        torch.tensor([-1.5, 100.0]),
        torch.tensor([[0.5, 0.5, 1.0, 0.0, 0.0, 0.0]] * 2),
        torch.tensor([[0.5, 0.5, 1.0, 1e-30, 1e-30, 1e-30]] * 2).log(),
    )
    continuous, branches = sac.entropy_gaps(chosen, batch, HYBRID, -2.0, 0.2)
    assert continuous.item() == pytest.approx(-1.5 - 2.0)  # target -2 minus entropy 1.5
    expected = [0.2 * math.log(2) - math.log(2), 0.2 * math.log(4) - 0.0]
    np.testing.assert_allclose(branches.numpy(), expected, rtol=1e-5)
