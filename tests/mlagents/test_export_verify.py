"""The comparison of a model with its policy finds what is wrong, and only that."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
from export_helpers import CASES, make_description
from numpy.typing import NDArray
from onnx import numpy_helper

from mlagents.export import ContinuousHead, ExportError, Linear, PolicyDescription, build_policy_model
from mlagents.export import verify as verify_module
from mlagents.export.verify import verify_model


def tampered(description: PolicyDescription, name: str, change: float) -> onnx.ModelProto:
    """The model of a policy with one constant moved."""
    model = build_policy_model(description)
    for tensor in model.graph.initializer:
        if tensor.name == name:
            tensor.CopyFrom(numpy_helper.from_array(numpy_helper.to_array(tensor) + np.float32(change), name))
            return model
    raise AssertionError(f"{name} not in {[x.name for x in model.graph.initializer]}")


@pytest.mark.parametrize(
    ("constant", "change", "message"),
    [
        ("continuous.bias", 1e-3, "deterministic_continuous_actions differs from the policy by"),
        ("body.0.weight", 0.01, "deterministic_continuous_actions differs"),
        ("obs_0.mean", 0.05, "deterministic_continuous_actions differs"),
        ("continuous.log_sigma", 0.7, "continuous_actions, dimension"),
        ("continuous.log_sigma", -0.7, "continuous_actions, dimension"),
        ("version_number_value", -1.0, "version_number"),
        ("branch_sizes", 1.0, "discrete_action_output_shape"),
        ("mask_penalty", -2e8, "discrete_actions"),
    ],
)
def test_verification_notices_a_wrong_constant(constant: str, change: float, message: str) -> None:
    description = make_description(**CASES["hybrid"])
    verify_model(build_policy_model(description), description)
    with pytest.raises(ExportError, match=message):
        verify_model(tampered(description, constant, change), description)


def test_verification_notices_wrong_discrete_sampling() -> None:
    """ArgMax is right but the samples are drawn from a flatter distribution."""
    description = make_description(obs=[3], branches=[4])
    model = build_policy_model(description)
    sampler = next(node for node in model.graph.node if node.op_type == "Multinomial")
    zeros = onnx.helper.make_node("Mul", [sampler.input[0], "zero"], ["flat"])
    position = list(model.graph.node).index(sampler)
    sampler.input[0] = "flat"
    model.graph.node.insert(position, zeros)
    model.graph.initializer.append(numpy_helper.from_array(np.float32([1e-3]), "zero"))
    onnx.checker.check_model(model)
    with pytest.raises(ExportError, match="discrete_actions, branch 0: draws of action"):
        verify_model(model, description)


def test_verification_accepts_extreme_but_correct_policies() -> None:
    """Saturated means, tiny and huge spreads, certain and impossible actions are no errors."""
    description = make_description(obs=[4], continuous=3, branches=[3, 5], width=64)
    head = description.continuous
    assert head is not None
    sharp = [Linear(x.weight * 30, x.bias * 30) for x in description.discrete]
    for scale, log_sigma in ((40.0, -20.0), (1.0, -4.0), (5.0, 3.0)):
        continuous = ContinuousHead(head.weight * scale, head.bias, np.full(3, log_sigma))
        extreme = PolicyDescription(
            description.observation_shapes, description.normalizers, description.body, continuous, sharp
        )
        verify_model(build_policy_model(extreme), extreme)


def test_every_case_is_verified_at_both_batch_sizes(monkeypatch: pytest.MonkeyPatch) -> None:
    """An error that shows only for one batch size or only for zeros must be found."""
    description = make_description(**CASES["discrete"])
    seen = set()
    original = verify_module._run

    def spy(
        session: onnxruntime.InferenceSession, inputs: dict[str, NDArray[Any]]
    ) -> dict[str, NDArray[Any]]:
        masks = inputs["action_masks"]
        seen.add((len(inputs["obs_0"]), bool(masks.any()), bool(masks.all())))
        return original(session, inputs)

    monkeypatch.setattr(verify_module, "_run", spy)
    verify_model(build_policy_model(description), description)
    assert {(batch, some_allowed) for batch, some_allowed, _ in seen if batch <= 7} == {
        (1, True),
        (1, False),
        (7, True),
        (7, False),
    }
    # Frequencies of samples say something only with many rows and a choice in every branch.
    assert max(seen)[0] > 1000
    assert max(seen)[2]
