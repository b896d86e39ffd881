"""Adam over one parameter vector, with gradient clipping in the same pass."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import torch
from numba import njit
from numpy.typing import NDArray
from torch import Tensor

BETA_1 = 0.9
BETA_2 = 0.999
EPSILON = 1e-8


@njit(cache=True, error_model="numpy", fastmath={"reassoc", "contract", "arcp", "nsz"})
def _gradient_norm(gradients: NDArray[np.float32]) -> float:
    total = np.float32(0.0)
    for index in range(gradients.shape[0]):
        total += gradients[index] * gradients[index]
    return math.sqrt(total)


@njit(cache=True, error_model="numpy", fastmath={"reassoc", "contract", "arcp", "nsz"})
def _adam_step(
    values: NDArray[np.float32],
    gradients: NDArray[np.float32],
    first_moment: NDArray[np.float32],
    second_moment: NDArray[np.float32],
    scale: np.float32,
    step_size: np.float32,
    inverse_root_correction: np.float32,
) -> None:
    beta_1, beta_2, epsilon = np.float32(BETA_1), np.float32(BETA_2), np.float32(EPSILON)
    rest_1, rest_2 = np.float32(1.0 - BETA_1), np.float32(1.0 - BETA_2)
    for index in range(values.shape[0]):
        gradient = gradients[index] * scale
        first = beta_1 * first_moment[index] + rest_1 * gradient
        second = beta_2 * second_moment[index] + rest_2 * gradient * gradient
        first_moment[index] = first
        second_moment[index] = second
        values[index] -= step_size * first / (np.sqrt(second) * inverse_root_correction + epsilon)


class FlatAdam:
    """Adam (Kingma and Ba 2015, arXiv 1412.6980, algorithm 1) on a flat parameter vector.

    Before the step, the gradient is scaled down to ``max_norm`` if its Euclidean norm is larger (Pascanu
    et al. 2013, arXiv 1211.5063). A gradient that is not finite is skipped and counted instead of ruining
    the weights.

    Args:
        values: float32 ``[P]``, parameters, changed in place.
        gradients: float32 ``[P]``, read at each step.
        max_norm: largest norm of the gradient; 0 for no clipping.

    Attributes:
        num_steps: steps taken.
        num_skipped: steps not taken because the gradient was NaN or infinite.
    """

    def __init__(self, values: Tensor, gradients: Tensor, max_norm: float) -> None:
        self.values = values
        self.gradients = gradients
        self.max_norm = max_norm
        self.first_moment = torch.zeros_like(values)
        self.second_moment = torch.zeros_like(values)
        self.num_steps = 0
        self.num_skipped = 0
        self._on_cpu = values.device.type == "cpu"
        if self._on_cpu:
            self._arrays = (
                values.numpy(),
                gradients.numpy(),
                self.first_moment.numpy(),
                self.second_moment.numpy(),
            )

    def step(self, learning_rate: float) -> float:
        """Take one step.

        Args:
            learning_rate: step size, alpha.

        Returns:
            Norm of the gradient before clipping; NaN or infinite if the step was skipped.
        """
        if self._on_cpu:
            norm = _gradient_norm(self._arrays[1])
        else:
            norm = float(torch.linalg.vector_norm(self.gradients))
        if not math.isfinite(norm):
            self.num_skipped += 1
            return norm
        self.num_steps += 1
        scale = self.max_norm / norm if 0.0 < self.max_norm < norm else 1.0
        step_size = learning_rate / (1.0 - BETA_1**self.num_steps)
        inverse_root_correction = 1.0 / math.sqrt(1.0 - BETA_2**self.num_steps)
        if self._on_cpu:
            _adam_step(
                *self._arrays, np.float32(scale), np.float32(step_size), np.float32(inverse_root_correction)
            )
        else:
            gradients = self.gradients * scale
            self.first_moment.lerp_(gradients, 1.0 - BETA_1)
            self.second_moment.mul_(BETA_2).addcmul_(gradients, gradients, value=1.0 - BETA_2)
            denominator = self.second_moment.sqrt().mul_(inverse_root_correction).add_(EPSILON)
            self.values.addcdiv_(self.first_moment, denominator, value=-step_size)
        return norm

    def get_state(self) -> dict[str, Any]:
        """Moments and counters."""
        return {
            "first_moment": self.first_moment,
            "second_moment": self.second_moment,
            "num_steps": self.num_steps,
            "num_skipped": self.num_skipped,
        }

    def set_state(self, state: dict[str, Any]) -> None:
        """Continue from a state returned by :meth:`get_state`."""
        self.first_moment.copy_(state["first_moment"])
        self.second_moment.copy_(state["second_moment"])
        self.num_steps = int(state["num_steps"])
        self.num_skipped = int(state["num_skipped"])
