"""Exported models compute what the policy does, and look the way loaders expect."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
import torch
from export_helpers import CASES, make_description, random_inputs, run
from numpy.typing import NDArray
from onnx import numpy_helper

from mlagents.export import (
    ContinuousHead,
    ExportError,
    Linear,
    Normalizer,
    PolicyDescription,
    build_policy_model,
    export_policy,
)
from mlagents.export.graph_builder import ALLOWED_OPERATORS, GraphBuilder


def torch_policy(
    description: PolicyDescription, inputs: dict[str, NDArray[Any]]
) -> tuple[torch.Tensor | None, list[torch.Tensor]]:
    """The policy a second time, written with torch: mean action sent, and masked logits."""
    encoded = []
    for index, normalizer in enumerate(description.normalizers):
        x = torch.from_numpy(inputs[f"obs_{index}"])
        if normalizer is not None:
            mean, inv_std = (torch.from_numpy(np.float32(part)) for part in normalizer)
            x = torch.clamp((x - mean) * inv_std, -5, 5)
        encoded.append(x)
    hidden = torch.cat(encoded, dim=1)
    for layer in description.body:
        hidden = torch.nn.functional.silu(
            torch.nn.functional.linear(hidden, torch.from_numpy(layer.weight), torch.from_numpy(layer.bias))
        )
    action = None
    if description.continuous is not None:
        head = description.continuous
        mean = torch.nn.functional.linear(hidden, torch.from_numpy(head.weight), torch.from_numpy(head.bias))
        action = torch.clamp(mean, -3, 3) / 3
    logits = [
        torch.nn.functional.linear(hidden, torch.from_numpy(head.weight), torch.from_numpy(head.bias))
        for head in description.discrete
    ]
    if logits:
        masks = torch.split(torch.from_numpy(inputs["action_masks"]), [x.shape[1] for x in logits], dim=1)
        logits = [x.masked_fill(mask == 0, -1e8) for x, mask in zip(logits, masks, strict=True)]
    return action, logits


@pytest.mark.parametrize("batch", [1, 7])
@pytest.mark.parametrize("case", CASES)
def test_equals_torch(case: str, batch: int, tmp_path: Path) -> None:
    description = make_description(**CASES[case])
    path = tmp_path / "Behavior.onnx"
    export_policy(description, path)
    inputs = random_inputs(description, batch)
    outputs = run(path, inputs)
    action, logits = torch_policy(description, inputs)
    if action is not None:
        np.testing.assert_allclose(outputs["deterministic_continuous_actions"], action.numpy(), atol=1e-5)
        assert np.abs(action.numpy()).min() < 0.999, "the comparison would only see clamped actions"
        assert (np.abs(outputs["continuous_actions"]) <= 1.0).all()
    if logits:
        best = torch.stack([x.argmax(dim=1) for x in logits], dim=1).numpy()
        np.testing.assert_array_equal(outputs["deterministic_discrete_actions"], best)


@pytest.mark.parametrize("case", ["discrete", "branches", "hybrid"])
def test_forbidden_actions_are_never_chosen(case: str) -> None:
    description = make_description(**CASES[case])
    inputs = random_inputs(description, 3000)
    outputs = run(build_policy_model(description), inputs)
    starts = np.cumsum([0, *description.branches[:-1]])
    for name in ("discrete_actions", "deterministic_discrete_actions"):
        columns = outputs[name] + starts
        assert np.take_along_axis(inputs["action_masks"], columns, axis=1).all(), name


def test_samples_follow_the_distribution() -> None:
    description = make_description(obs=[3], continuous=2, branches=[4])
    inputs = {
        "obs_0": np.full((20_000, 3), 0.1, np.float32),
        "action_masks": np.tile(np.float32([1, 1, 0, 1]), (20_000, 1)),
    }
    outputs = run(build_policy_model(description), inputs)
    _, logits = torch_policy(description, inputs)
    drawn = np.bincount(outputs["discrete_actions"][:, 0], minlength=4) / 20_000
    np.testing.assert_allclose(drawn, torch.softmax(logits[0][0], dim=0).numpy(), atol=0.02)

    head = description.continuous
    assert head is not None
    hidden = inputs["obs_0"][:1]
    for layer in description.body:
        x = hidden @ layer.weight.T + layer.bias
        hidden = x / (1 + np.exp(-x))
    raw_mean, sigma = (hidden @ head.weight.T + head.bias)[0], np.exp(head.log_sigma)
    expected = np.clip(raw_mean + sigma * np.random.default_rng(0).normal(size=(200_000, 2)), -3, 3) / 3
    np.testing.assert_allclose(outputs["continuous_actions"].mean(axis=0), expected.mean(axis=0), atol=0.01)
    np.testing.assert_allclose(outputs["continuous_actions"].std(axis=0), expected.std(axis=0), rtol=0.05)


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("batch", [1, 7])
def test_zero_inputs_and_masks_give_usable_actions(case: str, batch: int) -> None:
    description = make_description(**CASES[case])
    inputs = {name: np.zeros_like(x) for name, x in random_inputs(description, batch).items()}
    outputs = run(build_policy_model(description), inputs)
    assert all(np.isfinite(value).all() for value in outputs.values())
    for name in ("discrete_actions", "deterministic_discrete_actions"):
        if name in outputs:
            assert ((outputs[name] >= 0) & (outputs[name] < np.array(description.branches))).all()


def test_the_normaliser_clamps_at_five() -> None:
    description = make_description(**CASES["normalised"])
    normalizer = description.normalizers[0]
    assert normalizer is not None
    model = build_policy_model(description)
    at_limit = (normalizer.mean + 5.0 / normalizer.inv_std).astype(np.float32)[None]
    beyond = (normalizer.mean + 50.0 / normalizer.inv_std).astype(np.float32)[None]
    below = (normalizer.mean + 4.0 / normalizer.inv_std).astype(np.float32)[None]
    name = "deterministic_continuous_actions"
    limit = run(model, {"obs_0": at_limit})[name]
    np.testing.assert_allclose(run(model, {"obs_0": beyond})[name], limit, atol=1e-5)
    assert np.abs(run(model, {"obs_0": below})[name] - limit).max() > 1e-3


def signature(model: onnx.ModelProto) -> list[tuple[str, str, int, list[str | int]]]:
    def describe(kind: str, value: onnx.ValueInfoProto) -> tuple[str, str, int, list[str | int]]:
        tensor = value.type.tensor_type
        dims = [dim.dim_param or dim.dim_value for dim in tensor.shape.dim]
        # Models of the original name the batch axis of deterministic outputs after the node.
        dims = ["batch" if isinstance(dim, str) else dim for dim in dims]
        return kind, value.name, tensor.elem_type, dims

    return [describe("in", x) for x in model.graph.input] + [describe("out", x) for x in model.graph.output]


@pytest.mark.parametrize(
    ("name", "like"),
    [
        ("3DBall", {"obs": [8], "continuous": 2}),
        ("PushBlock", {"obs": [105, 105], "branches": [7]}),
        ("SmallWallJump", {"obs": [210, 210, 24], "branches": [3, 3, 3, 2]}),
    ],
)
def test_same_interface_as_models_trained_in_unity(
    shared_data: Path, name: str, like: dict[str, Any]
) -> None:
    theirs = onnx.load(shared_data / "models" / f"{name}.onnx")
    ours = build_policy_model(make_description(**like))
    assert signature(ours) == signature(theirs)
    assert ours.ir_version == theirs.ir_version
    assert [x.version for x in ours.opset_import] == [x.version for x in theirs.opset_import]


def test_imports_the_weights_of_a_unity_model(shared_data: Path) -> None:
    """Our graph around the weights of 3DBall, trained in Unity, acts like the original file."""
    path = shared_data / "models" / "3DBall.onnx"
    weights = {x.name: numpy_helper.to_array(x) for x in onnx.load(path).graph.initializer}
    body = [
        Linear(
            weights[f"network_body._body_endoder.seq_layers.{i}.weight"],
            weights[f"network_body._body_endoder.seq_layers.{i}.bias"],
        )
        for i in (0, 2)
    ]
    head = "action_model._continuous_distribution"
    normalizer = Normalizer(
        weights["network_body.observation_encoder.processors.0.normalizer.running_mean"],
        1.0 / weights["onnx::Div_51"],
    )
    continuous = ContinuousHead(
        weights[f"{head}.mu.weight"], weights[f"{head}.mu.bias"], weights[f"{head}.log_sigma"][0]
    )
    ours = build_policy_model(PolicyDescription([(8,)], [normalizer], body, continuous))
    inputs = {"obs_0": np.random.default_rng(3).normal(size=(50, 8)).astype(np.float32)}
    name = "deterministic_continuous_actions"
    np.testing.assert_allclose(run(ours, inputs)[name], run(path, inputs)[name], atol=1e-5)


def test_outputs_in_order_with_batch_everywhere() -> None:
    model = build_policy_model(make_description(**CASES["hybrid"]))
    dims = {
        x.name: [dim.dim_param or dim.dim_value for dim in x.type.tensor_type.shape.dim]
        for x in [*model.graph.input, *model.graph.output]
    }
    assert list(dims.items()) == [
        ("obs_0", ["batch", 6]),
        ("obs_1", ["batch", 1]),
        ("obs_2", ["batch", 3]),
        ("action_masks", ["batch", 5]),
        ("version_number", [1]),
        ("memory_size", [1]),
        ("continuous_actions", ["batch", 3]),
        ("continuous_action_output_shape", [1]),
        ("deterministic_continuous_actions", ["batch", 3]),
        ("discrete_actions", ["batch", 2]),
        ("discrete_action_output_shape", [1, 2]),
        ("deterministic_discrete_actions", ["batch", 2]),
    ]
    used = {node.op_type for node in model.graph.node}
    assert used <= ALLOWED_OPERATORS
    assert not used & {"Split", "Expand", "LayerNormalization"}
    assert all(x.data_type == onnx.TensorProto.FLOAT for x in model.graph.initializer)
    outputs = run(model, random_inputs(make_description(**CASES["hybrid"]), 2))
    assert outputs["version_number"].tolist() == [3.0]
    assert outputs["memory_size"].tolist() == [0.0]
    assert outputs["continuous_action_output_shape"].tolist() == [3.0]
    assert outputs["discrete_action_output_shape"].tolist() == [[2.0, 3.0]]


def test_builder_refuses_operators_that_loaders_do_not_know() -> None:
    with pytest.raises(ValueError, match="Expand"):
        GraphBuilder().node("Expand", ["x", "y"])


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"memory_size": 64}, "memory_size is 64"),
        ({"observation_shapes": [(3, 84, 84)]}, "obs_0 has shape"),
        ({"normalizers": []}, "1 observations, but 0 normalizers"),
        ({"body": []}, "one hidden layer"),
        ({"continuous": None}, "continuous or discrete"),
        ({"normalizers": [Normalizer(np.zeros(3), np.ones(8))]}, "mean of the normalizer of obs_0"),
        ({"body": [Linear(np.zeros((16, 9)), np.zeros(16))]}, "body layer 0"),
        ({"body": [Linear(np.full((16, 8), np.nan), np.zeros(16))]}, "body layer 0 holds NaN"),
    ],
)
def test_misfit_is_named(change: dict[str, Any], message: str) -> None:
    base = make_description(**CASES["continuous"])
    fields = {name: getattr(base, name) for name in PolicyDescription.__dataclass_fields__}
    with pytest.raises(ExportError, match=message):
        build_policy_model(PolicyDescription(**{**fields, **change}))


def test_a_failing_export_leaves_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    description = make_description(**CASES["continuous"])
    path = tmp_path / "Behavior.onnx"
    path.write_bytes(b"old")

    def fail(*_: object) -> None:
        raise ExportError("differs")

    monkeypatch.setattr("mlagents.export.onnx_file.verify_model", fail)
    with pytest.raises(ExportError, match="differs"):
        export_policy(description, path)
    assert path.read_bytes() == b"old"
    monkeypatch.undo()
    export_policy(description, path)
    onnx.checker.check_model(onnx.load(path))
    assert [p.name for p in tmp_path.iterdir()] == ["Behavior.onnx"]


def test_unwritable_place_is_an_export_error(tmp_path: Path) -> None:
    with pytest.raises(ExportError, match=r"missing.*Behavior\.onnx"):
        export_policy(make_description(**CASES["continuous"]), tmp_path / "missing" / "Behavior.onnx")
