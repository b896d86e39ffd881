"""The world of WallJump: a platform with a wall across it, a goal behind, a block, and who jumps."""

from __future__ import annotations

from random import Random

from mlagents_sdk.physics import Freeze, Motion, Scene, TrainingArea, Transform, Vector

GRAVITY = 2.75 * 9.81
"""m/s², downwards."""

GROUND_POSITION: Vector = (0.0, 0.0, -4.0)
"""Where the agent's observed position is counted from, m."""

WALL_Z = -1.98
"""Where the wall stands; the goal is on the side of larger z."""

WALL_TAG, GOAL_TAG, BLOCK_TAG, GROUND_TAG = "wall", "goal", "block", "walkableSurface"

_TO_STAND_ON = frozenset((GROUND_TAG, BLOCK_TAG, WALL_TAG))
_GROUND_HALF = 10.5  # metres along x and z
_UNDERSIDE = -0.55  # height of the platform's lower face, m
_BLOCK_START: Vector = (0.0, 1.5, -6.27)
_BLOCK_SPREAD = (8.1, 3.5)  # along x and z
_AGENT_START: Vector = (0.0, 1.0, -12.0)
_AGENT_SPREAD = 9.0
_FEELER_START = 0.05  # metres below the agent's centre
_FEELER_LENGTH = 1.0
_LEVEL = 0.95  # y of the normal of a surface that counts as ground
_FOOTPRINT: Vector = (0.475, 0.5, 0.475)  # half extents
_DEPTH = 20.0  # metres below something within which there has to be ground
_DOWN: Vector = (0.0, -1.0, 0.0)


def build_scene() -> Scene:
    """The scene of one area; the surface of the platform is at y = 0.45."""
    scene = Scene(timestep=0.02, gravity=(0.0, -GRAVITY, 0.0))
    side = 2.0 * _GROUND_HALF
    scene.add_box("ground", (side, 1.0, side), (0.0, -0.05, -4.0), tag=GROUND_TAG)
    # Its centre stays at y = 0: half of its height shows.
    scene.add_box("wall", (20.0, 4.0, 1.5), (0.0, 0.0, WALL_Z), motion=Motion.SCRIPTED, tag=WALL_TAG)
    scene.add_box("goal", (4.0, 5.0, 4.0), (6.37, 2.99, 2.93), trigger=True, tag=GOAL_TAG)
    scene.add_box(
        "block",
        (3.0, 2.0, 3.0),
        _BLOCK_START,
        motion=Motion.DYNAMIC,
        mass=10.0,
        drag=1.0,
        freeze=Freeze.ROTATION | Freeze.POSITION_Y,
        tag=BLOCK_TAG,
    )
    scene.add_box(
        "agent",
        (1.0, 1.0, 1.0),
        _AGENT_START,
        motion=Motion.DYNAMIC,
        mass=25.0,
        drag=2.0,
        angular_drag=0.05,
        freeze=Freeze.ROTATION_X | Freeze.ROTATION_Z,
        tag="agent",
    )
    return scene


class WallJumpArea:
    """One platform with its agent, block and wall.

    Args:
        area: a copy of :func:`build_scene`.

    Attributes:
        agent: handle on the agent's body.
        block: handle on the block.
        wall: handle on the wall.
        goal: handle on the goal.
    """

    def __init__(self, area: TrainingArea) -> None:
        self._area = area
        self.agent = area.body("agent")
        self.block = area.body("block")
        self.wall = area.transform("wall")
        self.goal = area.transform("goal")

    @property
    def wall_top(self) -> float:
        """Height of the wall's upper edge above y = 0, m; 0 without a wall."""
        return 0.5 * self.wall.size[1] if self.wall.enabled else 0.0

    def set_wall_height(self, height: float) -> None:
        """Make the wall so high, m; half of it lies below y = 0, and 0 takes it away."""
        self.wall.enabled = height > 0.0
        if height > 0.0:
            self.wall.size = (20.0, height, 1.5)

    def reset(self, rng: Random) -> None:
        """Put the block before the wall and the agent before the block; it keeps its heading."""
        uniform = rng.uniform
        x, y, z = _BLOCK_START
        spread_x, spread_z = _BLOCK_SPREAD
        self.block.position = (x + uniform(-spread_x, spread_x), y, z + uniform(-spread_z, spread_z))
        self.block.stop()
        x, y, z = _AGENT_START
        self.agent.position = (x + uniform(-_AGENT_SPREAD, _AGENT_SPREAD), y, z)
        self.agent.velocity = (0.0, 0.0, 0.0)

    def feels_ground(self) -> bool:
        """Whether something level to stand on is right below the agent's centre, or half a metre lower.

        This is the check that a jump and the goal ask for.
        """
        x, y, z = self.agent.position
        start = (x, y - _FEELER_START, z)
        hit = self._area.raycast(start, _DOWN, _FEELER_LENGTH, ignore=self.agent)
        return hit is not None and hit.normal[1] > _LEVEL and hit.tag in _TO_STAND_ON

    def touches_ground(self) -> bool:
        """Whether any part of the agent's underside is close to something to stand on.

        This is the check that walking and falling ask for.
        """
        agent = self.agent
        x, y, z = agent.position
        return self._area.check_box(
            (x, y - _FEELER_START, z), _FOOTPRINT, agent.rotation, ignore=agent, tags=_TO_STAND_ON
        )

    def something_fell(self) -> bool:
        """Whether there is nothing below the agent or the block."""
        return not (self._is_supported(self.agent) and self._is_supported(self.block))

    def _is_supported(self, body: Transform) -> bool:
        x, y, z = body.position
        # Above the platform there is no need to ask the physics. Inside it there is no point: who lands at
        # 30 m/s sinks in for a moment, so deep that a ray would begin below the surface and miss it.
        if abs(x) < _GROUND_HALF and abs(z - GROUND_POSITION[2]) < _GROUND_HALF and _UNDERSIDE < y < _DEPTH:
            return True
        return self._area.raycast((x, y, z), _DOWN, _DEPTH, ignore=body) is not None
