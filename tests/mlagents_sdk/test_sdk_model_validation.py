from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from mlagents_envs.base_env import (
    ActionSpec,
    BehaviorSpec,
    DimensionProperty,
    ObservationSpec,
    ObservationType,
)
from mlagents_envs.exception import UnityPolicyException
from mlagents_sdk.policies.model_info import ModelInfo, read_model_info
from mlagents_sdk.policies.validation import Severity, validate_model

HYBRID = ActionSpec.create_hybrid(2, (3, 4))
GOOD = ModelInfo(
    inputs={
        "obs_0": (None, 8),
        "obs_1": (None, 3, 84, 84),
        "action_masks": (None, 7),
        "recurrent_in": (None, 1, 16),
        "prev_action": (None, 2),
    },
    outputs=dict.fromkeys(
        (
            "continuous_actions",
            "discrete_actions",
            "deterministic_continuous_actions",
            "deterministic_discrete_actions",
            "recurrent_out",
        ),
        (None,),
    ),
    constants={
        "version_number": (3.0,),
        "memory_size": (16.0,),
        "continuous_action_output_shape": (2.0,),
        "discrete_action_output_shape": (3.0, 4.0),
    },
)


def behavior(*shapes: tuple[int, ...], actions: ActionSpec = HYBRID) -> BehaviorSpec:
    observations = [
        ObservationSpec(shape, (DimensionProperty.NONE,) * len(shape), ObservationType.DEFAULT, f"sensor{i}")
        for i, shape in enumerate(shapes)
    ]
    return BehaviorSpec(observations, actions)


def findings(
    model: ModelInfo, spec: BehaviorSpec | None = None, deterministic: bool = True
) -> dict[str, str]:
    """Messages by subject; all of them warnings."""
    spec = behavior((8,), (3, 84, 84)) if spec is None else spec
    names = [observation.name for observation in spec.observation_specs]
    found = validate_model(model, spec, names, deterministic)
    assert all(finding.severity is Severity.WARNING for finding in found)
    assert len({finding.subject for finding in found}) == len(found)
    return {finding.subject: str(finding) for finding in found}


def without(part: str, *names: str) -> ModelInfo:
    changed: dict[str, Any] = {part: {k: v for k, v in getattr(GOOD, part).items() if k not in names}}
    return replace(GOOD, **changed)


def changed(part: str, **values: tuple[Any, ...]) -> ModelInfo:
    merged: dict[str, Any] = {part: {**getattr(GOOD, part), **values}}
    return replace(GOOD, **merged)


def test_a_model_that_suits_has_no_findings() -> None:
    assert findings(GOOD) == {}
    assert findings(without("inputs", "prev_action")) == {}


@pytest.mark.parametrize(
    ("constants", "subject", "words"),
    [
        ({"version_number": (1.0,)}, "version_number", "version 1, but versions 2 to 3.*older"),
        ({"version_number": (4.0,)}, "version_number", "version 4, but versions 2 to 3.*newer"),
        (
            {"version_number": (2.0,), "memory_size": (8.0,)},
            "memory_size",
            "recurrent models of that version",
        ),
    ],
)
def test_models_that_cannot_be_loaded(
    constants: dict[str, tuple[float, ...]], subject: str, words: str
) -> None:
    model = changed("constants", **constants)
    (finding,) = validate_model(model, behavior((8,)), ["sensor0"], deterministic=False)
    assert (finding.severity, finding.subject) == (Severity.ERROR, subject)
    assert re.search(words, finding.message)


@pytest.mark.parametrize(
    ("model", "subject", "words"),
    [
        (without("constants", "version_number"), "version_number", "lacks the constant version_number"),
        (without("inputs", "obs_1"), "obs_1", "lacks the input obs_1 for the sensor sensor1 of shape"),
        (
            changed("inputs", obs_0=(None, 9)),
            "obs_0",
            "sensor sensor0 has the shape (8,), but the model's input obs_0 has (9,)",
        ),
        (changed("inputs", obs_1=(None, 3, 84)), "obs_1", "input obs_1 has (3, 84)"),
        (
            changed("inputs", obs_2=(None, 4)),
            "obs_2",
            "obs_2 is for a sensor that the behavior does not have",
        ),
        (changed("inputs", colour=(None, 4)), "colour", "colour is for an unknown purpose"),
        (without("inputs", "action_masks"), "action_masks", "lacks the input action_masks"),
        (without("inputs", "recurrent_in"), "recurrent_in", "lacks the input recurrent_in"),
        (without("outputs", "recurrent_out"), "recurrent_out", "lacks the output recurrent_out"),
        (changed("inputs", prev_action=(None, 3)), "prev_action", "(3,), but the behavior has 2 discrete"),
        (
            without("outputs", "deterministic_discrete_actions"),
            "deterministic_discrete_actions",
            "unset deterministic_inference",
        ),
        (
            changed("constants", continuous_action_output_shape=(3.0,)),
            "continuous_action_output_shape",
            "3 continuous actions, but the behavior's actuators have 2",
        ),
        (
            changed("constants", discrete_action_output_shape=(3.0,)),
            "discrete_action_output_shape",
            "1 discrete branches, but the behavior's actuators have 2",
        ),
        (
            changed("constants", discrete_action_output_shape=(3.0, 5.0)),
            "discrete_action_output_shape",
            "sizes (3, 5), but the behavior's actuators have (3, 4)",
        ),
    ],
)
def test_what_does_not_suit_is_told_once(model: ModelInfo, subject: str, words: str) -> None:
    found = findings(model)
    assert list(found) == [subject]
    assert words in found[subject]


