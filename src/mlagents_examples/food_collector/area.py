"""The world of FoodCollector: a walled field, agents, and food, good and bad, that lies about."""

from __future__ import annotations

from random import Random

from mlagents_sdk.physics import (
    Body,
    Freeze,
    Lighting,
    Motion,
    Scene,
    Shape,
    TrainingArea,
    Transform,
    Vector,
)
from mlagents_sdk.physics.rotations import euler_rotation, yaw_rotation

AGENT_TAG = "agent"
FROZEN_TAG = "frozenAgent"
FOOD_TAG = "food"
BAD_FOOD_TAG = "badFood"
WALL_TAG = "wall"

TAGS = (FOOD_TAG, AGENT_TAG, WALL_TAG, BAD_FOOD_TAG, FROZEN_TAG)
"""What agents tell apart, in the order of the channels of their grid and of their rays."""

NUM_FOOD = 25
"""Pieces of either kind of food in an area."""

FLOOR_HEIGHT = 0.5
"""Of the surface of the floor, metres above the origin of the area."""

SPAWN_RANGE = 45.0
"""Everything appears within this distance of the centre along x and z, metres."""

AGENT_COLOR = (0.129, 0.588, 0.953)
FROZEN_COLOR = (0.0, 0.0, 0.0)
FOOD_COLOR = (0.404, 0.737, 0.420)
BAD_FOOD_COLOR = (0.745, 0.227, 0.153)
FLOOR_COLOR = (0.157, 0.157, 0.157)
WALL_COLOR = (0.392, 0.392, 0.392)

_SIDE = 100.0  # metres between opposite walls
_WALL_THICKNESS = 1.0
_WALL_TOP = FLOOR_HEIGHT + 2.5
_FLOOR_THICKNESS = 1.0
_FOOD_RADIUS = 0.75  # of what is touched
_DRAWN_FOOD_RADIUS = 0.5  # of what is seen by cameras
_AGENT_DROP = 2.0  # heights above the origin of the area at which things appear, metres
_FOOD_DROP = 3.0
_FIRST_FOOD_DROP = 1.0


def build_scene(num_agents: int) -> Scene:
    """The scene of one area; the origin lies half a metre below the middle of the floor.

    Args:
        num_agents: agents in the area.
    """
    scene = Scene(timestep=0.02, position_iterations=12, velocity_iterations=12)
    # Facing up, surfaces get 1.125 of their colour, as measured in GridWorld, which has the same light.
    scene.lighting = Lighting(euler_rotation(40.0, -45.0), intensity=0.5, ambient=0.8)
    scene.add_box(
        "floor",
        (_SIDE, _FLOOR_THICKNESS, _SIDE),
        (0.0, FLOOR_HEIGHT - 0.5 * _FLOOR_THICKNESS, 0.0),
        tag="ground",
        color=FLOOR_COLOR,
    )
    out = 0.5 * (_SIDE + _WALL_THICKNESS)
    length = _SIDE + 2.0 * _WALL_THICKNESS
    for name, x, z in (
        ("wall left", -out, 0.0),
        ("wall right", out, 0.0),
        ("wall back", 0.0, -out),
        ("wall front", 0.0, out),
    ):
        size = (_WALL_THICKNESS, _WALL_TOP, length) if x else (length, _WALL_TOP, _WALL_THICKNESS)
        scene.add_box(name, size, (x, 0.5 * _WALL_TOP, z), tag=WALL_TAG, color=WALL_COLOR)
    for number in range(num_agents):
        scene.add_box(
            _agent_name(number),
            (1.0, 1.0, 1.0),
            (3.0 * number, _AGENT_DROP, 0.0),
            motion=Motion.DYNAMIC,
            mass=10.0,
            drag=0.5,
            freeze=Freeze.ROTATION,
            tag=AGENT_TAG,
            color=AGENT_COLOR,
        )
    for row, (tag, color) in enumerate(((FOOD_TAG, FOOD_COLOR), (BAD_FOOD_TAG, BAD_FOOD_COLOR))):
        for number in range(NUM_FOOD):
            name = _food_name(tag, number)
            scene.add_sphere(
                name,
                _FOOD_RADIUS,
                (3.0 * (number - NUM_FOOD // 2), FLOOR_HEIGHT + _FOOD_RADIUS, 10.0 * (row + 1)),
                motion=Motion.DYNAMIC,
                mass=5.0,
                tag=tag,
                visible=False,
            )
            scene.decorate(name, Shape.sphere(_DRAWN_FOOD_RADIUS, color=color))
    return scene


class FoodCollectorArea:
    """One field with everything on it.

    Args:
        area: a copy of :func:`build_scene`.
        num_agents: agents in it.
        rng: decides where food appears.

    Attributes:
        area: the copy.
        agents: bodies of the agents.
        food: all pieces, the good ones first.
    """

    def __init__(self, area: TrainingArea, num_agents: int, rng: Random) -> None:
        self.area = area
        self.agents = [area.body(_agent_name(number)) for number in range(num_agents)]
        self.food = [
            area.body(_food_name(tag, number))
            for tag in (FOOD_TAG, BAD_FOOD_TAG)
            for number in range(NUM_FOOD)
        ]
        self._rng = rng
        self._by_name = {piece.name: piece for piece in self.food}

    def scatter_food(self) -> None:
        """Put all food somewhere on the floor, at rest."""
        for piece in self.food:
            piece.position = _anywhere(self._rng, _FIRST_FOOD_DROP)
            piece.stop()

    def drop_elsewhere(self, food: Transform) -> None:
        """Let an eaten piece fall down somewhere else; it keeps the velocity that it has."""
        self._by_name[food.name].position = _anywhere(self._rng, _FOOD_DROP)

    @staticmethod
    def place_agent(agent: Body, rng: Random) -> None:
        """Let an agent fall down somewhere, at rest and looking anywhere, in whole degrees."""
        agent.stop()
        agent.position = _anywhere(rng, _AGENT_DROP)
        agent.rotation = yaw_rotation(float(rng.randrange(360)))

    def laser_target(self, agent: Body, radius: float, reach: float) -> Transform | None:
        """The agent that a thick beam meets first, straight ahead; None if it meets something else first.

        What the beam is inside of where it starts does not stop it.
        """
        hit = self.area.sphere_cast(agent.position, radius, agent.forward, reach, ignore=agent)
        return hit.body if hit is not None and hit.tag == AGENT_TAG else None


def _agent_name(number: int) -> str:
    return f"agent {number}"


def _food_name(tag: str, number: int) -> str:
    return f"{tag} {number}"


def _anywhere(rng: Random, height: float) -> Vector:
    return (rng.uniform(-SPAWN_RANGE, SPAWN_RANGE), height, rng.uniform(-SPAWN_RANGE, SPAWN_RANGE))
