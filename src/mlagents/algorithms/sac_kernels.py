"""Samples, targets and gradients of the soft actor-critic row by row, compiled.

The formulas are those of :mod:`mlagents.algorithms.sac`, and a test compares both. Shapes: B rows, A
continuous actions, D branches with K choices in all, S reward streams, C values per stream (K, or 1 without
branches). Temperatures ``alpha`` are float64 ``[2 + D]``: that of the continuous actions at 0, one per branch
from 1 on. The last one has no meaning.
"""

from __future__ import annotations

import math

import numpy as np
from numba import njit
from numpy.typing import NDArray

from mlagents.networks.squashed_actor import LOG_SIGMA_MAX, LOG_SIGMA_MIN

_HALF_LOG_TWO_PI = 0.5 * math.log(2.0 * math.pi)
_LOG_TWO = math.log(2.0)


@njit(cache=True, error_model="numpy")
def sample_policy(
    outputs: NDArray[np.float32],
    noise: NDArray[np.float32],
    branch_ends: NDArray[np.int64],
    allowed: NDArray[np.bool_],
    actions: NDArray[np.float32],
    log_prob: NDArray[np.float64],
    probs: NDArray[np.float64],
    log_probs: NDArray[np.float64],
) -> None:
    """What a policy does with given noise.

    Args:
        outputs: float32 ``[B, A + K + A]``: means, logits, logarithms of the deviations.
        noise: float32 ``[B, A]``.
        branch_ends: int64 ``[D]``, cumulated branch sizes.
        allowed: bool ``[B, K]``; a branch in which everything is forbidden is drawn from uniformly.
        actions: float32 ``[B, A]``, output: squashed.
        log_prob: float64 ``[B]``, output: joint log-density of the continuous actions.
        probs: float64 ``[B, K]``, output: probabilities of choices.
        log_probs: float64 ``[B, K]``, output: their logarithms, 0 where the choice is forbidden.
    """
    size = actions.shape[1]
    first_sigma = outputs.shape[1] - size
    for row in range(outputs.shape[0]):
        total = 0.0
        for dim in range(size):
            log_sigma = min(max(outputs[row, first_sigma + dim], LOG_SIGMA_MIN), LOG_SIGMA_MAX)
            draw = noise[row, dim]
            u = outputs[row, dim] + math.exp(log_sigma) * draw
            actions[row, dim] = math.tanh(u)
            # softplus(-2u), without overflow
            softplus = max(-2.0 * u, 0.0) + math.log1p(math.exp(-abs(2.0 * u)))
            total += -0.5 * draw * draw - log_sigma - _HALF_LOG_TWO_PI - 2.0 * (_LOG_TWO - u - softplus)
        log_prob[row] = total
        begin = 0
        for branch in range(branch_ends.shape[0]):
            end = branch_ends[branch]
            top = -math.inf
            for choice in range(begin, end):
                if allowed[row, choice]:
                    top = max(top, outputs[row, size + choice])
            if top == -math.inf:
                probs[row, begin:end] = 1.0 / (end - begin)
                log_probs[row, begin:end] = -math.log(end - begin)
                begin = end
                continue
            weight = 0.0
            for choice in range(begin, end):
                if allowed[row, choice]:
                    weight += math.exp(outputs[row, size + choice] - top)
            for choice in range(begin, end):
                if allowed[row, choice]:
                    log_probs[row, choice] = outputs[row, size + choice] - top - math.log(weight)
                    probs[row, choice] = math.exp(log_probs[row, choice])
                else:
                    log_probs[row, choice] = 0.0
                    probs[row, choice] = 0.0
            begin = end


@njit(cache=True, error_model="numpy")
def _expectation(
    first: NDArray[np.float32], second: NDArray[np.float32], probs: NDArray[np.float64], num_branches: int
) -> float:
    """Expectation of the smaller of two critics' values ``[C]`` over choices; mean over branches."""
    if num_branches == 0:
        return float(min(first[0], second[0]))
    total = 0.0
    for choice in range(probs.shape[0]):
        total += probs[choice] * min(first[choice], second[choice])
    return total / num_branches


