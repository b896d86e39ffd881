"""How the agent of WallJump jumps and falls: pulled up to a height for a moment, pushed down after it."""

from __future__ import annotations

import math
from typing import Any

from mlagents_sdk.physics import Body, ForceMode, Vector

DURATION = 0.2
"""Seconds for which a jump pulls."""

HEIGHT = 2.75
"""Metres above the take-off to which it pulls."""

_PULL = 777.0  # m/s² per metre from the target
_MAX_CHANGE = 10.0  # m/s by which one step changes the velocity at most
_FALL = 111.0  # m/s² on top of gravity


class Jump:
    """The jumps of one body.

    Args:
        body: what jumps.
        timestep: seconds per physics step.
    """

    def __init__(self, body: Body, timestep: float) -> None:
        self._body = body
        self._timestep = timestep
        self._time_left = 0.0
        self._start_height = 0.0

    @property
    def is_over(self) -> bool:
        """Whether the body may jump again, as far as time is concerned."""
        return self._time_left <= 0.0

    def start(self) -> None:
        """Begin a jump where the body is."""
        self._time_left = DURATION
        self._start_height = self._body.position[1]

    def advance(self, direction: Vector, touches_ground: bool) -> None:
        """Act on the body for one physics step.

        Args:
            direction: where the body is walking, at most of length 1; the jump leans that way.
            touches_ground: without ground a body that does not jump is pushed down.
        """
        if self._time_left > 0.0:
            self._pull(direction)
        elif not touches_ground:
            self._body.add_force((0.0, -_FALL, 0.0), ForceMode.ACCELERATION)
        self._time_left -= self._timestep

    def get_state(self) -> dict[str, Any]:
        """What the physics does not know."""
        return {"time_left": self._time_left, "start_height": self._start_height}

    def set_state(self, state: dict[str, Any]) -> None:
        """Put back the state of :meth:`get_state`."""
        self._time_left = state["time_left"]
        self._start_height = state["start_height"]

    def _pull(self, direction: Vector) -> None:
        """Bring the velocity closer to one that grows with the distance from the target."""
        factor = self._timestep * _PULL
        rise = self._start_height + HEIGHT - self._body.position[1]
        velocity = self._body.velocity
        target = (factor * direction[0], factor * (rise + direction[1]), factor * direction[2])
        change = [wanted - present for wanted, present in zip(target, velocity, strict=True)]
        length = math.hypot(*change)
        share = 1.0 if length <= _MAX_CHANGE else _MAX_CHANGE / length
        x, y, z = (present + share * step for present, step in zip(velocity, change, strict=True))
        self._body.velocity = (x, y, z)
