"""The ONNX graph of any network, made from its modules; its interface is in :mod:`.policy_graph`."""

from __future__ import annotations

import onnx

from mlagents.export.action_graph import constant_outputs, continuous_outputs, discrete_outputs
from mlagents.export.body_graph import body_encoding, memory_output
from mlagents.export.description import ExportError, Normalizer, PolicyInterface
from mlagents.export.graph_builder import GraphBuilder
from mlagents.export.network_heads import Network, action_heads, policy_layers
from mlagents.export.parameters import check_finite, linear_layer
from mlagents.export.policy_graph import normalized
from mlagents.networks.actor_critic import Mlp
from mlagents.networks.observations import ObservationEncoder


def observation_normalizers(encoder: ObservationEncoder) -> list[Normalizer | None]:
    """The statistics of each observation, None where it is used as it is."""
    return [
        None if normalizer is None else Normalizer(*normalizer.shift_and_scale)
        for normalizer in map(encoder.normalizer_of, range(len(encoder.specs)))
    ]


def network_interface(network: Network, encoder: ObservationEncoder) -> PolicyInterface:
    """What the policy takes and gives."""
    layers = policy_layers(network)
    goal_layer = None if isinstance(layers, Mlp) else layers.body.goal_layer
    return PolicyInterface(
        observation_shapes=[tuple(spec.shape) for spec in encoder.specs],
        normalizers=observation_normalizers(encoder),
        continuous_size=network.action_spec.continuous_size,
        branches=tuple(network.action_spec.discrete_branches),
        memory_size=network.actor_memory_size,
        generated_size=0 if goal_layer is None else goal_layer.inputs * goal_layer.outputs,
    )


def build_network_model(network: Network, encoder: ObservationEncoder) -> onnx.ModelProto:
    """Build the model of a network's policy, unchecked.

    Args:
        network: on the CPU or not; it stays as it is.
        encoder: what turns observations into the network's inputs.

    Raises:
        ExportError: the behavior has no actions, or a parameter is not finite.
    """
    interface = network_interface(network, encoder)
    layers = policy_layers(network)
    continuous, discrete = action_heads(network)
    if continuous is None and not discrete:
        raise ExportError("A policy needs continuous or discrete actions.")
    check_finite(layers)
    graph = GraphBuilder()
    observations = [graph.input(f"obs_{i}", s) for i, s in enumerate(interface.observation_shapes)]
    masks = graph.input("action_masks", [sum(interface.branches)]) if discrete else ""
    inputs = [
        normalized(graph, name, normalizer)
        for name, normalizer in zip(observations, interface.normalizers, strict=True)
    ]
    if encoder.is_flat:
        inputs = [graph.concat(inputs)]
    memory = ""
    if isinstance(layers, Mlp):
        (hidden,) = inputs
        for index, layer in enumerate(layers.linear_layers()[:-1]):
            hidden = graph.swish(graph.linear(f"body.{index}", hidden, *linear_layer(layer)))
    else:
        hidden, memory = body_encoding(graph, layers.body, encoder.input_specs, inputs)

    constant_outputs(graph, interface.memory_size)
    if continuous is not None:
        continuous_outputs(graph, continuous, hidden)
    if discrete:
        discrete_outputs(graph, discrete, hidden, masks)
    if memory:
        memory_output(graph, memory, interface.memory_size)
    return graph.build("policy")