@njit(cache=True, error_model="numpy")
def soft_targets(
    first: NDArray[np.float32],
    second: NDArray[np.float32],
    log_prob: NDArray[np.float64],
    probs: NDArray[np.float64],
    log_probs: NDArray[np.float64],
    branch_ends: NDArray[np.int64],
    alpha: NDArray[np.float64],
    rewards: NDArray[np.float32],
    discounts: NDArray[np.float32],
    targets: NDArray[np.float32],
) -> None:
    """``y = r + gamma V(s')``.

    Args:
        first: float32 ``[B, S · C]``, values of the first target at the next decisions.
        second: float32 ``[B, S · C]``, those of the second.
        log_prob: float64 ``[B]``, of the next continuous actions.
        probs: float64 ``[B, K]``, of the next choices.
        log_probs: float64 ``[B, K]``, their logarithms.
        branch_ends: int64 ``[D]``.
        alpha: temperatures.
        rewards: float32 ``[B, S]``.
        discounts: float32 ``[B, S]``.
        targets: float32 ``[B, S]``, output.
    """
    streams, branches = rewards.shape[1], branch_ends.shape[0]
    choices = first.shape[1] // streams
    for row in range(rewards.shape[0]):
        bonus = -alpha[0] * log_prob[row]
        begin = 0
        for branch in range(branches):
            for choice in range(begin, branch_ends[branch]):
                bonus -= alpha[1 + branch] * probs[row, choice] * log_probs[row, choice]
            begin = branch_ends[branch]
        for stream in range(streams):
            part = slice(stream * choices, (stream + 1) * choices)
            value = _expectation(first[row, part], second[row, part], probs[row], branches) + bonus
            targets[row, stream] = rewards[row, stream] + discounts[row, stream] * value


@njit(cache=True, error_model="numpy")
def critic_gradients(
    values: NDArray[np.float32],
    targets: NDArray[np.float32],
    discrete_actions: NDArray[np.int64],
    branch_ends: NDArray[np.int64],
    gradients: NDArray[np.float32],
) -> float:
    """Derivative of ``mean ½ (Q(s, a) - y)²`` by all values; returns the loss.

    Args:
        values: float32 ``[B, S · C]``, of one critic.
        targets: float32 ``[B, S]``.
        discrete_actions: int64 ``[B, D]``, choices that were made.
        branch_ends: int64 ``[D]``.
        gradients: float32 ``[B, S · C]``, output.
    """
    rows, streams = targets.shape
    branches = branch_ends.shape[0]
    choices = values.shape[1] // streams
    share = 1.0 / (rows * streams * max(1, branches))
    loss = 0.0
    gradients[:] = 0.0
    for row in range(rows):
        for stream in range(streams):
            offset = stream * choices
            begin = 0
            for branch in range(max(1, branches)):
                place = offset
                if branches:
                    place += begin + discrete_actions[row, branch]
                    begin = branch_ends[branch]
                error = values[row, place] - targets[row, stream]
                loss += 0.5 * share * error * error
                gradients[row, place] += share * error
    return loss


@njit(cache=True, error_model="numpy")
def policy_gradients(
    first: NDArray[np.float32],
    second: NDArray[np.float32],
    log_prob: NDArray[np.float64],
    probs: NDArray[np.float64],
    log_probs: NDArray[np.float64],
    branch_ends: NDArray[np.int64],
    allowed: NDArray[np.bool_],
    alpha: NDArray[np.float64],
    old_entropies: NDArray[np.float32],
    penalty: float,
    continuous_size: int,
    grad_first: NDArray[np.float32],
    grad_second: NDArray[np.float32],
    grad_outputs: NDArray[np.float32],
    gaps: NDArray[np.float64],
    sums: NDArray[np.float64],
) -> None:
    """Derivatives of the policy's loss by the critics' values and by its own logits.

    For branch b with ``f(a) = alpha_b log pi(a) - Q(a)``: ``d(sum pi f)/dlogit_j = pi_j (f_j - sum pi f)``,
    and ``dH/dlogit_j = -pi_j (log pi_j + H)``. Continuous actions see ``-E[Q]``, whose derivative goes to the
    smaller value of each choice (to the first one where both are equal).

    Args:
        first: float32 ``[B, S · C]``, values of the first critic at the policy's actions.
        second: float32 ``[B, S · C]``, those of the second.
        log_prob: float64 ``[B]``, of the continuous actions.
        probs: float64 ``[B, K]``.
        log_probs: float64 ``[B, K]``.
        branch_ends: int64 ``[D]``.
        allowed: bool ``[B, K]``.
        alpha: temperatures.
        old_entropies: float32 ``[B, D]``, or with no rows if there is no penalty.
        penalty: weight of the squared change of entropies.
        continuous_size: A.
        grad_first: float32 ``[B, S · C]``, output, without continuous actions not written.
        grad_second: float32 ``[B, S · C]``, likewise.
        grad_outputs: float32 ``[B, A + K + A]``, output: only the K columns of the logits.
        gaps: float64 ``[1 + D]``, output: mean log-density of continuous actions; minus mean entropy of each
            branch.
        sums: float64 ``[2 + S]``: loss, entropy and expected values per stream, means, are added.
    """
    rows, branches, choices = probs.shape[0], branch_ends.shape[0], max(1, probs.shape[1])
    streams = first.shape[1] // choices
    share = 1.0 / rows
    gaps[:] = 0.0
    for row in range(rows):
        expected = 0.0
        for stream in range(streams):
            part = slice(stream * choices, (stream + 1) * choices)
            value = _expectation(first[row, part], second[row, part], probs[row], branches)
            expected += value / streams
            sums[2 + stream] += share * value
        if continuous_size:
            gaps[0] += share * log_prob[row]
            sums[0] += share * (alpha[0] * log_prob[row] - expected)
            sums[1] -= share * log_prob[row]
            for place in range(streams * choices):
                weight = -share / streams
                if branches:
                    weight *= probs[row, place % choices] / branches
                if first[row, place] <= second[row, place]:
                    grad_first[row, place], grad_second[row, place] = weight, 0.0
                else:
                    grad_first[row, place], grad_second[row, place] = 0.0, weight
        begin = 0
        for branch in range(branches):
            end = branch_ends[branch]
            loss, entropy, any_allowed = 0.0, 0.0, False
            for choice in range(begin, end):
                any_allowed |= allowed[row, choice]
                value = _mean_over_streams(first[row], second[row], choice, choices, streams)
                loss += probs[row, choice] * (alpha[1 + branch] * log_probs[row, choice] - value)
                entropy -= probs[row, choice] * log_probs[row, choice]
            change = 0.0
            if len(old_entropies):
                change = (old_entropies[row, branch] - entropy) * penalty / branches
                sums[0] += share * 0.5 * change * (old_entropies[row, branch] - entropy)
            gaps[1 + branch] -= share * entropy
            sums[0] += share * loss
            sums[1] += share * entropy
            for choice in range(begin, end):
                value = _mean_over_streams(first[row], second[row], choice, choices, streams)
                by_logit = alpha[1 + branch] * log_probs[row, choice] - value - loss
                by_logit += change * (log_probs[row, choice] + entropy)
                slope = share * probs[row, choice] * by_logit if any_allowed else 0.0
                grad_outputs[row, continuous_size + choice] = slope
            begin = end


