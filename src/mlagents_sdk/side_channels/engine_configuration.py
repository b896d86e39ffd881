"""Window, quality and time settings that a trainer sends."""

from __future__ import annotations

import uuid
import warnings
from dataclasses import dataclass

from mlagents_envs.exception import EnvironmentWarning
from mlagents_envs.side_channel.engine_configuration_channel import EngineConfigurationChannel
from mlagents_envs.side_channel.incoming_message import IncomingMessage
from mlagents_envs.side_channel.side_channel import SideChannel

_Setting = EngineConfigurationChannel.ConfigurationType


@dataclass(slots=True)
class EngineConfiguration:
    """Settings as last sent; None where nothing was. They never alter the physics step.

    Attributes:
        width: width of the window, pixels.
        height: height of the window, pixels.
        quality_level: index of the rendering quality, 0 the lowest.
        time_scale: at most how many simulated seconds pass per real second when a viewer paces the
            simulation; at least 1.
        target_frame_rate: frames per second to aim for, -1 for as many as possible.
        capture_frame_rate: frames per simulated second.
    """

    width: int | None = None
    height: int | None = None
    quality_level: int | None = None
    time_scale: float | None = None
    target_frame_rate: int | None = None
    capture_frame_rate: int | None = None


class EngineConfigurationReceiver(SideChannel):
    """The environment's end of the engine configuration channel.

    Attributes:
        configuration: what was received so far.
    """

    def __init__(self) -> None:
        super().__init__(uuid.UUID("e951342c-4f7e-11ea-b238-784f4387d1f7"))
        self.configuration = EngineConfiguration()

    def on_message_received(self, msg: IncomingMessage) -> None:
        """Store one setting; an unknown one is ignored with a warning."""
        setting = msg.read_int32()
        configuration = self.configuration
        if setting == _Setting.SCREEN_RESOLUTION:
            configuration.width, configuration.height = msg.read_int32(), msg.read_int32()
        elif setting == _Setting.QUALITY_LEVEL:
            configuration.quality_level = msg.read_int32()
        elif setting == _Setting.TIME_SCALE:
            configuration.time_scale = max(1.0, msg.read_float32())
        elif setting == _Setting.TARGET_FRAME_RATE:
            configuration.target_frame_rate = msg.read_int32()
        elif setting == _Setting.CAPTURE_FRAME_RATE:
            configuration.capture_frame_rate = msg.read_int32()
        else:
            warnings.warn(f"Unknown engine setting {setting} is ignored.", EnvironmentWarning, stacklevel=2)
