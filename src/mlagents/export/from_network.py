"""From a trained network to its ONNX model, by way of the plain arrays that the model is made from."""

from __future__ import annotations

import copy
import os
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from mlagents.export.description import ContinuousHead, ExportError, Linear, Normalizer, PolicyDescription
from mlagents.export.onnx_file import export_policy
from mlagents.export.reference import PolicyFunction, ReferenceOutput, mask_logits
from mlagents.networks.actor_critic import ActorCritic
from mlagents.networks.observations import ObservationEncoder


def export_network(network: ActorCritic, encoder: ObservationEncoder, path: str | os.PathLike[str]) -> None:
    """Write the actor as an ONNX model, after comparing the model with what the network computes in torch.

    Args:
        network: actor and critic, on any device; they stay as they are.
        encoder: what turns observations into the network's input.
        path: file to write, usually ``<Behavior>.onnx``; it appears whole or not at all.

    Raises:
        ExportError: whatever prevented it; the message says what. Nothing else is raised, so that an export
            can be left out without harm.
    """
    try:
        export_policy(describe_policy(network, encoder), path, torch_policy(network, encoder))
    except ExportError:
        raise
    except Exception as error:
        raise ExportError(f"The export failed unexpectedly ({type(error).__name__}: {error}).") from error


def torch_policy(network: ActorCritic, encoder: ObservationEncoder) -> PolicyFunction:
    """The policy as torch computes it, on the CPU, from a copy of the weights.

    Args:
        network: actor and critic, on any device.
        encoder: what turns observations into the network's input.
    """
    actors: dict[type, nn.Module] = {
        dtype: copy.deepcopy(network.actor).to(device="cpu", dtype=precision)
        for dtype, precision in ((np.float32, torch.float32), (np.float64, torch.float64))
    }
    spec = network.action_spec
    log_sigma = network.log_sigma.detach().cpu().double().numpy()
    sizes = [spec.continuous_size, *spec.discrete_branches]
    ends = np.cumsum(spec.discrete_branches, dtype=np.int64)[:-1]

    def policy(inputs: dict[str, NDArray[np.float32]], dtype: type) -> ReferenceOutput:
        observations = [inputs[f"obs_{index}"] for index in range(len(encoder.sizes))]
        encoded = torch.from_numpy(encoder.encode(observations))
        actor = actors[dtype]
        with torch.no_grad():
            mean, *logits = torch.split(actor(encoded.to(next(actor.parameters()).dtype)), sizes, dim=1)
        masks: list[NDArray[Any]] = np.split(inputs["action_masks"], ends, axis=1) if logits else []
        return ReferenceOutput(
            mean.numpy(),
            [mask_logits(x.numpy(), mask) for x, mask in zip(logits, masks, strict=True)],
            log_sigma,
        )

    return policy


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
