"""What GridWorld looks like: the things on the grid, and the camera above them.

All colours are as seen in pictures recorded in the original (the demonstration ``ExpertGrid``), so there
is no light to compute: every surface shows its colour. What was recorded of agent, goals and border is
``1.125 m + (24, 27, 31) / 255`` of their materials' colours ``m``, the light of the original's scene. The
floor is dark grey there; faint soft shadows cross it, at most 12/255 deep, and here it has their mean.
Everything else agrees with the recorded pictures pixel by pixel, within 7/255.
"""

from __future__ import annotations

from mlagents_examples.grid_world.board import Board, Cell, Kind
from mlagents_sdk.exception import AgentsError
from mlagents_sdk.physics import Camera, Lighting, Motion, Scene, Shape, TrainingArea, Transform
from mlagents_sdk.physics.rotations import euler_rotation, yaw_rotation

IMAGE_WIDTH = 84
IMAGE_HEIGHT = 64

MAX_GOALS = 10
"""At most so many goals of either kind can be shown."""

FLOOR = (69 / 255, 73 / 255, 77 / 255)
BORDER = (137 / 255, 139 / 255, 143 / 255)
AGENT = (61 / 255, 195 / 255, 255 / 255)
PLUS = (140 / 255, 238 / 255, 151 / 255)
EX = (238 / 255, 92 / 255, 75 / 255)

_FLOOR_HEIGHT = -0.5
_FLOOR_THICKNESS = 0.1
_GOAL_HEIGHT = -0.25
_BAR = 0.2  # width of the bars of which everything is made, metres
_BORDERS = ("border north", "border south", "border east", "border west")
_OUT_OF_SIGHT = (0.0, -100.0, 0.0)


def build_scene() -> Scene:
    """The scene of one area, everything at the places of a grid of five by five cells.

    The middle of the first cell is the origin; cells are one metre wide.
    """
    scene = Scene(timestep=0.02, position_iterations=12, velocity_iterations=12)
    scene.lighting = Lighting(intensity=0.0, ambient=1.0)
    scene.add_box("floor", (5.0, _FLOOR_THICKNESS, 5.0), motion=Motion.SCRIPTED, color=FLOOR)
    for border in _BORDERS:
        scene.add_box(border, (1.0, 0.5, 1.0), motion=Motion.SCRIPTED, color=BORDER, tag="wall")
    middle = 0.5 - 0.5 * _BAR
    frame = [
        *(Shape.box((_BAR, 1.0, 1.0), position=(x, 0.0, 0.0)) for x in (-middle, middle)),
        *(Shape.box((1.0, 1.0, _BAR), position=(0.0, 0.0, z)) for z in (-middle, middle)),
    ]
    scene.add_body("agent", frame, motion=Motion.SCRIPTED, color=AGENT, tag="agent")
    for kind, turn, color in ((Kind.PLUS, 0.0, PLUS), (Kind.EX, 45.0, EX)):
        for number in range(MAX_GOALS):
            bars = [Shape.box((1.0, _BAR, _BAR), rotation=yaw_rotation(turn + more)) for more in (0.0, 90.0)]
            scene.add_body(_goal_name(kind, number), bars, motion=Motion.SCRIPTED, color=color)
    return scene


class GridWorldArea:
    """One grid: its rules, and what the camera sees of it.

    Args:
        area: a copy of :func:`build_scene`.

    Attributes:
        board: who is where.
        camera: looks straight down on the whole grid, positive z at the top of the picture.
    """

    def __init__(self, area: TrainingArea) -> None:
        self.board = Board()
        self.camera = Camera(area, rotation=euler_rotation(90.0), orthographic_size=2.5)
        self._floor = area.transform("floor")
        self._borders = [area.transform(border) for border in _BORDERS]
        self._agent = area.transform("agent")
        self._goals: dict[Kind, list[Transform]] = {
            kind: [area.transform(_goal_name(kind, number)) for number in range(MAX_GOALS)] for kind in Kind
        }
        self._shown_size = 0

    def show(self) -> None:
        """Put everything where the board has it; after each reset.

        Raises:
            AgentsError: there are more goals than can be shown.
        """
        self._show_ground()
        self.show_agent()
        for kind, transforms in self._goals.items():
            cells = [cell for cell, other in self.board.goals.items() if other is kind]
            if len(cells) > MAX_GOALS:
                raise AgentsError(
                    f"GridWorld shows at most {MAX_GOALS} goals of a kind; {len(cells)} were asked for."
                )
            for number, transform in enumerate(transforms):
                transform.enabled = number < len(cells)
                transform.position = _place(cells[number]) if transform.enabled else _OUT_OF_SIGHT

    def show_agent(self) -> None:
        """Put the agent where the board has it; after each step."""
        x, z = self.board.agent
        self._agent.position = (float(x), 0.0, float(z))

    def _show_ground(self) -> None:
        size = self.board.size
        if size == self._shown_size:
            return
        self._shown_size = size
        middle = 0.5 * (size - 1)
        length = size + 2.0
        self._floor.position = (middle, _FLOOR_HEIGHT - 0.5 * _FLOOR_THICKNESS, middle)
        self._floor.size = (float(size), _FLOOR_THICKNESS, float(size))
        north, south, east, west = self._borders
        for border, z in ((north, float(size)), (south, -1.0)):
            border.position, border.size = (middle, 0.0, z), (length, 0.5, 1.0)
        for border, x in ((east, float(size)), (west, -1.0)):
            border.position, border.size = (x, 0.0, middle), (1.0, 0.5, length)
        self.camera.position = (middle, size + 1.0, middle)
        self.camera.orthographic_size = 0.5 * size


def _goal_name(kind: Kind, number: int) -> str:
    return f"{kind.name.lower()} {number}"


def _place(cell: Cell) -> tuple[float, float, float]:
    return (float(cell.x), _GOAL_HEIGHT, float(cell.z))
