"""A policy as plain arrays: all that its ONNX model is made from."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray


class ExportError(Exception):
    """A policy cannot be exported, or its model does not compute what the policy does."""


class Linear(NamedTuple):
    """A layer ``y = x Wᵀ + b``.

    Attributes:
        weight: ``[out, in]``.
        bias: ``[out]``.
    """

    weight: NDArray[Any]
    bias: NDArray[Any]


class Normalizer(NamedTuple):
    """Turns ``x`` into ``clamp((x - mean) * inv_std, -5, 5)``.

    Attributes:
        mean: ``[size]``.
        inv_std: ``[size]``.
    """

    mean: NDArray[Any]
    inv_std: NDArray[Any]


class ContinuousHead(NamedTuple):
    """Normal distribution of ``n`` continuous actions with a spread that no observation changes.

    Attributes:
        weight: of the mean, ``[n, in]``.
        bias: of the mean, ``[n]``.
        log_sigma: natural logarithm of the standard deviation, ``[n]``.
    """

    weight: NDArray[Any]
    bias: NDArray[Any]
    log_sigma: NDArray[Any]


class SquashedHead(NamedTuple):
    """Normal distribution of ``n`` continuous actions whose spread depends on the observation, through tanh.

    Attributes:
        weight: of the mean before tanh, ``[n, in]``.
        bias: of the mean before tanh, ``[n]``.
        log_sigma: layer of the natural logarithm of the standard deviation, ``[n, in]``.
        lowest: the logarithm is clamped to this at least.
        highest: the logarithm is clamped to this at most.
    """

    weight: NDArray[Any]
    bias: NDArray[Any]
    log_sigma: Linear
    lowest: float
    highest: float


@dataclass(frozen=True, slots=True)
class PolicyInterface:
    """What a policy takes and gives, and how its inputs usually look.

    Attributes:
        observation_shapes: shape of each observation without the batch axis, in sensor order.
        normalizers: one per observation, None where it is used as it is.
        continuous_size: number of continuous actions.
        branches: number of actions of each discrete branch.
        memory_size: size of the recurrent memory, 0 without.
        generated_size: weights that the network makes anew for each agent, from its goal.
    """

    observation_shapes: Sequence[tuple[int, ...]]
    normalizers: Sequence[Normalizer | None]
    continuous_size: int
    branches: tuple[int, ...]
    memory_size: int = 0
    generated_size: int = 0


@dataclass(frozen=True, slots=True)
class PolicyDescription:
    """A feed-forward policy over vector observations.

    Observations are normalised, concatenated in order and sent through the body, whose layers are each
    followed by Swish, ``x · sigmoid(x)``; the heads read its last layer.

    Attributes:
        observation_shapes: shape of each observation without the batch axis, in sensor order.
        normalizers: one per observation, None where it is used as it is.
        body: hidden layers, at least one.
        continuous: head of the continuous actions, None if there are none.
        discrete: one layer ``[branch_size, in]`` of logits per discrete branch.
        memory_size: size of the recurrent memory; only 0 can be described.
    """

    observation_shapes: Sequence[tuple[int, ...]]
    normalizers: Sequence[Normalizer | None]
    body: Sequence[Linear]
    continuous: ContinuousHead | None = None
    discrete: Sequence[Linear] = ()
    memory_size: int = 0

    @property
    def continuous_size(self) -> int:
        """Number of continuous actions."""
        return 0 if self.continuous is None else len(self.continuous.bias)

    @property
    def branches(self) -> tuple[int, ...]:
        """Number of actions of each discrete branch."""
        return tuple(len(head.bias) for head in self.discrete)

    @property
    def interface(self) -> PolicyInterface:
        """What the policy takes and gives."""
        return PolicyInterface(
            self.observation_shapes, self.normalizers, self.continuous_size, self.branches, self.memory_size
        )

    def validate(self) -> None:
        """Check that the arrays fit together.

        Raises:
            ExportError: something is missing, mis-shaped or not finite; the message names it.
        """
        if self.memory_size != 0:
            raise ExportError(f"memory_size is {self.memory_size}; policies with memory have another graph.")
        if not self.observation_shapes or not self.body:
            raise ExportError("A policy needs at least one observation and one hidden layer.")
        if len(self.normalizers) != len(self.observation_shapes):
            raise ExportError(
                f"{len(self.observation_shapes)} observations, but {len(self.normalizers)} normalizers."
            )
        for index, shape in enumerate(self.observation_shapes):
            if len(shape) != 1 or shape[0] < 1:
                raise ExportError(f"obs_{index} has shape {tuple(shape)}; only vectors can be described.")
        if self.continuous is None and not self.discrete:
            raise ExportError("A policy needs continuous or discrete actions.")
        for name, array, shape in self._expected_shapes():
            if np.shape(array) != shape:
                raise ExportError(f"{name} has shape {np.shape(array)}, expected {shape}.")
            if not np.isfinite(array).all():
                raise ExportError(f"{name} holds NaN or infinite values; the policy is broken.")

    def _expected_shapes(self) -> Iterator[tuple[str, NDArray[Any], tuple[int, ...]]]:
        """Name, array and expected shape of every parameter."""
        for index, normalizer in enumerate(self.normalizers):
            if normalizer is not None:
                shape = tuple(self.observation_shapes[index])
                yield f"mean of the normalizer of obs_{index}", normalizer.mean, shape
                yield f"inv_std of the normalizer of obs_{index}", normalizer.inv_std, shape
        width = sum(shape[0] for shape in self.observation_shapes)
        for index, layer in enumerate(self.body):
            out = len(layer.bias)
            yield f"weight of body layer {index}", layer.weight, (out, width)
            yield f"bias of body layer {index}", layer.bias, (out,)
            width = out
        if self.continuous is not None:
            n = self.continuous_size
            yield "weight of the continuous head", self.continuous.weight, (n, width)
            yield "bias of the continuous head", self.continuous.bias, (n,)
            yield "log_sigma of the continuous head", self.continuous.log_sigma, (n,)
        for branch, head in enumerate(self.discrete):
            size = len(head.bias)
            yield f"weight of discrete branch {branch}", head.weight, (size, width)
            yield f"bias of discrete branch {branch}", head.bias, (size,)
