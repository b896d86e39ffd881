"""From protobuf messages to specs and columns."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from mlagents_envs.base_env import (
    ActionSpec,
    BehaviorSpec,
    DecisionSteps,
    DimensionProperty,
    ObservationSpec,
    ObservationType,
    TerminalSteps,
)
from mlagents_envs.communicator_objects.agent_info_pb2 import AgentInfoProto
from mlagents_envs.communicator_objects.brain_parameters_pb2 import BrainParametersProto
from mlagents_envs.communicator_objects.observation_pb2 import PNG, ObservationProto
from mlagents_envs.communicator_objects.space_type_pb2 import continuous
from mlagents_envs.communicator_objects.unity_rl_output_pb2 import UnityRLOutputProto
from mlagents_envs.exception import UnityObservationException
from mlagents_envs.images import MAX_PIXELS, ImageLayout, channels_first, image_layout, process_pixels

__all__ = [
    "action_spec_from_proto",
    "behavior_spec_from_proto",
    "observation_from_proto",
    "observation_spec_from_proto",
    "process_pixels",
    "steps_from_proto",
]


def behavior_spec_from_proto(brain_param: BrainParametersProto, agent_info: AgentInfoProto) -> BehaviorSpec:
    """Spec of a behavior.

    Args:
        brain_param: declares the actions.
        agent_info: any agent of the behavior; its observations declare their shapes.

    Raises:
        ValueError: an observation is of an unknown type.
    """
    specs = [observation_spec_from_proto(observation) for observation in agent_info.observations]
    return BehaviorSpec(specs, action_spec_from_proto(brain_param))


def steps_from_proto(
    agent_info_list: Sequence[AgentInfoProto], behavior_spec: BehaviorSpec
) -> tuple[DecisionSteps, TerminalSteps]:
    """Steps of the agents of one behavior, in the order of the list.

    Args:
        agent_info_list: agents of one step.
        behavior_spec: what :func:`behavior_spec_from_proto` made of one of them.

    Raises:
        UnityObservationException: an observation does not have the shape in its spec, or an image cannot
            be decoded.
        RuntimeError: an observation or a reward is NaN or infinite.
    """
    # loaded only now: the decoder is compiled, and it needs this module
    from mlagents_envs.communicator.sensor_format import SensorFormat
    from mlagents_envs.communicator.steps_decoder import StepsDecoder

    if not agent_info_list:
        return DecisionSteps.empty(behavior_spec), TerminalSteps.empty(behavior_spec)
    formats = []
    for observation, spec in zip(
        agent_info_list[0].observations, behavior_spec.observation_specs, strict=False
    ):
        declared = tuple(observation.shape)
        layout = image_layout(observation) if len(declared) == 3 else ImageLayout.CHW
        _check_shape(observation, spec, layout)
        formats.append(SensorFormat(spec, declared, layout))
    message = UnityRLOutputProto.ListAgentInfoProto(value=agent_info_list)
    return StepsDecoder("of this list", behavior_spec, formats).decode(message.SerializeToString())


def action_spec_from_proto(brain_param: BrainParametersProto) -> ActionSpec:
    """Actions of a behavior, from the current fields or, where those are empty, from the first version's."""
    action_spec = brain_param.action_spec
    if action_spec.num_continuous_actions or action_spec.num_discrete_actions:
        return ActionSpec(action_spec.num_continuous_actions, tuple(action_spec.discrete_branch_sizes))
    sizes = tuple(brain_param.vector_action_size_deprecated)
    if brain_param.vector_action_space_type_deprecated == continuous:
        return ActionSpec(sizes[0] if sizes else 0, ())
    return ActionSpec(0, sizes)


def observation_spec_from_proto(
    observation: ObservationProto, layout: ImageLayout | None = None
) -> ObservationSpec:
    """Spec of one observation; images come out channel-first, whatever the message says.

    Args:
        observation: any observation of a sensor.
        layout: order of the axes of an image; None to find out.

    Raises:
        ValueError: the observation is of an unknown type.
    """
    shape = tuple(observation.shape)
    properties = tuple(observation.dimension_properties) or (0,) * len(shape)
    if len(shape) == 3 and len(properties) == 3:
        shape = channels_first(shape, layout or image_layout(observation))
        if properties == (2, 2, 1):  # a client that declares (1, 2, 2) with channels last means it right
            properties = (1, 2, 2)
    return ObservationSpec(
        shape,
        tuple(DimensionProperty(flag) for flag in properties),
        ObservationType(observation.observation_type),
        observation.name,
    )


def observation_from_proto(
    observation: ObservationProto, spec: ObservationSpec, layout: ImageLayout | None = None
) -> NDArray[np.float32]:
    """Data of one observation.

    Args:
        observation: plain or compressed observation.
        spec: what :func:`observation_spec_from_proto` made of the first observation of that sensor.
        layout: order of the axes of an image; None to find out.

    Returns:
        float32 array of shape ``spec.shape``.

    Raises:
        UnityObservationException: the shape is not that of ``spec``, the data does not have that
            shape, or a compressed image cannot be decoded.
    """
    declared = tuple(observation.shape)
    if layout is None:
        layout = image_layout(observation) if len(declared) == 3 else ImageLayout.CHW
    _check_shape(observation, spec, layout)
    if observation.compression_type == PNG:
        return _compressed(observation, spec)
    data = np.asarray(observation.float_data.data, dtype=np.float32)
    if data.size != math.prod(declared):
        raise UnityObservationException(
            f"The observation {spec.name!r} of shape {declared} needs {math.prod(declared)} numbers, "
            f"but has {data.size}."
        )
    data = data.reshape(declared)
    return data.transpose(2, 0, 1) if layout is ImageLayout.HWC else data


def _check_shape(observation: ObservationProto, spec: ObservationSpec, layout: ImageLayout) -> None:
    declared = tuple(observation.shape)
    shape = channels_first(declared, layout) if len(declared) == 3 else declared
    if shape != spec.shape:
        raise UnityObservationException(
            f"The observation {spec.name!r} has the shape {shape}, but {spec.shape} was announced."
        )


def _compressed(observation: ObservationProto, spec: ObservationSpec) -> NDArray[np.float32]:
    if len(spec.shape) != 3:
        raise UnityObservationException(
            f"The observation {spec.name!r} of shape {spec.shape} is compressed; only images can be."
        )
    channels, height, width = spec.shape
    mapping = list(observation.compressed_channel_mapping)
    data = process_pixels(observation.compressed_data, channels, mapping, min(height * width, MAX_PIXELS))
    if data.shape != spec.shape:
        raise UnityObservationException(
            f"The observation {spec.name!r} was decompressed to the shape {data.shape}, "
            f"but {spec.shape} was announced."
        )
    return data
