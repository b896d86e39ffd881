"""Bodies as graphs: from observations to the encoding that heads sit on, with goals and memory.

What they compute is in :mod:`mlagents.networks.body` and the modules that it is made of.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from torch import Tensor, nn

from mlagents.export.attention_graph import EntityList, entity_code
from mlagents.export.graph_builder import BATCH, GraphBuilder
from mlagents.export.image_graph import image_code
from mlagents.export.parameters import array, linear_layer
from mlagents.networks.body import Body
from mlagents.networks.hypernetwork import NORM_EPSILON, GoalLayer
from mlagents.networks.input_encoder import InputEncoder
from mlagents.networks.observation_kinds import ObservationKind, is_goal, kind_of
from mlagents.networks.recurrent import RecurrentMemory
from mlagents_envs.base_env import ObservationSpec

_GATE_ORDER = (0, 3, 1, 2)
"""Torch has the gates input, forget, cell, output; ONNX has input, output, forget, cell."""


def body_encoding(
    graph: GraphBuilder, body: Body, specs: Sequence[ObservationSpec], observations: Sequence[str]
) -> tuple[str, str]:
    """The encoding ``[batch, output_size]``, and the memory after this step where there is one.

    Args:
        graph: gets the nodes, and the input ``recurrent_in`` where there is memory.
        body: on the CPU.
        specs: what the body takes.
        observations: names of the tensors ``[batch, *shape]``, vectors already normalised.

    Returns:
        Names of the encoding and of the memory ``[batch, 1, m]``, the latter empty without memory.
    """
    recurrent_in = graph.input("recurrent_in", [1, body.memory_size]) if body.recurrent is not None else ""
    x, goal = _inputs(graph, body.inputs, specs, observations)
    for index, layer in enumerate(body.layers):
        assert isinstance(layer, nn.Linear)
        x = graph.swish(graph.linear(f"body.{index}", x, *linear_layer(layer)))
    if body.goal_layer is not None:
        x = graph.swish(_goal_layer(graph, body.goal_layer, x, goal))
    if body.recurrent is None:
        return x, ""
    return _memory(graph, body.recurrent, x, recurrent_in)


def _inputs(
    graph: GraphBuilder, inputs: InputEncoder, specs: Sequence[ObservationSpec], observations: Sequence[str]
) -> tuple[str, str]:
    """All observations side by side ``[batch, size]``, and the goal, empty where there is none."""
    codes, goals, lists = [], [], []
    for index, (spec, name) in enumerate(zip(specs, observations, strict=True)):
        kind = kind_of(spec, index)
        if kind is ObservationKind.ENTITIES:
            lists.append(EntityList(name, spec.shape[0]))
            continue
        code = name
        if kind is ObservationKind.IMAGE:
            code = image_code(graph, f"image_{index}", inputs.image_encoders[str(index)], name)
        codes.append(code)
        if inputs.goal_size and is_goal(spec):
            goals.append(code)
    own = graph.concat(codes) if codes else ""
    goal = graph.concat(goals) if goals else ""
    if inputs.entity_encoder is None:
        return own, goal
    entities = entity_code(graph, inputs.entity_encoder, own, lists)
    return graph.concat([own, entities] if own else [entities]), goal


def _goal_layer(graph: GraphBuilder, layer: GoalLayer, x: str, goal: str) -> str:
    """``x W(g) + b``, ``[batch, h]``."""
    u = graph.swish(graph.linear("goal.first", goal, *linear_layer(layer.first)))
    u = graph.swish(graph.linear("goal.second", u, *linear_layer(layer.second)))
    u = graph.layer_norm(u, 1, NORM_EPSILON)
    weights = graph.linear("goal.weights", u, *linear_layer(layer.weights))
    weights = graph.reshape(weights, [-1, layer.inputs, layer.outputs])
    y = graph.node("MatMul", [graph.reshape(x, [-1, 1, layer.inputs]), weights])  # [batch, 1, h]
    y = graph.reshape(y, [-1, layer.outputs])
    return graph.node("Add", [y, graph.constant("goal.bias", array(layer.bias))])


def _memory(graph: GraphBuilder, recurrent: RecurrentMemory, x: str, recurrent_in: str) -> tuple[str, str]:
    """One step of the LSTM: its output ``[batch, m / 2]``, and the memory ``[batch, 1, m]`` after it.

    The operator wants ``[steps, batch, …]``, with one step here.
    """
    size, total = recurrent.output_size, recurrent.memory_size
    lstm = recurrent.lstm
    gates = {name: _gates(parameter) for name, parameter in lstm.named_parameters()}
    biases = np.concatenate([gates["bias_ih_l0"], gates["bias_hh_l0"]])
    constants = [
        graph.constant("memory.input_weight", gates["weight_ih_l0"][None]),
        graph.constant("memory.hidden_weight", gates["weight_hh_l0"][None]),
        graph.constant("memory.bias", biases[None]),
    ]
    steps = graph.transpose(graph.reshape(x, [-1, 1, lstm.input_size]), [1, 0, 2])
    before = graph.transpose(recurrent_in, [1, 0, 2])  # [1, batch, m]
    states = [graph.columns(before, 0, size, axis=2), graph.columns(before, size, total, axis=2)]
    outputs, hidden, cell = graph.nodes(
        "LSTM",
        [steps, *constants, "", *states],
        ["memory_outputs", "memory_hidden", "memory_cell"],
        hidden_size=size,
    )
    encoding = graph.transpose(graph.node("Squeeze", [outputs], axes=[1]), [1, 0, 2])  # [batch, 1, m / 2]
    after = graph.transpose(graph.node("Concat", [hidden, cell], axis=2), [1, 0, 2])
    return graph.reshape(encoding, [-1, size]), after


def memory_output(graph: GraphBuilder, after: str, memory_size: int) -> None:
    """Declare the memory ``[batch, 1, m]`` after this step as an output."""
    graph.output("recurrent_out", after, [BATCH, 1, memory_size])


def _gates(parameter: Tensor) -> NDArray[np.float32]:
    """A parameter of the LSTM with its four blocks of rows in the order of ONNX."""
    blocks = np.split(array(parameter), 4)
    return np.concatenate([blocks[gate] for gate in _GATE_ORDER])
