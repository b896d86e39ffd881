"""Gradients of SAC: the closed form equals autograd, and they flow where they should."""

from __future__ import annotations

import dataclasses

import pytest
import torch
from sac_helpers import SPECS, make_networks, random_batch
from trainer_helpers import behavior_spec

from mlagents.algorithms import sac
from mlagents.algorithms.sac_explicit import ExplicitSACGradients
from mlagents.algorithms.sac_gradients import AutogradSACGradients
from mlagents.algorithms.sac_networks import SACNetworks


def gradients_of(networks: SACNetworks) -> list[torch.Tensor]:
    return [
        networks.flat_actor.gradients.clone(),
        networks.flat_critic.gradients.clone(),
        networks.alpha_gradient.clone(),
    ]


@pytest.mark.parametrize("streams", [1, 2])
@pytest.mark.parametrize("kind", SPECS)
def test_closed_form_equals_autograd(kind: str, streams: int) -> None:
    spec = behavior_spec(SPECS[kind], (5,))
    penalized = kind in ("branches", "hybrid")
    networks, settings = make_networks(
        spec, streams=streams, entropy_penalty=0.7 if penalized else 0.0, discrete_target_entropy=0.6
    )
    autograd = AutogradSACGradients(networks, settings, spec.action_spec)
    explicit = ExplicitSACGradients(networks, settings, spec.action_spec, streams)
    results = []
    for gradients in (autograd, explicit):
        for rows in (7, 16):  # the second batch must not see what the first left behind
            batch = random_batch(spec, rows, streams=streams, old_entropies=penalized, seed=rows)
            gradients.compute(batch)
        results.append((gradients_of(networks), gradients.take_losses()))
    (first, losses), (second, other_losses) = results
    for mine, theirs in zip(first, second, strict=True):
        assert mine.abs().max() > 1e-3
        torch.testing.assert_close(mine, theirs, rtol=1e-4, atol=1e-6)
    flat = lambda each: torch.tensor([*each[:4], *each.values])  # noqa: E731
    torch.testing.assert_close(flat(losses), flat(other_losses), rtol=1e-4, atol=1e-5)


def test_a_branch_in_which_all_is_forbidden_has_no_gradient_and_no_nan() -> None:
    spec = behavior_spec(SPECS["discrete"], (5,))
    networks, settings = make_networks(spec)
    batch = random_batch(spec)
    none = torch.zeros_like(batch.allowed)
    batch = dataclasses.replace(batch, allowed=none, next_allowed=none)
    for gradients in (
        AutogradSACGradients(networks, settings, spec.action_spec),
        ExplicitSACGradients(networks, settings, spec.action_spec, 1),
    ):
        gradients.compute(batch)
        assert not networks.flat_actor.gradients.any()
        assert networks.flat_critic.gradients.isfinite().all()


@pytest.mark.parametrize("kind", SPECS)
def test_the_policy_loss_leaves_critics_alone_and_the_critic_loss_the_policy(kind: str) -> None:
    spec = behavior_spec(SPECS[kind], (5,))
    networks, settings = make_networks(spec)
    gradients = AutogradSACGradients(networks, settings, spec.action_spec)
    batch = random_batch(spec)
    gradients.compute(batch)
    actor, critic, _ = gradients_of(networks)

    pair = gradients._policy(batch)
    alpha = gradients._temperatures()
    targets = gradients._targets(batch, pair.following, alpha)
    assert not targets.requires_grad
    values = networks.critic.evaluate(gradients._encode(batch), batch.continuous_actions)
    loss = sum(sac.critic_loss(each, targets, batch, spec.action_spec) for each in values)
    networks.flat_critic.gradients.zero_()
    networks.flat_actor.gradients.zero_()
    loss.backward()
    assert not networks.flat_actor.gradients.any()
    assert torch.equal(networks.flat_critic.gradients, critic)  # nothing of the policy's loss was in it
    assert actor.any()
    assert not networks.flat_target.gradients.any()


@pytest.mark.parametrize("kind", ["continuous", "hybrid"])
def test_rows_of_padding_have_no_part_in_any_gradient(kind: str) -> None:
    """D9: errors are masked before they are averaged."""
    spec = behavior_spec(SPECS[kind], (5,))
    network = {"memory": {"memory_size": 6, "sequence_length": 4}}
    networks, settings = make_networks(spec, network=network)
    gradients = AutogradSACGradients(networks, settings, spec.action_spec)
    batch = random_batch(spec, 12, length=4, memory_size=6)
    mask = torch.tensor([True, True, False, False] * 3)
    batch = dataclasses.replace(batch, mask=mask)
    gradients.compute(batch)
    expected = gradients_of(networks)
    losses = gradients.take_losses()
    padding = ~mask.unsqueeze(1)
    nonsense = dataclasses.replace(
        batch,
        rewards=torch.where(padding, 1e3, batch.rewards),
        continuous_actions=torch.where(padding, 9.0, batch.continuous_actions),
        noise=torch.where(padding, 3.0, batch.noise),
    )
    gradients.compute(nonsense)
    for mine, theirs in zip(gradients_of(networks), expected, strict=True):
        torch.testing.assert_close(mine, theirs)
    assert gradients.take_losses()[:4] == pytest.approx(losses[:4])
    everything = dataclasses.replace(nonsense, mask=torch.ones_like(mask))
    gradients.compute(everything)
    assert not torch.allclose(networks.flat_critic.gradients, expected[1])


def test_paths_with_memory_equal_single_steps_where_nothing_is_remembered() -> None:
    """A path of two steps is one decision and its next one, if the memory starts from zero at both."""
    spec = behavior_spec(SPECS["continuous"], (5,))
    network = {"memory": {"memory_size": 6, "sequence_length": 2}}
    networks, settings = make_networks(spec, network=network)
    gradients = AutogradSACGradients(networks, settings, spec.action_spec)
    batch = random_batch(spec, 8, length=2, memory_size=6)
    alpha = gradients._temperatures()
    pair = gradients._policy(batch)
    targets = gradients._targets(batch, pair.following, alpha)
    inputs = batch.inputs[0].view(4, 3, 5)
    # step by step with the modules themselves
    for sequence in range(4):
        memory, target_memory = (
            batch.memory[sequence : sequence + 1],
            batch.target_memory[sequence : sequence + 1],
        )
        for step in range(3):
            x = [inputs[sequence, step : step + 1]]
            outputs, log_sigma, memory = networks.actor(x, memory)
            encodings, target_memory = networks.target.encode(x, target_memory)
            if step < 2:
                row = 2 * sequence + step
                action = torch.tanh(outputs + log_sigma.exp() * batch.noise[row])
                torch.testing.assert_close(action[0], pair.now.actions[row])
            if step:
                row = 2 * sequence + step - 1
                noise = batch.next_noise[row : row + 1]
                u = outputs + log_sigma.exp() * noise
                values = networks.target.evaluate(encodings, torch.tanh(u))
                log_prob = sac.squashed_log_prob(u, noise, log_sigma)
                soft = torch.minimum(*values)[0, 0, 0] - alpha.continuous * log_prob[0]
                expected = batch.rewards[row] + batch.discounts[row] * soft
                torch.testing.assert_close(targets[row], expected)
