"""The losses of the soft actor-critic, for continuous, discrete and hybrid actions.

A policy is to earn reward and to stay random: it maximises the expected sum of ``r + alpha H(pi(.|s))``. Two
critics estimate what an action is worth (Haarnoja et al. 2018, arXiv 1812.05905); discrete actions are not
sampled but averaged over (Christodoulou 2019, arXiv 1910.07207); hybrid actions are an expectation over the
discrete and a sample of the continuous ones (Delalleau et al. 2019, arXiv 1912.11077).

Continuous actions share one temperature; every discrete branch has its own. With several branches, each
learns its own values: of its choices while the other branches follow the policy (Tavakoli et al. 2018, arXiv
1711.08946, §3). They all estimate the same expectation, so that where one number is wanted it is their mean.

With several reward streams each has its values and targets; the policy maximises the mean over streams.
Rows are decisions, N of them. Functions here are pure; tensors are float32 on one device.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional

from mlagents_envs.base_env import ActionSpec

_HALF_LOG_TWO_PI = 0.5 * math.log(2.0 * math.pi)
_LOG_TWO = math.log(2.0)
_FORBIDDEN = -1e8


@dataclass(frozen=True, slots=True)
class SACBatch:
    """What one update learns from: N decisions and what followed.

    With memory, N = B · L rows are B sequences of L rows. Their inputs come as paths of L + 1 steps, as the
    observation after a row is that of the next.

    Attributes:
        inputs: network inputs, ``[N, *shape_i]`` each; with memory paths ``[B · (L + 1), *shape_i]``.
        next_inputs: inputs after the decisions, ``[N, *shape_i]`` each; with memory none.
        continuous_actions: ``[N, A]``, as the environment got them, -1 to 1.
        discrete_actions: int64 ``[N, D]``.
        allowed: bool ``[N, K]``, False where a choice was forbidden.
        next_allowed: bool ``[N, K]``, the same for the next decision.
        rewards: ``[N, S]``, scaled.
        discounts: ``[N, S]``: gamma, or 0 where the stream ended.
        noise: ``[N, A]``, standard normal draws for the actions that the policy would take.
        next_noise: ``[N, A]``, the same for the next decision.
        old_entropies: ``[N, D]``, entropies of the branches when the decisions were made; None if not needed.
        mask: bool ``[N]``, False for rows that only fill up a sequence; None if there are none.
        sequence_length: L; 1 without memory.
        memory: ``[B, m]``, what the policy remembers at the start of each path.
        critic_memory: ``[B, 2 m]``, the same for the critics.
        target_memory: ``[B, 2 m]``, the same for their targets.
    """

    inputs: tuple[Tensor, ...]
    next_inputs: tuple[Tensor, ...]
    continuous_actions: Tensor
    discrete_actions: Tensor
    allowed: Tensor
    next_allowed: Tensor
    rewards: Tensor
    discounts: Tensor
    noise: Tensor
    next_noise: Tensor
    old_entropies: Tensor | None = None
    mask: Tensor | None = None
    sequence_length: int = 1
    memory: Tensor | None = None
    critic_memory: Tensor | None = None
    target_memory: Tensor | None = None

    def __len__(self) -> int:
        return len(self.rewards)


class PolicySample(NamedTuple):
    """What a policy does at N decisions.

    Attributes:
        actions: ``[N, A]``, sampled continuous actions, squashed.
        log_prob: ``[N]``, their joint log-density; 0 without continuous actions.
        probs: ``[N, K]``, probabilities of all choices of all branches.
        log_probs: ``[N, K]``, their logarithms.
    """

    actions: Tensor
    log_prob: Tensor
    probs: Tensor
    log_probs: Tensor


class Temperatures(NamedTuple):
    """Weights of entropies, without gradient.

    Attributes:
        continuous: scalar; of all continuous actions.
        discrete: ``[D]``; of each branch.
    """

    continuous: Tensor
    discrete: Tensor


def squashed_log_prob(pre_squash: Tensor, noise: Tensor, log_sigma: Tensor) -> Tensor:
    """Joint log-density of ``a = tanh(u)``, ``u = mu + sigma * noise`` (arXiv 1812.05905, eq. 26).

    ``sum_j log N(u_j; mu_j, sigma_j) - log(1 - tanh(u_j)²)``, with the last logarithm written as
    ``2 (log 2 - u - softplus(-2 u))``, which no large ``u`` turns into infinity. It comes from u and never
    from a, which rounds to 1.

    Args:
        pre_squash: u, ``[N, A]``.
        noise: ``[N, A]``.
        log_sigma: ``[N, A]``.

    Returns:
        ``[N]``.
    """
    gaussian = -0.5 * noise.square() - log_sigma - _HALF_LOG_TWO_PI
    squash = 2.0 * (_LOG_TWO - pre_squash - functional.softplus(-2.0 * pre_squash))
    return (gaussian - squash).sum(dim=1)


def sample_policy(
    outputs: Tensor, log_sigma: Tensor, noise: Tensor, allowed: Tensor, spec: ActionSpec
) -> PolicySample:
    """Actions that a policy takes with given noise, and probabilities of all its choices.

    Args:
        outputs: means and logits, ``[N, A + K]``.
        log_sigma: ``[N, A]``, clamped.
        noise: ``[N, A]``.
        allowed: bool ``[N, K]``; forbidden choices have probability 0.
        spec: sizes.
    """
    size = spec.continuous_size
    if size:
        pre_squash = outputs[:, :size] + log_sigma.exp() * noise
        actions = torch.tanh(pre_squash)
        log_prob = squashed_log_prob(pre_squash, noise, log_sigma)
    else:
        actions, log_prob = outputs[:, :0], outputs.new_zeros(len(outputs))
    logits = outputs[:, size:].masked_fill(~allowed, _FORBIDDEN)
    if spec.discrete_size:
        branches = torch.split(logits, list(spec.discrete_branches), dim=1)
        log_probs = torch.cat([functional.log_softmax(branch, dim=1) for branch in branches], dim=1)
    else:
        log_probs = logits
    return PolicySample(actions, log_prob, log_probs.exp(), log_probs)


def sum_branches(values: Tensor, spec: ActionSpec) -> Tensor:
    """Sum ``[N, K]`` over the choices of each branch: ``[N, D]``."""
    if not spec.discrete_size:
        return values[:, :0]
    parts = torch.split(values, list(spec.discrete_branches), dim=1)
    return torch.stack([part.sum(dim=1) for part in parts], dim=1)


def branch_entropies(sample: PolicySample, spec: ActionSpec) -> Tensor:
    """Entropy of each branch, ``[N, D]``."""
    return -sum_branches(sample.probs * sample.log_probs, spec)


def expected_values(values: Tensor, probs: Tensor, spec: ActionSpec) -> Tensor:
    """Expectation of values ``[N, S, C]`` over discrete choices, ``[N, S]``: the mean of all branches."""
    if not spec.discrete_size:
        return values[:, :, 0]
    return (values * probs.unsqueeze(1)).sum(dim=2) / spec.discrete_size


def soft_values(values: Tensor, sample: PolicySample, alpha: Temperatures, spec: ActionSpec) -> Tensor:
    """``V(s) = E[Q(s, a)] + alpha_c H_c + sum_b alpha_b H_b``, every entropy once, ``[N, S]``.

    The continuous entropy is ``-log pi`` of the sampled action (arXiv 1812.05905, eq. 3), those of branches
    are exact (arXiv 1910.07207, eq. 10).

    Args:
        values: the smaller ones of both critics, ``[N, S, C]``.
        sample: what the policy does.
        alpha: temperatures.
        spec: sizes.
    """
    bonus = (branch_entropies(sample, spec) * alpha.discrete).sum(dim=1) - alpha.continuous * sample.log_prob
    return expected_values(values, sample.probs, spec) + bonus.unsqueeze(1)


def chosen_values(values: Tensor, discrete_actions: Tensor, spec: ActionSpec) -> Tensor:
    """Values ``[N, S, C]`` of the choices that were made, ``[N, S, D]``; with no branch ``[N, S, 1]``."""
    if not spec.discrete_size:
        return values
    sizes = torch.tensor((0, *spec.discrete_branches[:-1]), device=values.device)
    index = (discrete_actions + sizes.cumsum(dim=0)).unsqueeze(1)  # [N, 1, D]
    return values.gather(2, index.expand(-1, values.shape[1], -1))


def masked_mean(values: Tensor, mask: Tensor | None) -> Tensor:
    """Mean of ``[N]`` over the rows of ``mask``, all if None."""
    if mask is None:
        return values.mean()
    return (values * mask).sum() / mask.sum()


def critic_loss(values: Tensor, targets: Tensor, batch: SACBatch, spec: ActionSpec) -> Tensor:
    """``½ (Q(s, a) - y)²``, mean over rows that count, streams and branches (arXiv 1812.05905, eq. 5).

    Args:
        values: of one critic, ``[N, S, C]``.
        targets: y, ``[N, S]``.
        batch: the decisions.
        spec: sizes.
    """
    errors = chosen_values(values, batch.discrete_actions, spec) - targets.unsqueeze(2)
    return masked_mean(0.5 * errors.square().mean(dim=(1, 2)), batch.mask)


def policy_loss(values: Tensor, sample: PolicySample, alpha: Temperatures, spec: ActionSpec) -> Tensor:
    """What the policy minimises, ``[N]`` (arXiv 1812.05905, eq. 9; 1910.07207, eq. 12; 1912.11077, eq. 10).

    ``alpha_c log pi_c - E[Q]`` moves the continuous actions, with the choices' probabilities as given;
    ``sum_b sum_a pi_b(a) (alpha_b log pi_b(a) - Q_b(a))`` moves the choices, with their values as given. So
    no value counts twice.

    Args:
        values: the smaller ones of both critics at the sampled actions, ``[N, S, C]``.
        sample: what the policy does.
        alpha: temperatures.
        spec: sizes.
    """
    loss = sample.log_prob.new_zeros(())
    if spec.continuous_size:
        expected = expected_values(values, sample.probs.detach(), spec).mean(dim=1)
        loss = loss + alpha.continuous * sample.log_prob - expected
    if spec.discrete_size:
        weights = torch.repeat_interleave(
            alpha.discrete, torch.tensor(spec.discrete_branches, device=values.device)
        )
        choices = sample.probs * (weights * sample.log_probs - values.detach().mean(dim=1))
        loss = loss + choices.sum(dim=1)
    return loss


def entropy_penalty(entropies: Tensor, old_entropies: Tensor) -> Tensor:
    """``½ (H_old - H)²``, mean over branches, ``[N]`` (Zhou et al. 2022, arXiv 2209.10081, eq. 12).

    Args:
        entropies: of the branches now, ``[N, D]``.
        old_entropies: when the decision was made.
    """
    return 0.5 * (old_entropies - entropies).square().mean(dim=1)


def target_entropies(allowed: Tensor, ratio: float, spec: ActionSpec) -> Tensor:
    """Entropy that each branch should keep: ``ratio · ln`` of how many choices are allowed, ``[N, D]``."""
    counts = sum_branches(allowed.float(), spec)
    return ratio * counts.clamp(min=1.0).log()


def entropy_gaps(
    sample: PolicySample,
    batch: SACBatch,
    spec: ActionSpec,
    continuous_target: float,
    discrete_ratio: float,
) -> tuple[Tensor, Tensor]:
    """How much entropy is missing: target minus entropy, means over the rows that count.

    The temperatures' loss is ``-log alpha · gap``, its gradient by ``log alpha`` minus the gap (arXiv
    1812.05905, eq. 18, with log alpha for alpha as is usual).

    Args:
        sample: what the policy does.
        batch: the decisions.
        spec: sizes.
        continuous_target: of all continuous actions together, nats.
        discrete_ratio: see :func:`target_entropies`.

    Returns:
        Gap of the continuous actions, a scalar, and of each branch, ``[D]``.
    """
    continuous = masked_mean(sample.log_prob + continuous_target, batch.mask)
    gaps = target_entropies(batch.allowed, discrete_ratio, spec) - branch_entropies(sample, spec)  # [N, D]
    if batch.mask is None:
        return continuous, gaps.mean(dim=0)
    return continuous, (gaps * batch.mask.unsqueeze(1)).sum(dim=0) / batch.mask.sum()
