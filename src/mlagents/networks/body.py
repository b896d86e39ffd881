"""The part that all networks share: from observations to an encoding on which heads sit."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional

from mlagents.networks.hypernetwork import GoalLayer
from mlagents.networks.initialization import linear
from mlagents.networks.input_encoder import InputEncoder
from mlagents.networks.recurrent import RecurrentMemory
from mlagents.networks.settings import NetworkSettings
from mlagents_envs.base_env import ObservationSpec

HIDDEN_GAIN = 1.0


class Body(nn.Module):
    """Encoders, ``num_layers`` hidden layers with Swish (at least one), and memory where it is set.

    Where goals act through a hypernetwork, the last hidden layer's weights are made from the goal.

    Args:
        specs: observations.
        settings: shape of the network; ``normalize`` and ``deterministic`` have no effect here.
        generator: source of initial weights.
        extra_size: width of a further input beside the encoded observations, such as actions.

    Raises:
        UnsupportedObservationError: an image is too small for its encoder, or a goal is a list of entities.

    Attributes:
        output_size: width of the encoding: ``hidden_units``, or half of ``memory_size`` with memory.
        memory_size: floats that an agent remembers, m; 0 without memory.
        inputs: encoders of the observations.
        layers: hidden layers with weights of their own.
        goal_layer: last hidden layer where its weights are made from the goal, else None.
        recurrent: the memory, or None.
    """

    def __init__(
        self,
        specs: Sequence[ObservationSpec],
        settings: NetworkSettings,
        generator: torch.Generator,
        *,
        extra_size: int = 0,
    ) -> None:
        super().__init__()
        self.inputs = InputEncoder(specs, settings, generator)
        width = settings.hidden_units
        sizes = [self.inputs.output_size + extra_size, *[width] * max(1, settings.num_layers)]
        has_goal = self.inputs.goal_size > 0
        num_plain = len(sizes) - 1 - has_goal
        self.layers = nn.ModuleList(
            linear(sizes[layer], width, HIDDEN_GAIN, generator) for layer in range(num_plain)
        )
        self.goal_layer = GoalLayer(sizes[-2], width, self.inputs.goal_size, generator) if has_goal else None
        self.recurrent: RecurrentMemory | None = None
        self.output_size, self.memory_size = width, 0
        if settings.memory is not None:
            self.memory_size = settings.memory.memory_size
            self.recurrent = RecurrentMemory(width, self.memory_size, generator)
            self.output_size = self.recurrent.output_size

    def forward(
        self,
        observations: Sequence[Tensor],
        memory: Tensor | None = None,
        extra: Tensor | None = None,
        sequence_length: int = 1,
    ) -> tuple[Tensor, Tensor]:
        """Encode steps of sequences; N rows are N / L sequences of L consecutive rows.

        Args:
            observations: float32 ``[N, *shape_i]`` each, vectors already normalised.
            memory: float32 ``[N / L, m]`` at the start of each sequence; None means zeros.
            extra: float32 ``[N, extra_size]``, where there is such an input.
            sequence_length: L; without memory it has no effect on the encoding.

        Returns:
            Encoding ``[N, output_size]``, and memory after each sequence ``[N / L, m]``.
        """
        x, goal = self.inputs(observations)
        if extra is not None:
            x = torch.cat([x, extra], dim=1)
        x = self.hidden(x, goal)
        if self.recurrent is None:
            return x, x.new_zeros(len(x) // sequence_length, 0)
        outputs, after = self.recurrent(x, memory, sequence_length)
        return outputs, after

    def hidden(self, x: Tensor, goal: Tensor) -> Tensor:
        """The hidden layers alone, from encoded inputs and extra ones ``[N, inputs]`` to ``[N, h]``.

        Args:
            x: encoded observations, and the extra input if there is one.
            goal: float32 ``[N, g]``, as the input encoder gives it.
        """
        for layer in self.layers:
            x = functional.silu(layer(x))  # [N, h]
        if self.goal_layer is not None:
            x = functional.silu(self.goal_layer(x, goal))  # [N, h]
        return x
