"""Demonstration files made by hand, byte by byte, without our writer."""

from __future__ import annotations

from google.protobuf.internal.encoder import _VarintBytes  # type: ignore[attr-defined]
from google.protobuf.message import Message

from mlagents_envs.communicator_objects.agent_info_action_pair_pb2 import AgentInfoActionPairProto
from mlagents_envs.communicator_objects.brain_parameters_pb2 import BrainParametersProto
from mlagents_envs.communicator_objects.demonstration_meta_pb2 import DemonstrationMetaProto


def framed(message: Message) -> bytes:
    data = message.SerializeToString()
    return bytes(_VarintBytes(len(data))) + data


def pair(step: int, action: list[float] | None = None, done: bool = False) -> AgentInfoActionPairProto:
    record = AgentInfoActionPairProto()
    record.agent_info.observations.add(shape=[2], name="vector").float_data.data.extend([step, -step])
    record.agent_info.reward = 0.5 * step
    record.agent_info.done = done
    record.agent_info.max_step_reached = done and step % 2 == 0
    record.agent_info.id = 7
    record.action_info.continuous_actions.extend([0.25, step] if action is None else action)
    return record


def brain() -> BrainParametersProto:
    return BrainParametersProto(brain_name="Ball?team=0", action_spec={"num_continuous_actions": 2})


def demo_bytes(
    records: list[AgentInfoActionPairProto],
    behavior: BrainParametersProto | None = None,
    number_steps: int | None = None,
    api_version: int = 1,
    closed: bool = True,
) -> bytes:
    meta = DemonstrationMetaProto(
        api_version=api_version,
        demonstration_name="Made",
        number_steps=len(records) if number_steps is None else number_steps,
        number_episodes=2,
        mean_reward=1.5,
    )
    head = framed(meta).ljust(33, b"\0")
    body = head + framed(behavior or brain()) + b"".join(framed(record) for record in records)
    return body + meta.SerializeToString() if closed else body