@njit(cache=True, error_model="numpy")
def _mean_over_streams(
    first: NDArray[np.float32], second: NDArray[np.float32], choice: int, choices: int, streams: int
) -> float:
    """Smaller value of a choice, mean over streams."""
    total = 0.0
    for stream in range(streams):
        total += min(first[stream * choices + choice], second[stream * choices + choice])
    return total / streams


@njit(cache=True, error_model="numpy")
def action_gradients(
    by_first: NDArray[np.float32],
    by_second: NDArray[np.float32],
    outputs: NDArray[np.float32],
    noise: NDArray[np.float32],
    actions: NDArray[np.float32],
    alpha: float,
    grad_outputs: NDArray[np.float32],
) -> None:
    """Derivatives of the policy's loss by means and logarithms of deviations.

    With ``u = mu + sigma eps`` and ``a = tanh(u)``: ``da/du = 1 - a²``, ``dlog pi/du = 2 a``, and
    ``dlog pi/dlog sigma = -1`` at fixed u. So ``g = alpha 2 a / B + dL/da (1 - a²)`` is the derivative by mu,
    and ``g sigma eps - alpha / B`` that by log sigma, 0 where it is clamped.

    Args:
        by_first: float32 ``[B, A]``, derivative by the actions through the first critic.
        by_second: float32 ``[B, A]``, through the second.
        outputs: float32 ``[B, A + K + A]``.
        noise: float32 ``[B, A]``.
        actions: float32 ``[B, A]``.
        alpha: temperature.
        grad_outputs: float32 ``[B, A + K + A]``, output: the first and the last A columns.
    """
    rows, size = actions.shape
    first_sigma = outputs.shape[1] - size
    share = 1.0 / rows
    for row in range(rows):
        for dim in range(size):
            a = actions[row, dim]
            by_action = by_first[row, dim] + by_second[row, dim]
            by_mean = 2.0 * alpha * share * a + by_action * (1.0 - a * a)
            grad_outputs[row, dim] = by_mean
            log_sigma = outputs[row, first_sigma + dim]
            inside = log_sigma >= LOG_SIGMA_MIN and log_sigma <= LOG_SIGMA_MAX
            slope = by_mean * math.exp(log_sigma) * noise[row, dim] - alpha * share if inside else 0.0
            grad_outputs[row, first_sigma + dim] = slope


@njit(cache=True, error_model="numpy")
def mean_target_entropies(
    allowed: NDArray[np.bool_], branch_ends: NDArray[np.int64], ratio: float, targets: NDArray[np.float64]
) -> None:
    """``ratio · ln`` of the number of allowed choices, mean over rows ``[D]``."""
    targets[:] = 0.0
    rows = allowed.shape[0]
    for row in range(rows):
        begin = 0
        for branch in range(branch_ends.shape[0]):
            count = 0
            for choice in range(begin, branch_ends[branch]):
                count += allowed[row, choice]
            targets[branch] += ratio * math.log(max(1, count)) / rows
            begin = branch_ends[branch]
