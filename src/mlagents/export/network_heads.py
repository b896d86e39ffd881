"""The heads of a network as plain arrays, and what a network computes, whatever its class."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import numpy as np
from torch import Tensor, nn

from mlagents.export.description import ContinuousHead, Linear, SquashedHead
from mlagents.export.parameters import array
from mlagents.networks.actor_critic import Mlp
from mlagents.networks.general_actor_critic import Branch
from mlagents.networks.squashed_actor import LOG_SIGMA_MAX, LOG_SIGMA_MIN, SquashedActor
from mlagents_envs.base_env import ActionSpec


class GaussianNetwork(Protocol):
    """A network whose continuous actions have a spread that no observation changes.

    Attributes:
        action_spec: actions of the behavior: A continuous ones, branches with K choices in all.
        actor: layers of the policy.
        log_sigma: ``[A]``, logarithm of the spread.
        actor_memory_size: floats that an agent remembers, m.
    """

    @property
    def action_spec(self) -> ActionSpec: ...  # noqa: D102
    @property
    def actor(self) -> nn.Module: ...  # noqa: D102
    @property
    def log_sigma(self) -> Tensor: ...  # noqa: D102
    @property
    def actor_memory_size(self) -> int: ...  # noqa: D102

    def act(self, inputs: Sequence[Tensor], memory: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Means and logits ``[N, A + K]``, and memory ``[N, m]``."""
        ...


Network = GaussianNetwork | SquashedActor
"""What can be exported."""


def policy_layers(network: Network) -> Mlp | Branch:
    """The layers of the policy, its head included.

    Raises:
        TypeError: they are of a kind without a graph.
    """
    layers = network.policy if isinstance(network, SquashedActor) else network.actor
    if not isinstance(layers, Mlp | Branch):
        raise TypeError(f"a policy of the kind {type(layers).__name__} has no graph")
    return layers


def head_layer(layers: Mlp | Branch) -> nn.Linear:
    """The last layer of a policy."""
    return layers.head if isinstance(layers, Branch) else layers.linear_layers()[-1]


def action_heads(network: Network) -> tuple[ContinuousHead | SquashedHead | None, list[Linear]]:
    """Head of the continuous actions, None if there are none, and one layer of logits per branch."""
    layer = head_layer(policy_layers(network))
    weight, bias = array(layer.weight), array(layer.bias)
    spec = network.action_spec
    size = spec.continuous_size
    continuous: ContinuousHead | SquashedHead | None = None
    if size and isinstance(network, SquashedActor):
        spread = Linear(weight[-size:], bias[-size:])
        continuous = SquashedHead(weight[:size], bias[:size], spread, LOG_SIGMA_MIN, LOG_SIGMA_MAX)
    elif size and not isinstance(network, SquashedActor):
        continuous = ContinuousHead(weight[:size], bias[:size], array(network.log_sigma))
    ends = (size + np.cumsum(spec.discrete_branches, dtype=np.int64)).tolist()
    begins = [size, *ends][: len(ends)]
    return continuous, [
        Linear(weight[begin:end], bias[begin:end]) for begin, end in zip(begins, ends, strict=True)
    ]


def distribution(
    network: Network, inputs: Sequence[Tensor], memory: Tensor | None
) -> tuple[Tensor, Tensor, Tensor]:
    """What a network computes.

    Returns:
        Means and logits ``[N, A + K]``, logarithms of the spread ``[A]`` or ``[N, A]``, and the memory
        ``[N, m]`` after this step.
    """
    if isinstance(network, SquashedActor):
        outputs, log_sigma, after = network(inputs, memory)
        return outputs, log_sigma, after
    outputs, after = network.act(inputs, memory)
    return outputs, network.log_sigma, after
