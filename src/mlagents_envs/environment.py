"""An environment in another process: a game that speaks the wire protocol.

Typical use::

    with contextlib.closing(UnityEnvironment("builds/3DBall")) as env:
        env.reset()
        ...

Without a file name the game is the editor of a game engine, and Play has to be pressed there.
"""

from __future__ import annotations

import atexit
from collections.abc import Iterable
from typing import ClassVar

from mlagents_envs import env_utils
from mlagents_envs.base_env import (
    ActionTuple,
    AgentId,
    BaseEnv,
    BehaviorMapping,
    BehaviorName,
    BehaviorSpec,
    DecisionSteps,
    TerminalSteps,
)
from mlagents_envs.communicator.action_writer import encode_actions
from mlagents_envs.communicator.base import Communicator
from mlagents_envs.communicator.messages import GameMessage, reset_reply, step_reply
from mlagents_envs.communicator.sensor_format import first_agent, make_behavior_spec, sensor_formats
from mlagents_envs.communicator.session import GameSession
from mlagents_envs.communicator.steps_decoder import Steps, StepsDecoder
from mlagents_envs.communicator.versions import API_VERSION, announced_package_version
from mlagents_envs.communicator_objects.brain_parameters_pb2 import BrainParametersProto
from mlagents_envs.communicator_objects.capabilities_pb2 import UnityRLCapabilitiesProto
from mlagents_envs.communicator_objects.command_pb2 import STEP
from mlagents_envs.communicator_objects.unity_rl_initialization_input_pb2 import (
    UnityRLInitializationInputProto,
)
from mlagents_envs.exception import (
    UnityActionException,
    UnityCommunicatorStoppedException,
    UnityEnvironmentException,
    UnityWorkerInUseException,
)
from mlagents_envs.logging_util import get_logger
from mlagents_envs.rpc_communicator import ANY_PORT, RpcCommunicator
from mlagents_envs.side_channel.default_training_analytics_side_channel import (
    DefaultTrainingAnalyticsSideChannel,
)
from mlagents_envs.side_channel.side_channel import SideChannel
from mlagents_envs.side_channel.side_channel_manager import SideChannelManager
from mlagents_envs.timers import hierarchical_timer, timed

logger = get_logger(__name__)

_QUIT_SECONDS = 5.0
"""How long a game that announced its end may take to end."""

_ALL_CAPABILITIES = UnityRLCapabilitiesProto(
    **dict.fromkeys(UnityRLCapabilitiesProto.DESCRIPTOR.fields_by_name, True)
)


