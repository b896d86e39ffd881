"""Adam over chosen parameters of any modules, leaving their ``.grad`` to others."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor, nn

from mlagents.algorithms.optimizer import FlatAdam


class ModuleOptimizer:
    """Differentiates a loss with respect to some parameters and takes a step of Adam on them.

    Reward signals and cloning share networks or machines with other optimisers. This one asks autograd for
    just the gradients it needs instead of accumulating into ``.grad``, so that no other optimiser ever sees
    them; and it changes the parameters in place, so that views on them stay valid.

    Args:
        parameters: what to learn, all float32 on one device.
        max_norm: larger gradients are scaled down to this norm; 0 for never.
    """

    def __init__(self, parameters: Iterable[nn.Parameter], max_norm: float) -> None:
        self._parameters = [parameter for parameter in parameters if parameter.numel()]
        if not self._parameters:
            raise ValueError("there are no parameters to optimise")
        values = torch.cat([parameter.detach().reshape(-1) for parameter in self._parameters])
        self._sizes = [parameter.numel() for parameter in self._parameters]
        self._adam = FlatAdam(values, torch.zeros_like(values), max_norm)

    @property
    def num_skipped(self) -> int:
        """Steps not taken because the gradient was NaN or infinite."""
        return self._adam.num_skipped

    def step(self, loss: Tensor, learning_rate: float) -> float:
        """Take one step down the gradient of ``loss``, a scalar; parameters it does not depend on get zero.

        Returns:
            Norm of the gradient before clipping; NaN or infinite if the step was skipped.
        """
        gradients = torch.autograd.grad(loss, self._parameters, allow_unused=True)
        with torch.no_grad():
            start = 0
            for parameter, gradient, size in zip(self._parameters, gradients, self._sizes, strict=True):
                part = slice(start, start + size)
                self._adam.values[part] = parameter.reshape(-1)
                self._adam.gradients[part] = 0.0 if gradient is None else gradient.reshape(-1)
                start += size
            norm = self._adam.step(learning_rate)
            for parameter, new in zip(
                self._parameters, torch.split(self._adam.values, self._sizes), strict=True
            ):
                parameter.copy_(new.view(parameter.shape))
        return norm

    def get_state(self) -> dict[str, Any]:
        """Moments and counters."""
        return self._adam.get_state()

    def set_state(self, state: dict[str, Any]) -> None:
        """Continue from a state returned by :meth:`get_state`."""
        self._adam.set_state(state)
