"""The gRPC seam: any environment as a game that a trainer plays."""

from __future__ import annotations

from typing import Protocol, runtime_checkable

from mlagents_envs.base_env import BaseEnv, BehaviorName, BehaviorSpec
from mlagents_envs.communicator_objects.capabilities_pb2 import UnityRLCapabilitiesProto
from mlagents_envs.communicator_objects.command_pb2 import QUIT, RESET
from mlagents_envs.communicator_objects.unity_rl_input_pb2 import UnityRLInputProto
from mlagents_envs.logging_util import get_logger
from mlagents_sdk.sensors.compression import CompressesObservations, CompressionSpec
from mlagents_sdk.side_channels.relay import MessageRelay
from mlagents_sdk.wire.actions import decode_actions
from mlagents_sdk.wire.connection import TrainerConnection, TrainerLeftException
from mlagents_sdk.wire.messages import brain_parameters, step_message
from mlagents_sdk.wire.protocol import check_trainer_can, usable_compression
from mlagents_sdk.wire.records import BehaviorEncoder

logger = get_logger(__name__)


@runtime_checkable
class RelaysMessages(Protocol):
    """An environment whose side channels can speak with a trainer elsewhere."""

    def relay_messages(self, relay: MessageRelay) -> None:
        """Exchange all messages through ``relay`` from now on."""


class Game:
    """Plays an environment for a trainer: its commands and actions in, steps out.

    Whatever the environment does for a trainer in this process it does here too, because it is used
    in the same way: ``reset``, ``set_actions``, ``step``, ``get_steps``.

    Args:
        environment: freshly built. Side channels are served where it can relay their messages, as
            environments made with the SDK can.
        trainer: what the trainer can do, as it said in the handshake.
    """

    def __init__(self, environment: BaseEnv, trainer: UnityRLCapabilitiesProto) -> None:
        self._environment = environment
        self._trainer = trainer
        self._relay = MessageRelay()
        if isinstance(environment, RelaysMessages):
            environment.relay_messages(self._relay)
        self._encoders: dict[BehaviorName, BehaviorEncoder] = {}
        self._asked: dict[BehaviorName, int] = {}
        self._warned: set[tuple[str, BehaviorName]] = set()

    def play(self, connection: TrainerConnection) -> None:
        """Play until the trainer has enough.

        Args:
            connection: after its handshake; closed in the end.

        Raises:
            UnityException: the environment failed, or trainer and environment disagree.
        """
        try:
            message = connection.first_input()
            while message.command != QUIT:
                message = connection.exchange(self.advance(message))
        except TrainerLeftException as error:
            logger.info("%s The environment closes.", error)
            connection.close(farewell=False)
        except BaseException as error:
            connection.close(f"{type(error).__name__}: {error}")
            raise
        else:
            logger.info("The trainer said QUIT. The environment closes.")
            connection.close()

    def advance(self, message: UnityRLInputProto) -> bytes:
        """Do what the trainer says, up to the next records.

        Side-channel messages come before the command, and the command before the actions.

        Args:
            message: what the trainer sent.

        Returns:
            The answer, a serialized ``UnityMessageProto``.
        """
        self._relay.put(message.side_channel)
        if message.command == RESET:
            self._environment.reset()
        else:
            self._set_actions(message)
            self._environment.step()
        return self._tell()

    def _set_actions(self, message: UnityRLInputProto) -> None:
        specs = self._environment.behavior_specs
        for name, actions in message.agent_actions.items():
            if name not in specs:
                self._warn_once(
                    "unknown", name, "the trainer sent actions for it, but it is not known; ignored."
                )
                continue
            asked = self._asked.get(name, 0)
            if len(actions.value) < asked:
                self._warn_once(
                    "few",
                    name,
                    f"{asked} agents asked for a decision but the trainer sent {len(actions.value)}; the "
                    "others act with zeros.",
                )
            if asked:
                columns = decode_actions(name, specs[name].action_spec, actions.value, asked)
                self._environment.set_actions(name, columns)

    def _tell(self) -> bytes:
        records: dict[str, bytes] = {}
        announced = []
        for name, spec in self._environment.behavior_specs.items():
            decisions, terminals = self._environment.get_steps(name)
            self._asked[name] = len(decisions)
            if not len(decisions) and not len(terminals):
                continue
            encoder = self._encoders.get(name)
            if encoder is None:
                check_trainer_can(name, spec, self._trainer)
                encoder = self._encoders[name] = BehaviorEncoder(spec, self._compressions(name, spec))
                hybrid = self._trainer.hybridActions
                announced.append(brain_parameters(name, spec.action_spec, hybrid_actions=hybrid))
            if not self._trainer.multiAgentGroups and decisions.group_id.any():
                self._warn_once("groups", name, "its agents form groups, which the trainer does not know.")
            records[name] = encoder.encode(decisions, terminals)
        return step_message(records, announced, self._relay.take())

    def _compressions(self, name: BehaviorName, spec: BehaviorSpec) -> list[CompressionSpec]:
        """How the observations of a behavior are sent; empty for none compressed."""
        if not isinstance(self._environment, CompressesObservations):
            return []
        wanted = self._environment.compression_specs(name)
        if not wanted:
            return []
        usable = [
            usable_compression(compression, observation.shape[0], self._trainer)
            for compression, observation in zip(wanted, spec.observation_specs, strict=True)
        ]
        if usable != wanted:
            self._warn_once(
                "compression",
                name,
                "the trainer does not know images of more than one PNG or with a channel mapping; they are "
                "sent uncompressed, which takes longer.",
            )
        return usable

    def _warn_once(self, topic: str, name: BehaviorName, text: str) -> None:
        if (topic, name) not in self._warned:
            self._warned.add((topic, name))
            logger.warning("Behavior %s: %s", name, text)