def test_a_model_that_decides_nothing() -> None:
    model = ModelInfo({"obs_0": (None, 8)}, {}, {"version_number": (3.0,), "memory_size": (0.0,)})
    found = findings(model, behavior((8,), actions=ActionSpec(0, ())))
    assert list(found) == ["continuous_actions"]
    assert "decides nothing" in found["continuous_actions"]


def test_an_output_without_its_size_is_told_beside_the_mismatch_it_causes() -> None:
    found = validate_model(
        without("constants", "continuous_action_output_shape"),
        behavior((8,), (3, 84, 84)),
        ["sensor0", "sensor1"],
        True,
    )
    assert ["lacks continuous_action_output_shape" in str(one) for one in found] == [True, False]


def test_deterministic_outputs_matter_only_when_wanted() -> None:
    model = without("outputs", "deterministic_discrete_actions", "deterministic_continuous_actions")
    assert len(findings(model)) == 2
    assert findings(model, deterministic=False) == {}


def test_axes_of_any_size_fit_all_sensors() -> None:
    assert findings(changed("inputs", obs_1=(None, 3, None, None))) == {}


def test_the_old_layout_has_one_vector_and_numbered_images() -> None:
    constants = {"version_number": (2.0,), "memory_size": (0.0,)}
    spec = behavior((8,), (3, 84, 84), (2,))
    good = ModelInfo(
        {"vector_observation": (None, 10), "visual_observation_0": (None, 3, 84, 84)}, {}, constants
    )
    assert findings(good, spec) == {}
    found = findings(ModelInfo({"vector_observation": (None, 8)}, {}, constants), spec)
    assert set(found) == {"vector_observation", "visual_observation_0"}
    assert "(10,), but the model's has (8,)" in found["vector_observation"]


@pytest.mark.parametrize(
    ("name", "shapes", "actions"),
    [
        ("3DBall", [(8,)], ActionSpec.create_continuous(2)),
        ("PushBlock", [(105,), (105,)], ActionSpec.create_discrete((7,))),
        ("SmallWallJump", [(210,), (210,), (24,)], ActionSpec.create_discrete((3, 3, 3, 2))),
        ("hybrid0vis8vec_2c_2_3d_v2_0", [(8,)], ActionSpec.create_hybrid(2, (2, 3))),
        ("Hallway", [(105,), (3,)], ActionSpec.create_discrete((5,))),
    ],
)
def test_models_exported_from_the_original_suit_their_behaviors(
    shared_data: Path, name: str, shapes: list[tuple[int, ...]], actions: ActionSpec
) -> None:
    model = read_model_info(shared_data / "models" / f"{name}.onnx")
    assert findings(model, behavior(*shapes, actions=actions), deterministic=False) == {}
    assert set(findings(model, behavior(*shapes, (4,), actions=actions), False)) == {f"obs_{len(shapes)}"}


def test_memory_and_old_models_without_deterministic_outputs(shared_data: Path) -> None:
    model = read_model_info(shared_data / "models" / "Hallway.onnx")
    assert model.constant("memory_size") == 128
    spec = behavior((105,), (3,), actions=ActionSpec.create_discrete((5,)))
    assert set(findings(model, spec, deterministic=True)) == {"deterministic_discrete_actions"}


def test_files_that_are_no_models(tmp_path: Path) -> None:
    with pytest.raises(UnityPolicyException, match="There is no model file"):
        read_model_info(tmp_path / "no.onnx")
    (tmp_path / "text.onnx").write_text("hello")
    with pytest.raises(UnityPolicyException, match=r"text\.onnx cannot be read as an ONNX model"):
        read_model_info(tmp_path / "text.onnx")
