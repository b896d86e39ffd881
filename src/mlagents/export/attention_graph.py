"""Attention over lists of entities as a graph; what it computes is in :mod:`mlagents.networks.attention`."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

from torch import nn

from mlagents.export.graph_builder import GraphBuilder
from mlagents.export.parameters import array, linear_layer
from mlagents.networks.attention import (
    MASKED_LOGIT,
    MEAN_EPSILON,
    NORM_EPSILON,
    NUM_HEADS,
    EntityEncoder,
    SelfAttention,
)


class EntityList(NamedTuple):
    """One variable-length observation.

    Attributes:
        name: of the tensor ``[batch, size, features]``.
        size: number of entities, padding included.
    """

    name: str
    size: int


def entity_code(graph: GraphBuilder, encoder: EntityEncoder, own: str, lists: Sequence[EntityList]) -> str:
    """The code ``[batch, E]`` of all entities.

    Args:
        graph: gets the nodes.
        encoder: on the CPU.
        own: what else the agent observes, ``[batch, self_size]``; without effect where the encoder does not
            take it.
        lists: the entities.
    """
    beside = ""
    if encoder.self_embedding is not None:
        layer = linear_layer(encoder.self_embedding)
        beside = graph.swish(graph.linear("entities.self", own, *layer))  # [batch, E]
    threshold = graph.constant("entities.padding_threshold", [encoder.padding_threshold])
    embedded, padding = [], []
    for index, (layer_module, each) in enumerate(zip(encoder.embeddings, lists, strict=True)):
        assert isinstance(layer_module, nn.Linear)
        embedded.append(_embed(graph, f"entities.{index}", layer_module, beside, each.name))
        square = graph.node("Mul", [each.name, each.name])
        norm = graph.node("ReduceSum", [square], axes=[2], keepdims=0)  # [batch, count]
        padding.append(graph.node("Cast", [graph.node("Less", [norm, threshold])], to=1))
    count = sum(each.size for each in lists)
    return _attention(graph, encoder.attention, graph.concat(embedded), graph.concat(padding), count)


def _embed(graph: GraphBuilder, name: str, layer: nn.Linear, beside: str, entities: str) -> str:
    """``swish(W [x_s, e] + b)``, ``[batch, count, E]``.

    The part of x_s is computed once for all entities, which also saves repeating it: there is no Expand.
    """
    weight, bias = linear_layer(layer)
    width = layer.out_features
    split = width if beside else 0  # x_s is as wide as the code
    by_entity = graph.constant(f"{name}.weight", weight[:, split:].T)
    x = graph.node("MatMul", [entities, by_entity])
    if beside:
        common = graph.linear(f"{name}.self", beside, weight[:, :split], bias)
        return graph.swish(graph.node("Add", [x, graph.reshape(common, [-1, 1, width])]))
    return graph.swish(graph.node("Add", [x, graph.constant(f"{name}.bias", bias)]))


def _attention(graph: GraphBuilder, attention: SelfAttention, entities: str, padding: str, count: int) -> str:
    """Entities ``[batch, N, E]`` and padding ``[batch, N]``, 1 where there is none, to ``[batch, E]``."""
    width = attention.embedding_size
    one = graph.constant("one", [1.0])
    x = graph.layer_norm(entities, 2, NORM_EPSILON)  # [batch, N, E]

    def heads(name: str, layer: nn.Linear, order: Sequence[int]) -> str:
        split = graph.reshape(_linear(graph, name, x, layer), [-1, count, NUM_HEADS, width // NUM_HEADS])
        return graph.transpose(split, order)

    query = heads("attention.query", attention.query, [0, 2, 1, 3])  # [batch, 4, N, E/4]
    key = heads("attention.key", attention.key, [0, 2, 3, 1])  # [batch, 4, E/4, N]
    value = heads("attention.value", attention.value, [0, 2, 1, 3])  # [batch, 4, N, E/4]
    scale = graph.constant("attention.scale", [math.sqrt(width)])
    logits = graph.node("Div", [graph.node("MatMul", [query, key]), scale])  # [batch, 4, N, N]

    masked = graph.reshape(padding, [-1, 1, 1, count])
    low = graph.node("Mul", [masked, graph.constant("attention.masked_logit", [MASKED_LOGIT])])
    logits = graph.node("Add", [graph.node("Mul", [logits, graph.node("Sub", [one, masked])]), low])
    attended = graph.node("MatMul", [graph.node("Softmax", [logits], axis=3), value])
    attended = graph.reshape(graph.transpose(attended, [0, 2, 1, 3]), [-1, count, width])
    y = graph.node("Add", [_linear(graph, "attention.out", attended, attention.out), x])
    y = graph.layer_norm(y, 2, NORM_EPSILON)  # [batch, N, E]

    exists = graph.reshape(graph.node("Sub", [one, padding]), [-1, count, 1])
    total = graph.node("ReduceSum", [graph.node("Mul", [y, exists])], axes=[1], keepdims=0)  # [batch, E]
    number = graph.node("ReduceSum", [exists], axes=[1], keepdims=0)  # [batch, 1]
    epsilon = graph.constant("attention.mean_epsilon", [MEAN_EPSILON])
    return graph.node("Div", [total, graph.node("Add", [number, epsilon])])


def _linear(graph: GraphBuilder, name: str, x: str, layer: nn.Linear) -> str:
    """``x Wᵀ + b`` for ``x [batch, N, in]``."""
    product = graph.node("MatMul", [x, graph.constant(f"{name}.weight", array(layer.weight).T)])
    return graph.node("Add", [product, graph.constant(f"{name}.bias", array(layer.bias))])
