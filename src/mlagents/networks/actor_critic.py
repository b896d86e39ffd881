"""Actor and critic for vector observations, as a torch module.

The module owns the parameters and defines what the network computes. For its fast form on the CPU see
:mod:`mlagents.networks.explicit_mlp`; both compute the same.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import torch
from torch import Tensor, nn

from mlagents.networks.heads import initialize_actions, initialize_values
from mlagents.networks.initialization import kaiming_normal
from mlagents_envs.base_env import ActionSpec


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

    Attributes:
        action_spec: actions of the behavior.
        log_sigma: float32 ``[A]``, spread of the continuous actions.
        actor_memory_size: 0; see :class:`~mlagents.networks.general_actor_critic.GeneralActorCritic`.
        critic_memory_size: 0.
    """

    actor_memory_size = 0
    critic_memory_size = 0

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
        initialize_actions(self.actor.linear_layers()[-1].weight, self.action_spec, generator)
        initialize_values(self.critic.linear_layers()[-1].weight, generator)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Compute policy outputs and values.

        Args:
            x: float32 ``[B, I]``, normalised observations.

        Returns:
            Action means and logits ``[B, A + K]``, and values ``[B, S]``.
        """
        return self.actor(x), self.critic(x)

    def act(
        self, inputs: Sequence[Tensor], memory: Tensor | None = None, sequence_length: int = 1
    ) -> tuple[Tensor, Tensor]:
        """The policy alone, called as that of any network.

        Args:
            inputs: one tensor, float32 ``[N, I]``.
            memory: without effect.
            sequence_length: rows per sequence, L.

        Returns:
            Action means and logits ``[N, A + K]``, and no memory, ``[N / L, 0]``.
        """
        return self.actor(inputs[0]), inputs[0].new_zeros(len(inputs[0]) // sequence_length, 0)

    def value(
        self, inputs: Sequence[Tensor], memory: Tensor | None = None, sequence_length: int = 1
    ) -> tuple[Tensor, Tensor]:
        """The values alone, ``[N, S]``, and no memory; called like :meth:`act`."""
        return self.critic(inputs[0]), inputs[0].new_zeros(len(inputs[0]) // sequence_length, 0)
