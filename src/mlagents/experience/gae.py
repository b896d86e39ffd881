"""Generalised advantage estimation over linked rows, as one reverse scan."""

from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import NDArray


@njit(cache=True, error_model="numpy")
def gae_scan(
    rewards: NDArray[np.float32],
    values: NDArray[np.float32],
    bootstrap_values: NDArray[np.float32],
    next_row: NDArray[np.int64],
    bootstrap_row: NDArray[np.int64],
    trace_cut: NDArray[np.bool_],
    complete: NDArray[np.bool_],
    gamma: float,
    lambd: float,
    advantages: NDArray[np.float32],
) -> None:
    """Fill ``advantages`` for one reward stream (Schulman et al. 2016, arXiv 1506.02438, eq. 16).

    With the one-step error ``delta_t = r_t + gamma V(s_{t+1}) - V(s_t)``,
    ``A_t = delta_t + gamma lambda A_{t+1}``; the sum stops where a trajectory segment ends. Rows are in
    order of time, so ``next_row[i] > i`` wherever there is a next row, and one pass from the last row to
    the first serves all agents at once.

    Args:
        rewards: float32 ``[R]``, reward earned by the action of each row.
        values: float32 ``[R]``, value estimate of the observation of each row.
        bootstrap_values: float32 ``[E]``, value estimates of final observations of interrupted episodes.
        next_row: int64 ``[R]``, row of the same agent's next observation in this episode, or -1.
        bootstrap_row: int64 ``[R]``, index into ``bootstrap_values`` where an episode was interrupted,
            or -1. With both indices -1 the episode really ended, and the value beyond it is 0.
        trace_cut: bool ``[R]``, True where a segment was closed by the time horizon: the next value is
            used, the next advantage is not.
        complete: bool ``[R]``, False for rows that are not learned from, because their reward is not known
            yet; their advantage is 0, so that a segment still open is bootstrapped from its newest
            observation.
        gamma: discount per step.
        lambd: decay of the trace, 0 for one-step errors, 1 for Monte-Carlo returns.
        advantages: float32 ``[R]``, output.
    """
    for row in range(rewards.shape[0] - 1, -1, -1):
        if not complete[row]:
            advantages[row] = 0.0
            continue
        following = next_row[row]
        next_value = np.float32(0.0)
        next_advantage = np.float32(0.0)
        if following >= 0:
            next_value = values[following]
            if not trace_cut[row]:
                next_advantage = advantages[following]
        elif bootstrap_row[row] >= 0:
            next_value = bootstrap_values[bootstrap_row[row]]
        delta = rewards[row] + gamma * next_value - values[row]
        advantages[row] = delta + gamma * lambd * next_advantage
