"""The world of PushBlock: a walled floor with a goal along one side, a block, and who pushes it."""

from __future__ import annotations

from random import Random

from mlagents_sdk.exception import AgentsError
from mlagents_sdk.physics import Body, Freeze, Motion, PhysicsMaterial, Scene, TrainingArea

GRAVITY = 2.5 * 9.81
"""m/s², downwards."""

GOAL_FACE = -8.35
"""z of the goal's face, m; the floor reaches from there to 12.5."""

BLOCK_SIZE = 2.0
"""Width and depth of the block, m, unless the parameter ``block_scale`` says otherwise."""

BLOCK_HEIGHT = 0.75
"""Height of the block, m, whatever its scale."""

SPAWN_RANGE = 6.25
"""Agent and block begin within this distance of the centre, m along x and z."""

_SPAWN_HEIGHT = 1.0
_CLEARANCE = (2.5, 0.01, 2.5)  # half extents of the box that must be empty where something begins
_GROUND_FRICTION = 0.0
_MAX_DRAWS = 10_000

# The rays of the agent's upper sensor are 0.5 m thick and travel 0.5 m above the walls' upper edges. In the
# original they meet them, as far as single precision lets them (tests/mlagents_examples/
# replay_push_block.py); here they are helped by this many metres.
_GRAZE = 5e-6


def build_scene() -> Scene:
    """The scene of one area; the centre of the floor's surface is the origin."""
    scene = Scene(timestep=0.02, gravity=(0.0, -GRAVITY, 0.0))
    wall_height = 2.0 + 2.0 * _GRAZE
    scene.add_box(
        "ground",
        (25.0, 1.0, 25.0),
        (0.0, -0.5, 0.0),
        material=ground_material(_GROUND_FRICTION, _GROUND_FRICTION),
    )
    scene.add_box("wall left", (0.5, wall_height, 26.0), (-12.75, 0.5, 0.0), tag="wall")
    scene.add_box("wall right", (0.5, wall_height, 26.0), (12.75, 0.5, 0.0), tag="wall")
    scene.add_box("wall back", (25.0, wall_height, 0.5), (0.0, 0.5, -12.75), tag="wall")
    scene.add_box("wall front", (25.0, wall_height, 0.5), (0.0, 0.5, 12.75), tag="wall")
    scene.add_box("goal", (25.0, 3.0, 4.3), (0.0, -0.005, -10.5), tag="goal")
    scene.add_box(
        "agent",
        (1.0, 1.0, 1.0),
        (0.0, 0.5, 0.0),
        motion=Motion.DYNAMIC,
        mass=10.0,
        drag=4.0,
        angular_drag=0.05,
        freeze=Freeze.ROTATION,
        tag="agent",
    )
    scene.add_box(
        "block",
        (BLOCK_SIZE, BLOCK_HEIGHT, BLOCK_SIZE),
        (0.0, 0.5 * BLOCK_HEIGHT, 4.0),
        motion=Motion.DYNAMIC,
        mass=10.0,
        drag=0.5,
        freeze=Freeze.ROTATION,
        tag="block",
    )
    return scene


def ground_material(static_friction: float, dynamic_friction: float) -> PhysicsMaterial:
    """Surface of the floor; agent and block keep 0.6, and the average counts."""
    return PhysicsMaterial(static_friction=static_friction, dynamic_friction=dynamic_friction)


class PushBlockArea:
    """One floor with its agent and block.

    The original also turns the whole area by a random multiple of 90 degrees at each reset. Nothing
    that the agent sees or does depends on it, so the area stays where it is.

    Args:
        area: a copy of :func:`build_scene`.

    Attributes:
        agent: handle on the agent's body.
        block: handle on the block.
    """

    def __init__(self, area: TrainingArea) -> None:
        self._area = area
        self._ground = area.transform("ground")
        self.agent = area.body("agent")
        self.block = area.body("block")

    @property
    def block_size(self) -> float:
        """Width and depth of the block, m."""
        return self.block.size[0]

    def reset(self, rng: Random) -> None:
        """Put block and agent somewhere free, at rest; the agent keeps its heading.

        Raises:
            AgentsError: the block is so large that nothing is free.
        """
        for body in (self.block, self.agent):
            self._place(body, rng)

    def set_parameters(
        self, block_scale: float, block_drag: float, static_friction: float, dynamic_friction: float
    ) -> None:
        """Change the block's width and depth (m) and drag (1/s), and the friction of the floor."""
        self.block.size = (block_scale, BLOCK_HEIGHT, block_scale)
        self.block.drag = block_drag
        self._ground.set_material(ground_material(static_friction, dynamic_friction))

    def _place(self, body: Body, rng: Random) -> None:
        """Draw places until one is free; ``body`` itself, where it still is, is in the way too."""
        for _ in range(_MAX_DRAWS):
            x, z = (rng.uniform(-SPAWN_RANGE, SPAWN_RANGE) for _ in range(2))
            position = (x, _SPAWN_HEIGHT, z)
            if not self._area.check_box(position, _CLEARANCE):
                body.position = position
                body.stop()
                return
        raise AgentsError(
            f"PushBlock finds no free place for the {body.name} beside a block {self.block_size} m wide; use "
            "a smaller block_scale (0.5 to 4 is usual)."
        )
