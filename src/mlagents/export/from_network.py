"""From a trained network to the plain arrays that its ONNX model is made from."""

from __future__ import annotations

import numpy as np
from torch import Tensor, nn

from mlagents.export.description import ContinuousHead, Linear, Normalizer, PolicyDescription
from mlagents.networks.actor_critic import ActorCritic
from mlagents.networks.observations import ObservationEncoder


def describe_policy(network: ActorCritic, encoder: ObservationEncoder) -> PolicyDescription:
    """Copy the actor's weights and the normalisers' statistics.

    Args:
        network: actor and critic, on any device.
        encoder: what turns observations into the network's input.
    """
    *hidden, head = network.actor.linear_layers()
    weight, bias = _array(head.weight), _array(head.bias)
    size = network.action_spec.continuous_size
    continuous = None
    if size:
        continuous = ContinuousHead(weight[:size], bias[:size], _array(network.log_sigma))
    ends = (size + np.cumsum(network.action_spec.discrete_branches, dtype=np.int64)).tolist()
    begins = [size, *ends][: len(ends)]
    return PolicyDescription(
        observation_shapes=[(width,) for width in encoder.sizes],
        normalizers=(
            [None] * len(encoder.sizes)
            if encoder.normalizers is None
            else [Normalizer(*normalizer.shift_and_scale) for normalizer in encoder.normalizers]
        ),
        body=[_linear(layer) for layer in hidden],
        continuous=continuous,
        discrete=[
            Linear(weight[begin:end], bias[begin:end]) for begin, end in zip(begins, ends, strict=True)
        ],
    )


def _linear(layer: nn.Linear) -> Linear:
    return Linear(_array(layer.weight), _array(layer.bias))


def _array(tensor: Tensor) -> np.ndarray[tuple[int, ...], np.dtype[np.float32]]:
    return np.array(tensor.detach().cpu().numpy(), dtype=np.float32)
