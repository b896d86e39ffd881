"""From torch to the plain arrays that graphs are made of."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from mlagents.export.description import ExportError, Linear


def array(tensor: Tensor) -> NDArray[np.float32]:
    """A copy of a tensor, float32."""
    return np.array(tensor.detach().cpu().numpy(), dtype=np.float32)


def linear_layer(layer: nn.Linear) -> Linear:
    """A copy of a layer."""
    return Linear(array(layer.weight), array(layer.bias))


def check_finite(module: nn.Module) -> None:
    """Check that all parameters are numbers.

    Raises:
        ExportError: one is not; the message names it.
    """
    for name, parameter in module.named_parameters():
        if not bool(torch.isfinite(parameter).all()):
            raise ExportError(f"{name} holds NaN or infinite values; the policy is broken.")
