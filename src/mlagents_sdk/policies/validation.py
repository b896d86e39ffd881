"""Whether a model suits a behavior, told before anything is played.

The names of inputs and outputs are those of the models that trainers export for games; see
:mod:`mlagents_envs.inference`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from enum import Enum
from typing import NamedTuple

from mlagents_envs.base_env import BehaviorSpec
from mlagents_sdk.policies.model_info import ModelInfo, Shape

OLDEST_VERSION = 2
CURRENT_VERSION = 3
_OPTIONAL_INPUTS = frozenset({"prev_action", "epsilon", "batch_size", "sequence_length"})


class Severity(Enum):
    """How bad a finding is."""

    ERROR = "error"
    """The model cannot be loaded."""
    WARNING = "warning"
    """The model can be loaded, but does not suit the behavior."""


class Finding(NamedTuple):
    """One thing that is wrong with a model.

    Attributes:
        severity: how bad it is.
        subject: the input, output or constant that is meant.
        message: what is wrong and what to do.
    """

    severity: Severity
    subject: str
    message: str

    def __str__(self) -> str:
        return self.message


def validate_model(
    model: ModelInfo, spec: BehaviorSpec, sensor_names: Sequence[str], deterministic: bool
) -> list[Finding]:
    """Compare a model with the behavior that is to play it.

    Args:
        model: the model.
        spec: observations, in the order of the sensors, and actions of all actuators together.
        sensor_names: names of the sensors in that order.
        deterministic: whether the most likely actions are wanted.

    Returns:
        All findings; empty when the model suits. A model that cannot be loaded has a single one.
    """
    refusal = _refusal(model)
    if refusal is not None:
        return [refusal]
    if model.constant("version_number") == OLDEST_VERSION:
        return [*_missing_constants(model), *_legacy_observations(model, spec)]
    return [
        *_missing_constants(model),
        *_observations(model, spec, sensor_names),
        *_other_inputs(model, spec),
        *_outputs(model, deterministic),
        *_actions(model, spec),
    ]


def _warning(subject: str, message: str) -> Finding:
    return Finding(Severity.WARNING, subject, message)


def _refusal(model: ModelInfo) -> Finding | None:
    """Why the model cannot be loaded at all."""
    version = model.constant("version_number")
    if version is None or OLDEST_VERSION <= version <= CURRENT_VERSION:
        if version == OLDEST_VERSION and (model.constant("memory_size") or 0) > 0:
            message = (
                f"The model has version {OLDEST_VERSION} and a memory; recurrent models of that version are "
                f"not supported. Export it again with a trainer that writes version {CURRENT_VERSION}."
            )
            return Finding(Severity.ERROR, "memory_size", message)
        return None
    age = "older" if version < OLDEST_VERSION else "newer"
    message = (
        f"The model has version {version}, but versions {OLDEST_VERSION} to {CURRENT_VERSION} are supported; "
        f"the trainer that made it is {age} than that. Export it again with a matching trainer."
    )
    return Finding(Severity.ERROR, "version_number", message)


def _missing_constants(model: ModelInfo) -> Iterator[Finding]:
    for name in ("version_number", "memory_size"):
        if name not in model.constants:
            yield _warning(
                name, f"The model lacks the constant {name}; it was not exported by a trainer for games."
            )


def _observations(model: ModelInfo, spec: BehaviorSpec, sensor_names: Sequence[str]) -> Iterator[Finding]:
    for index, (name, observation) in enumerate(zip(sensor_names, spec.observation_specs, strict=True)):
        subject = f"obs_{index}"
        shape = model.inputs.get(subject)
        if shape is None:
            yield _warning(
                subject,
                f"The model lacks the input {subject} for the sensor {name} of shape {observation.shape}. It "
                "was trained with fewer sensors; remove the sensor or train anew.",
            )
        elif not _fits(shape, observation.shape):
            yield _warning(
                subject,
                f"The sensor {name} has the shape {observation.shape}, but the model's input {subject} has "
                f"{shape[1:]}. Give the sensor that shape or train anew.",
            )


def _legacy_observations(model: ModelInfo, spec: BehaviorSpec) -> Iterator[Finding]:
    """All vectors are one input of the old layout, and each image is another."""
    shapes = [observation.shape for observation in spec.observation_specs]
    floats = sum(shape[0] for shape in shapes if len(shape) == 1)
    wanted: dict[str, tuple[int, ...]] = {"vector_observation": (floats,)} if floats else {}
    images = [shape for shape in shapes if len(shape) == 3]
    wanted |= {f"visual_observation_{index}": shape for index, shape in enumerate(images)}
    for name, shape in wanted.items():
        found = model.inputs.get(name)
        if found is None:
            yield _warning(
                name,
                f"The model of version {OLDEST_VERSION} lacks the input {name} of shape {shape}. It was "
                "trained with other sensors; train anew.",
            )
        elif not _fits(found, shape):
            yield _warning(
                name,
                f"The behavior's {name} has the shape {shape}, but the model's has {found[1:]}. Correct the "
                "sensors or train anew.",
            )


def _other_inputs(model: ModelInfo, spec: BehaviorSpec) -> Iterator[Finding]:
    branches = spec.action_spec.discrete_branches
    if branches and "action_masks" not in model.inputs:
        yield _warning(
            "action_masks",
            "The model lacks the input action_masks, but the behavior has discrete actions; masks would have "
            "no effect. Export it again.",
        )
    previous = model.inputs.get("prev_action")
    if previous is not None and not _fits(previous, (len(branches),)):
        yield _warning(
            "prev_action",
            f"The model's input prev_action has the shape {previous[1:]}, but the behavior has "
            f"{len(branches)} discrete branches. Correct the actions or train anew.",
        )
    if (model.constant("memory_size") or 0) > 0 and "recurrent_in" not in model.inputs:
        yield _warning(
            "recurrent_in", "The model has a memory, but lacks the input recurrent_in. Export it again."
        )
    known = {f"obs_{index}" for index in range(len(spec.observation_specs))}
    known |= {"action_masks", "recurrent_in"} | _OPTIONAL_INPUTS
    for name in sorted(set(model.inputs) - known):
        what = "a sensor that the behavior does not have" if name.startswith("obs_") else "an unknown purpose"
        yield _warning(
            name, f"The model's input {name} is for {what}. Add the sensor, or export the model again."
        )


def _outputs(model: ModelInfo, deterministic: bool) -> Iterator[Finding]:
    kinds = [kind for kind in ("continuous", "discrete") if f"{kind}_actions" in model.outputs]
    if not kinds:
        yield _warning(
            "continuous_actions",
            "The model has neither the output continuous_actions nor discrete_actions, so it decides "
            "nothing. Export it again.",
        )
    for kind in kinds:
        size = f"{kind}_action_output_shape"
        if size not in model.constants:
            yield _warning(
                size, f"The model has the output {kind}_actions, but lacks {size}. Export it again."
            )
        if deterministic and f"deterministic_{kind}_actions" not in model.outputs:
            yield _warning(
                f"deterministic_{kind}_actions",
                f"Deterministic actions are wanted, but the model lacks the output deterministic_{kind}_"
                "actions. Export it again with a newer trainer, or unset deterministic_inference.",
            )
    if (model.constant("memory_size") or 0) > 0 and "recurrent_out" not in model.outputs:
        yield _warning(
            "recurrent_out", "The model has a memory, but lacks the output recurrent_out. Export it again."
        )


def _actions(model: ModelInfo, spec: BehaviorSpec) -> Iterator[Finding]:
    actions = spec.action_spec
    continuous = model.constant("continuous_action_output_shape") or 0
    if continuous != actions.continuous_size:
        yield _warning(
            "continuous_action_output_shape",
            f"The model has {continuous} continuous actions, but the behavior's actuators have "
            f"{actions.continuous_size}. Correct the actions or train anew.",
        )
    numbers = model.constants.get("discrete_action_output_shape", ())
    sizes, wanted = tuple(int(number) for number in numbers), tuple(actions.discrete_branches)
    if len(sizes) != len(wanted):
        yield _warning(
            "discrete_action_output_shape",
            f"The model has {len(sizes)} discrete branches, but the behavior's actuators have {len(wanted)}. "
            "Correct the actions or train anew.",
        )
    elif sizes != wanted:
        yield _warning(
            "discrete_action_output_shape",
            f"The model has discrete branches of the sizes {sizes}, but the behavior's actuators have "
            f"{wanted}. Correct the actions or train anew.",
        )


def _fits(shape: Shape, wanted: tuple[int, ...]) -> bool:
    """Whether a shape with its batch axis takes rows of the wanted shape."""
    return len(shape) == len(wanted) + 1 and all(
        size is None or size == other for size, other in zip(shape[1:], wanted, strict=True)
    )
