"""From the observations of agents to the input of a network."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from mlagents.networks.normalizer import RunningNormalizer
from mlagents.settings.errors import TrainerError
from mlagents_envs.base_env import ObservationSpec


class UnsupportedObservationError(TrainerError):
    """An observation has a shape that no encoder accepts."""


class ObservationEncoder:
    """Concatenates vector observations, normalised if asked, in the order of their specs.

    Args:
        behavior: name for messages.
        specs: observations of the behavior.
        normalize: keep running statistics and normalise with them.

    Raises:
        UnsupportedObservationError: an observation is not a vector.
    """

    def __init__(self, behavior: str, specs: list[ObservationSpec], *, normalize: bool) -> None:
        for index, spec in enumerate(specs):
            if len(spec.shape) != 1:
                raise UnsupportedObservationError(
                    f"behavior {behavior}: observation {index} ({spec.name}) has shape {tuple(spec.shape)}; "
                    "only vector observations can be learned from so far"
                )
        if not specs or sum(spec.shape[0] for spec in specs) == 0:
            raise UnsupportedObservationError(
                f"behavior {behavior}: its agents observe nothing; add a sensor or vector observations"
            )
        self.sizes = [spec.shape[0] for spec in specs]
        self.size = sum(self.sizes)
        self.normalizers = [RunningNormalizer(size) for size in self.sizes] if normalize else None
        self._ends = np.cumsum(self.sizes).tolist()

    def encode(self, observations: list[NDArray[np.float32]]) -> NDArray[np.float32]:
        """Network input float32 ``[n, size]`` of observations ``[n, size_i]``.

        A new array, except that a single observation without normalisation is returned as it is.
        """
        if len(observations) == 1 and self.normalizers is None:
            return np.ascontiguousarray(observations[0], dtype=np.float32)
        out = np.empty((len(observations[0]), self.size), dtype=np.float32)
        start = 0
        for index, (column, end) in enumerate(zip(observations, self._ends, strict=True)):
            target = out[:, start:end]
            if self.normalizers is None:
                target[...] = column
            else:
                self.normalizers[index].normalize(column, target)
            start = end
        return out

    def fold(self, observations: list[NDArray[np.float32]]) -> None:
        """Let the statistics learn from observations ``[n, size_i]``; a no-op without normalisation."""
        if self.normalizers is not None:
            for normalizer, column in zip(self.normalizers, observations, strict=True):
                normalizer.fold(column)

    def get_state(self) -> list[dict[str, Any]]:
        """States of the normalisers; empty without normalisation."""
        return [normalizer.get_state() for normalizer in self.normalizers or []]

    def set_state(self, states: list[dict[str, Any]]) -> None:
        """Continue from a state returned by :meth:`get_state`."""
        for normalizer, state in zip(self.normalizers or [], states, strict=True):
            normalizer.set_state(state)
