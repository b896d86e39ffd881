"""From the observations of agents to the inputs of a network."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mlagents.networks.normalizer import RunningNormalizer
from mlagents.networks.observation_kinds import (
    ObservationKind,
    UnsupportedObservationError,
    check_specs,
    is_goal,
    kind_of,
)
from mlagents.networks.settings import NetworkSettings
from mlagents_envs.base_env import DimensionProperty, ObservationSpec, ObservationType

__all__ = ["ObservationEncoder", "UnsupportedObservationError"]


class ObservationEncoder:
    """Normalises vector observations if asked, and joins them to one vector where a network takes just that.

    Observations may be vectors, images and lists of entities, in any order. Only vectors, goals included,
    are ever normalised.

    Args:
        behavior: name for messages.
        specs: observations of the behavior.
        normalize: keep running statistics of vectors and normalise with them.

    Raises:
        UnsupportedObservationError: there is nothing to observe, or an observation of a kind that no
            network takes.

    Attributes:
        behavior: name for messages.
        specs: observations of the behavior.
        kinds: kind of each observation.
        is_flat: whether all observations are vectors and none is a goal: then the network takes one vector.
        size: width of all vectors together; that of the network's input where ``is_flat``.
        normalizers: one per vector observation, in order; empty without normalisation.
    """

    def __init__(self, behavior: str, specs: Sequence[ObservationSpec], *, normalize: bool) -> None:
        self.behavior = behavior
        self.specs = list(specs)
        if sum(math.prod(spec.shape) for spec in specs) == 0:
            raise UnsupportedObservationError(
                f"behavior {behavior}: its agents observe nothing; add a sensor or vector observations"
            )
        try:
            self.kinds = [kind_of(spec, index) for index, spec in enumerate(specs)]
        except UnsupportedObservationError as error:
            raise UnsupportedObservationError(f"behavior {behavior}: {error}") from None
        vectors = [index for index, kind in enumerate(self.kinds) if kind is ObservationKind.VECTOR]
        sizes = [specs[index].shape[0] for index in vectors]
        self.is_flat = len(vectors) == len(specs) and not any(is_goal(spec) for spec in specs)
        self.size = sum(sizes)
        self.normalizers = [RunningNormalizer(size) for size in sizes] if normalize else []
        self._ends = np.cumsum(sizes).tolist()
        self._normalizer_of = dict(zip(vectors, self.normalizers, strict=False))

    @property
    def input_specs(self) -> list[ObservationSpec]:
        """What :meth:`encode` gives: one vector where ``is_flat``, else the observations."""
        if not self.is_flat:
            return self.specs
        return [
            ObservationSpec((self.size,), (DimensionProperty.NONE,), ObservationType.DEFAULT, "observations")
        ]

    def check(self, settings: NetworkSettings) -> None:
        """Check that a network can be made for the observations.

        Raises:
            UnsupportedObservationError: an image is too small for its encoder, or a goal that acts through
                a hypernetwork is a list of entities.
        """
        try:
            check_specs(self.specs, settings)
        except UnsupportedObservationError as error:
            raise UnsupportedObservationError(f"behavior {self.behavior}: {error}") from None

    def normalizer_of(self, index: int) -> RunningNormalizer | None:
        """The normaliser of an observation, None where it is used as it is."""
        return self._normalizer_of.get(index)

    def encode(self, observations: Sequence[NDArray[np.float32]]) -> tuple[NDArray[np.float32], ...]:
        """Network inputs, float32, of observations ``[n, *shape_i]``.

        Where ``is_flat``, one array ``[n, size]``; else one array ``[n, *shape_i]`` per observation. New
        arrays, except that observations which need no work are returned as they are; so are images as bytes.
        """
        if self.is_flat:
            return (self._flat(observations),)
        return tuple(self._one(index, column) for index, column in enumerate(observations))

    def _flat(self, observations: Sequence[NDArray[np.float32]]) -> NDArray[np.float32]:
        if len(observations) == 1 and not self.normalizers:
            return np.ascontiguousarray(observations[0], dtype=np.float32)
        out = np.empty((len(observations[0]), self.size), dtype=np.float32)
        start = 0
        for index, (column, end) in enumerate(zip(observations, self._ends, strict=True)):
            target = out[:, start:end]
            if self.normalizers:
                self.normalizers[index].normalize(column, target)
            else:
                target[...] = column
            start = end
        return out

    def _one(self, index: int, column: NDArray[np.float32]) -> NDArray[np.float32]:
        normalizer = self._normalizer_of.get(index)
        if normalizer is None:
            if column.dtype == np.uint8:  # an image that is kept as bytes, to be decoded by the learner
                return np.ascontiguousarray(column)
            return np.ascontiguousarray(column, dtype=np.float32)
        out = np.empty(column.shape, dtype=np.float32)
        normalizer.normalize(column, out)
        return out

    def fold(self, observations: Sequence[NDArray[np.float32]]) -> None:
        """Let the statistics of vectors learn from observations ``[n, *shape_i]``; a no-op without them."""
        for index, normalizer in self._normalizer_of.items():
            normalizer.fold(observations[index])

    def get_state(self) -> list[dict[str, Any]]:
        """States of the normalisers, one per vector observation; empty without normalisation."""
        return [normalizer.get_state() for normalizer in self.normalizers]

    def set_state(self, states: list[dict[str, Any]]) -> None:
        """Continue from a state returned by :meth:`get_state`.

        Raises:
            ValueError: it belongs to other observations, or to another setting of ``normalize``.
        """
        theirs, mine = [len(state["mean"]) for state in states], [len(each.mean) for each in self.normalizers]
        if bool(theirs) != bool(mine):
            without = "without" if mine else "with"
            raise ValueError(f"it was trained {without} network_settings.normalize")
        if theirs != mine:
            raise ValueError(f"it normalises vectors of the sizes {theirs}, and here they are {mine}")
        for normalizer, state in zip(self.normalizers, states, strict=True):
            normalizer.set_state(state)
