"""Weight initialisers, with explicit generators so that two runs in one process do not disturb each other."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn


def kaiming_normal(weight: Tensor, gain: float, generator: torch.Generator) -> None:
    """Fill ``weight`` ``[out, in]`` with N(0, gain² / in) (He et al. 2015, arXiv 1502.01852).

    Args:
        weight: tensor to fill in place.
        gain: scale on top of the linear variance-preserving one.
        generator: source of randomness.
    """
    with torch.no_grad():
        weight.normal_(0.0, gain / math.sqrt(weight.shape[1]), generator=generator)


def xavier_uniform(weight: Tensor, generator: torch.Generator) -> None:
    """Fill ``weight`` ``[out, in]`` with U(-b, b), b = √(6 / (in + out)) (Glorot and Bengio 2010, eq. 16)."""
    bound = math.sqrt(6.0 / (weight.shape[0] + weight.shape[1]))
    with torch.no_grad():
        weight.uniform_(-bound, bound, generator=generator)


def empty_linear(inputs: int, outputs: int) -> nn.Linear:
    """A linear layer with weights and biases still to be filled; draws nothing from torch's own source."""
    return nn.Linear(inputs, outputs, device="meta").to_empty(device="cpu")


def linear(inputs: int, outputs: int, gain: float, generator: torch.Generator) -> nn.Linear:
    """A linear layer with weights as of :func:`kaiming_normal` and zero biases."""
    layer = empty_linear(inputs, outputs)
    if inputs:
        kaiming_normal(layer.weight, gain, generator)
    nn.init.zeros_(layer.bias)
    return layer


def t_fixup_linear(inputs: int, outputs: int, embedding_size: int, generator: torch.Generator) -> nn.Linear:
    """A linear layer with weights N(0, 0.125 / embedding_size) and zero biases.

    Small enough that attention layers learn without warm-up, after Huang et al. 2020, "Improving transformer
    optimization through better initialization" (T-Fixup).
    """
    layer = empty_linear(inputs, outputs)
    with torch.no_grad():
        layer.weight.normal_(0.0, math.sqrt(0.125 / embedding_size), generator=generator)
    nn.init.zeros_(layer.bias)
    return layer


def convolution(
    inputs: int, outputs: int, kernel: int, generator: torch.Generator, *, stride: int = 1, padding: int = 0
) -> nn.Conv2d:
    """A convolution with weights and biases U(-b, b), b = 1 / √fan_in, as torch makes them by default.

    Args:
        inputs: channels in.
        outputs: channels out.
        kernel: side of the window; fan_in is inputs · kernel².
        generator: source of randomness.
        stride: distance of windows.
        padding: zeros around the image.
    """
    layer = nn.Conv2d(inputs, outputs, kernel, stride=stride, padding=padding, device="meta")
    layer.to_empty(device="cpu")
    bound = 1.0 / math.sqrt(inputs * kernel * kernel)
    with torch.no_grad():
        for parameter in layer.parameters():
            parameter.uniform_(-bound, bound, generator=generator)
    return layer
