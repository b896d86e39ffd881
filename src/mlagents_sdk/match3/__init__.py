"""Match-3: boards, the sensor that shows them and the actuator that swaps their cells."""

from mlagents_sdk.match3.actuator import Match3Actuator, Match3ActuatorComponent
from mlagents_sdk.match3.board import AbstractBoard, BoardSize
from mlagents_sdk.match3.move import Direction, Move
from mlagents_sdk.match3.sensor import Match3ObservationType, Match3Sensor, Match3SensorComponent

__all__ = [
    "AbstractBoard",
    "BoardSize",
    "Direction",
    "Match3Actuator",
    "Match3ActuatorComponent",
    "Match3ObservationType",
    "Match3Sensor",
    "Match3SensorComponent",
    "Move",
]
