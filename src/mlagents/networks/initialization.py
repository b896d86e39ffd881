"""Weight initialisers, with explicit generators so that two runs in one process do not disturb each other."""

from __future__ import annotations

import math

import torch
from torch import Tensor


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
