"""The ONNX graph of a policy, under the names, orders and shapes that loaders of such models expect.

Inputs, float32: ``obs_0`` … ``obs_k`` ``[batch, size]``, and with discrete actions ``action_masks``
``[batch, sum of branch sizes]`` with 1 for allowed. Outputs, in this order and each only where it applies:

=================================  ===================  =====================================
name                               type and shape       content
=================================  ===================  =====================================
version_number                     float32 [1]          3
memory_size                        float32 [1]          0
continuous_actions                 float32 [batch, n]   sampled, in [-1, 1]
continuous_action_output_shape     float32 [1]          n
deterministic_continuous_actions   float32 [batch, n]   mean, in [-1, 1]
discrete_actions                   int64 [batch, b]     sampled
discrete_action_output_shape       float32 [1, b]       sizes of the branches
deterministic_discrete_actions     int64 [batch, b]     most probable
=================================  ===================  =====================================
"""

from __future__ import annotations

import numpy as np
import onnx
from onnx import TensorProto

from mlagents.export.description import ContinuousHead, PolicyDescription
from mlagents.export.graph_builder import BATCH, GraphBuilder

MODEL_VERSION = 3.0
"""Value of ``version_number``: the current generation of the contract."""
OBSERVATION_LIMIT = 5.0
"""Normalised observations are clamped to ± this."""
ACTION_LIMIT = 3.0
"""Raw continuous actions are clamped to ± this, then divided by it."""
MASK_PENALTY = 1e8
"""Taken off the logits of forbidden actions; finite, since a loader may forbid every action of a branch."""


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

    graph.output("version_number", graph.constant("version_number_value", [MODEL_VERSION]), [1])
    graph.output("memory_size", graph.constant("memory_size_value", [0.0]), [1])
    if description.continuous is not None:
        _continuous_outputs(graph, description.continuous, hidden)
    if branches:
        _discrete_outputs(graph, description, hidden, masks)
    return graph.build("policy")


def _body(graph: GraphBuilder, description: PolicyDescription, observations: list[str]) -> str:
    """Observations ``[batch, size]`` to the last hidden layer ``[batch, width]``."""
    encoded = []
    for name, normalizer in zip(observations, description.normalizers, strict=True):
        x = name
        if normalizer is not None:
            x = graph.node("Sub", [x, graph.constant(f"{name}.mean", normalizer.mean)])
            x = graph.node("Mul", [x, graph.constant(f"{name}.inv_std", normalizer.inv_std)])
            x = graph.node("Clip", [x], min=-OBSERVATION_LIMIT, max=OBSERVATION_LIMIT)
        encoded.append(x)
    x = graph.concat(encoded)
    for index, layer in enumerate(description.body):
        x = graph.swish(graph.linear(f"body.{index}", x, layer.weight, layer.bias))
    return x


def _continuous_outputs(graph: GraphBuilder, head: ContinuousHead, hidden: str) -> None:
    """Sampled and mean actions from the hidden layer ``[batch, width]``."""
    n = len(head.bias)
    mean = graph.linear("continuous", hidden, head.weight, head.bias)
    sigma = graph.node("Exp", [graph.constant("continuous.log_sigma", np.reshape(head.log_sigma, (1, n)))])
    noise = graph.node("RandomNormalLike", [mean], dtype=TensorProto.FLOAT, mean=0.0, scale=1.0)
    sampled = graph.node("Add", [mean, graph.node("Mul", [noise, sigma])])

    graph.output("continuous_actions", _environment_action(graph, sampled), [BATCH, n])
    graph.output("continuous_action_output_shape", graph.constant("continuous_size", [n]), [1])
    graph.output("deterministic_continuous_actions", _environment_action(graph, mean), [BATCH, n])


def _environment_action(graph: GraphBuilder, action: str) -> str:
    """Raw actions as the environment gets them."""
    clamped = graph.node("Clip", [action], min=-ACTION_LIMIT, max=ACTION_LIMIT)
    return graph.node("Div", [clamped, graph.constant("action_limit", [ACTION_LIMIT])])


def _discrete_outputs(graph: GraphBuilder, description: PolicyDescription, hidden: str, masks: str) -> None:
    """Sampled and most probable actions of each branch from the hidden layer ``[batch, width]``."""
    branches = description.branches
    ends = np.cumsum(branches).tolist()
    sampled, best = [], []
    for branch, (head, end) in enumerate(zip(description.discrete, ends, strict=True)):
        mask = graph.columns(masks, end - branches[branch], end)
        logits = graph.linear(f"discrete.{branch}", hidden, head.weight, head.bias)
        masked = _masked_logits(graph, logits, mask)
        # Multinomial takes log-probabilities. Normalised ones, although it need not have them: that
        # leaves nothing to the loader. A forbidden action has exactly -inf and is never drawn.
        log_probs = graph.node("Log", [graph.node("Softmax", [masked], axis=1)])
        sampled.append(graph.node("Multinomial", [log_probs], dtype=TensorProto.INT64, sample_size=1))
        best.append(graph.node("ArgMax", [masked], axis=1, keepdims=1))

    shape = (BATCH, len(branches))
    graph.output("discrete_actions", graph.concat(sampled), shape, integer=True)
    sizes = graph.constant("branch_sizes", [branches])
    graph.output("discrete_action_output_shape", sizes, [1, len(branches)])
    graph.output("deterministic_discrete_actions", graph.concat(best), shape, integer=True)


def _masked_logits(graph: GraphBuilder, logits: str, mask: str) -> str:
    """``logits · m - 1e8 · (1 - m)`` for a mask of ones and zeros ``[batch, branch_size]``."""
    forbidden = graph.node("Sub", [graph.constant("one", [1.0]), mask])
    penalty = graph.node("Mul", [forbidden, graph.constant("mask_penalty", [MASK_PENALTY])])
    return graph.node("Sub", [graph.node("Mul", [logits, mask]), penalty])
