"""Sampling actions and their log-probabilities, compiled; one call per step for all agents."""

from __future__ import annotations

import math

import numpy as np
from numba import njit
from numpy.typing import NDArray

ACTION_LIMIT = 3.0
"""Raw continuous actions are clamped to this and divided by it before they reach the environment."""

_HALF_LOG_TWO_PI = 0.5 * math.log(2.0 * math.pi)


@njit(cache=True, error_model="numpy")
def sample_continuous(
    outputs: NDArray[np.float32],
    log_sigma: NDArray[np.float32],
    noise: NDArray[np.float32],
    actions: NDArray[np.float32],
    log_probs: NDArray[np.float32],
    environment_actions: NDArray[np.float32],
) -> bool:
    """Sample ``a = mu + sigma * noise`` from diagonal Gaussians.

    Args:
        outputs: float32 ``[n, A + K]``, of which the first A columns are the means.
        log_sigma: float32 ``[A]``.
        noise: float32 ``[n, A]``, standard normal draws; zeros give the mean.
        actions: float32 ``[n, A]``, output: raw actions.
        log_probs: float32 ``[n, A + D]``, output in the first A columns: log-density per component.
        environment_actions: float32 ``[n, A]``, output: ``clamp(a, -3, 3) / 3``.

    Returns:
        False when an action is not finite.
    """
    finite = True
    for row in range(actions.shape[0]):
        for dim in range(actions.shape[1]):
            mean = outputs[row, dim]
            draw = noise[row, dim]
            action = mean + math.exp(log_sigma[dim]) * draw
            finite &= math.isfinite(action)
            actions[row, dim] = action
            log_probs[row, dim] = -0.5 * draw * draw - log_sigma[dim] - _HALF_LOG_TWO_PI
            environment_actions[row, dim] = min(max(action, -ACTION_LIMIT), ACTION_LIMIT) / ACTION_LIMIT
    return finite


@njit(cache=True, error_model="numpy")
def sample_discrete(
    outputs: NDArray[np.float32],
    first_logit: int,
    branch_ends: NDArray[np.int64],
    allowed: NDArray[np.bool_],
    uniforms: NDArray[np.float64],
    deterministic: bool,
    actions: NDArray[np.int32],
    log_probs: NDArray[np.float32],
) -> bool:
    """Sample one choice per branch from masked categorical distributions, by inversion.

    Args:
        outputs: float32 ``[n, A + K]``, logits of all branches from column ``first_logit`` on.
        first_logit: A.
        branch_ends: int64 ``[D]``, cumulated branch sizes.
        allowed: bool ``[n, K]``, False where an action is forbidden.
        uniforms: float64 ``[n, D]``, draws from [0, 1).
        deterministic: take the most probable choice instead.
        actions: int32 ``[n, D]``, output.
        log_probs: float32 ``[n, A + D]``, output in the last D columns.

    Returns:
        False when a logit is not finite.
    """
    finite = True
    for row in range(actions.shape[0]):
        begin = 0
        for branch in range(actions.shape[1]):
            end = branch_ends[branch]
            top = -math.inf
            best = begin
            for choice in range(begin, end):
                logit = outputs[row, first_logit + choice]
                finite &= math.isfinite(logit)
                if allowed[row, choice] and logit > top:
                    top = logit
                    best = choice
            if top == -math.inf:  # a game that forbids everything gets the first choice
                actions[row, branch] = 0
                log_probs[row, first_logit + branch] = 0.0
                begin = end
                continue
            total = 0.0
            for choice in range(begin, end):
                if allowed[row, choice]:
                    total += math.exp(outputs[row, first_logit + choice] - top)
            chosen = best
            if not deterministic:
                left = uniforms[row, branch] * total
                for choice in range(begin, end):
                    if allowed[row, choice]:
                        chosen = choice
                        left -= math.exp(outputs[row, first_logit + choice] - top)
                        if left < 0.0:
                            break
            actions[row, branch] = chosen - begin
            log_probs[row, first_logit + branch] = outputs[row, first_logit + chosen] - top - math.log(total)
            begin = end
    return finite
