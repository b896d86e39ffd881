"""Checkpoints that say what they are of, so that they can be played without the run that wrote them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from pydantic import ValidationError

from mlagents.algorithms.registry import make_trainer
from mlagents.algorithms.trainer import BehaviorTrainer
from mlagents.run.checkpoint_file import Checkpoint, load_checkpoint
from mlagents.settings.behavior import BehaviorSettings
from mlagents.settings.errors import UnityTrainerException
from mlagents.settings.problems import Origin, problems_of
from mlagents_envs.base_env import (
    ActionSpec,
    BehaviorSpec,
    DimensionProperty,
    ObservationSpec,
    ObservationType,
)

DESCRIPTION = "behavior"
"""Key of the description below ``Training`` of a checkpoint."""


class SavedBehavior(NamedTuple):
    """What a checkpoint says about its behavior.

    Attributes:
        name: name of the behavior, without team.
        spec: its observations and actions.
        settings: how it was trained.
    """

    name: str
    spec: BehaviorSpec
    settings: BehaviorSettings


def describe_behavior(trainer: BehaviorTrainer) -> dict[str, Any]:
    """What :func:`read_description` needs, as plain values."""
    actions = trainer.spec.action_spec
    return {
        "name": trainer.behavior,
        "settings": trainer.settings.model_dump(mode="json"),
        "observations": [
            {
                "shape": [int(size) for size in observation.shape],
                "properties": [int(each.value) for each in observation.dimension_property],
                "type": int(observation.observation_type.value),
                "name": observation.name,
            }
            for observation in trainer.spec.observation_specs
        ],
        "continuous_size": int(actions.continuous_size),
        "discrete_branches": [int(size) for size in actions.discrete_branches],
    }


def read_description(checkpoint: Checkpoint) -> SavedBehavior:
    """The behavior that a checkpoint is of.

    Raises:
        UnityTrainerException: the checkpoint does not say, or says something unusable.
    """
    training = checkpoint.state.get("Training")
    data = training.get(DESCRIPTION) if isinstance(training, dict) else None
    if not isinstance(data, dict):
        raise UnityTrainerException(
            f"The checkpoint {checkpoint.path} does not say what its behavior observes and does: an earlier "
            "version or the original toolkit wrote it. Use the .onnx model beside it."
        )
    try:
        return SavedBehavior(
            str(data["name"]), _spec(data), BehaviorSettings.model_validate(data["settings"])
        )
    except (KeyError, ValueError, TypeError) as error:
        reason = f"{type(error).__name__}: {error}"
        if isinstance(error, ValidationError):
            reason = str(Origin().error(problems_of(error)[0])).splitlines()[0]
        raise UnityTrainerException(
            f"The checkpoint {checkpoint.path} describes its behavior in a way that this installation does "
            f"not understand ({reason}). Use the .onnx model beside it."
        ) from error


def _spec(data: Mapping[str, Any]) -> BehaviorSpec:
    observations = [
        ObservationSpec(
            tuple(int(size) for size in each["shape"]),
            tuple(DimensionProperty(int(value)) for value in each["properties"]),
            ObservationType(int(each["type"])),
            str(each["name"]),
        )
        for each in data["observations"]
    ]
    branches = tuple(int(size) for size in data["discrete_branches"])
    return BehaviorSpec(observations, ActionSpec(int(data["continuous_size"]), branches))


def load_trainer(path: Path) -> BehaviorTrainer:
    """A trainer that acts as the checkpoint says and never learns, on the CPU.

    Raises:
        UnityTrainerException: the file is missing or damaged, or does not describe its behavior.
        TrainerError: its trainer refuses it.
    """
    checkpoint = load_checkpoint(path)
    name, spec, settings = read_description(checkpoint)
    trainer = make_trainer(name, spec, settings, seed=0, device="cpu", learning=False)
    with checkpoint.explaining_mismatch(name):
        trainer.set_state(checkpoint.state)
    return trainer


def export_checkpoint(path: Path, model: Path) -> None:
    """Write the policy in a checkpoint as an ONNX model.

    Raises:
        UnityTrainerException: as :func:`load_trainer`.
        TrainerError: as :func:`load_trainer`.
        ExportError: whatever prevented the export.
    """
    load_trainer(path).export(model)
