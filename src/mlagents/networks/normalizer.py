"""Running normalisation of vector observations."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

CLIP = 5.0
"""Normalised observations are clamped to this many standard deviations."""


class RunningNormalizer:
    """Mean and variance of everything seen so far, in double precision.

    Statistics move only in :meth:`fold`, which the trainer calls between iterations: while one batch of
    experience is collected and learned from, acting and learning see the same numbers, so that the
    probability ratio of PPO starts at exactly 1. It begins with one pseudo-sample of mean 0 and variance 1.

    Args:
        size: number of features.

    Attributes:
        count: samples seen, the pseudo-sample included.
        mean: float64 ``[size]``.
        sum_of_squares: float64 ``[size]``, summed squared deviations from the mean.
    """

    def __init__(self, size: int) -> None:
        self.count = 1
        self.mean = np.zeros(size, dtype=np.float64)
        self.sum_of_squares = np.ones(size, dtype=np.float64)
        self._refresh()

    def _refresh(self) -> None:
        self._mean32 = self.mean.astype(np.float32)
        nothing_seen = self.count == 0  # not even the pseudo-sample: where statistics begin without it
        variance = np.ones_like(self.mean) if nothing_seen else self.sum_of_squares / self.count
        self._inverse_std32 = (1.0 / np.sqrt(variance)).astype(np.float32)

    @property
    def shift_and_scale(self) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Mean and inverse standard deviation as used, float32 ``[size]`` each."""
        return self._mean32, self._inverse_std32

    def normalize(self, x: NDArray[np.float32], out: NDArray[np.float32]) -> None:
        """Write ``clamp((x - mean) / std, -5, 5)`` to ``out``; both float32 ``[n, size]``."""
        np.subtract(x, self._mean32, out=out)
        np.multiply(out, self._inverse_std32, out=out)
        np.clip(out, -CLIP, CLIP, out=out)

    def fold(self, x: NDArray[np.float32]) -> None:
        """Add samples ``[n, size]`` (parallel variance, Chan, Golub and LeVeque 1983, eq. 2.1)."""
        n = len(x)
        if n == 0:
            return
        batch_mean = x.mean(axis=0, dtype=np.float64)
        deviations = x - batch_mean
        total = self.count + n
        shift = batch_mean - self.mean
        self.sum_of_squares += np.einsum("ij,ij->j", deviations, deviations)
        self.sum_of_squares += shift * shift * (self.count * n / total)
        self.mean += shift * (n / total)
        self.count = total
        # a feature that never varies must not divide by zero once the pseudo-sample has faded
        np.maximum(self.sum_of_squares, 1e-10 * self.count, out=self.sum_of_squares)
        self._refresh()

    def get_state(self) -> dict[str, Any]:
        """Count and moments."""
        return {"count": self.count, "mean": self.mean, "sum_of_squares": self.sum_of_squares}

    def set_state(self, state: dict[str, Any]) -> None:
        """Continue from a state returned by :meth:`get_state`."""
        self.count = int(state["count"])
        self.mean = np.array(state["mean"], dtype=np.float64)
        self.sum_of_squares = np.array(state["sum_of_squares"], dtype=np.float64)
        self._refresh()
