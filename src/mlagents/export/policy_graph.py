"""The ONNX graph of a policy, under the names, orders and shapes that loaders of such models expect.

Inputs, float32: ``obs_0`` … ``obs_k`` ``[batch, *shape]``, with discrete actions ``action_masks``
``[batch, sum of branch sizes]`` with 1 for allowed, and with memory ``recurrent_in`` ``[batch, 1, m]``.
Outputs, in this order and each only where it applies:

=================================  ======================  =====================================
name                               type and shape          content
=================================  ======================  =====================================
version_number                     float32 [1]             3
memory_size                        float32 [1]             m, or 0
continuous_actions                 float32 [batch, n]      sampled, in [-1, 1]
continuous_action_output_shape     float32 [1]             n
deterministic_continuous_actions   float32 [batch, n]      mean, in [-1, 1]
discrete_actions                   int64 [batch, b]        sampled
discrete_action_output_shape       float32 [1, b]          sizes of the branches
deterministic_discrete_actions     int64 [batch, b]        most probable
recurrent_out                      float32 [batch, 1, m]   memory after this step
=================================  ======================  =====================================

This module makes the graph of multilayer perceptrons over vectors, from plain arrays; the others are made
by :mod:`mlagents.export.network_graph`.
"""

from __future__ import annotations

import onnx

from mlagents.export.action_graph import (
    ACTION_LIMIT,
    MASK_PENALTY,
    MODEL_VERSION,
    constant_outputs,
    continuous_outputs,
    discrete_outputs,
)
from mlagents.export.description import Normalizer, PolicyDescription
from mlagents.export.graph_builder import GraphBuilder

__all__ = [
    "ACTION_LIMIT",
    "MASK_PENALTY",
    "MODEL_VERSION",
    "OBSERVATION_LIMIT",
    "build_policy_model",
    "normalized",
]

OBSERVATION_LIMIT = 5.0
"""Normalised observations are clamped to ± this."""


def build_policy_model(description: PolicyDescription) -> onnx.ModelProto:
    """Build the model of a policy, unchecked.

    Raises:
        ExportError: the description does not fit together.
    """
    description.validate()
    graph = GraphBuilder()
    observations = [graph.input(f"obs_{i}", s) for i, s in enumerate(description.observation_shapes)]
    branches = description.branches
    masks = graph.input("action_masks", [sum(branches)]) if branches else ""
    hidden = _body(graph, description, observations)

    constant_outputs(graph, 0)
    if description.continuous is not None:
        continuous_outputs(graph, description.continuous, hidden)
    if branches:
        discrete_outputs(graph, description.discrete, hidden, masks)
    return graph.build("policy")


def _body(graph: GraphBuilder, description: PolicyDescription, observations: list[str]) -> str:
    """Observations ``[batch, size]`` to the last hidden layer ``[batch, width]``."""
    x = graph.concat(
        [
            normalized(graph, name, normalizer)
            for name, normalizer in zip(observations, description.normalizers, strict=True)
        ]
    )
    for index, layer in enumerate(description.body):
        x = graph.swish(graph.linear(f"body.{index}", x, layer.weight, layer.bias))
    return x


def normalized(graph: GraphBuilder, name: str, normalizer: Normalizer | None) -> str:
    """The input ``name``, normalised if it has a normaliser."""
    if normalizer is None:
        return name
    x = graph.node("Sub", [name, graph.constant(f"{name}.mean", normalizer.mean)])
    x = graph.node("Mul", [x, graph.constant(f"{name}.inv_std", normalizer.inv_std)])
    return graph.node("Clip", [x], min=-OBSERVATION_LIMIT, max=OBSERVATION_LIMIT)