class UnityEnvironment(BaseEnv):
    """Starts a game, or waits for one, and steps it.

    Args:
        file_name: executable to start, its suffix given or not; None to wait for the editor.
        worker_id: index among the environments that run side by side; offset of the port.
        base_port: port of worker 0. None for 5005 (5004 for the editor), and any free port where an
            executable's is taken; 0 for any free port.
        seed: seed of the game's random numbers.
        no_graphics: start the executable without graphics; cameras then see nothing.
        no_graphics_monitor: the same for all workers but 0.
        timeout_wait: seconds to wait for the game to connect, and for each of its steps.
        additional_args: further arguments of the executable.
        side_channels: channels that exchange messages with the game.
        log_folder: folder for the log of the executable, ``Player-<worker_id>.log``.
        num_areas: number of training areas that the game is asked for.

    Attributes:
        academy_capabilities: what the game can do.
        package_version: version of the package that the game was built with, as it says.
        communication_version: version of the protocol that the game speaks.

    Raises:
        UnityEnvironmentException: there is no such executable, it cannot be started, it ended before it
            was ready, or its version does not suit; or a worker id was given without an executable.
        UnityTimeOutException: the game did not connect in time, or went silent.
        UnityWorkerInUseException: the port is taken.
    """

    API_VERSION: ClassVar[str] = API_VERSION
    DEFAULT_EDITOR_PORT: ClassVar[int] = 5004
    BASE_ENVIRONMENT_PORT: ClassVar[int] = 5005

    def __init__(
        self,
        file_name: str | None = None,
        worker_id: int = 0,
        base_port: int | None = None,
        seed: int = 0,
        no_graphics: bool = False,
        no_graphics_monitor: bool = False,
        timeout_wait: int = 60,
        additional_args: list[str] | None = None,
        side_channels: list[SideChannel] | None = None,
        log_folder: str | None = None,
        num_areas: int = 1,
    ) -> None:
        if file_name is None and worker_id != 0:
            raise UnityEnvironmentException(
                f"The worker id is {worker_id}, but there is only one editor. Give the executable of the "
                "environment, or leave the worker id at 0."
            )
        self._loaded = False
        self._timeout_wait = timeout_wait
        self._decoders: dict[BehaviorName, StepsDecoder] = {}
        self._specs: dict[BehaviorName, BehaviorSpec] = {}
        self._announced: dict[BehaviorName, BrainParametersProto] = {}
        self._steps: dict[BehaviorName, Steps] = {}
        self._actions: dict[BehaviorName, ActionTuple] = {}
        self._is_first_message = True
        channels = list(side_channels or [])
        analytics = _add_analytics(channels)
        self._side_channel_manager = SideChannelManager(channels)
        communicator = self._listen(file_name, worker_id, base_port)
        name = "The editor" if file_name is None else f"The environment {file_name!r}"
        self._session = GameSession(name, communicator, timeout_wait)
        try:
            if file_name is None:
                logger.info("Listening on port %s: press Play in the editor.", _port(communicator))
            else:
                without_graphics = no_graphics or (no_graphics_monitor and worker_id != 0)
                arguments = [
                    *(("-nographics", "-batchmode") if without_graphics else ()),
                    *("--mlagents-port", str(_port(communicator))),
                    *env_utils.log_arguments(log_folder, worker_id, additional_args or []),
                    *(additional_args or []),
                ]
                self._session.watch(env_utils.launch_executable(file_name, arguments), arguments)
            self._introduce(seed, num_areas)
        except BaseException:
            self._close(0)
            raise
        self._loaded = True
        if analytics is not None:
            analytics.environment_initialized()
        atexit.register(self._close)  # last: until here, failures clean up themselves

    def reset(self) -> None:
        """Start anew; running episodes end without a terminal step.

        Raises:
            UnityEnvironmentException: the environment is closed, or the game ended.
            UnityTimeOutException: the game went silent, or no agent asked for a decision.
            UnityCommunicatorStoppedException: the game announced its end.
            UnityObservationException: an observation is not what was announced.
            RuntimeError: an observation or a reward is NaN or infinite.
        """
        self._require_loaded()
        self._exchange(reset_reply(self._side_channel_manager.generate_side_channel_messages()))
        self._is_first_message = False

    @timed
    def step(self) -> None:
        """Send the actions set so far, zeros for the rest, and wait until agents ask for decisions again.

        Raises:
            UnityEnvironmentException: the environment is closed, or the game ended.
            UnityTimeOutException: the game went silent.
            UnityCommunicatorStoppedException: the game announced its end.
            UnityObservationException: an observation is not what was announced.
            RuntimeError: an observation or a reward is NaN or infinite.
        """
        if self._is_first_message:
            self.reset()
            return
        self._require_loaded()
        side_channel = self._side_channel_manager.generate_side_channel_messages()
        self._exchange(step_reply(STEP, self._encode_actions(), side_channel))

    def close(self) -> None:
        """End the game and free its port; calling it again does nothing."""
        self._close()

    @property
    def behavior_specs(self) -> BehaviorMapping:
        """Specs by behavior name; empty before the first ``reset``."""
        return BehaviorMapping(self._specs)

    def get_steps(self, behavior_name: BehaviorName) -> tuple[DecisionSteps, TerminalSteps]:
        """Steps of a behavior since the last ``step`` or ``reset``.

        Raises:
            UnityActionException: unknown behavior.
        """
        self._require_behavior(behavior_name)
        return self._steps[behavior_name]

    def set_actions(self, behavior_name: BehaviorName, action: ActionTuple) -> None:
        """Set the actions of all agents of a behavior that asked for a decision; the last call wins.

        Args:
            behavior_name: a key of :attr:`behavior_specs`.
            action: continuous ``(n, c)`` and discrete ``(n, d)``, in the order of the DecisionSteps.

        Raises:
            UnityActionException: unknown behavior or wrong shape.
        """
        spec = self._require_behavior(behavior_name)
        count = len(self._steps[behavior_name][0])
        self._actions[behavior_name] = spec.action_spec._validate_action(action, count, behavior_name)

    def set_action_for_agent(
        self, behavior_name: BehaviorName, agent_id: AgentId, action: ActionTuple
    ) -> None:
        """Set the action of one agent; the others keep what was set before, or zeros.

        Args:
            behavior_name: a key of :attr:`behavior_specs`.
            agent_id: an agent of the DecisionSteps.
            action: continuous ``(1, c)`` and discrete ``(1, d)``.

        Raises:
            UnityActionException: unknown behavior or wrong shape.
            IndexError: the agent did not ask for a decision.
        """
        spec = self._require_behavior(behavior_name)
        one = spec.action_spec._validate_action(action, 1, behavior_name)
        decision_steps = self._steps[behavior_name][0]
        row = decision_steps.agent_id_to_index.get(agent_id)
        if row is None:
            raise IndexError(
                f"Agent {agent_id} of the behavior {behavior_name!r} did not ask for a decision."
            )
        before = self._actions.get(behavior_name) or spec.action_spec.empty_action(len(decision_steps))
        continuous, discrete = before.continuous.copy(), before.discrete.copy()
        continuous[row], discrete[row] = one.continuous[0], one.discrete[0]
        self._actions[behavior_name] = ActionTuple(continuous, discrete)

    @staticmethod
    def _get_communicator(worker_id: int, base_port: int, timeout_wait: int) -> Communicator:
        return RpcCommunicator(worker_id, base_port, timeout_wait)

    def _listen(self, file_name: str | None, worker_id: int, base_port: int | None) -> Communicator:
        """Listen on the port that was asked for; on any, when none was and an executable can be told."""
        default = self.DEFAULT_EDITOR_PORT if file_name is None else self.BASE_ENVIRONMENT_PORT
        wanted = default if base_port is None else base_port
        try:
            return self._get_communicator(worker_id, wanted, self._timeout_wait)
        except UnityWorkerInUseException as error:
            if file_name is None and base_port is None:
                error.args = (
                    f"The port {wanted + worker_id}, on which the editor is waited for, is in use, most "
                    "likely by another training run that waits. Stop that run, or name an executable.",
                )
            if base_port is not None or file_name is None:
                raise
        communicator = self._get_communicator(worker_id, ANY_PORT, self._timeout_wait)
        logger.info("Port %d is taken; port %s is used.", wanted + worker_id, _port(communicator))
        return communicator

    def _introduce(self, seed: int, num_areas: int) -> None:
        """Shake hands with the game."""

        def make_input(package_version: str) -> UnityRLInitializationInputProto:
            return UnityRLInitializationInputProto(
                seed=seed,
                communication_version=API_VERSION,
                package_version=announced_package_version(package_version),
                capabilities=_ALL_CAPABILITIES,
                num_areas=num_areas,
            )

        game = self._session.handshake(make_input)
        self._announce(game.brain_parameters)
        self.academy_capabilities = game.capabilities
        self.package_version = game.package_version
        self.communication_version = game.communication_version
        if not game.capabilities.baseRLCapabilities:
            logger.warning(
                "The environment (package %s) does not say what it can do; parts of the protocol may be "
                "missing.",
                game.package_version or "unknown",
            )
        logger.info(
            "Connected to an environment with package version %s and protocol version %s.",
            game.package_version or "unknown",
            game.communication_version,
        )

    def _exchange(self, reply: bytes) -> None:
        """Answer the game, and take in what it says next; the environment closes when the game is lost."""
        try:
            with hierarchical_timer("communicator.exchange"):
                message = self._session.exchange(reply)
        except BaseException as error:
            self._close(_QUIT_SECONDS if isinstance(error, UnityCommunicatorStoppedException) else 0)
            raise
        self._actions = {}
        try:
            self._learn_behaviors(message)
            with hierarchical_timer("steps_from_proto"):
                self._steps = {
                    name: decoder.decode(message.raw, *message.agents.get(name, (0, 0)))
                    for name, decoder in self._decoders.items()
                }
        except BaseException:  # nobody shall act for the agents of the step before
            self._steps = {name: decoder.decode(b"") for name, decoder in self._decoders.items()}
            raise
        self._side_channel_manager.process_side_channel_message(message.side_channel)

    def _announce(self, brains: Iterable[BrainParametersProto]) -> None:
        self._announced.update({brain.brain_name: brain for brain in brains})

    def _learn_behaviors(self, message: GameMessage) -> None:
        """Take in announced behaviors; one that has no agents yet is complete only when it has."""
        if message.initialization is not None:
            self._announce(message.initialization.brain_parameters)
        for name in [name for name in self._announced if name in message.agents]:
            info = first_agent(name, message.raw, *message.agents[name])
            if info is None:
                continue
            formats = sensor_formats(name, info, self.package_version)
            spec = make_behavior_spec(self._announced.pop(name), formats)
            self._specs[name] = spec
            self._decoders[name] = StepsDecoder(name, spec, formats)
            logger.info("New behavior: %s", name)

    def _encode_actions(self) -> dict[BehaviorName, bytes]:
        """Actions of all agents that wait for one."""
        encoded = {}
        for name, (decision_steps, _) in self._steps.items():
            if len(decision_steps):
                action = self._actions.get(name)
                if action is None:
                    action = self._specs[name].action_spec.empty_action(len(decision_steps))
                encoded[name] = encode_actions(action.continuous, action.discrete)
        return encoded

    def _require_loaded(self) -> None:
        if not self._loaded:
            raise UnityEnvironmentException("The environment is closed. Make a new one.")

    def _require_behavior(self, behavior_name: BehaviorName) -> BehaviorSpec:
        spec = self._specs.get(behavior_name)
        if spec is None:
            raise UnityActionException(
                f"There is no behavior {behavior_name!r}; known are {sorted(self._specs)}."
            )
        return spec

    def _close(self, grace: float | None = None) -> None:
        """Release everything.

        Args:
            grace: seconds that the game may take to end; None for as long as one of its steps may take.
        """
        self._loaded = False
        atexit.unregister(self._close)
        self._session.close(self._timeout_wait if grace is None else grace)


def _port(communicator: Communicator) -> int:
    """Port that a communicator listens on; those of tests may listen nowhere."""
    if isinstance(communicator, RpcCommunicator):
        return communicator.port
    return communicator.base_port + communicator.worker_id


def _add_analytics(channels: list[SideChannel]) -> DefaultTrainingAnalyticsSideChannel | None:
    """Add the analytics channel, unless there is one, and return it."""
    analytics = DefaultTrainingAnalyticsSideChannel()
    if any(channel.channel_id == analytics.channel_id for channel in channels):
        return None
    channels.append(analytics)
    return analytics
