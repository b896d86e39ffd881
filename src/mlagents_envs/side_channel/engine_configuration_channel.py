"""Window, quality and time settings, sent from Python to the environment."""

from __future__ import annotations

import uuid
from enum import IntEnum
from typing import NamedTuple

from mlagents_envs.exception import UnityCommunicationException, UnitySideChannelException
from mlagents_envs.side_channel.incoming_message import IncomingMessage
from mlagents_envs.side_channel.outgoing_message import OutgoingMessage
from mlagents_envs.side_channel.side_channel import SideChannel


class EngineConfig(NamedTuple):
    """All engine settings; None leaves a setting as it is.

    Attributes:
        width: width of the window, pixels.
        height: height of the window, pixels.
        quality_level: index of the rendering quality, 0 the lowest.
        time_scale: simulated seconds per real second; the simulated step stays the same.
        target_frame_rate: frames per second to aim for, -1 for as many as possible.
        capture_frame_rate: frames per simulated second, which fixes the simulated frame time.
    """

    width: int | None
    height: int | None
    quality_level: int | None
    time_scale: float | None
    target_frame_rate: int | None
    capture_frame_rate: int | None

    @staticmethod
    def default_config() -> EngineConfig:
        """Settings for training: a small window and twenty times real time."""
        return EngineConfig(80, 80, 1, 20.0, -1, 60)


class EngineConfigurationChannel(SideChannel):
    """Sends engine settings; one message per setting."""

    class ConfigurationType(IntEnum):
        """First value of a message: which setting follows."""

        SCREEN_RESOLUTION = 0
        QUALITY_LEVEL = 1
        TIME_SCALE = 2
        TARGET_FRAME_RATE = 3
        CAPTURE_FRAME_RATE = 4

    def __init__(self) -> None:
        super().__init__(uuid.UUID("e951342c-4f7e-11ea-b238-784f4387d1f7"))

    def on_message_received(self, msg: IncomingMessage) -> None:
        """Refuse: this channel only sends.

        Raises:
            UnityCommunicationException: always.
        """
        raise UnityCommunicationException(
            "The engine configuration channel received a message, but it only sends. "
            "Another channel of the environment may use its id by mistake."
        )

    def set_configuration_parameters(
        self,
        width: int | None = None,
        height: int | None = None,
        quality_level: int | None = None,
        time_scale: float | None = None,
        target_frame_rate: int | None = None,
        capture_frame_rate: int | None = None,
    ) -> None:
        """Queue the settings that are given; see :class:`EngineConfig` for their meaning.

        Raises:
            UnitySideChannelException: only one of width and height is given, or a value does not
                fit its type.
        """
        if (width is None) != (height is None):
            raise UnitySideChannelException(
                f"Width and height must be set together, but got width={width} and height={height}."
            )
        kind = self.ConfigurationType
        if width is not None and height is not None:
            self._send_integers(kind.SCREEN_RESOLUTION, width, height)
        if quality_level is not None:
            self._send_integers(kind.QUALITY_LEVEL, quality_level)
        if time_scale is not None:
            msg = OutgoingMessage()
            msg.write_int32(kind.TIME_SCALE)
            msg.write_float32(time_scale)
            self.queue_message_to_send(msg)
        if target_frame_rate is not None:
            self._send_integers(kind.TARGET_FRAME_RATE, target_frame_rate)
        if capture_frame_rate is not None:
            self._send_integers(kind.CAPTURE_FRAME_RATE, capture_frame_rate)

    def set_configuration(self, config: EngineConfig) -> None:
        """Queue all settings of ``config`` that are not None."""
        self.set_configuration_parameters(**config._asdict())

    def _send_integers(self, kind: ConfigurationType, *values: int) -> None:
        msg = OutgoingMessage()
        msg.write_int32(kind)
        for value in values:
            msg.write_int32(value)
        self.queue_message_to_send(msg)
