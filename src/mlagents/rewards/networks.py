"""What the networks of reward signals are made of."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import torch
from torch import Tensor, nn

from mlagents.networks.actor_critic import Mlp
from mlagents.networks.body import Body
from mlagents.networks.initialization import kaiming_normal
from mlagents.networks.settings import NetworkSettings
from mlagents_envs.base_env import ObservationSpec


class MakeBody(Protocol):
    """Makes a network from observations to an encoding; :class:`~mlagents.networks.body.Body` does."""

    def __call__(
        self,
        specs: Sequence[ObservationSpec],
        settings: NetworkSettings,
        generator: torch.Generator,
        *,
        extra_size: int = 0,
    ) -> Body:
        """A body whose weights are drawn from ``generator``."""


def encode(body: Body, observations: Sequence[Tensor], extra: Tensor | None = None) -> Tensor:
    """Encoding float32 ``[B, output_size]`` of normalised observations ``[B, *shape]``, without memory."""
    encoding, _ = body(observations, extra=extra)
    result: Tensor = encoding
    return result


def make_mlp(sizes: list[int], generator: torch.Generator) -> Mlp:
    """Linear layers with Swish between them; weights N(0, 1 / inputs), biases 0."""
    mlp = Mlp(sizes)
    for layer in mlp.linear_layers():
        kaiming_normal(layer.weight, 1.0, generator)
        nn.init.zeros_(layer.bias)
    return mlp
