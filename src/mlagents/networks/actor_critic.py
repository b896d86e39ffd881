"""Actor and critic for vector observations, as a torch module.

The module owns the parameters and defines what the network computes. For its fast form on the CPU see
:mod:`mlagents.networks.explicit_mlp`; both compute the same.
"""

from __future__ import annotations

from itertools import pairwise

import torch
from torch import Tensor, nn

from mlagents.networks.initialization import kaiming_normal, xavier_uniform
from mlagents_envs.base_env import ActionSpec

MEAN_GAIN = 0.2
BRANCH_GAIN = 0.1


class Mlp(nn.Module):
    """Linear layers with Swish between them, and none after the last.

    Args:
        sizes: input, hidden and output widths.
    """

    def __init__(self, sizes: list[int]) -> None:
        super().__init__()
        self.layers = nn.ModuleList(nn.Linear(inputs, outputs) for inputs, outputs in pairwise(sizes))

    def linear_layers(self) -> list[nn.Linear]:
        """The layers, first to last."""
        return [layer for layer in self.layers if isinstance(layer, nn.Linear)]

    def forward(self, x: Tensor) -> Tensor:
        """Map ``[B, inputs]`` to ``[B, outputs]``."""
        *hidden, last = self.layers
        for layer in hidden:
            x = nn.functional.silu(layer(x))
        out: Tensor = last(x)
        return out


class ActorCritic(nn.Module):
    """Separate multilayer perceptrons for policy and value.

    The actor's output row is the means of the continuous actions followed by the logits of all discrete
    branches; the spread of continuous actions is a free parameter per dimension.

    Args:
        observation_size: width of the concatenated, normalised observations, I.
        action_spec: actions of the behavior: A continuous ones, branches with K choices in all.
        hidden_units: width of the hidden layers.
        num_layers: number of hidden layers; at least one is made.
        num_value_heads: reward streams, S.
        generator: source of initial weights.
    """

    def __init__(
        self,
        observation_size: int,
        action_spec: ActionSpec,
        hidden_units: int,
        num_layers: int,
        num_value_heads: int,
        generator: torch.Generator,
    ) -> None:
        super().__init__()
        hidden = [hidden_units] * max(1, num_layers)
        num_outputs = action_spec.continuous_size + sum(action_spec.discrete_branches)
        self.action_spec = action_spec
        self.actor = Mlp([observation_size, *hidden, num_outputs])
        self.critic = Mlp([observation_size, *hidden, num_value_heads])
        self.log_sigma = nn.Parameter(torch.zeros(action_spec.continuous_size))
        self._initialize(generator)

    def _initialize(self, generator: torch.Generator) -> None:
        for mlp in (self.actor, self.critic):
            *hidden, last = mlp.linear_layers()
            for layer in hidden:
                kaiming_normal(layer.weight, 1.0, generator)
            for layer in (*hidden, last):
                nn.init.zeros_(layer.bias)
        head = self.actor.linear_layers()[-1].weight
        continuous = self.action_spec.continuous_size
        kaiming_normal(head[:continuous], MEAN_GAIN, generator)
        kaiming_normal(head[continuous:], BRANCH_GAIN, generator)
        values = self.critic.linear_layers()[-1].weight
        for stream in range(len(values)):  # each stream is a head of its own
            xavier_uniform(values[stream : stream + 1], generator)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Compute policy outputs and values.

        Args:
            x: float32 ``[B, I]``, normalised observations.

        Returns:
            Action means and logits ``[B, A + K]``, and values ``[B, S]``.
        """
        return self.actor(x), self.critic(x)
