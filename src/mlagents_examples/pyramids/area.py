"""The world of Pyramids: nine rooms without doors, a switch, and pyramids of stones and of bricks."""

from __future__ import annotations

from random import Random
from typing import Any

from mlagents_examples.pyramids.stacks import BRICK_PYRAMID, STONE_PYRAMID, Pyramid, add_pyramid
from mlagents_sdk.physics import Freeze, Motion, Scene, Shape, TrainingArea, Vector
from mlagents_sdk.physics.rotations import IDENTITY, yaw_rotation

GRAVITY = 9.81
"""m/s², downwards."""

ROOMS: tuple[Vector, ...] = tuple((x, 0.0, z) for x in (-30.0, 0.0, 30.0) for z in (-30.0, 0.0, 30.0))
"""Centres of the rooms in which things begin, metres."""

NUM_STONE_PYRAMIDS = len(ROOMS) - 3
"""The other three rooms are those of the agent, the switch and the brick pyramid."""

OFF_TAG, ON_TAG, GOAL_TAG = "switchOff", "switchOn", "goal"

_SPREAD = 11.9  # metres from a room's centre, along x and z, within which things begin
_HEIGHT = 2.0  # metres above the floor at which they do
_WALL_CENTER, _WALL_HEIGHT = 0.91, 7.22
_CROSSES = tuple((x, z) for x in (-16.55, 16.55) for z in (-16.56, 16.56))
_STUBS_ALONG_Z = ((16.56, -42.25), (-16.44, -42.25), (16.44, 42.25), (-16.56, 42.25))
_STUBS_ALONG_X = ((-42.25, -16.56), (-42.25, 16.44), (42.25, 16.56), (42.25, -16.44))
_OFF_COLOR, _ON_COLOR = (0.75, 0.23, 0.15), (0.4, 0.74, 0.42)
_AGENT_COLOR = (0.13, 0.59, 0.95)
_SWITCH_FREEZE = Freeze.POSITION_X | Freeze.POSITION_Z | Freeze.ROTATION_X | Freeze.ROTATION_Z


def build_scene() -> Scene:
    """The scene of one area; the floor's surface is at y = 0, the origin is its centre."""
    scene = Scene(timestep=0.02, gravity=(0.0, -GRAVITY, 0.0), position_iterations=12, velocity_iterations=12)
    scene.add_box("floor", (99.0, 1.0, 99.0), (0.0, -0.5, 0.0))
    _add_walls(scene)
    # The button lies within the box around it, so that only those see it who ran into the box. In a
    # recording of the original it is where it is here, and has no tag (docs/fidelity-pyramids.md).
    scene.add_body(
        "switch",
        (Shape.box((4.0, 4.0, 4.0), (0.0, 2.0, 0.0)), Shape.box((2.0, 0.75, 2.0), (0.0, 1.375, 0.0), tag="")),
        (0.0, _HEIGHT, 30.0),
        motion=Motion.DYNAMIC,
        mass=1.0,
        freeze=_SWITCH_FREEZE,
        tag=OFF_TAG,
        color=_OFF_COLOR,
    )
    scene.add_box(
        "agent",
        (1.0, 1.0, 1.0),
        (0.0, _HEIGHT, 0.0),
        motion=Motion.DYNAMIC,
        mass=25.0,
        drag=2.0,
        freeze=Freeze.ROTATION,
        tag="agent",
        color=_AGENT_COLOR,
    )
    rooms = iter(room for room in ROOMS if room not in ((0.0, 0.0, 0.0), (0.0, 0.0, 30.0)))
    for number in range(NUM_STONE_PYRAMIDS):
        add_pyramid(scene, f"stones {number}", STONE_PYRAMID, _raised(next(rooms)))
    add_pyramid(scene, "bricks", BRICK_PYRAMID, _raised(next(rooms)))
    return scene


class PyramidsArea:
    """Nine rooms with their agent, switch and pyramids.

    Args:
        area: a copy of :func:`build_scene`.

    Attributes:
        agent: handle on the agent's body.
        switch: handle on the switch.
        stones: the stone pyramids.
        bricks: the brick pyramid, which is there only once the switch is on.
    """

    def __init__(self, area: TrainingArea) -> None:
        self.agent = area.body("agent")
        self.switch = area.body("switch")
        self.stones = [
            Pyramid(area, f"stones {number}", STONE_PYRAMID) for number in range(NUM_STONE_PYRAMIDS)
        ]
        self.bricks = Pyramid(area, "bricks", BRICK_PYRAMID)
        self._brick_room = 0

    @property
    def is_on(self) -> bool:
        """Whether the switch was touched in this episode."""
        return self.switch.tag == ON_TAG

    def reset(self, rng: Random) -> None:
        """Give agent, switch and stone pyramids other rooms, and take the brick pyramid away."""
        agent_room, switch_room, self._brick_room, *stone_rooms = rng.sample(range(len(ROOMS)), len(ROOMS))
        self.bricks.remove()
        self.agent.velocity = (0.0, 0.0, 0.0)
        self.agent.position = _somewhere_in(agent_room, rng)
        self.agent.rotation = yaw_rotation(float(rng.randrange(360)))
        self.switch.position = _somewhere_in(switch_room, rng)
        self.switch.rotation = IDENTITY
        self.switch.tag, self.switch.color = OFF_TAG, _OFF_COLOR
        for pyramid, room in zip(self.stones, stone_rooms, strict=True):
            pyramid.build(_somewhere_in(room, rng))

    def switch_on(self, rng: Random) -> None:
        """Let the brick pyramid appear in its room."""
        self.switch.tag, self.switch.color = ON_TAG, _ON_COLOR
        self.bricks.build(_somewhere_in(self._brick_room, rng))

    def get_state(self) -> dict[str, Any]:
        """What the physics does not know."""
        return {"brick_room": self._brick_room}

    def set_state(self, state: dict[str, Any]) -> None:
        """Put back the state of :meth:`get_state`."""
        self._brick_room = state["brick_room"]


def _add_walls(scene: Scene) -> None:
    sizes_and_centers: list[tuple[Vector, Vector]] = [
        ((1.0, 15.0, 101.0), (-50.0, -2.5, 0.0)),
        ((1.0, 15.0, 101.0), (50.0, -2.5, 0.0)),
        ((101.0, 15.0, 1.0), (0.25, -2.5, -50.1)),
        ((101.0, 15.0, 1.0), (0.25, -2.5, 49.6)),
    ]
    for x, z in _CROSSES:
        sizes_and_centers.append(((15.15, _WALL_HEIGHT, 1.0), (x, _WALL_CENTER, z)))
        sizes_and_centers.append(((1.0, _WALL_HEIGHT, 15.0), (x, _WALL_CENTER, z)))
    for x, z in _STUBS_ALONG_Z:
        sizes_and_centers.append(((1.0, _WALL_HEIGHT, 14.5), (x, _WALL_CENTER, z)))
    for x, z in _STUBS_ALONG_X:
        sizes_and_centers.append(((14.5, _WALL_HEIGHT, 1.0), (x, _WALL_CENTER, z)))
    for number, (size, center) in enumerate(sizes_and_centers):
        scene.add_box(f"wall {number}", size, center, tag="wall")


def _somewhere_in(room: int, rng: Random) -> Vector:
    x, _, z = ROOMS[room]
    return (x + rng.uniform(-_SPREAD, _SPREAD), _HEIGHT, z + rng.uniform(-_SPREAD, _SPREAD))


def _raised(room: Vector) -> Vector:
    return (room[0], _HEIGHT, room[2])
