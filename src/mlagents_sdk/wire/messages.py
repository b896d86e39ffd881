"""What an environment sends, as bytes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from mlagents_envs.base_env import ActionSpec
from mlagents_envs.communicator_objects.brain_parameters_pb2 import ActionSpecProto, BrainParametersProto
from mlagents_envs.communicator_objects.header_pb2 import HeaderProto
from mlagents_envs.communicator_objects.space_type_pb2 import continuous, discrete
from mlagents_envs.communicator_objects.unity_message_pb2 import UnityMessageProto
from mlagents_envs.communicator_objects.unity_output_pb2 import UnityOutputProto
from mlagents_envs.communicator_objects.unity_rl_initialization_output_pb2 import (
    UnityRLInitializationOutputProto,
)
from mlagents_envs.communicator_objects.unity_rl_output_pb2 import UnityRLOutputProto
from mlagents_sdk.wire.protocol import (
    COMMUNICATION_VERSION,
    NAME,
    PACKAGE_VERSION,
    STATUS_CLOSING,
    STATUS_OK,
    capabilities,
)
from mlagents_sdk.wire.wire_format import delimited

_MAP_KEY, _MAP_VALUE = 1, 2  # an entry of a map is a message with these two fields


def bare_message(status: int = STATUS_OK, text: str = "") -> bytes:
    """Message without content, with a status."""
    return UnityMessageProto(header=HeaderProto(status=status, message=text)).SerializeToString()


def closing_message(text: str = "") -> bytes:
    """Last message of an environment; ``text`` says why it closes."""
    return bare_message(STATUS_CLOSING, text)


def greeting() -> bytes:
    """First message: who calls, and what it can do."""
    introduction = UnityRLInitializationOutputProto(
        name=NAME,
        package_version=PACKAGE_VERSION,
        communication_version=COMMUNICATION_VERSION,
        capabilities=capabilities(),
    )
    return UnityMessageProto(
        header=HeaderProto(status=STATUS_OK),
        unity_output=UnityOutputProto(rl_initialization_output=introduction),
    ).SerializeToString()


def brain_parameters(name: str, spec: ActionSpec, *, hybrid_actions: bool) -> BrainParametersProto:
    """Announcement of a behavior; its observations are those of its first record.

    Args:
        name: fully qualified name of the behavior.
        spec: its actions.
        hybrid_actions: whether the trainer reads action specs; where it does not, the fields that came
            before them are filled in too.
    """
    parameters = BrainParametersProto(
        brain_name=name,
        is_training=True,
        action_spec=ActionSpecProto(
            num_continuous_actions=spec.continuous_size,
            num_discrete_actions=spec.discrete_size,
            discrete_branch_sizes=spec.discrete_branches,
        ),
    )
    if not hybrid_actions:
        sizes = [spec.continuous_size] if spec.is_continuous() else spec.discrete_branches
        parameters.vector_action_size_deprecated.extend(sizes)
        parameters.vector_action_space_type_deprecated = continuous if spec.is_continuous() else discrete
    return parameters


def step_message(
    records: Mapping[str, bytes], announced: Sequence[BrainParametersProto], side_channel: bytes
) -> bytes:
    """What the environment tells in one exchange.

    Args:
        records: a ``ListAgentInfoProto`` of each behavior with records, by fully qualified name.
        announced: behaviors whose first records are among them.
        side_channel: messages of the side channels.
    """
    output = UnityRLOutputProto
    entries = [
        delimited(
            output.AGENTINFOS_FIELD_NUMBER,
            delimited(_MAP_KEY, name.encode()),
            delimited(_MAP_VALUE, infos),
        )
        for name, infos in records.items()
    ]
    if side_channel:
        entries.append(delimited(output.SIDE_CHANNEL_FIELD_NUMBER, side_channel))
    parts = [delimited(UnityOutputProto.RL_OUTPUT_FIELD_NUMBER, *entries)]
    if announced:
        introduction = UnityRLInitializationOutputProto(brain_parameters=announced)
        parts.append(
            delimited(
                UnityOutputProto.RL_INITIALIZATION_OUTPUT_FIELD_NUMBER, introduction.SerializeToString()
            )
        )
    return _OK_HEADER + delimited(UnityMessageProto.UNITY_OUTPUT_FIELD_NUMBER, *parts)


_OK_HEADER = bare_message()
