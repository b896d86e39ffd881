"""A tiny policy in ONNX, of which the actions can be computed in one's head."""

from __future__ import annotations

from pathlib import Path

import onnx
from onnx import TensorProto, helper


def _info(name: str, shape: list[int | str]) -> onnx.ValueInfoProto:
    return helper.make_tensor_value_info(name, TensorProto.FLOAT, shape)


def save_tiny_model(path: Path, *, size: int = 1, memory: bool = False, noise: bool = False) -> Path:
    """One continuous action from one vector of ``size`` floats.

    It is ten times the first float, plus the number of decisions that the memory has seen, plus a
    standard normal number; the deterministic action goes without the latter.
    """
    constants = {
        "version_number": [3.0],
        "memory_size": [2.0 if memory else 0.0],
        "continuous_action_output_shape": [1.0],
    }
    initializers = [
        helper.make_tensor(f"{name}_value", TensorProto.FLOAT, [1], values)
        for name, values in constants.items()
    ]
    nodes = [helper.make_node("Identity", [f"{name}_value"], [name]) for name in constants]
    inputs, outputs = [_info("obs_0", ["batch", size])], [_info(name, [1]) for name in constants]
    weights = [10.0] + [0.0] * (size - 1)
    initializers.append(helper.make_tensor("weights", TensorProto.FLOAT, [size, 1], weights))
    nodes.append(helper.make_node("MatMul", ["obs_0", "weights"], ["tenfold"]))
    mean = "tenfold"
    if memory:
        inputs.append(_info("recurrent_in", ["batch", 1, 2]))
        outputs.append(_info("recurrent_out", ["batch", 1, 2]))
        initializers.append(helper.make_tensor("one", TensorProto.FLOAT, [1], [1.0]))
        nodes.append(helper.make_node("Add", ["recurrent_in", "one"], ["recurrent_out"]))
        nodes.append(helper.make_node("ReduceMax", ["recurrent_in"], ["count"], axes=[2], keepdims=0))
        nodes.append(helper.make_node("Add", ["tenfold", "count"], ["counted"]))
        mean = "counted"
    nodes.append(helper.make_node("Identity", [mean], ["deterministic_continuous_actions"]))
    if noise:
        nodes.append(helper.make_node("RandomNormalLike", [mean], ["noise"]))
        nodes.append(helper.make_node("Add", [mean, "noise"], ["continuous_actions"]))
    else:
        nodes.append(helper.make_node("Identity", [mean], ["continuous_actions"]))
    outputs += [_info(f"{kind}continuous_actions", ["batch", 1]) for kind in ("", "deterministic_")]
    graph = helper.make_graph(nodes, "tiny", inputs, outputs, initializers)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)
    path.write_bytes(model.SerializeToString())
    return path
