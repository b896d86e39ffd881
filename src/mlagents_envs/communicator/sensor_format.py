"""How a game declares its observations, and what becomes of them.

Games before version 3.0 of the game package declare images as height, width, channels; the columns are always
channels first. Which of the two a sensor means is decided once, when its behavior is first seen.
"""

from __future__ import annotations

import math
import re
from typing import NamedTuple

from google.protobuf.message import DecodeError

from mlagents_envs.base_env import BehaviorSpec, ObservationSpec
from mlagents_envs.communicator_objects.agent_info_pb2 import AgentInfoProto
from mlagents_envs.communicator_objects.brain_parameters_pb2 import BrainParametersProto
from mlagents_envs.communicator_objects.observation_pb2 import ObservationProto
from mlagents_envs.communicator_objects.unity_rl_output_pb2 import UnityRLOutputProto
from mlagents_envs.exception import UnityCommunicationException, UnityObservationException
from mlagents_envs.images import ImageLayout, image_layout
from mlagents_envs.rpc_utils import (
    action_spec_from_proto,
    observation_from_proto,
    observation_spec_from_proto,
)

_CHANNELS_FIRST = (1, 2, 2)
_CHANNELS_LAST = (2, 2, 1)
_FIRST_CHANNELS_FIRST_VERSION = 3


class SensorFormat(NamedTuple):
    """One sensor of a behavior.

    Attributes:
        spec: what the sensor is to users; images channels first.
        declared_shape: shape as the game sends it.
        layout: order of the axes of ``declared_shape``, for images.
    """

    spec: ObservationSpec
    declared_shape: tuple[int, ...]
    layout: ImageLayout

    @property
    def num_floats(self) -> int:
        """Numbers in one observation."""
        return math.prod(self.declared_shape)


def first_agent(behavior_name: str, raw: bytes, start: int, end: int) -> AgentInfoProto | None:
    """The first agent of a serialised ListAgentInfoProto, None when there is none.

    Args:
        behavior_name: behavior of the agents.
        raw: bytes that hold the list.
        start: its first byte.
        end: the byte after its last.

    Raises:
        UnityCommunicationException: the bytes are no such list.
    """
    try:
        agents = UnityRLOutputProto.ListAgentInfoProto.FromString(raw[start:end]).value
    except DecodeError as error:
        raise UnityCommunicationException(
            f"The game sent agents of the behavior {behavior_name!r} that are damaged or cut off."
        ) from error
    return agents[0] if agents else None


def sensor_formats(behavior_name: str, info: AgentInfoProto, package_version: str = "") -> list[SensorFormat]:
    """Formats of the sensors of a behavior.

    Args:
        behavior_name: name of the behavior.
        info: any of its agents.
        package_version: version of the game package, empty when not known.

    Raises:
        UnityObservationException: an observation is of an unknown type, or its data does not have its
            shape.
    """
    try:
        return [_sensor_format(observation, package_version) for observation in info.observations]
    except (UnityObservationException, ValueError) as error:
        raise UnityObservationException(
            f"The behavior {behavior_name!r} cannot be used, because of agent {info.id}: {error}"
        ) from error


def make_behavior_spec(brain: BrainParametersProto, formats: list[SensorFormat]) -> BehaviorSpec:
    """Spec of a behavior with these sensors."""
    return BehaviorSpec([sensor.spec for sensor in formats], action_spec_from_proto(brain))


def observation_layout(observation: ObservationProto, package_version: str = "") -> ImageLayout:
    """Order of the axes of an image.

    The size of a compressed image decides; where it fits both orders, or the image is not compressed,
    the dimension properties do; where those say nothing, the version of the game package does.
    """
    major = re.match(r"(\d+)\.", package_version)
    if major is None or tuple(observation.dimension_properties) in (_CHANNELS_FIRST, _CHANNELS_LAST):
        return image_layout(observation)
    by_version = ObservationProto()
    by_version.CopyFrom(observation)
    channels_first = int(major[1]) >= _FIRST_CHANNELS_FIRST_VERSION
    by_version.dimension_properties[:] = _CHANNELS_FIRST if channels_first else _CHANNELS_LAST
    return image_layout(by_version)


def _sensor_format(observation: ObservationProto, package_version: str) -> SensorFormat:
    declared = tuple(observation.shape)
    is_image = len(declared) == 3
    layout = observation_layout(observation, package_version) if is_image else ImageLayout.CHW
    spec = observation_spec_from_proto(observation, layout)
    observation_from_proto(observation, spec, layout)  # a lie about the size shows before columns are made
    return SensorFormat(spec, declared, layout)
