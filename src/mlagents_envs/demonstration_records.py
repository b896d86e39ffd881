"""Records of a demonstration, made of arrays."""

from __future__ import annotations

import io
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from mlagents_envs.base_env import ActionSpec, BehaviorSpec, ObservationSpec
from mlagents_envs.communicator_objects import space_type_pb2
from mlagents_envs.communicator_objects.agent_info_action_pair_pb2 import AgentInfoActionPairProto
from mlagents_envs.communicator_objects.brain_parameters_pb2 import BrainParametersProto
from mlagents_envs.communicator_objects.observation_pb2 import PNG, ObservationProto
from mlagents_envs.exception import UnityObservationException

_CHANNELS = 3
_LEVELS = np.float32(255.0)


def behavior_proto(name: str, actions: ActionSpec) -> BrainParametersProto:
    """What a recording says about its behavior: name with team, and all actions.

    The fields of the first version are filled too, which cannot say hybrid actions.
    """
    behavior = BrainParametersProto(brain_name=name)
    behavior.action_spec.num_continuous_actions = actions.continuous_size
    behavior.action_spec.num_discrete_actions = actions.discrete_size
    behavior.action_spec.discrete_branch_sizes.extend(actions.discrete_branches)
    if not actions.discrete_size:
        behavior.vector_action_size_deprecated.append(actions.continuous_size)
        behavior.vector_action_space_type_deprecated = space_type_pb2.continuous
    elif not actions.continuous_size:
        behavior.vector_action_size_deprecated.extend(actions.discrete_branches)
        behavior.vector_action_space_type_deprecated = space_type_pb2.discrete
    return behavior


def demonstration_record(
    spec: BehaviorSpec,
    observations: Sequence[NDArray[np.float32]],
    *,
    reward: float = 0.0,
    done: bool = False,
    interrupted: bool = False,
    agent_id: int = 0,
    group_id: int = 0,
    group_reward: float = 0.0,
    mask: Sequence[bool] | NDArray[np.bool_] = (),
    actions: tuple[Sequence[float], Sequence[int]] | None = None,
    compressed: Sequence[bool] | None = None,
) -> AgentInfoActionPairProto:
    """One record: what an agent saw, what it got for its last decision, and what it did then.

    Args:
        spec: observations and actions of the behavior.
        observations: float32, one array of the spec's shape each.
        reward: since the record before.
        done: whether the episode ended; the observations are then its last ones.
        interrupted: whether a time limit ended it.
        agent_id: the agent.
        group_id: its group, 0 for none.
        group_reward: of the group, since the record before.
        mask: bool ``[sum of branch sizes]``, True where an action was forbidden; empty for none.
        actions: continuous and discrete; None when there is no decision to record.
        compressed: for each observation whether it is stored as PNG, of which 256 levels in [0, 1] are told
            apart; None for those images that lose nothing thereby.

    Raises:
        UnityObservationException: an image that is to be compressed has a value outside [0, 1].
    """
    record = AgentInfoActionPairProto()
    info = record.agent_info
    info.reward, info.group_reward = reward, group_reward
    info.done, info.max_step_reached = done, interrupted
    info.id, info.group_id = agent_id, group_id
    if any(mask):
        info.action_mask.extend(bool(forbidden) for forbidden in mask)
    wishes: Sequence[bool | None] = compressed or [None] * len(observations)
    for observation, observation_spec, wish in zip(observations, spec.observation_specs, wishes, strict=True):
        info.observations.append(_observation(observation, observation_spec, wish))
    if actions is not None:
        set_actions(record, *actions)
    return record


def set_actions(
    record: AgentInfoActionPairProto, continuous: Sequence[float], discrete: Sequence[int]
) -> None:
    """Put the actions into a record that has none yet."""
    record.action_info.continuous_actions.extend(continuous)
    record.action_info.discrete_actions.extend(discrete)


def _observation(
    values: NDArray[np.float32], spec: ObservationSpec, compressed: bool | None
) -> ObservationProto:
    proto = ObservationProto(
        shape=spec.shape,
        dimension_properties=[int(flag) for flag in spec.dimension_property],
        observation_type=spec.observation_type.name,  # both enumerations share their names
        name=spec.name,
    )
    if compressed is None:
        compressed = len(spec.shape) == 3 and _fits_png(values)
    if not compressed:
        proto.float_data.data.extend(np.ravel(values).tolist())
        return proto
    if values.size and not (values.min() >= 0.0 and values.max() <= 1.0):
        raise UnityObservationException(
            f"Sensor {spec.name}: its values range from {values.min()} to {values.max()}, but only 0-1 can "
            "be recorded as PNG. Scale them, or do without compression."
        )
    pixels = np.rint(values * _LEVELS).astype(np.uint8)
    proto.compression_type = PNG
    proto.compressed_data = b"".join(_png(part) for part in _in_threes(pixels))
    proto.compressed_channel_mapping.extend(_channel_mapping(len(pixels)))
    return proto


def _fits_png(image: NDArray[np.float32]) -> bool:
    """Whether a decoder would give back exactly what is there: multiples of 1/255 from 0 to 1."""
    levels = np.rint(image * _LEVELS)
    if not image.size or levels.min() < 0 or levels.max() > _LEVELS:
        return False
    return np.array_equal(levels.astype(np.float32) / _LEVELS, image)


def _in_threes(pixels: NDArray[np.uint8]) -> list[NDArray[np.uint8]]:
    """Channels ``[C, H, W]`` as colour images ``[3, H, W]``; a single channel three times, others padded."""
    if len(pixels) == 1:
        return [np.repeat(pixels, _CHANNELS, axis=0)]
    missing = -len(pixels) % _CHANNELS
    padded = np.pad(pixels, ((0, missing), (0, 0), (0, 0)))
    return np.split(padded, len(padded) // _CHANNELS)


def _channel_mapping(channels: int) -> list[int]:
    """Which channel of the observation each channel of the PNGs belongs to, -1 for none.

    Of a single channel the copies are left out: averaging them, as readers do, may round.
    """
    return [*range(channels), *[-1] * (-channels % _CHANNELS)]


def _png(pixels: NDArray[np.uint8]) -> bytes:
    """PNG of a colour image ``[3, H, W]``."""
    stream = io.BytesIO()
    Image.fromarray(np.ascontiguousarray(pixels.transpose(1, 2, 0))).save(stream, format="png")
    return stream.getvalue()
