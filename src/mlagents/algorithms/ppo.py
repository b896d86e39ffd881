"""Proximal policy optimisation (Schulman et al. 2017, arXiv 1707.06347): losses and update.

The losses are written twice. :func:`ppo_loss` below is the definition: plain torch, differentiated by
autograd, on any device. :mod:`mlagents.algorithms.ppo_explicit` computes the same numbers and gradients
in closed form for multilayer perceptrons on the CPU, several times faster. A test holds one against the
other.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, fields
from typing import Protocol

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from mlagents.algorithms.optimizer import FlatAdam
from mlagents.algorithms.ppo_settings import PPOSettings
from mlagents.networks.actor_critic import ActorCritic
from mlagents.networks.flat_parameters import FlatParameters
from mlagents_envs.base_env import ActionSpec

VALUE_LOSS_WEIGHT = 0.5
_HALF_LOG_TWO_PI = 0.5 * math.log(2.0 * math.pi)
_FORBIDDEN = -1e8


@dataclass(frozen=True, slots=True)
class PPOBatch:
    """Rows to learn from, all tensors on the learner's device.

    Attributes:
        inputs: float32 ``[B, I]``, encoded and normalised observations.
        continuous_actions: float32 ``[B, A]``, raw actions as sampled.
        discrete_actions: int32 ``[B, D]``, one index per branch.
        allowed_actions: bool ``[B, K]``, False where a discrete action was forbidden.
        old_log_probs: float32 ``[B, A + D]``, per action component, when the action was taken.
        advantages: float32 ``[B]``, already normalised.
        returns: float32 ``[B, S]``, one column per reward stream.
        old_values: float32 ``[B, S]``, value estimates before the update.
    """

    inputs: Tensor
    continuous_actions: Tensor
    discrete_actions: Tensor
    allowed_actions: Tensor
    old_log_probs: Tensor
    advantages: Tensor
    returns: Tensor
    old_values: Tensor

    def __len__(self) -> int:
        return len(self.advantages)

    def select(self, rows: Tensor) -> PPOBatch:
        """A copy of the given rows, int64 ``[b]``, in that order."""
        return PPOBatch(*(getattr(self, column.name).index_select(0, rows) for column in fields(self)))

    def range(self, begin: int, end: int) -> PPOBatch:
        """A view of rows ``begin`` to ``end``, exclusive."""
        return PPOBatch(*(getattr(self, column.name)[begin:end] for column in fields(self)))


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
    has its own ratio and the mean also runs over components. ``L_value = mean((V - R)²)``; with
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

    def __init__(self, network: ActorCritic, flat: FlatParameters, settings: PPOSettings) -> None:
        self._network = network
        self._flat = flat
        self._settings = settings
        self._losses: list[PPOLosses] = []

    def compute(self, batch: PPOBatch, coefficients: PPOCoefficients) -> None:
        """Overwrite the gradients with those of one minibatch."""
        self._flat.gradients.zero_()
        outputs, values = self._network(batch.inputs)
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
) -> PPOLosses:
    """Run ``num_epoch`` passes of minibatch gradient steps over a batch.

    Each pass shuffles all rows once, so that minibatches are contiguous views. The remainder that does not
    fill a minibatch is left out, differently in each pass; a batch smaller than one minibatch is one.

    Args:
        batch: all rows of the iteration.
        gradients: computes the gradient of a minibatch.
        optimizer: takes the steps.
        settings: batch size and number of passes.
        coefficients: clipping range and entropy weight.
        learning_rate: step size.
        rng: source of the shuffles.

    Returns:
        Mean losses over all minibatches.
    """
    size = min(settings.batch_size, len(batch))
    for _ in range(settings.num_epoch):
        order = torch.from_numpy(rng.permutation(len(batch))).to(batch.inputs.device)
        shuffled = batch.select(order)
        for begin in range(0, len(batch) - size + 1, size):
            gradients.compute(shuffled.range(begin, begin + size), coefficients)
            optimizer.step(learning_rate)
    return gradients.take_losses()
