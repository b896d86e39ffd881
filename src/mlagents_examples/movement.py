"""Walking, turning and stepping aside by one discrete action, shared by several environments."""

from __future__ import annotations

from mlagents_sdk.physics import Body, ForceMode, Vector

STAY, FORWARD, BACK, TURN_RIGHT, TURN_LEFT, STEP_LEFT, STEP_RIGHT = range(7)
"""Actions of :func:`walk`; environments whose agents cannot step aside end with ``TURN_LEFT``."""


def walk(body: Body, action: int, speed: float, turn: float, sideways: float = 0.0) -> None:
    """Carry out one action for one physics step.

    Args:
        body: what walks.
        action: one of the actions above.
        speed: change of velocity of a step forward or back, m/s.
        turn: degrees of a turn, taken at once whatever the physics says.
        sideways: change of velocity of a step aside, m/s.
    """
    if action == FORWARD:
        push(body, body.forward, speed)
    elif action == BACK:
        push(body, body.forward, -speed)
    elif action == TURN_RIGHT:
        body.turn(turn)
    elif action == TURN_LEFT:
        body.turn(-turn)
    elif action == STEP_LEFT:
        push(body, body.right, -sideways)
    elif action == STEP_RIGHT:
        push(body, body.right, sideways)


def push(body: Body, direction: Vector, speed: float) -> None:
    """Change the velocity by ``speed`` m/s along a unit vector, whatever the mass."""
    x, y, z = direction
    body.add_force((speed * x, speed * y, speed * z), ForceMode.VELOCITY_CHANGE)
