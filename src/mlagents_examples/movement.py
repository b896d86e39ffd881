"""Walking, turning and stepping aside by one discrete action, shared by several environments."""

from __future__ import annotations

from mlagents_sdk.input import DOWN_KEYS, LEFT_KEYS, RIGHT_KEYS, UP_KEYS, Keyboard, any_pressed
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


def action_of_keys(keyboard: Keyboard, sideways: bool = False) -> int:
    """The action that a person means: W and S or the arrow keys walk, A and D or the arrow keys turn.

    Where several keys are held down, turning goes before walking.

    Args:
        keyboard: the keys.
        sideways: whether Q and E step to the left and to the right.
    """
    meanings: list[tuple[tuple[str, ...], int]] = [
        (RIGHT_KEYS, TURN_RIGHT),
        (LEFT_KEYS, TURN_LEFT),
        (UP_KEYS, FORWARD),
        (DOWN_KEYS, BACK),
    ]
    if sideways:
        meanings += [(("q",), STEP_LEFT), (("e",), STEP_RIGHT)]
    return next((action for keys, action in meanings if any_pressed(keyboard, keys)), STAY)


def push(body: Body, direction: Vector, speed: float) -> None:
    """Change the velocity by ``speed`` m/s along a unit vector, whatever the mass."""
    x, y, z = direction
    body.add_force((speed * x, speed * y, speed * z), ForceMode.VELOCITY_CHANGE)
