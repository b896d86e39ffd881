"""What both ends of the wire have to agree on before the first step."""

from __future__ import annotations

import re

from mlagents_envs.base_env import BehaviorSpec, DimensionProperty
from mlagents_envs.communicator_objects.capabilities_pb2 import UnityRLCapabilitiesProto
from mlagents_envs.exception import UnityEnvironmentException
from mlagents_sdk.sensors.compression import UNCOMPRESSED, CompressionSpec, CompressionType

COMMUNICATION_VERSION = "1.5.0"
"""Version of the protocol that this end speaks."""

PACKAGE_VERSION = "3.0.0"
"""Version of the original's engine package whose conventions the messages follow.

Trainers judge by it how images are laid out: from 3.0 on, channels come first.
"""

NAME = "AcademySingleton"
"""What every environment calls itself in the handshake."""

STATUS_OK = 200
STATUS_CLOSING = 400

_PNG_CHANNELS = 3

EXCHANGE = "/communicator_objects.UnityToExternalProto/Exchange"
"""Path of the one remote call."""


def capabilities() -> UnityRLCapabilitiesProto:
    """Optional features of the protocol that this end has: all of them."""
    fields = UnityRLCapabilitiesProto.DESCRIPTOR.fields
    return UnityRLCapabilitiesProto(**{field.name: True for field in fields})


def incompatibility(version: str) -> str | None:
    """Why a trainer that speaks ``version`` of the protocol does not suit; None where it does.

    Equal major versions suit each other; while the major version is 0, the minor one counts too.
    """
    match = re.match(r"(\d+)\.(\d+)(\.|$)", version)
    if match is None:
        return f"it names its protocol version {version!r}, which is not a version"
    major, minor, *_ = COMMUNICATION_VERSION.split(".")
    if match[1] != major or (major == "0" and match[2] != minor):
        return f"it speaks version {version} of the protocol, this environment {COMMUNICATION_VERSION}"
    return None


def check_trainer_can(name: str, spec: BehaviorSpec, trainer: UnityRLCapabilitiesProto) -> None:
    """Refuse a behavior that the trainer cannot handle.

    Args:
        name: fully qualified name of the behavior.
        spec: its observations and actions.
        trainer: what the trainer said in the handshake.

    Raises:
        UnityEnvironmentException: it needs a feature that the trainer lacks.
    """
    actions = spec.action_spec
    if actions.continuous_size and actions.discrete_size and not trainer.hybridActions:
        raise UnityEnvironmentException(
            f"Behavior {name} has continuous and discrete actions, but the trainer knows only one kind at a "
            "time. Use a newer trainer."
        )
    for observation in spec.observation_specs:
        variable = any(flag & DimensionProperty.VARIABLE_SIZE for flag in observation.dimension_property)
        if variable and not trainer.variableLengthObservation:
            raise UnityEnvironmentException(
                f"Behavior {name}, sensor {observation.name}: the observation has a variable length, which "
                "the trainer does not know. Use a newer trainer."
            )


def usable_compression(
    compression: CompressionSpec, channels: int, trainer: UnityRLCapabilitiesProto
) -> CompressionSpec:
    """How an observation can be compressed for a trainer: as its sensor says, or not at all.

    Args:
        compression: what its sensor says.
        channels: of the observation.
        trainer: what the trainer said in the handshake.
    """
    if compression.compression_type is CompressionType.NONE:
        return compression
    several = len(compression.full_mapping(channels)) > _PNG_CHANNELS
    if several and not trainer.concatenatedPngObservations:
        return UNCOMPRESSED
    if compression.channel_mapping and not trainer.compressedChannelMapping:
        return UNCOMPRESSED
    return compression
