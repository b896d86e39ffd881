"""The part of a policy's graph after its last hidden layer: the actions, under the names loaders expect."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from onnx import TensorProto

from mlagents.export.description import ContinuousHead, Linear, SquashedHead
from mlagents.export.graph_builder import BATCH, GraphBuilder

MODEL_VERSION = 3.0
"""Value of ``version_number``: the current generation of the contract."""
ACTION_LIMIT = 3.0
"""Raw continuous actions that are not squashed are clamped to ± this, then divided by it."""
MASK_PENALTY = 1e8
"""Taken off the logits of forbidden actions; finite, since a loader may forbid every action of a branch."""


def constant_outputs(graph: GraphBuilder, memory_size: int) -> None:
    """Version of the contract, and floats of memory per agent."""
    graph.output("version_number", graph.constant("version_number_value", [MODEL_VERSION]), [1])
    graph.output("memory_size", graph.constant("memory_size_value", [memory_size]), [1])


def continuous_outputs(graph: GraphBuilder, head: ContinuousHead | SquashedHead, hidden: str) -> None:
    """Sampled and mean actions from the hidden layer ``[batch, width]``."""
    n = len(head.bias)
    mean = graph.linear("continuous", hidden, head.weight, head.bias)
    sigma = graph.node("Exp", [_log_sigma(graph, head, hidden)])
    noise = graph.node("RandomNormalLike", [mean], dtype=TensorProto.FLOAT, mean=0.0, scale=1.0)
    sampled = graph.node("Add", [mean, graph.node("Mul", [noise, sigma])])
    squashed = isinstance(head, SquashedHead)

    graph.output("continuous_actions", _environment_action(graph, sampled, squashed), [BATCH, n])
    graph.output("continuous_action_output_shape", graph.constant("continuous_size", [n]), [1])
    graph.output("deterministic_continuous_actions", _environment_action(graph, mean, squashed), [BATCH, n])


def _log_sigma(graph: GraphBuilder, head: ContinuousHead | SquashedHead, hidden: str) -> str:
    """Logarithm of the spread, ``[1, n]`` or ``[batch, n]``."""
    if isinstance(head, ContinuousHead):
        return graph.constant("continuous.log_sigma", np.reshape(head.log_sigma, (1, -1)))
    free = graph.linear("continuous.log_sigma", hidden, head.log_sigma.weight, head.log_sigma.bias)
    return graph.node("Clip", [free], min=head.lowest, max=head.highest)


def _environment_action(graph: GraphBuilder, action: str, squashed: bool) -> str:
    """Raw actions as the environment gets them."""
    if squashed:  # clamped, because some runtimes approximate tanh by values just beyond 1
        return graph.node("Clip", [graph.node("Tanh", [action])], min=-1.0, max=1.0)
    clamped = graph.node("Clip", [action], min=-ACTION_LIMIT, max=ACTION_LIMIT)
    return graph.node("Div", [clamped, graph.constant("action_limit", [ACTION_LIMIT])])


def discrete_outputs(graph: GraphBuilder, heads: Sequence[Linear], hidden: str, masks: str) -> None:
    """Sampled and most probable actions of each branch from the hidden layer ``[batch, width]``.

    Args:
        graph: gets the outputs.
        heads: one layer of logits per branch.
        hidden: the hidden layer.
        masks: ``[batch, sum of branch sizes]``, 1 for allowed.
    """
    branches = [len(head.bias) for head in heads]
    ends = np.cumsum(branches).tolist()
    sampled, best = [], []
    for branch, (head, end) in enumerate(zip(heads, ends, strict=True)):
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
