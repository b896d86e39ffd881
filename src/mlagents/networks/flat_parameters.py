"""All parameters of a module as one vector."""

from __future__ import annotations

import torch
from torch import Tensor, nn


class FlatParameters:
    """Moves the parameters of a module into one contiguous vector, and their gradients into another.

    The module's parameters become views, so the module keeps working as before, while clipping, the
    optimiser step and copies between learner and actor are one operation each.

    Args:
        module: module whose parameters are moved; they must share one device and be float32.

    Attributes:
        values: float32 ``[P]``.
        gradients: float32 ``[P]``.
    """

    def __init__(self, module: nn.Module) -> None:
        parameters = [parameter for parameter in module.parameters() if parameter.numel()]
        total = sum(parameter.numel() for parameter in parameters)
        device = parameters[0].device
        self.values: Tensor = torch.zeros(total, device=device)
        self.gradients: Tensor = torch.zeros(total, device=device)
        start = 0
        for parameter in parameters:
            end = start + parameter.numel()
            self.values[start:end] = parameter.detach().flatten()
            parameter.data = self.values[start:end].view(parameter.shape)
            parameter.grad = self.gradients[start:end].view(parameter.shape)
            start = end
        for parameter in module.parameters():  # empty ones have nothing to move, but code may read .grad
            if parameter.grad is None:
                parameter.grad = torch.zeros_like(parameter)
