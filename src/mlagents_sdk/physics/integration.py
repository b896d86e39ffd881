"""What happens to velocities before MuJoCo moves the bodies, and how a diverged area is found.

The original changes a velocity in each step by ``v <- (v + dv + g h) (1 - d h)``, with ``dv`` from forces
and ``d`` the drag; then come contacts, then ``x <- x + v h``. MuJoCo adds ``g h`` itself, so here
``v <- (v + dv)(1 - d h) - g d h²``.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from mlagents_sdk.physics.compiled import compiled

MAX_MAGNITUDE = 1e9
"""No number of a healthy area's state is larger; MuJoCo itself gives up at 1e10."""


@compiled
def apply_forces_and_drag(
    state: NDArray[np.float64],
    velocity_at: NDArray[np.int64],
    velocity_change: NDArray[np.float64],
    gravity: NDArray[np.float64],
    drag: NDArray[np.float64],
    angular_drag: NDArray[np.float64],
    max_angular_speed: NDArray[np.float64],
    timestep: float,
) -> None:
    """Change the velocities of all dynamic bodies of all areas, and consume the velocity changes.

    Args:
        state: ``(areas, width)`` state rows.
        velocity_at: ``(bodies,)`` column of each body's velocity and own-frame angular velocity.
        velocity_change: ``(areas, bodies, 3)`` m/s in MuJoCo's frame; zero afterwards.
        gravity: ``(areas, 3)`` m/s² in MuJoCo's frame.
        drag: ``(areas, bodies)`` 1/s.
        angular_drag: ``(areas, bodies)`` 1/s.
        max_angular_speed: ``(areas, bodies)`` rad/s.
        timestep: seconds.
    """
    for area in range(state.shape[0]):
        row = state[area]
        for body in range(len(velocity_at)):
            at = velocity_at[body]
            loss = drag[area, body] * timestep
            keep = max(0.0, 1.0 - loss)
            gravity_loss = (1.0 - keep) * timestep
            for axis in range(3):
                change = velocity_change[area, body, axis]
                row[at + axis] = (row[at + axis] + change) * keep - gravity[area, axis] * gravity_loss
                velocity_change[area, body, axis] = 0.0
            keep = max(0.0, 1.0 - angular_drag[area, body] * timestep)
            wx, wy, wz = row[at + 3 : at + 6]
            speed = math.sqrt(wx * wx + wy * wy + wz * wz) * keep
            if speed > max_angular_speed[area, body]:
                keep *= max_angular_speed[area, body] / speed
            row[at + 3] = wx * keep
            row[at + 4] = wy * keep
            row[at + 5] = wz * keep


@compiled
def find_diverged(state: NDArray[np.float64], time_at: int, diverged: NDArray[np.bool_]) -> int:
    """Mark areas whose state holds NaN, infinity or a number beyond :data:`MAX_MAGNITUDE`.

    Args:
        state: ``(areas, width)`` state rows.
        time_at: column of the clock, which may grow without limit.
        diverged: bool ``(areas,)``, set to True where an area diverged and left alone elsewhere.

    Returns:
        Number of areas that diverged.
    """
    count = 0
    for area in range(state.shape[0]):
        healthy = True
        for column in range(state.shape[1]):
            healthy &= abs(state[area, column]) <= MAX_MAGNITUDE or column == time_at
        if not healthy:
            diverged[area] = True
            count += 1
    return count
