"""Hyperparameters that change over a run."""

from __future__ import annotations


def linear_decay(initial: float, minimum: float, step: int, max_steps: int) -> float:
    """Value at ``step`` of a line from ``initial`` at 0 to ``minimum`` at ``max_steps``, constant after.

    With ``initial`` below ``minimum`` the value rises; the original does the same.
    """
    fraction_left = 1.0 - min(step, max_steps) / max_steps
    return minimum + (initial - minimum) * fraction_left
