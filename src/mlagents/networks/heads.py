"""Linear layers at the top of networks: actions and values."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from mlagents.networks.initialization import empty_linear, kaiming_normal, xavier_uniform
from mlagents_envs.base_env import ActionSpec

MEAN_GAIN = 0.2
BRANCH_GAIN = 0.1


def initialize_actions(weight: Tensor, action_spec: ActionSpec, generator: torch.Generator) -> None:
    """Fill ``[A + K, inputs]``: means of continuous actions, then logits of all branches.

    Small weights, so that the first policy is near the middle of its actions.
    """
    continuous = action_spec.continuous_size
    kaiming_normal(weight[:continuous], MEAN_GAIN, generator)
    kaiming_normal(weight[continuous:], BRANCH_GAIN, generator)


def initialize_values(weight: Tensor, generator: torch.Generator) -> None:
    """Fill ``[S, inputs]``: each reward stream is a head of its own."""
    for stream in range(len(weight)):
        xavier_uniform(weight[stream : stream + 1], generator)


def action_head(inputs: int, action_spec: ActionSpec, generator: torch.Generator) -> nn.Linear:
    """A layer from an encoding to means and logits, ``[B, A + K]``."""
    layer = empty_linear(inputs, action_spec.continuous_size + sum(action_spec.discrete_branches))
    initialize_actions(layer.weight, action_spec, generator)
    nn.init.zeros_(layer.bias)
    return layer


def value_head(inputs: int, num_streams: int, generator: torch.Generator) -> nn.Linear:
    """A layer from an encoding to values, ``[B, S]``."""
    layer = empty_linear(inputs, num_streams)
    initialize_values(layer.weight, generator)
    nn.init.zeros_(layer.bias)
    return layer
