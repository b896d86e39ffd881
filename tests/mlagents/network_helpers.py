"""Specs of all kinds of observations, and a plain convolution, for the tests of networks."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from mlagents.networks.settings import NetworkSettings
from mlagents_envs.base_env import DimensionProperty, ObservationSpec, ObservationType

NONE = DimensionProperty.NONE
UNSPECIFIED = DimensionProperty.UNSPECIFIED
SHIFT = DimensionProperty.TRANSLATIONAL_EQUIVARIANCE
VARIABLE = DimensionProperty.VARIABLE_SIZE


def spec(
    shape: tuple[int, ...], properties: tuple[DimensionProperty, ...], name: str, *, goal: bool = False
) -> ObservationSpec:
    kind = ObservationType.GOAL_SIGNAL if goal else ObservationType.DEFAULT
    return ObservationSpec(shape, properties, kind, name)


def vector(size: int, *, goal: bool = False) -> ObservationSpec:
    return spec((size,), (NONE,), "vector", goal=goal)


def image(channels: int, height: int, width: int, *, goal: bool = False) -> ObservationSpec:
    return spec((channels, height, width), (NONE, SHIFT, SHIFT), "camera", goal=goal)


def entities(count: int, features: int, *, goal: bool = False) -> ObservationSpec:
    return spec((count, features), (VARIABLE, NONE), "others", goal=goal)


def network_settings(**changes: Any) -> NetworkSettings:  # noqa: ANN401
    return NetworkSettings(**{"hidden_units": 8, "num_layers": 2, **changes})


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def randomize(module: nn.Module, seed: int = 0, scale: float = 0.5) -> None:
    """Give every parameter values of its own, biases included, so that none of them can be left out."""
    source = generator(seed)
    with torch.no_grad():
        for parameter in module.parameters():
            fan_in = parameter.numel() / len(parameter) if parameter.ndim > 1 else 1.0
            parameter.normal_(0.0, scale / fan_in**0.5, generator=source)


def observations(specs: list[ObservationSpec], count: int, seed: int = 0) -> list[Tensor]:
    """Random observations ``[count, *shape]``; about a third of the entities is padding."""
    rng = np.random.default_rng(seed)
    columns = []
    for each in specs:
        column = rng.normal(size=(count, *each.shape))
        if VARIABLE in each.dimension_property:
            column[rng.random(column.shape[:2]) < 0.33] = 0.0
        columns.append(torch.from_numpy(column.astype(np.float32)))
    return columns


def parameters(module: nn.Module) -> dict[str, NDArray[np.float64]]:
    """All parameters in double precision, by name."""
    return {name: p.detach().numpy().astype(np.float64) for name, p in module.named_parameters()}


def without_gradient(module: nn.Module, loss: Tensor) -> set[str]:
    """Names of the parameters that the gradient of a loss does not reach."""
    module.zero_grad(set_to_none=True)
    loss.backward()
    return {name for name, p in module.named_parameters() if p.grad is None or not p.grad.any()}


def convolve(
    x: NDArray[np.float64],
    weight: NDArray[np.float64],
    bias: NDArray[np.float64],
    stride: int,
    padding: int = 0,
) -> NDArray[np.float64]:
    """Cross-correlation ``[B, C, H, W]`` with ``[O, C, k, k]``, window by window."""
    x = np.pad(x, ((0, 0), (0, 0), (padding, padding), (padding, padding)))
    kernel = weight.shape[2]
    rows, columns = ((side - kernel) // stride + 1 for side in x.shape[2:])
    out = np.empty((len(x), len(weight), rows, columns))
    for row in range(rows):
        for column in range(columns):
            top, left = row * stride, column * stride
            window = x[:, :, top : top + kernel, left : left + kernel]
            for channel in range(len(weight)):
                out[:, channel, row, column] = (window * weight[channel]).sum(axis=(1, 2, 3)) + bias[channel]
    return out


def swish(x: NDArray[np.float64]) -> NDArray[np.float64]:
    return x / (1.0 + np.exp(-x))


def layer_norm(x: NDArray[np.float64]) -> NDArray[np.float64]:
    """Over the last axis, with the biased variance plus 1e-5."""
    centred = x - x.mean(axis=-1, keepdims=True)
    return centred / np.sqrt((centred * centred).mean(axis=-1, keepdims=True) + 1e-5)
