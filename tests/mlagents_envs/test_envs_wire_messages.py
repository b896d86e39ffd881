"""The envelope: the parts of a game's message are found, and the replies are protobuf."""

from __future__ import annotations

import random

import pytest
from game_client import agent, brain, step_message

from mlagents_envs.communicator.messages import (
    closing_reply,
    read_message,
    reset_reply,
    step_reply,
)
from mlagents_envs.communicator_objects.unity_message_pb2 import UnityMessageProto
from mlagents_envs.communicator_objects.unity_rl_input_pb2 import UnityRLInputProto
from mlagents_envs.communicator_objects.unity_rl_output_pb2 import UnityRLOutputProto
from mlagents_envs.exception import UnityCommunicationException

ListAgentInfo = UnityRLOutputProto.ListAgentInfoProto


def message() -> UnityMessageProto:
    agents = {"A": [agent(1), agent(2)], "Бall?team=0": [agent(3)], "empty": []}
    return step_message(agents, [brain("A")], side_channel=b"\x01\x02")


def test_the_parts_of_a_message_are_found() -> None:
    expected = message()
    found = read_message(expected.SerializeToString())
    assert found.status == 200
    assert found.has_step
    assert found.side_channel == b"\x01\x02"
    assert found.initialization == expected.unity_output.rl_initialization_output
    agents = {name: found.raw[start:end] for name, (start, end) in found.agents.items()}
    assert {name: ListAgentInfo.FromString(raw) for name, raw in agents.items()} == dict(
        expected.unity_output.rl_output.agentInfos
    )


def test_a_message_without_parts_has_none() -> None:
    found = read_message(UnityMessageProto(header={"status": 400}).SerializeToString())
    assert (found.status, found.has_step, found.initialization) == (400, False, None)
    assert (found.agents, found.side_channel) == ({}, b"")
    assert read_message(b"").status == 0


def test_unusual_encodings_are_understood() -> None:
    """Pieces of one message are to be merged; unknown fields are to be skipped."""
    first = step_message({"A": [agent(1)]}).SerializeToString()
    second = step_message({"B": [agent(2)]}, side_channel=b"x").SerializeToString()
    unknown = b"\x98\x06\x05" + b"\xa5\x06\x00\x00\x00\x00" + b"\xa2\x06\x01z"
    found = read_message(first + unknown + second)
    assert sorted(found.agents) == ["A", "B"]
    assert found.side_channel == b"x"
    assert read_message(unknown + second).side_channel == b"x"


def test_what_is_no_message_is_refused() -> None:
    whole = message().SerializeToString()
    for cut in (1, len(whole) // 2, len(whole) - 1):
        with pytest.raises(UnityCommunicationException, match=f"sent {cut} bytes that are no message"):
            read_message(whole[:cut])
    rng = random.Random(0)
    refused = 0
    for size in range(4, 300):
        try:
            read_message(rng.randbytes(size))
        except UnityCommunicationException:
            refused += 1
    assert refused > 250  # some random bytes are unknown fields, which are legal


def test_step_replies_are_protobuf() -> None:
    actions = UnityRLInputProto.ListAgentActionProto()
    actions.value.add(continuous_actions=[1.0] * 60)
    reply = UnityMessageProto.FromString(
        step_reply(0, {"A": actions.SerializeToString(), "Бall": b""}, b"\x05" * 200)
    )
    assert reply.header.status == 200
    sent = reply.unity_input.rl_input
    assert sent.command == 0
    assert dict(sent.agent_actions) == {"A": actions, "Бall": UnityRLInputProto.ListAgentActionProto()}
    assert sent.side_channel == b"\x05" * 200
    assert not reply.unity_input.HasField("rl_initialization_input")


def test_other_replies_are_protobuf() -> None:
    reset = UnityMessageProto.FromString(reset_reply(b"ab"))
    assert reset.header.status == 200
    assert reset.unity_input.rl_input.command == 1
    assert reset.unity_input.rl_input.side_channel == b"ab"
    closing = UnityMessageProto.FromString(closing_reply())
    assert closing.header.status == 400
    assert not closing.HasField("unity_input")
