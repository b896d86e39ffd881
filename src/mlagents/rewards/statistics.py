"""Running statistics of reward signals: of what they observe, and of what they give."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from numba import njit
from numpy.typing import NDArray
from torch import Tensor

from mlagents.networks.normalizer import CLIP, RunningNormalizer
from mlagents.networks.observation_kinds import ObservationKind, kind_of
from mlagents.state_tree import to_arrays
from mlagents_envs.base_env import ObservationSpec

VECTORS = frozenset({ObservationKind.VECTOR})
VECTORS_AND_IMAGES = frozenset({ObservationKind.VECTOR, ObservationKind.IMAGE})
"""Lists of entities are never scaled: it would move the zeros that mean "nobody"."""

_SMALLEST_DEVIATION = 1e-8


class ObservationStatistics:
    """Scales observations to mean 0 and deviation 1, per number, clamped to ±5 (arXiv 1810.12894, §2.4).

    Args:
        specs: observations of the behavior.
        kinds: which kinds are scaled; the others pass as they are.
        device: where observations are.
        pseudo_sample: begin as if one observation of mean 0 and deviation 1 had been seen, which keeps
            numbers that hardly vary small. Without, small numbers are scaled up as well.
    """

    def __init__(
        self,
        specs: Sequence[ObservationSpec],
        kinds: frozenset[ObservationKind],
        device: torch.device,
        *,
        pseudo_sample: bool = True,
    ) -> None:
        self._device = device
        self._shapes = [tuple(spec.shape) for spec in specs]
        self._normalizers = {
            index: RunningNormalizer(math.prod(spec.shape))
            for index, spec in enumerate(specs)
            if kind_of(spec, index) in kinds
        }
        if not pseudo_sample:
            for normalizer in self._normalizers.values():
                normalizer.count = 0
                normalizer.sum_of_squares[:] = 0.0
        self._refresh()

    def _refresh(self) -> None:
        self._scales: dict[int, tuple[Tensor, Tensor]] = {}
        for index, normalizer in self._normalizers.items():
            mean, inverse = (
                torch.from_numpy(column.copy()).to(self._device).view(self._shapes[index])
                for column in normalizer.shift_and_scale
            )
            self._scales[index] = mean, inverse

    def fold(self, observations: Sequence[Tensor]) -> None:
        """Learn from observations ``[B, *shape]``."""
        for index, normalizer in self._normalizers.items():
            normalizer.fold(observations[index].flatten(1).cpu().numpy())
        self._refresh()

    def normalize(self, observations: Sequence[Tensor]) -> tuple[Tensor, ...]:
        """Scaled observations ``[B, *shape]``."""
        scaled = list(observations)
        for index, (mean, inverse) in self._scales.items():
            scaled[index] = ((observations[index] - mean) * inverse).clamp(-CLIP, CLIP)
        return tuple(scaled)

    def get_state(self) -> list[dict[str, Any]]:
        """States of the normalisers."""
        return [normalizer.get_state() for normalizer in self._normalizers.values()]

    def set_state(self, states: list[dict[str, Any]]) -> None:
        """Continue from a state returned by :meth:`get_state`."""
        for normalizer, state in zip(self._normalizers.values(), to_arrays(states), strict=True):
            normalizer.set_state(state)
        self._refresh()


@njit(cache=True)
def _forward_sums(
    rewards: NDArray[np.float64], next_index: NDArray[np.int64], gamma: float, sums: NDArray[np.float64]
) -> None:
    for row in range(len(rewards)):
        sums[row] += rewards[row]
        following = next_index[row]
        if following >= 0:
            sums[following] = gamma * sums[row]


def discounted_sums(
    rewards: NDArray[np.float64], next_index: NDArray[np.int64] | None, gamma: float
) -> NDArray[np.float64]:
    """``G_t = gamma G_{t-1} + r_t`` along each chain of rows, from 0 at its start.

    Args:
        rewards: float64 ``[B]``, in order of time.
        next_index: int64 ``[B]``, later row that continues the chain, or -1; None for no chains.
        gamma: discount per row.
    """
    sums = np.zeros(len(rewards))
    links = np.full(len(rewards), -1, dtype=np.int64) if next_index is None else next_index
    if ((links >= 0) & (links <= np.arange(len(links)))).any() or (links >= len(links)).any():
        raise ValueError("next_index must point to later rows of the batch")
    _forward_sums(rewards, links, gamma, sums)
    return sums


class RewardScale:
    """Running deviation of discounted intrinsic returns, by which rewards are divided.

    Intrinsic rewards have no natural size, and shrink as the networks learn; in units of the deviation of
    their discounted sum, one ``strength`` fits all times and environments (arXiv 1808.04355, §2.2; arXiv
    1810.12894, §2.4). Moments are kept in double precision (Chan, Golub and LeVeque 1983, eq. 2.1).

    Args:
        gamma: discount of the sums.
    """

    def __init__(self, gamma: float) -> None:
        self._gamma = gamma
        self._count = 0
        self._mean = 0.0
        self._sum_of_squares = 0.0

    @property
    def deviation(self) -> float:
        """Deviation of all sums so far; 1 before the first."""
        if not self._count:
            return 1.0
        return max(math.sqrt(self._sum_of_squares / self._count), _SMALLEST_DEVIATION)

    def fold(self, rewards: Tensor, next_index: Tensor | None) -> None:
        """Learn from the rewards ``[B]`` of one batch; ``next_index`` as in :func:`discounted_sums`."""
        if not len(rewards):
            return
        links = None if next_index is None else next_index.cpu().numpy()
        sums = discounted_sums(rewards.double().cpu().numpy(), links, self._gamma)
        total = self._count + len(sums)
        shift = float(sums.mean()) - self._mean
        self._sum_of_squares += float(sums.var()) * len(sums)
        self._sum_of_squares += shift * shift * self._count * len(sums) / total
        self._mean += shift * len(sums) / total
        self._count = total

    def get_state(self) -> dict[str, Any]:
        """Count and moments."""
        return {"count": self._count, "mean": self._mean, "sum_of_squares": self._sum_of_squares}

    def set_state(self, state: dict[str, Any]) -> None:
        """Continue from a state returned by :meth:`get_state`."""
        self._count = int(state["count"])
        self._mean = float(state["mean"])
        self._sum_of_squares = float(state["sum_of_squares"])
