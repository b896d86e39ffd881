"""Sampling squashed actions, compiled; one call per step for all agents."""

from __future__ import annotations

import math

import numpy as np
from numba import njit
from numpy.typing import NDArray

from mlagents.networks.squashed_actor import LOG_SIGMA_MAX, LOG_SIGMA_MIN


@njit(cache=True, error_model="numpy")
def sample_squashed(
    outputs: NDArray[np.float32], noise: NDArray[np.float32], actions: NDArray[np.float32]
) -> bool:
    """Sample ``a = tanh(mu + sigma * noise)``.

    Args:
        outputs: float32 ``[n, A + K + A]``: the first A columns are the means, the last A the logarithms of
            the deviations.
        noise: float32 ``[n, A]``, standard normal draws; zeros give the squashed mean.
        actions: float32 ``[n, A]``, output.

    Returns:
        False when an output is not finite.
    """
    finite = True
    size = actions.shape[1]
    first_sigma = outputs.shape[1] - size
    for row in range(actions.shape[0]):
        for dim in range(size):
            log_sigma = outputs[row, first_sigma + dim]
            mean = outputs[row, dim]
            finite &= math.isfinite(mean) and math.isfinite(log_sigma)
            log_sigma = min(max(log_sigma, LOG_SIGMA_MIN), LOG_SIGMA_MAX)
            actions[row, dim] = math.tanh(mean + math.exp(log_sigma) * noise[row, dim])
    return finite


@njit(cache=True, error_model="numpy")
def branch_entropies(
    outputs: NDArray[np.float32],
    first_logit: int,
    branch_ends: NDArray[np.int64],
    allowed: NDArray[np.bool_],
    entropies: NDArray[np.float32],
) -> None:
    """Entropy of each branch of masked categorical distributions; 0 where everything is forbidden.

    Args:
        outputs: float32 ``[n, >= A + K]``, logits of all branches from column ``first_logit`` on.
        first_logit: A.
        branch_ends: int64 ``[D]``, cumulated branch sizes.
        allowed: bool ``[n, K]``.
        entropies: float32 ``[n, D]``, output.
    """
    for row in range(entropies.shape[0]):
        begin = 0
        for branch in range(entropies.shape[1]):
            end = branch_ends[branch]
            top = -math.inf
            for choice in range(begin, end):
                if allowed[row, choice]:
                    top = max(top, outputs[row, first_logit + choice])
            total, weighted = 0.0, 0.0
            for choice in range(begin, end):
                if allowed[row, choice]:
                    above = outputs[row, first_logit + choice] - top
                    total += math.exp(above)
                    weighted += above * math.exp(above)
            entropies[row, branch] = math.log(total) - weighted / total if total > 0.0 else 0.0
            begin = end
