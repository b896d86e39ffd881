"""Tells the environment which software trains it."""

from __future__ import annotations

import platform
import uuid

from google.protobuf.any_pb2 import Any as AnyMessage
from google.protobuf.message import Message

import mlagents_envs
from mlagents_envs.communicator_objects.training_analytics_pb2 import TrainingEnvironmentInitialized
from mlagents_envs.exception import UnityCommunicationException
from mlagents_envs.side_channel.incoming_message import IncomingMessage
from mlagents_envs.side_channel.outgoing_message import OutgoingMessage
from mlagents_envs.side_channel.side_channel import SideChannel


class DefaultTrainingAnalyticsSideChannel(SideChannel):
    """Sends version numbers of a custom trainer to the environment and nothing else.

    Whether the environment passes them on is its own decision; this side never does.
    """

    def __init__(self) -> None:
        super().__init__(uuid.UUID("b664a4a9-d86f-5a5f-95cb-e8353a7e8356"))

    def on_message_received(self, msg: IncomingMessage) -> None:
        """Refuse: this channel only sends.

        Raises:
            UnityCommunicationException: always.
        """
        raise UnityCommunicationException(
            "The training analytics channel received a message, but it only sends. "
            "Another channel of the environment may use its id by mistake."
        )

    def environment_initialized(self) -> None:
        """Queue the announcement that a trainer has connected."""
        self._queue_event(
            TrainingEnvironmentInitialized(
                python_version=platform.python_version(),
                mlagents_version="Custom",
                mlagents_envs_version=mlagents_envs.__version__,
                torch_version="Unknown",
                torch_device_type="Unknown",
            )
        )

    def _queue_event(self, event: Message) -> None:
        envelope = AnyMessage()
        envelope.Pack(event)
        msg = OutgoingMessage()
        msg.set_raw_bytes(envelope.SerializeToString())
        self.queue_message_to_send(msg)
