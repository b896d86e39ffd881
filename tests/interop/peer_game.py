"""Run by the original's interpreter: a scripted game, made of the original's generated classes.

usage: peer_game.py --scenario NAME --transcript OUT.jsonl --mlagents-port PORT

Everything that the trainer says is written to the transcript, a line per answer.
"""

import argparse
import io
import json
import uuid

import grpc
import numpy as np
from google.protobuf.any_pb2 import Any
from PIL import Image
from wire_scenarios import (
    ANALYTICS_CHANNEL,
    CUSTOM_CHANNEL,
    ENGINE_CHANNEL,
    FLOAT_PROPERTIES_CHANNEL,
    PARAMETERS_CHANNEL,
    RAW_CHANNEL,
    SCENARIOS,
)
from wire_vocabulary import MODE_PLANES

from mlagents_envs.communicator_objects import (
    agent_info_pb2,
    brain_parameters_pb2,
    capabilities_pb2,
    command_pb2,
    observation_pb2,
    space_type_pb2,
    training_analytics_pb2,
    unity_message_pb2,
    unity_to_external_pb2_grpc,
)
from mlagents_envs.side_channel import OutgoingMessage, SideChannel
from mlagents_envs.side_channel.side_channel_manager import SideChannelManager

CONNECT_SECONDS = 30


def encode_png(planes, mode):
    """PNG of uint8 ``(planes, height, width)``."""
    pixels = np.ascontiguousarray(planes.transpose(1, 2, 0))
    if mode == "P":
        height, width, _ = pixels.shape
        image = Image.fromarray(np.arange(height * width, dtype=np.uint8).reshape(height, width), "P")
        image.putpalette(pixels.reshape(-1).tolist())
    else:
        image = Image.fromarray(pixels[..., 0] if mode == "L" else pixels, mode)
    stream = io.BytesIO()
    image.save(stream, "PNG")
    return stream.getvalue()


def observation_message(sensor, values):
    message = observation_pb2.ObservationProto(
        shape=sensor.declared_shape,
        dimension_properties=sensor.properties,
        observation_type=observation_pb2.GOAL_SIGNAL if sensor.goal else observation_pb2.DEFAULT,
        name=sensor.name,
        compressed_channel_mapping=sensor.mapping,
    )
    if sensor.modes:
        message.compression_type = observation_pb2.PNG
        start = 0
        for mode in sensor.modes:
            end = start + MODE_PLANES[mode]
            message.compressed_data += encode_png(values[start:end], mode)
            start = end
    else:
        ordered = values.transpose(1, 2, 0) if sensor.channels_last else values
        message.float_data.data.extend(ordered.ravel().tolist())
    return message


def agent_message(behavior, agent):
    return agent_info_pb2.AgentInfoProto(
        reward=agent.reward,
        done=agent.done,
        max_step_reached=agent.interrupted,
        id=agent.id,
        action_mask=agent.mask,
        group_id=agent.group_id,
        group_reward=agent.group_reward,
        observations=[
            observation_message(*pair) for pair in zip(behavior.sensors, agent.observations, strict=True)
        ],
    )


def brain_message(behavior):
    message = brain_parameters_pb2.BrainParametersProto(brain_name=behavior.name, is_training=True)
    if behavior.early:
        is_continuous = not behavior.branches
        message.vector_action_size_deprecated.extend(behavior.branches or [behavior.continuous])
        message.vector_action_space_type_deprecated = (
            space_type_pb2.continuous if is_continuous else space_type_pb2.discrete
        )
    else:
        message.action_spec.num_continuous_actions = behavior.continuous
        message.action_spec.num_discrete_actions = len(behavior.branches)
        message.action_spec.discrete_branch_sizes.extend(behavior.branches)
    return message


class Listener(SideChannel):
    """Reads the messages of a channel with the original's reader and writes down what they say."""

    def __init__(self, channel, read, heard):
        super().__init__(uuid.UUID(channel))
        self._read = read
        self._heard = heard

    def on_message_received(self, message):
        self._heard.append([str(self.channel_id), self._read(message)])


def read_engine(message):
    kind = message.read_int32()
    if kind == 0:
        return [kind, message.read_int32(), message.read_int32()]
    return [kind, message.read_float32() if kind == 2 else message.read_int32()]


def read_parameter(message):
    key, kind = message.read_string(), message.read_int32()
    if kind == 0:
        return [key, kind, message.read_float32()]
    seed, sampler = message.read_int32(), message.read_int32()
    values = message.read_float32_list() if sampler == 2 else [message.read_float32() for _ in range(2)]
    return [key, kind, seed, sampler, values]


def read_analytics(message):
    anything = Any.FromString(bytes(message.get_raw_bytes()))
    content = training_analytics_pb2.TrainingEnvironmentInitialized()
    assert anything.Unpack(content), anything.type_url
    return [anything.type_url, {field.name: value for field, value in content.ListFields()}]


def read_custom(message):
    """The same types in the same order as the game sends them."""
    return [
        message.read_bool(),
        message.read_int32(),
        message.read_float32(),
        message.read_float32_list(),
        message.read_string(),
    ]


