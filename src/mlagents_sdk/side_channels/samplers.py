"""Distributions from which an environment draws its parameters."""

from __future__ import annotations

import random
from collections.abc import Sequence
from itertools import accumulate
from typing import Any, Protocol

Interval = tuple[float, float]


class Sampler(Protocol):
    """A seeded distribution; equal seeds give equal sequences."""

    def sample(self) -> float:
        """Draw anew."""

    def get_state(self) -> dict[str, Any]:
        """Everything needed to make an equal sampler that goes on with the same draws."""


class UniformSampler:
    """Uniform in [low, high].

    Args:
        low: lower bound.
        high: upper bound.
        seed: seed of the draws.
    """

    def __init__(self, low: float, high: float, seed: int) -> None:
        self.low, self.high = low, high
        self._rng = random.Random(seed)

    def sample(self) -> float:
        """Draw anew."""
        return self._rng.uniform(self.low, self.high)

    def get_state(self) -> dict[str, Any]:
        """Bounds and position in the sequence."""
        return {"kind": "uniform", "values": [self.low, self.high], "rngs": [rng_state(self._rng)]}


class GaussianSampler:
    """Normal distribution.

    Args:
        mean: its mean.
        standard_deviation: its standard deviation.
        seed: seed of the draws.
    """

    def __init__(self, mean: float, standard_deviation: float, seed: int) -> None:
        self.mean, self.standard_deviation = mean, standard_deviation
        self._rng = random.Random(seed)

    def sample(self) -> float:
        """Draw anew."""
        return self._rng.gauss(self.mean, self.standard_deviation)

    def get_state(self) -> dict[str, Any]:
        """Parameters and position in the sequence."""
        values = [self.mean, self.standard_deviation]
        return {"kind": "gaussian", "values": values, "rngs": [rng_state(self._rng)]}


class MultiRangeUniformSampler:
    """Uniform over a union of intervals: one is chosen by its length, then a point in it.

    Args:
        intervals: (low, high) of each.
        seed: seed of the points; the choice of the interval uses ``seed + 1``.

    Raises:
        ValueError: there is no interval, or one has a negative length.
    """

    def __init__(self, intervals: Sequence[Interval], seed: int) -> None:
        if not intervals or any(high < low for low, high in intervals):
            raise ValueError(f"The intervals {list(intervals)} must be (low, high) pairs, at least one.")
        self.intervals = list(intervals)
        self._ends = list(accumulate(high - low for low, high in intervals))
        self._rng = random.Random(seed)
        self._choice_rng = random.Random(seed + 1)

    def sample(self) -> float:
        """Draw anew."""
        if self._ends[-1] > 0.0:
            low, high = self._choice_rng.choices(self.intervals, cum_weights=self._ends)[0]
        else:
            low, high = self._choice_rng.choice(self.intervals)
        return self._rng.uniform(low, high)

    def get_state(self) -> dict[str, Any]:
        """Intervals and position in both sequences."""
        values = [bound for interval in self.intervals for bound in interval]
        rngs = [rng_state(self._rng), rng_state(self._choice_rng)]
        return {"kind": "multi_range_uniform", "values": values, "rngs": rngs}


def sampler_from_state(state: dict[str, Any]) -> Sampler:
    """Make the sampler that returned ``state``; its next draw is the same."""
    values, rngs = state["values"], state["rngs"]
    sampler: UniformSampler | GaussianSampler | MultiRangeUniformSampler
    if state["kind"] == "uniform":
        sampler = UniformSampler(values[0], values[1], seed=0)
    elif state["kind"] == "gaussian":
        sampler = GaussianSampler(values[0], values[1], seed=0)
    else:
        sampler = MultiRangeUniformSampler(pairs(values), seed=0)
        set_rng_state(sampler._choice_rng, rngs[1])
    set_rng_state(sampler._rng, rngs[0])
    return sampler


def pairs(bounds: Sequence[float]) -> list[Interval]:
    """``[low, high, low, high, ...]`` as intervals.

    Raises:
        ValueError: the number of bounds is odd.
    """
    if len(bounds) % 2:
        raise ValueError(f"{len(bounds)} bounds do not make intervals; they come in pairs of low and high.")
    return list(zip(bounds[::2], bounds[1::2], strict=True))


def rng_state(rng: random.Random) -> list[Any]:
    """State of ``rng`` as a list of ``[version, words, pending Gaussian or None]``, for saving."""
    version, words, pending = rng.getstate()
    return [version, list(words), pending]


def set_rng_state(rng: random.Random, state: Sequence[Any]) -> None:
    """Put back the state of :func:`rng_state`."""
    version, words, pending = state
    rng.setstate((int(version), tuple(int(word) for word in words), pending))
