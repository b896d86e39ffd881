"""The smallest trainer that speaks the protocol, and environments for it to play."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor

import grpc
import numpy as np
from numpy.typing import NDArray
from sdk_helpers import LoggingAgent

from mlagents_envs.base_env import ActionTuple, BaseEnv, DecisionSteps, TerminalSteps
from mlagents_envs.communicator_objects.agent_info_pb2 import AgentInfoProto
from mlagents_envs.communicator_objects.capabilities_pb2 import UnityRLCapabilitiesProto
from mlagents_envs.communicator_objects.command_pb2 import QUIT, RESET, STEP
from mlagents_envs.communicator_objects.unity_message_pb2 import UnityMessageProto
from mlagents_envs.registry.options import EnvironmentOptions
from mlagents_sdk import (
    Academy,
    ActionBuffers,
    ActionSpec,
    Agent,
    BehaviorParameters,
    DecisionRequester,
    DiscreteActionMask,
    SdkEnvironment,
    VectorSensor,
    wire,
)

SERVICE = "communicator_objects.UnityToExternalProto"
PATIENCE = 10.0  # seconds; only a broken test waits that long
FULL = UnityRLCapabilitiesProto(
    baseRLCapabilities=True,
    concatenatedPngObservations=True,
    compressedChannelMapping=True,
    hybridActions=True,
    trainingAnalytics=True,
    variableLengthObservation=True,
    multiAgentGroups=True,
)


def make_server(exchange: Callable[[bytes], bytes], port: int = 0) -> tuple[grpc.Server, int]:
    """A server whose one call is ``exchange``, and its port; 0 finds a free one."""
    server = grpc.server(ThreadPoolExecutor(4))
    method = grpc.unary_unary_rpc_method_handler(lambda request, context: exchange(request))
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(SERVICE, {"Exchange": method}),))
    port = server.add_insecure_port(f"127.0.0.1:{port}")
    server.start()
    return server, port


class Trainer:
    """Lets a test read what the game says and answer it, a message at a time."""

    def __init__(self) -> None:
        self._received: queue.Queue[UnityMessageProto] = queue.Queue()
        self._answers: queue.Queue[bytes] = queue.Queue()
        self.server, self.port = make_server(self._exchange)

    def receive(self) -> UnityMessageProto:
        return self._received.get(timeout=PATIENCE)

    def answer(self, message: UnityMessageProto | bytes) -> None:
        self._answers.put(message if isinstance(message, bytes) else message.SerializeToString())

    def welcome(
        self,
        seed: int = 0,
        num_areas: int = 1,
        version: str = "1.5.0",
        capabilities: UnityRLCapabilitiesProto = FULL,
    ) -> UnityMessageProto:
        """Answer the game's greeting; returns the greeting."""
        greeting = self.receive()
        message = ok()
        reply = message.unity_input.rl_initialization_input
        reply.seed, reply.num_areas = seed, num_areas
        reply.communication_version, reply.package_version = version, "1.1.0"
        reply.capabilities.CopyFrom(capabilities)
        self.answer(message)
        return greeting

    def begin(
        self, side_channel: bytes = b"", *, capabilities: UnityRLCapabilitiesProto = FULL, **numbers: int
    ) -> UnityMessageProto:
        """Handshake and first reset; returns the first records."""
        self.welcome(capabilities=capabilities, **numbers)
        assert not self.receive().HasField("unity_output")
        return self.tell(reset(side_channel))

    def tell(self, message: UnityMessageProto | bytes) -> UnityMessageProto:
        """Answer the game, and wait for what it says next."""
        self.answer(message)
        return self.receive()

    def stop(self) -> None:
        stopped = self.server.stop(0)
        self._answers.put(b"")  # lets the thread of a pending call go
        stopped.wait()

    def _exchange(self, request: bytes) -> bytes:
        self._received.put(UnityMessageProto.FromString(request))
        return self._answers.get(timeout=PATIENCE)


class GameThread:
    """``wire.serve`` in a thread; what it raises is kept in ``error``."""

    def __init__(
        self,
        factory: Callable[[EnvironmentOptions], BaseEnv],
        port: int | None,
        timeout: float = 5.0,
        environment_args: tuple[str, ...] = (),
    ) -> None:
        self.error: BaseException | None = None

        def run() -> None:
            try:
                wire.serve(factory, port, timeout=timeout, environment_args=environment_args)
            except BaseException as error:
                self.error = error

        self._thread = threading.Thread(target=run, daemon=True)
        self._thread.start()

    def join(self) -> BaseException | None:
        self._thread.join(PATIENCE)
        assert not self._thread.is_alive(), "the game hangs"
        return self.error


class OneAgent:
    """Factory of an environment with agents that decide in every tick; keeps what it made."""

    def __init__(self, num_agents: int = 1) -> None:
        self.options: EnvironmentOptions | None = None
        self.agents: list[LoggingAgent] = []
        self.num_agents = num_agents
        self.closed = 0

    def __call__(self, options: EnvironmentOptions) -> BaseEnv:
        self.options = options
        academy = Academy(options.seed)
        self.agents = [LoggingAgent(academy) for _ in range(self.num_agents)]
        for agent in self.agents:
            DecisionRequester(agent, 1)
            agent.enable()
        return SdkEnvironment(academy, lambda: None, close=self._close)

    def _close(self) -> None:
        self.closed += 1


