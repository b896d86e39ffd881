"""What kinds of observations networks understand, told from their specs; free of torch."""

from __future__ import annotations

from collections.abc import Sequence
from enum import Enum

from mlagents.networks.settings import ConditioningType, EncoderType, NetworkSettings
from mlagents.settings.errors import TrainerError
from mlagents_envs.base_env import DimensionProperty, ObservationSpec, ObservationType

_NONE, _ANY = DimensionProperty.NONE, DimensionProperty.UNSPECIFIED
_SHIFT, _VARIABLE = DimensionProperty.TRANSLATIONAL_EQUIVARIANCE, DimensionProperty.VARIABLE_SIZE

MINIMUM_IMAGE_SIDE = {
    EncoderType.FULLY_CONNECTED: 1,
    EncoderType.MATCH3: 5,
    EncoderType.RESNET: 15,
    EncoderType.SIMPLE: 20,
    EncoderType.NATURE_CNN: 36,
}
"""Smallest height and width, in pixels, that each image encoder accepts."""


class UnsupportedObservationError(TrainerError):
    """An observation has a shape that no encoder accepts."""


class ObservationKind(Enum):
    """How an observation is encoded."""

    VECTOR = "vector"
    """Shape (features,): used as it is, or normalised."""
    IMAGE = "image"
    """Shape (channels, height, width): convolutions."""
    ENTITIES = "entities"
    """Shape (largest number of entities, features), padded with zeros: attention."""


_KINDS = {
    (_NONE,): ObservationKind.VECTOR,
    (_ANY,): ObservationKind.VECTOR,
    (_NONE, _SHIFT, _SHIFT): ObservationKind.IMAGE,
    (_ANY, _ANY, _ANY): ObservationKind.IMAGE,
    (_VARIABLE, _NONE): ObservationKind.ENTITIES,
}


def kind_of(spec: ObservationSpec, index: int) -> ObservationKind:
    """The kind of an observation.

    Args:
        spec: the observation.
        index: its position among the observations of the behavior, for messages.

    Raises:
        UnsupportedObservationError: no encoder is made for its shape and dimension properties.
    """
    kind = _KINDS.get(tuple(spec.dimension_property))
    if kind is None or len(spec.shape) != len(spec.dimension_property):
        properties = ", ".join(_name(each) for each in spec.dimension_property)
        raise UnsupportedObservationError(
            f"{_title(spec, index)} has shape {tuple(spec.shape)} with the dimension properties "
            f"({properties}); networks take vectors (NONE), images (NONE, TRANSLATIONAL_EQUIVARIANCE, "
            "TRANSLATIONAL_EQUIVARIANCE) and lists of entities (VARIABLE_SIZE, NONE)"
        )
    return kind


def is_goal(spec: ObservationSpec) -> bool:
    """Whether the observation tells the task at hand."""
    return spec.observation_type is ObservationType.GOAL_SIGNAL


def check_specs(specs: Sequence[ObservationSpec], settings: NetworkSettings) -> None:
    """Check that a network can be made for observations.

    Args:
        specs: observations.
        settings: shape of the network.

    Raises:
        UnsupportedObservationError: an observation has no encoder, an image is too small for its encoder, or
            a goal that acts through a hypernetwork is a list of entities.
    """
    for index, spec in enumerate(specs):
        kind = kind_of(spec, index)
        if kind is ObservationKind.IMAGE:
            _check_image(spec, index, settings.vis_encode_type)
        hyper = settings.goal_conditioning_type is ConditioningType.HYPER
        if kind is ObservationKind.ENTITIES and is_goal(spec) and hyper:
            raise UnsupportedObservationError(
                f"{_title(spec, index)} is a goal signal of variable length, which no hypernetwork takes; "
                "set goal_conditioning_type to none"
            )


def _check_image(spec: ObservationSpec, index: int, encoder_type: EncoderType) -> None:
    least = MINIMUM_IMAGE_SIDE[encoder_type]
    _, height, width = spec.shape
    side = min(height, width)
    if side < least:
        fitting = [kind.value for kind, minimum in MINIMUM_IMAGE_SIDE.items() if minimum <= side]
        raise UnsupportedObservationError(
            f"{_title(spec, index)} is an image of height {height} and width {width}, but vis_encode_type "
            f"{encoder_type.value} needs at least {least} by {least}"
            + (f"; set it to {' or '.join(fitting)}" if fitting else "")
        )


def _title(spec: ObservationSpec, index: int) -> str:
    return f"observation {index} ({spec.name})"


def _name(value: DimensionProperty) -> str:
    return value.name or str(int(value))
