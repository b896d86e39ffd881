"""A scripted player of FoodCollector: drives to the nearest good food, out of the way of bad food."""

from __future__ import annotations

import math
from collections.abc import Sequence

from mlagents_examples.food_collector.area import FOOD_TAG
from mlagents_sdk.physics import Body

_CARE = 4.0  # metres within which bad food drives away
_CRUISING_SPEED = 8.0  # m/s


def choose_actions(body: Body, food: Sequence[Body]) -> tuple[float, float, float]:
    """Forward, right and turn, given where everything is; it never turns.

    Good food attracts, the nearest only; bad food drives away, the more the nearer it is. The difference
    between the velocity that this suggests and the present one is the push.
    """
    x, _, z = body.position
    nearest = min(
        (piece for piece in food if piece.tag == FOOD_TAG), key=lambda piece: _distance(body, piece)
    )
    goal_x, _, goal_z = nearest.position
    distance = max(_distance(body, nearest), 1e-6)
    want_x, want_z = (goal_x - x) / distance, (goal_z - z) / distance
    for piece in food:
        if piece.tag != FOOD_TAG:
            away = _distance(body, piece)
            if 1e-6 < away < _CARE:
                bad_x, _, bad_z = piece.position
                strength = (_CARE - away) / away / away
                want_x += strength * (x - bad_x)
                want_z += strength * (z - bad_z)
    length = max(math.hypot(want_x, want_z), 1e-6)
    vx, _, vz = body.velocity
    push = (_CRUISING_SPEED * want_x / length - vx, 0.0, _CRUISING_SPEED * want_z / length - vz)
    right, _, ahead = body.to_local(push)
    return (_unit(0.2 * ahead), _unit(0.2 * right), 0.0)


def _distance(body: Body, other: Body) -> float:
    x, _, z = body.position
    other_x, _, other_z = other.position
    return math.hypot(other_x - x, other_z - z)


def _unit(value: float) -> float:
    return min(max(value, -1.0), 1.0)
