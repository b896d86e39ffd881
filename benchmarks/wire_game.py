"""The game of the wire benchmark: says prepared messages and reads no answer, so it costs little.

Started by either side's ``UnityEnvironment``, as an executable that the benchmark writes; always with our
interpreter: ``python -m benchmarks.wire_game --agents 12 --mlagents-port 5005``.
"""

from __future__ import annotations

import argparse

import grpc
import numpy as np

from mlagents_envs.communicator_objects.agent_info_pb2 import AgentInfoProto
from mlagents_envs.communicator_objects.brain_parameters_pb2 import ActionSpecProto, BrainParametersProto
from mlagents_envs.communicator_objects.capabilities_pb2 import UnityRLCapabilitiesProto
from mlagents_envs.communicator_objects.observation_pb2 import ObservationProto
from mlagents_envs.communicator_objects.unity_message_pb2 import UnityMessageProto

EXCHANGE = "/communicator_objects.UnityToExternalProto/Exchange"
BEHAVIOR = "Wire?team=0"
OBSERVATION_SIZE = 8
ACTION_SIZE = 2
NUM_MESSAGES = 128
"""Messages that are prepared and then repeated; each agent's episode ends once in that many."""
STATUS_OK = 200
CONNECT_SECONDS = 60
CLOSING = UnityMessageProto(header={"status": 400}).SerializeToString()
"""How an answer begins that ends the game."""


def agent_info(agent: int, observation: list[float], reward: float, done: bool = False) -> AgentInfoProto:
    """One record, with everything that a game with a vector sensor says."""
    sensor = ObservationProto(
        shape=[OBSERVATION_SIZE],
        float_data=ObservationProto.FloatData(data=observation),
        dimension_properties=[1],
        name=f"VectorSensor_size{OBSERVATION_SIZE}",
    )
    return AgentInfoProto(id=agent, reward=reward, done=done, observations=[sensor])


def step_messages(num_agents: int) -> list[bytes]:
    """Messages of a game in which all agents ask at every step, and some of their episodes end."""
    rng = np.random.default_rng(0)
    messages = []
    for number in range(NUM_MESSAGES):
        message = UnityMessageProto(header={"status": STATUS_OK})
        infos = message.unity_output.rl_output.agentInfos[BEHAVIOR].value
        observations = rng.standard_normal((num_agents, OBSERVATION_SIZE), dtype=np.float32).tolist()
        rewards = rng.standard_normal(num_agents, dtype=np.float32).tolist()
        for agent, (observation, reward) in enumerate(zip(observations, rewards, strict=True)):
            if agent % NUM_MESSAGES == number:
                infos.append(agent_info(agent, observation, reward, done=True))
            infos.append(agent_info(agent, observation, reward))
        messages.append(message.SerializeToString())
    return messages


def greeting() -> bytes:
    """The first message."""
    message = UnityMessageProto(header={"status": STATUS_OK})
    output = message.unity_output.rl_initialization_output
    output.name = "AcademySingleton"
    output.communication_version = "1.5.0"
    output.package_version = "3.0.0"
    capabilities = UnityRLCapabilitiesProto.DESCRIPTOR.fields_by_name
    output.capabilities.CopyFrom(UnityRLCapabilitiesProto(**dict.fromkeys(capabilities, True)))
    return message.SerializeToString()


def announcement() -> bytes:
    """What the first step holds beside the agents: the behavior. Messages in a row are one message."""
    actions = ActionSpecProto(num_continuous_actions=ACTION_SIZE)
    brain = BrainParametersProto(brain_name=BEHAVIOR, action_spec=actions)
    message = UnityMessageProto()
    message.unity_output.rl_initialization_output.brain_parameters.append(brain)
    return message.SerializeToString()


def play(port: int, messages: list[bytes]) -> None:
    """Say the messages again and again, until the trainer closes."""
    with grpc.insecure_channel(
        f"localhost:{port}", options=[("grpc.max_send_message_length", -1)]
    ) as channel:
        grpc.channel_ready_future(channel).result(timeout=CONNECT_SECONDS)
        call = channel.unary_unary(EXCHANGE)  # without serializers: bytes in, bytes out
        call(greeting())
        call(UnityMessageProto(header={"status": STATUS_OK}).SerializeToString())
        reply = call(messages[0] + announcement())
        number = 0
        while not reply.startswith(CLOSING):
            number = (number + 1) % len(messages)
            reply = call(messages[number])


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--agents", type=int, required=True)
    parser.add_argument("--mlagents-port", type=int, required=True)
    options = parser.parse_args()
    messages = step_messages(options.agents)
    try:
        play(options.mlagents_port, messages)
    except grpc.RpcError as error:  # the trainer is gone
        print(f"the game ends: {error}")


if __name__ == "__main__":
    main()