READERS = {
    ENGINE_CHANNEL: read_engine,
    PARAMETERS_CHANNEL: read_parameter,
    FLOAT_PROPERTIES_CHANNEL: lambda message: [message.read_string(), message.read_float32()],
    RAW_CHANNEL: lambda message: list(message.get_raw_bytes()),
    CUSTOM_CHANNEL: read_custom,
    ANALYTICS_CHANNEL: read_analytics,
}


def outgoing(values):
    message = OutgoingMessage()
    for kind, value in values:
        if kind == "bytes":
            message.set_raw_bytes(bytearray(value))
        else:
            getattr(message, f"write_{kind}")(value)
    return message


class Quiet(SideChannel):
    """Sends only."""

    def on_message_received(self, message):
        raise AssertionError("nobody sends on a channel of this game's own")


def side_channel_bytes(records):
    """Records of side-channel messages, packed one by one because their order counts."""
    packed = bytearray()
    for channel, values in records:
        sender = Quiet(uuid.UUID(channel))
        sender.queue_message_to_send(outgoing(values))
        packed += SideChannelManager([sender]).generate_side_channel_messages()
    return bytes(packed)


class Game:
    """Plays a scenario."""

    def __init__(self, scenario, stub, transcript):
        self.scenario = scenario
        self.stub = stub
        self.transcript = transcript
        self.heard = []
        self.channels = SideChannelManager(
            [Listener(channel, read, self.heard) for channel, read in READERS.items()]
        )
        self.behaviors = {behavior.name: behavior for behavior in scenario.behaviors}
        self.announced = set()

    def write(self, **line):
        print(json.dumps(line), file=self.transcript, flush=True)

    def exchange(self, message):
        """Send a message; the answer, or None when it closes the game."""
        answer = self.stub.Exchange(message)
        if answer.header.status != 200:
            self.write(kind="closed", status=answer.header.status)
            return None
        return answer.unity_input

    def introduce(self):
        """The handshake up to the answer; False when the trainer does not suit."""
        message = unity_message_pb2.UnityMessageProto()
        message.header.status = 200
        output = message.unity_output.rl_initialization_output
        output.name = "AcademySingleton"
        output.communication_version = self.scenario.communication_version
        output.package_version = self.scenario.package_version
        if self.scenario.has_capabilities:
            for field in capabilities_pb2.UnityRLCapabilitiesProto.DESCRIPTOR.fields:
                setattr(output.capabilities, field.name, True)
        answer = self.exchange(message).rl_initialization_input
        self.write(
            kind="introduction",
            seed=answer.seed,
            num_areas=answer.num_areas,
            communication_version=answer.communication_version,
            package_version=answer.package_version,
            capabilities={field.name: value for field, value in answer.capabilities.ListFields()},
        )
        newest = self.scenario.newest_python
        return newest is None or tuple(map(int, answer.package_version.split("."))) <= newest

    def listen(self, answer):
        """Write down a command of the trainer."""
        answer = answer.rl_input
        self.heard.clear()
        self.channels.process_side_channel_message(answer.side_channel)
        self.write(
            kind="command",
            command=command_pb2.CommandProto.Name(answer.command),
            actions={
                name: [
                    {
                        "continuous": list(action.continuous_actions),
                        "discrete": list(action.discrete_actions),
                        "deprecated": list(action.vector_actions_deprecated),
                    }
                    for action in actions.value
                ]
                for name, actions in answer.agent_actions.items()
            },
            side_channel=self.heard,
        )

    def tick(self, number, agents):
        message = unity_message_pb2.UnityMessageProto()
        message.header.status = 200
        output = message.unity_output
        output.rl_output.side_channel = side_channel_bytes(self.scenario.side_channel.get(number, []))
        for name, infos in agents.items():
            behavior = self.behaviors[name]
            target = output.rl_output.agentInfos[name]
            target.value.extend(agent_message(behavior, agent) for agent in infos)
            if infos and name not in self.announced:
                self.announced.add(name)
                output.rl_initialization_output.brain_parameters.append(brain_message(behavior))
        return message

    def play(self):
        answer = None
        if self.introduce():
            ready = unity_message_pb2.UnityMessageProto()
            ready.header.status = 200
            answer = self.exchange(ready)
        for number, agents in enumerate(self.scenario.ticks):
            if answer is None:
                return
            self.listen(answer)
            answer = self.exchange(self.tick(number, agents))
        if self.scenario.quits:
            self.listen(answer)
            bye = unity_message_pb2.UnityMessageProto()
            bye.header.status = 400
            self.stub.Exchange(bye)
        elif answer is not None:
            self.write(kind="unexpected")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--scenario", choices=SCENARIOS, required=True)
    parser.add_argument("--transcript", required=True)
    parser.add_argument("--mlagents-port", type=int, required=True)
    options = parser.parse_args()
    with open(options.transcript, "w") as transcript:
        address = f"localhost:{options.mlagents_port}"
        # its own messages may be of any size, as in a game
        with grpc.insecure_channel(address, options=[("grpc.max_send_message_length", -1)]) as channel:
            grpc.channel_ready_future(channel).result(timeout=CONNECT_SECONDS)
            stub = unity_to_external_pb2_grpc.UnityToExternalProtoStub(channel)
            Game(SCENARIOS[options.scenario](), stub, transcript).play()


if __name__ == "__main__":
    main()
