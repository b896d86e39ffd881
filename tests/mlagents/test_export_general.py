"""Networks with images, entities, goals and memory are exported, and their models compute the same."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from export_networks import (
    CASES,
    Case,
    Inputs,
    Player,
    make_general,
    make_inputs,
    torch_outputs,
    worst_difference,
)
from export_networks import zeros as all_zeros
from network_helpers import entities, image, vector

from mlagents.export import ExportError
from mlagents.export.from_network import export_network
from mlagents.export.graph_builder import ALLOWED_OPERATORS
from mlagents.export.network_graph import build_network_model
from mlagents_envs.base_env import ActionSpec

TOLERANCE = 5e-5
"""Outputs vary by about 1. Heads that make them do so enlarge rounding; most differences are below 5e-6."""


@pytest.fixture(autouse=True)
def _one_thread() -> None:
    torch.set_num_threads(1)


def all_allowed(inputs: Inputs) -> Inputs:
    return {name: np.ones_like(inputs[name]) for name in ("action_masks",) if name in inputs}


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "Ball.onnx"


@pytest.mark.parametrize("name", CASES)
def test_equals_torch_at_every_batch_size_and_on_zeros(name: str, path: Path) -> None:
    case = CASES[name]
    network, encoder = make_general(case)
    export_network(network, encoder, path)
    play, rng = Player(path), np.random.default_rng(0)
    for batch in (1, 2, 9):  # from 8 on, the network takes equal goals together
        inputs = make_inputs(case, batch, rng, network.actor_memory_size)
        for each in (inputs, all_zeros(inputs)):
            expected = torch_outputs(network, encoder, each)
            assert worst_difference(play(each), expected, case.actions) < TOLERANCE
    for output, value in torch_outputs(network, encoder, {**inputs, **all_allowed(inputs)}).items():
        least = 0.01 if output == "recurrent_out" else 0.3
        assert np.ptp(value, axis=0).min() > least, "all rows are alike"


@pytest.mark.parametrize("name", [name for name, case in CASES.items() if "memory" in case.settings])
def test_memory_carried_over_fifty_steps(name: str, path: Path) -> None:
    case = CASES[name]
    network, encoder = make_general(case)
    export_network(network, encoder, path)
    play, rng = Player(path), np.random.default_rng(1)
    ours = theirs = np.zeros((3, 1, network.actor_memory_size), dtype=np.float32)
    for _ in range(50):
        inputs = make_inputs(case, 3, rng)
        expected = torch_outputs(network, encoder, {**inputs, "recurrent_in": ours})
        played = play({**inputs, "recurrent_in": theirs})
        assert worst_difference(played, expected, case.actions) < TOLERANCE
        ours, theirs = expected["recurrent_out"], played["recurrent_out"]
    forgot = play({**inputs, "recurrent_in": np.zeros_like(ours)})["recurrent_out"]
    assert np.abs(forgot - theirs).max() > 0.01, "the memory makes no difference"


@pytest.mark.parametrize("name", CASES)
def test_only_operators_that_loaders_know(name: str) -> None:
    network, encoder = make_general(CASES[name])
    model = build_network_model(network, encoder)
    onnx.checker.check_model(model, full_check=True)
    used = {node.op_type for node in model.graph.node}
    assert used <= ALLOWED_OPERATORS
    assert not used & {"Split", "Expand", "LayerNormalization", "Flatten", "Unsqueeze", "Where", "Attention"}
    assert [opset.version for opset in model.opset_import] == [9]
    assert model.ir_version == 4


def test_names_order_and_shapes() -> None:
    network, encoder = make_general(CASES["everything"])
    model = build_network_model(network, encoder)
    signature = [
        (x.name, [dim.dim_param or dim.dim_value for dim in x.type.tensor_type.shape.dim])
        for x in [*model.graph.input, *model.graph.output]
    ]
    assert signature == [
        ("obs_0", ["batch", 4]),
        ("obs_1", ["batch", 2, 20, 23]),
        ("obs_2", ["batch", 3, 5]),
        ("obs_3", ["batch", 3]),
        ("obs_4", ["batch", 2, 4]),
        ("action_masks", ["batch", 5]),
        ("recurrent_in", ["batch", 1, 6]),
        ("version_number", [1]),
        ("memory_size", [1]),
        ("continuous_actions", ["batch", 2]),
        ("continuous_action_output_shape", [1]),
        ("deterministic_continuous_actions", ["batch", 2]),
        ("discrete_actions", ["batch", 2]),
        ("discrete_action_output_shape", [1, 2]),
        ("deterministic_discrete_actions", ["batch", 2]),
        ("recurrent_out", ["batch", 1, 6]),
    ]
    types = {x.name: x.type.tensor_type.elem_type for x in [*model.graph.input, *model.graph.output]}
    integers = {"discrete_actions", "deterministic_discrete_actions"}
    assert {name for name, kind in types.items() if kind == onnx.TensorProto.INT64} == integers
    assert set(types.values()) == {onnx.TensorProto.INT64, onnx.TensorProto.FLOAT}
    played = Player(model.SerializeToString())(
        make_inputs(CASES["everything"], 2, np.random.default_rng(), 6)
    )
    assert played["memory_size"].tolist() == [6.0]
    assert played["version_number"].tolist() == [3.0]


def test_same_interface_as_a_model_with_memory_trained_in_unity(shared_data: Path) -> None:
    theirs = onnx.load(shared_data / "models" / "Hallway.onnx")
    case = Case([vector(105), vector(3)], {"memory": {"memory_size": 128}}, ActionSpec(0, (5,)))
    ours = build_network_model(*make_general(case))
    assert [x.name for x in ours.graph.input] == [x.name for x in theirs.graph.input]
    for mine, other in zip(ours.graph.input, theirs.graph.input, strict=True):
        assert mine.type == other.type, mine.name
    names = [x.name for x in ours.graph.output if not x.name.startswith("deterministic_")]
    assert names == [x.name for x in theirs.graph.output]


def test_padding_follows_the_threshold_of_the_network() -> None:
    """An entity of norm 0.09 counts as padding where the setting says so, and only there."""
    inputs = {
        "obs_0": np.array([[[0.09, 0.0], [1.0, 2.0]], [[0.0, 0.0], [1.0, 2.0]]], dtype=np.float32),
        "action_masks": np.ones((2, 5), dtype=np.float32),
    }
    for padding_norm, alike in ((0.1, True), (0.08, False), (0.0, False)):
        network, encoder = make_general(Case([entities(2, 2)], {"padding_norm": padding_norm}))
        rows = Player(build_network_model(network, encoder).SerializeToString())(inputs)
        first, second = rows["deterministic_continuous_actions"]
        assert np.allclose(first, second, atol=1e-6) == alike, padding_norm


def test_the_order_of_entities_has_no_effect() -> None:
    case = CASES["entities"]
    network, encoder = make_general(case)
    play = Player(build_network_model(network, encoder).SerializeToString())
    inputs = make_inputs(case, 4, np.random.default_rng(2))
    turned = {**inputs, "obs_0": np.ascontiguousarray(inputs["obs_0"][:, ::-1])}
    name = "deterministic_continuous_actions"
    np.testing.assert_allclose(play(inputs)[name], play(turned)[name], atol=1e-5)


def test_broken_weights_are_named_and_leave_no_file(path: Path) -> None:
    network, encoder = make_general(CASES["memory_image"])
    with torch.no_grad():
        network.actor.body.inputs.image_encoders["0"].linear.bias[0] = float("inf")
    with pytest.raises(ExportError, match=r"image_encoders\.0\.linear\.bias holds NaN"):
        export_network(network, encoder, path)
    assert not path.exists()


def test_an_encoder_without_a_graph_is_an_export_error(path: Path) -> None:
    network, encoder = make_general(Case([image(1, 5, 5)], {"vis_encode_type": "match3"}))
    network.actor.body.inputs.image_encoders["0"] = torch.nn.Flatten()
    with pytest.raises(ExportError, match="Flatten has no graph"):
        export_network(network, encoder, path)


def test_the_network_stays_as_it_is(path: Path) -> None:
    network, encoder = make_general(CASES["everything"])
    before = {name: value.clone() for name, value in network.state_dict().items()}
    export_network(network, encoder, path)
    after = network.state_dict()
    assert all(torch.equal(value, after[name]) for name, value in before.items())
    assert all(value.dtype == torch.float32 for value in after.values())


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU")
def test_network_on_a_gpu(path: Path) -> None:
    network, encoder = make_general(CASES["everything"])
    export_network(network.to("cuda"), encoder, path)
    assert path.exists()
