"""Proximal policy optimisation (Schulman et al. 2017, arXiv 1707.06347): losses and update.

The losses are written twice. :func:`ppo_loss` below is the definition: plain torch, differentiated by
autograd, on any device. :mod:`mlagents.algorithms.ppo_explicit` computes the same numbers and gradients
in closed form for multilayer perceptrons on the CPU, several times faster. A test holds one against the
other.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, fields
from typing import Protocol

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from mlagents.algorithms.optimizer import FlatAdam
from mlagents.algorithms.ppo_batch import PPOBatch
from mlagents.algorithms.ppo_settings import PPOSettings
from mlagents.experience.image_column import decode_levels
from mlagents.networks.actor_critic import ActorCritic
from mlagents.networks.flat_parameters import FlatParameters
from mlagents.networks.general_actor_critic import GeneralActorCritic
from mlagents_envs.base_env import ActionSpec

VALUE_LOSS_WEIGHT = 0.5
_HALF_LOG_TWO_PI = 0.5 * math.log(2.0 * math.pi)
_FORBIDDEN = -1e8


@dataclass(frozen=True, slots=True)
class PPOCoefficients:
    """Coefficients of the loss at the current step of their schedules.

    Attributes:
        epsilon: clipping range of the probability ratio.
        beta: weight of the entropy bonus.
    """

    epsilon: float
    beta: float


@dataclass(slots=True)
class PPOLosses:
    """Terms of the loss, means over rows.

    Attributes:
        policy: clipped surrogate objective, negated.
        value: value loss before weighting.
        entropy: entropy of the policy.
        approximate_kl: ``mean(ratio - 1 - log ratio)``, an estimate of the change of the policy.
        clip_fraction: share of probability ratios outside the clipping range.
    """

    policy: float
    value: float
    entropy: float
    approximate_kl: float
    clip_fraction: float

    def as_stats(self) -> dict[str, float]:
        """The terms by their tags."""
        return {
            "Losses/Policy Loss": abs(self.policy),
            "Losses/Value Loss": self.value,
            "Policy/Entropy": self.entropy,
            "Policy/Approximate KL": self.approximate_kl,
            "Policy/Clip Fraction": self.clip_fraction,
        }


def component_log_probs_and_entropy(
    outputs: Tensor,
    log_sigma: Tensor,
    action_spec: ActionSpec,
    continuous_actions: Tensor,
    discrete_actions: Tensor,
    allowed_actions: Tensor,
    *,
    mean_continuous_entropy: bool,
) -> tuple[Tensor, Tensor]:
    """Log-probability of each action component, and the entropy of the policy.

    Continuous: ``log N(a; mu, sigma) = -(a - mu)² / (2 sigma²) - log sigma - ½ log 2 pi`` with entropy
    ``log sigma + ½ log 2 pi e``. Discrete: a categorical distribution per branch over allowed actions;
    where all are forbidden the action did not matter, and log-probability and entropy are 0.

    Args:
        outputs: float32 ``[B, A + K]``, means and logits.
        log_sigma: float32 ``[A]``.
        action_spec: sizes.
        continuous_actions: float32 ``[B, A]``.
        discrete_actions: int ``[B, D]``.
        allowed_actions: bool ``[B, K]``.
        mean_continuous_entropy: average the entropy over continuous dimensions instead of summing.

    Returns:
        Log-probabilities ``[B, A + D]`` and entropy ``[B]``.
    """
    size = action_spec.continuous_size
    log_probs: list[Tensor] = []
    entropy = outputs.new_zeros(len(outputs))
    if size:
        z = (continuous_actions - outputs[:, :size]) * torch.exp(-log_sigma)
        log_probs.append(-0.5 * z * z - log_sigma - _HALF_LOG_TWO_PI)
        per_dimension = log_sigma + _HALF_LOG_TWO_PI + 0.5
        entropy = entropy + (per_dimension.mean() if mean_continuous_entropy else per_dimension.sum())
    begin = size
    for branch, choices in enumerate(action_spec.discrete_branches):
        end = begin + choices
        allowed = allowed_actions[:, begin - size : end - size]
        logits = functional.log_softmax(outputs[:, begin:end].masked_fill(~allowed, _FORBIDDEN), dim=1)
        logits = logits.masked_fill(~allowed.any(dim=1, keepdim=True), 0.0)
        chosen = discrete_actions[:, branch : branch + 1].long()
        log_probs.append(logits.gather(1, chosen))
        entropy = entropy - (logits.exp() * logits).sum(dim=1)
        begin = end
    return torch.cat(log_probs, dim=1), entropy


def ppo_loss(
    outputs: Tensor,
    log_sigma: Tensor,
    values: Tensor,
    batch: PPOBatch,
    action_spec: ActionSpec,
    settings: PPOSettings,
    coefficients: PPOCoefficients,
) -> tuple[Tensor, PPOLosses]:
    """Loss of a minibatch: ``L = L_policy + ½ L_value - beta H``.

    ``L_policy = -mean(min(rho A, clip(rho, 1 - eps, 1 + eps) A))`` (arXiv 1707.06347, eq. 7) with the
    ratio ``rho = pi(a|s) / pi_old(a|s)`` of the whole action; with ``ratio_per_component`` each component
    has its own ratio and the mean also runs over components. Rows that only fill up a sequence count
    nowhere. ``L_value = mean((V - R)²)``; with
    ``clip_value_loss`` the larger of that and the same with V kept within eps of its old value.

    Args:
        outputs: float32 ``[B, A + K]``.
        log_sigma: float32 ``[A]``.
        values: float32 ``[B, S]``.
        batch: the rows.
        action_spec: sizes.
        settings: which variants to use.
        coefficients: clipping range and entropy weight.

    Returns:
        The loss, a scalar, and its terms.
    """
    if batch.mask is not None:
        outputs, values = outputs[batch.mask], values[batch.mask]
        batch = batch.without_padding()
    log_probs, entropy = component_log_probs_and_entropy(
        outputs,
        log_sigma,
        action_spec,
        batch.continuous_actions,
        batch.discrete_actions,
        batch.allowed_actions,
        mean_continuous_entropy=settings.mean_continuous_entropy,
    )
    log_ratio = log_probs - batch.old_log_probs
    if not settings.ratio_per_component:
        log_ratio = log_ratio.sum(dim=1, keepdim=True)
    ratio = log_ratio.exp()
    advantages = batch.advantages.unsqueeze(1)
    low, high = 1.0 - coefficients.epsilon, 1.0 + coefficients.epsilon
    policy_loss = -torch.minimum(ratio * advantages, ratio.clamp(low, high) * advantages).mean()

    squared_error = (values - batch.returns).square()
    if settings.clip_value_loss:
        change = (values - batch.old_values).clamp(-coefficients.epsilon, coefficients.epsilon)
        squared_error = torch.maximum(squared_error, (batch.old_values + change - batch.returns).square())
    value_loss = squared_error.mean()

    mean_entropy = entropy.mean()
    loss = policy_loss + VALUE_LOSS_WEIGHT * value_loss - coefficients.beta * mean_entropy
    with torch.no_grad():
        approximate_kl = (ratio - 1.0 - log_ratio).mean()
        clip_fraction = ((ratio < low) | (ratio > high)).float().mean()
        terms = torch.stack([policy_loss, value_loss, mean_entropy, approximate_kl, clip_fraction])
    return loss, PPOLosses(*terms.tolist())  # one transfer from the device


class MinibatchGradients(Protocol):
    """Computes the gradient of the PPO loss into the flat gradient vector of a network."""

    def compute(self, batch: PPOBatch, coefficients: PPOCoefficients) -> None:
        """Overwrite the gradients with those of one minibatch."""

    def take_losses(self) -> PPOLosses:
        """Mean losses of the minibatches since the last call."""


class AutogradGradients:
    """Gradients by automatic differentiation of :func:`ppo_loss`, on any device.

    Args:
        network: actor and critic.
        flat: their parameters.
        settings: variants of the loss.
    """

    def __init__(
        self, network: ActorCritic | GeneralActorCritic, flat: FlatParameters, settings: PPOSettings
    ) -> None:
        self._network = network
        self._flat = flat
        self._settings = settings
        self._losses: list[PPOLosses] = []

    def compute(self, batch: PPOBatch, coefficients: PPOCoefficients) -> None:
        """Overwrite the gradients with those of one minibatch."""
        self._flat.gradients.zero_()
        outputs, values = self._forward(batch)
        loss, losses = ppo_loss(
            outputs,
            self._network.log_sigma,
            values,
            batch,
            self._network.action_spec,
            self._settings,
            coefficients,
        )
        loss.backward()  # type: ignore[no-untyped-call]
        self._losses.append(losses)

    def _forward(self, batch: PPOBatch) -> tuple[Tensor, Tensor]:
        """Outputs ``[B, A + K]`` and values ``[B, S]``."""
        network = self._network
        inputs = [decode_levels(column) for column in batch.inputs]
        if isinstance(network, ActorCritic):
            outputs, values = network(inputs[0])
        else:
            outputs, values, _, _ = network(inputs, batch.memory, batch.critic_memory, batch.sequence_length)
        return outputs, values

    def take_losses(self) -> PPOLosses:
        """Mean losses of the minibatches since the last call."""
        taken, self._losses = self._losses, []
        return PPOLosses(
            *(float(np.mean([getattr(losses, f.name) for losses in taken])) for f in fields(PPOLosses))
        )


def ppo_update(
    batch: PPOBatch,
    gradients: MinibatchGradients,
    optimizer: FlatAdam,
    settings: PPOSettings,
    coefficients: PPOCoefficients,
    learning_rate: float,
    rng: np.random.Generator,
    after_step: Callable[[Tensor], None] | None = None,
) -> PPOLosses:
    """Run ``num_epoch`` passes of minibatch gradient steps over a batch.

    Each pass shuffles all units (rows, or sequences of L rows) once, so that minibatches are contiguous
    views; images are gathered minibatch by minibatch instead. A minibatch is ``batch_size // L`` units, at
    least one. The remainder that does not fill a minibatch is left out, differently in each pass; a batch
    smaller than one minibatch is one.

    Args:
        batch: all rows of the iteration.
        gradients: computes the gradient of a minibatch.
        optimizer: takes the steps.
        settings: batch size and number of passes.
        coefficients: clipping range and entropy weight.
        learning_rate: step size.
        rng: source of the shuffles.
        after_step: called after each step with the units of its minibatch, int64 ``[u]``.

    Returns:
        Mean losses over all minibatches.
    """
    units = batch.num_units
    size = min(max(1, settings.batch_size // batch.sequence_length), units)
    for _ in range(settings.num_epoch):
        order = torch.from_numpy(rng.permutation(units)).to(batch.device)
        shuffled = None if batch.is_heavy else batch.select(order)
        for begin in range(0, units - size + 1, size):
            end = begin + size
            minibatch = batch.select(order[begin:end]) if shuffled is None else shuffled.range(begin, end)
            gradients.compute(minibatch, coefficients)
            optimizer.step(learning_rate)
            if after_step is not None:
                after_step(order[begin:end])
    return gradients.take_losses()
