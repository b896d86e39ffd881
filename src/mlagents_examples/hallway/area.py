"""The world of Hallway: a long floor with a symbol in the middle and two goals at its end."""

from __future__ import annotations

from random import Random
from typing import Any

from mlagents_sdk.physics import Freeze, Motion, Scene, Shape, TrainingArea
from mlagents_sdk.physics.rotations import yaw_rotation

GRAVITY = 2.0 * 9.81
"""m/s², downwards."""

SYMBOLS = ("O", "X")
"""What can be shown; the goals are named after them."""

_FLOOR = 0.5  # height of the floor's surface, m
_ORIGIN_X = 0.015  # of places in the area, m
_SYMBOL_HEIGHT = _FLOOR + 2.0
_AGENT_HEIGHT = _FLOOR + 1.0
_AGENT_START_Z = -15.0
_GOAL_POSITIONS = ((7.0, 0.5, 22.29), (-7.0, 0.5, 22.29))
_NOWHERE = -1000.0  # height at which the other symbol waits, m


def build_scene() -> Scene:
    """The scene of one area; the floor's surface is at y = 0.5, the goals lie towards positive z."""
    scene = Scene(timestep=0.02, gravity=(0.0, -GRAVITY, 0.0))
    scene.add_box("ground", (20.0, 1.0, 50.0), tag="ground")
    scene.add_box("wall left", (0.5, 4.0, 50.0), (-9.75, 1.5, 0.0), tag="wall")
    scene.add_box("wall right", (0.5, 4.0, 50.0), (9.75, 1.5, 0.0), tag="wall")
    scene.add_box("wall back", (20.0, 4.0, 0.5), (0.0, 1.5, -25.0), tag="wall")
    scene.add_box("wall front", (20.0, 4.0, 0.5), (0.0, 1.5, 25.0), tag="wall")
    for symbol, position in zip(SYMBOLS, _GOAL_POSITIONS, strict=True):
        scene.add_box(
            symbol, (4.0, 4.0, 1.0), (0.0, _NOWHERE, 0.0), motion=Motion.SCRIPTED, tag=f"symbol_{symbol}"
        )
        scene.add_body(
            f"{symbol} goal",
            (Shape.box((4.0, 0.1, 4.0)), Shape.box((4.08, 4.01, 1.14), position=(0.0, 2.0, 2.5))),
            position=position,
            motion=Motion.SCRIPTED,
            tag=f"symbol_{symbol}_Goal",
        )
    scene.add_box(
        "agent",
        (1.0, 1.0, 1.0),
        (0.0, _AGENT_HEIGHT, _AGENT_START_Z),
        motion=Motion.DYNAMIC,
        mass=25.0,
        drag=2.0,
        angular_drag=0.05,
        freeze=Freeze.ROTATION_X | Freeze.ROTATION_Z,
        tag="agent",
    )
    return scene


class HallwayArea:
    """One hallway and its agent.

    Args:
        area: a copy of :func:`build_scene`.

    Attributes:
        agent: handle on the agent's body.
        symbol: the symbol that is shown, one of :data:`SYMBOLS`.
    """

    def __init__(self, area: TrainingArea) -> None:
        self.agent = area.body("agent")
        self.symbol = SYMBOLS[0]
        self._symbols = {symbol: area.transform(symbol) for symbol in SYMBOLS}
        self._goals = {symbol: area.transform(f"{symbol} goal") for symbol in SYMBOLS}

    @property
    def goal_x(self) -> float:
        """Where the right goal is, m along x."""
        return self._goals[self.symbol].position[0]

    def reset(self, rng: Random) -> None:
        """Show another symbol, swap the goals or not, and put the agent at the beginning, at rest."""
        uniform = rng.uniform
        self.symbol = rng.choice(SYMBOLS)
        for symbol, block in self._symbols.items():
            if symbol == self.symbol:
                # Only the O leaves the middle line.
                x = uniform(-3.0, 3.0) if symbol == "O" else 0.0
                block.position = (_ORIGIN_X + x, _SYMBOL_HEIGHT, uniform(-5.0, 5.0))
            else:
                block.position = (_ORIGIN_X, _NOWHERE, 0.0)
        self.agent.position = (
            _ORIGIN_X + uniform(-3.0, 3.0),
            _AGENT_HEIGHT,
            _AGENT_START_Z + uniform(-5.0, 5.0),
        )
        self.agent.rotation = yaw_rotation(uniform(0.0, 360.0))
        self.agent.velocity = (0.0, 0.0, 0.0)
        places = list(_GOAL_POSITIONS)
        rng.shuffle(places)
        for goal, place in zip(self._goals.values(), places, strict=True):
            goal.position = place

    def get_state(self) -> dict[str, Any]:
        """What the physics does not know."""
        return {"symbol": self.symbol}

    def set_state(self, state: dict[str, Any]) -> None:
        """Put back the state of :meth:`get_state`."""
        self.symbol = state["symbol"]