def ok() -> UnityMessageProto:
    message = UnityMessageProto()
    message.header.status = 200
    return message


def closing() -> UnityMessageProto:
    message = UnityMessageProto()
    message.header.status = 400
    return message


def reset(side_channel: bytes = b"") -> UnityMessageProto:
    message = ok()
    message.unity_input.rl_input.command = RESET
    message.unity_input.rl_input.side_channel = side_channel
    return message


def quit_() -> UnityMessageProto:
    message = ok()
    message.unity_input.rl_input.command = QUIT
    return message


def step(actions: Mapping[str, ActionTuple] | None = None, side_channel: bytes = b"") -> UnityMessageProto:
    message = ok()
    rl_input = message.unity_input.rl_input
    rl_input.command = STEP
    rl_input.side_channel = side_channel
    for name, columns in (actions or {}).items():
        items = rl_input.agent_actions[name].value
        for row in range(len(columns.continuous)):
            item = items.add()
            item.continuous_actions.extend(columns.continuous[row].tolist())
            item.discrete_actions.extend(columns.discrete[row].tolist())
    return message


def infos(message: UnityMessageProto, name: str) -> list[AgentInfoProto]:
    return list(message.unity_output.rl_output.agentInfos[name].value)


def observation(info: AgentInfoProto, index: int) -> NDArray[np.float32]:
    proto = info.observations[index]
    return np.array(proto.float_data.data, dtype=np.float32).reshape(tuple(proto.shape))


def assert_same_records(
    records: Iterable[AgentInfoProto], steps: DecisionSteps | TerminalSteps, *, done: bool
) -> None:
    """Compare records of one kind with the columns of the other seam, bit for bit."""
    records = list(records)
    assert [record.done for record in records] == [done] * len(steps)
    assert [record.id for record in records] == steps.agent_id.tolist()
    assert [record.reward for record in records] == steps.reward.tolist()
    assert [record.group_id for record in records] == steps.group_id.tolist()
    assert [record.group_reward for record in records] == steps.group_reward.tolist()
    for index, column in enumerate(steps.obs):
        for row, record in enumerate(records):
            np.testing.assert_array_equal(observation(record, index), column[row])
    if isinstance(steps, TerminalSteps):
        assert [record.max_step_reached for record in records] == steps.interrupted.tolist()
    elif steps.action_mask is not None:
        expected = np.concatenate(steps.action_mask, axis=1)
        for row, record in enumerate(records):
            assert list(record.action_mask) in ([], expected[row].tolist())
            assert bool(record.action_mask) or not expected[row].any()


HYBRID = BehaviorParameters(
    "Walker",
    vector_observation_size=3,
    num_stacked_vector_observations=2,
    action_spec=ActionSpec.create_hybrid(2, (3, 2)),
)
DISCRETE = BehaviorParameters(
    "Chooser", team_id=1, vector_observation_size=2, action_spec=ActionSpec.create_discrete((4,))
)


class Wanderer(Agent):
    """Adds up its actions and random numbers; ends its episodes in every possible way."""

    def __init__(self, academy: Academy, behavior: BehaviorParameters, max_step: int) -> None:
        super().__init__(academy, behavior, max_step)
        self.rng = academy.make_rng()
        self.position = 0.0

    def on_episode_begin(self) -> None:
        start = self.academy.environment_parameters.get_with_default("start", 1.0)
        self.position = start * self.rng.uniform(-1.0, 1.0)

    def collect_observations(self, sensor: VectorSensor) -> None:
        size = self.behavior_parameters.vector_observation_size
        sensor.add_observation([self.position * (index + 1) for index in range(size)])

    def write_discrete_action_mask(self, mask: DiscreteActionMask) -> None:
        mask.set_action_enabled(0, 1, self.position < 0.3)

    def on_action_received(self, actions: ActionBuffers) -> None:
        self.position += 0.1 * sum(actions.continuous_actions) + 0.05 * sum(actions.discrete_actions) - 0.05
        self.add_reward(self.position)
        if self.position > 1.0:
            self.end_episode()
        elif self.position < -1.5:
            self.episode_interrupted()

    def heuristic(self, actions_out: ActionBuffers) -> None:
        actions_out.discrete_actions[0] = 1


def make_wanderers(options: EnvironmentOptions) -> BaseEnv:
    """Two behaviors, staggered, with physics that draws random numbers too."""
    academy = Academy(seed=options.seed, num_areas=options.num_areas or 3)
    agents = [Wanderer(academy, HYBRID, 9) for _ in range(academy.num_areas)]
    choosers = [Wanderer(academy, DISCRETE, 0) for _ in range(2)]
    for index, agent in enumerate(agents):
        DecisionRequester(agent, decision_period=3, decision_step=index % 2)
        agent.enable()
    for agent in choosers:
        DecisionRequester(agent, decision_period=4, decision_step=1)
        agent.enable()
    wind = academy.make_rng()

    def simulate() -> None:
        for agent in (*agents, *choosers):
            agent.position += wind.uniform(-0.05, 0.05)

    return SdkEnvironment(academy, simulate, side_channels=options.side_channels)
