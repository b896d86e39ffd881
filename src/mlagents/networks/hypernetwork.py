"""A layer whose weights are made by a network from the goal (Ha et al. 2016, arXiv:1609.09106)."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional

from mlagents.networks.initialization import empty_linear, linear

NORM_EPSILON = 1e-5

_MIN_ROWS_TO_COMPARE = 8


class GoalLayer(nn.Module):
    """``y = x W(g) + b``, where g is the goal, and b learned.

    ``W(g) = V LN(u(g)) + c``: u is two linear layers with Swish of width h, LN normalises without learned
    scale. Weights of V start uniform within ``1 / √(inputs · h)``, c and b at 0.

    Args:
        inputs: width of x.
        outputs: width of y, h.
        goal_size: width of g.
        generator: source of initial weights.
    """

    def __init__(self, inputs: int, outputs: int, goal_size: int, generator: torch.Generator) -> None:
        super().__init__()
        self.inputs = inputs
        self.outputs = outputs
        self.first = linear(goal_size, outputs, 1.0, generator)
        self.second = linear(outputs, outputs, 1.0, generator)
        self.weights = empty_linear(outputs, inputs * outputs)
        bound = math.sqrt(1.0 / (inputs * outputs))
        with torch.no_grad():
            self.weights.weight.uniform_(-bound, bound, generator=generator)
            self.weights.bias.zero_()
        self.bias = nn.Parameter(torch.zeros(outputs))

    def forward(self, x: Tensor, goal: Tensor) -> Tensor:
        """Map ``x`` ``[B, inputs]`` to ``[B, h]``, as the goals ``[B, goal_size]`` say."""
        few = self._distinct(goal)
        if few is None:
            weights = self.generate(goal)  # [B, inputs, h]
            return torch.bmm(x.unsqueeze(1), weights).squeeze(1) + self.bias
        goals, which = few
        weights = self.generate(goals)  # [G, inputs, h]
        every = x @ weights.transpose(0, 1).reshape(self.inputs, -1)  # [B, G * h]
        row = torch.arange(len(x), device=x.device)
        return every.view(len(x), len(goals), self.outputs)[row, which] + self.bias

    def generate(self, goal: Tensor) -> Tensor:
        """Weights ``[B, inputs, h]`` for goals ``[B, goal_size]``."""
        u = functional.silu(self.first(goal))
        u = functional.silu(self.second(u))
        u = functional.layer_norm(u, (self.outputs,), eps=NORM_EPSILON)  # [B, h]
        weights: Tensor = self.weights(u)
        return weights.view(len(goal), self.inputs, self.outputs)

    def _distinct(self, goal: Tensor) -> tuple[Tensor, Tensor] | None:
        """The distinct goals ``[G, goal_size]`` and which one each row has, where that saves work.

        Weights cost ``inputs · h²`` per goal, so that it pays to generate those of equal goals once; the
        products with the weights of all goals cost ``inputs · h`` per row and goal. Goals that are
        themselves learned, such as codes of images, are not compared, since their gradients differ.
        """
        if goal.requires_grad or len(goal) < _MIN_ROWS_TO_COMPARE:
            return None
        goals, which = torch.unique(goal, dim=0, return_inverse=True)
        return (goals, which) if len(goals) * 2 <= min(len(goal), self.outputs) else None
