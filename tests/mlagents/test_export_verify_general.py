"""The comparison of a model with its network finds a mistake in any part of the graph."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import onnx
import pytest
import torch
from export_networks import CASES, Case, make_general
from network_helpers import image, vector
from numpy.typing import NDArray
from onnx import numpy_helper

from mlagents.export import ExportError
from mlagents.export.from_network import torch_policy
from mlagents.export.network_graph import build_network_model, network_interface
from mlagents.export.verify import MEMORY_STEPS, verify_interface
from mlagents.export.verify_samples import num_samples


@pytest.fixture(autouse=True)
def _one_thread() -> None:
    torch.set_num_threads(1)


def change(model: onnx.ModelProto, name: str, what: Callable[[NDArray[Any]], NDArray[Any]]) -> None:
    for tensor in model.graph.initializer:
        if tensor.name == name:
            value = np.ascontiguousarray(what(numpy_helper.to_array(tensor)), dtype=np.float32)
            tensor.CopyFrom(numpy_helper.from_array(value, name))
            return
    raise AssertionError(f"{name} not in {[x.name for x in model.graph.initializer]}")


def verify(case: str, tamper: Callable[[onnx.ModelProto], None]) -> None:
    network, encoder = make_general(CASES[case])
    model = build_network_model(network, encoder)
    tamper(model)
    verify_interface(model, network_interface(network, encoder), {"it": torch_policy(network, encoder)})


def gates_as_torch_orders_them(value: NDArray[Any]) -> NDArray[Any]:
    blocks = np.split(value, 4, axis=1)
    return np.concatenate([blocks[0], blocks[2], blocks[3], blocks[1]], axis=1)


@pytest.mark.parametrize(
    ("case", "constant", "what"),
    [
        ("simple", "image_0.1.weight", lambda x: x[::-1]),
        ("simple", "image_0.linear.bias", lambda x: x + 0.1),
        ("resnet", "image_0.2.1.second.bias", lambda x: x + 0.1),
        ("entities", "entities.0.weight", lambda x: x * 0.9),
        ("entities", "entities.self.bias", lambda x: x + 0.1),
        ("entities", "attention.scale", lambda x: x / 2),
        ("entities", "attention.key.weight", lambda x: x.T),
        ("entities", "attention.masked_logit", lambda x: x * 0),
        ("entities", "entities.padding_threshold", lambda x: x * 0),
        ("padding_norm", "entities.padding_threshold", lambda x: x * 0 + 1e-30),
        ("goal", "goal.weights.bias", lambda x: x + 0.1),
        ("goal", "goal.bias", lambda x: x + 0.1),
        ("goal_one_layer", "obs_0.mean", lambda x: x + 0.3),
        ("memory", "memory.input_weight", gates_as_torch_orders_them),
        ("memory", "memory.hidden_weight", gates_as_torch_orders_them),
        ("memory", "memory.bias", lambda x: np.roll(x, 1)),
        ("memory", "memory_size_value", lambda x: x + 1),
    ],
)
def test_a_wrong_constant_is_noticed(
    case: str, constant: str, what: Callable[[NDArray[Any]], NDArray[Any]]
) -> None:
    with pytest.raises(ExportError, match=r"differs|below the best|memory_size is"):
        verify(case, lambda model: change(model, constant, what))


def test_swapped_halves_of_the_memory_are_noticed() -> None:
    def swap(model: onnx.ModelProto) -> None:
        (node,) = [node for node in model.graph.node if node.op_type == "LSTM"]
        node.input[5], node.input[6] = node.input[6], node.input[5]

    with pytest.raises(ExportError, match="differs"):
        verify("memory", swap)


def test_an_error_that_grows_with_the_steps_is_noticed() -> None:
    """A forget gate off by less than one step shows."""
    network, encoder = make_general(CASES["memory"])
    model = build_network_model(network, encoder)
    change(model, "memory.hidden_weight", lambda x: x + 2e-5)
    steps = []

    policy = torch_policy(network, encoder)

    def spy(inputs: dict[str, NDArray[Any]], dtype: type) -> Any:  # noqa: ANN401
        steps.append(inputs["recurrent_in"].dtype)
        return policy(inputs, dtype)

    verify_interface(build_network_model(network, encoder), network_interface(network, encoder), {"it": spy})
    assert steps.count(np.dtype(np.float64)) == MEMORY_STEPS
    with pytest.raises(ExportError, match="differs"):
        verify_interface(model, network_interface(network, encoder), {"it": policy})


def test_missing_memory_output_is_noticed() -> None:
    def drop(model: onnx.ModelProto) -> None:
        del model.graph.output[-1]

    with pytest.raises(ExportError, match="recurrent_out is missing"):
        verify("memory", drop)


def test_costly_models_are_sampled_less_often() -> None:
    few = network_interface(*make_general(Case([image(3, 84, 84)], {"vis_encode_type": "simple"})))
    goal = [vector(3, goal=True), vector(30)]
    fewer = network_interface(*make_general(Case(goal, {"hidden_units": 64})))
    many = network_interface(*make_general(CASES["memory"]))
    assert num_samples(few) == 2**22 // (3 * 84 * 84)
    assert num_samples(fewer) == 2**22 // (64 * 64 + 33)
    assert num_samples(many) == 2048
