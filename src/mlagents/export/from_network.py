"""From a trained network to its ONNX model.

Multilayer perceptrons over vectors go by way of plain arrays, which are compared too; the graphs of all
other networks are made from their modules.
"""

from __future__ import annotations

import copy
import os
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from mlagents.export.description import ContinuousHead, ExportError, PolicyDescription
from mlagents.export.network_graph import build_network_model, network_interface, observation_normalizers
from mlagents.export.network_heads import Network, action_heads, distribution
from mlagents.export.onnx_file import check_model, export_policy, write_model
from mlagents.export.parameters import linear_layer
from mlagents.export.reference import PolicyFunction, ReferenceOutput, mask_logits
from mlagents.export.verify import verify_interface
from mlagents.networks.actor_critic import ActorCritic
from mlagents.networks.observations import ObservationEncoder
from mlagents.networks.squashed_actor import SquashedActor

_PRECISIONS: dict[type, torch.dtype] = {np.float32: torch.float32, np.float64: torch.float64}


def export_network(network: Network, encoder: ObservationEncoder, path: str | os.PathLike[str]) -> None:
    """Write the policy as an ONNX model, after comparing the model with what the network computes in torch.

    Args:
        network: the policy, with its critic or without, on any device; it stays as it is.
        encoder: what turns observations into the network's inputs.
        path: file to write, usually ``<Behavior>.onnx``; it appears whole or not at all.

    Raises:
        ExportError: whatever prevented it; the message says what. Nothing else is raised, so that an export
            can be left out without harm.
    """
    try:
        if isinstance(network, ActorCritic):
            export_policy(describe_policy(network, encoder), path, torch_policy(network, encoder))
            return
        model = build_network_model(network, encoder)
        check_model(model)
        references = {"the network": torch_policy(network, encoder)}
        verify_interface(model, network_interface(network, encoder), references)
        write_model(model, path)
    except ExportError:
        raise
    except Exception as error:
        raise ExportError(f"The export failed unexpectedly ({type(error).__name__}: {error}).") from error


def torch_policy(network: Network, encoder: ObservationEncoder) -> PolicyFunction:
    """The policy as torch computes it, on the CPU, from a copy of the weights.

    Args:
        network: the policy, with its critic or without, on any device.
        encoder: what turns observations into the network's inputs.
    """
    assert isinstance(network, nn.Module)
    networks: dict[type, Network] = {
        dtype: copy.deepcopy(network).to(device="cpu", dtype=precision)
        for dtype, precision in _PRECISIONS.items()
    }
    spec = network.action_spec
    sizes = [spec.continuous_size, *spec.discrete_branches]
    ends = np.cumsum(spec.discrete_branches, dtype=np.int64)[:-1]

    def policy(inputs: dict[str, NDArray[Any]], dtype: type) -> ReferenceOutput:
        encoded = encoder.encode([inputs[f"obs_{index}"] for index in range(len(encoder.specs))])
        tensors = [torch.from_numpy(column).to(_PRECISIONS[dtype]) for column in encoded]
        memory = None
        if "recurrent_in" in inputs:
            memory = torch.from_numpy(inputs["recurrent_in"][:, 0]).to(_PRECISIONS[dtype])
        with torch.no_grad():
            outputs, log_sigma, after = distribution(networks[dtype], tensors, memory)
            mean, *logits = torch.split(outputs, sizes, dim=1)
        masks: list[NDArray[Any]] = np.split(inputs["action_masks"], ends, axis=1) if logits else []
        return ReferenceOutput(
            mean.numpy(),
            [mask_logits(x.numpy(), mask) for x, mask in zip(logits, masks, strict=True)],
            log_sigma.detach().double().numpy(),
            after.numpy(),
            squashed=isinstance(network, SquashedActor),
        )

    return policy


def describe_policy(network: ActorCritic, encoder: ObservationEncoder) -> PolicyDescription:
    """Copy the actor's weights and the normalisers' statistics.

    Args:
        network: actor and critic, on any device.
        encoder: what turns observations into the network's input.
    """
    continuous, discrete = action_heads(network)
    assert continuous is None or isinstance(continuous, ContinuousHead)
    return PolicyDescription(
        observation_shapes=[tuple(spec.shape) for spec in encoder.specs],
        normalizers=observation_normalizers(encoder),
        body=[linear_layer(layer) for layer in network.actor.linear_layers()[:-1]],
        continuous=continuous,
        discrete=discrete,
    )
