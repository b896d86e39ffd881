"""Draws the pictures of the example environments in ``docs/images``.

Usage: ``python docs/render_environments.py [FOLDER]``. Each environment is played by its expert for a moment
and then drawn, three times as large as the picture, which smooths the edges.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from PIL import Image, ImageDraw

from mlagents_envs.registry import EnvironmentOptions, make_environment
from mlagents_sdk import Agent, SdkEnvironment
from mlagents_sdk.physics import Camera, Color, PhysicsWorld, Scene, TrainingArea, Transform, Vector
from mlagents_sdk.physics.rotations import euler_rotation, rotate

WIDTH, HEIGHT = 320, 240
OVERSAMPLING = 3
SKY = (0.80, 0.87, 0.93)
BLUE, GREEN, RED = (0.13, 0.59, 0.95), (0.40, 0.74, 0.42), (0.75, 0.23, 0.15)
ORANGE, SAND, GREY = (1.0, 0.6, 0.0), (0.85, 0.82, 0.74), (0.55, 0.58, 0.62)
CELL_COLORS = ((220, 70, 60), (70, 140, 230), (90, 180, 90), (240, 190, 60), (150, 90, 190), (240, 140, 70))


class View(NamedTuple):
    """What a picture shows.

    Attributes:
        decisions: of the expert, before it is taken.
        target: what it looks at, metres.
        distance: from there, metres.
        pitch: degrees by which it looks down.
        yaw: degrees by which it looks to the right of forward.
        colors: of bodies, by the beginning of their names.
        seed: of the environment.
    """

    decisions: int
    target: Vector
    distance: float
    pitch: float
    yaw: float
    colors: Mapping[str, Color] = {}
    seed: int = 1


VIEWS = {
    "3DBall": View(20, (0, -0.4, 0), 13.5, 30, 25),
    "RollerBall": View(3, (0.3, -0.5, 0), 16, 35, 20, {"floor": SAND, "target": ORANGE, "ball": BLUE}),
    "PushBlock": View(
        9,
        (0, 0, 0),
        36,
        45,
        -30,
        {"ground": SAND, "wall": GREY, "goal": GREEN, "agent": BLUE, "block": ORANGE},
    ),
    "WallJump": View(
        12,
        (0, 0.5, -4),
        29,
        35,
        30,
        {"ground": SAND, "wall": GREY, "agent": BLUE, "block": ORANGE},
        seed=4,
    ),
    "Hallway": View(
        12,
        (0, 0, 2),
        48,
        38,
        -25,
        {"ground": SAND, "wall": GREY, "agent": BLUE, "O": ORANGE, "X": RED},
    ),
    "Pyramids": View(60, (0, 0, -5), 118, 50, 20, {"floor": SAND, "wall": GREY, "agent": BLUE}),
    "GridFoodCollector": View(30, (0, 0, 8), 50, 42, 20),
    "Sorter": View(20, (0, 0, 0), 48, 45, 10, {"tile": ORANGE}, seed=2),
}


def main(folder: Path) -> None:
    """Draw everything into a folder."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, view in VIEWS.items():
        environment, agent = play(name, view.decisions, view.seed)
        save(take(world_of(agent).areas[0], view), folder / f"env-{name.lower()}.png")
        environment.close()
    environment, agent = play("GridWorld", 0, seed=3)
    area: Any = agent
    save(area.area.camera.render(OVERSAMPLING * HEIGHT, OVERSAMPLING * WIDTH), folder / "env-gridworld.png")
    environment.close()
    environment, agent = play("Match3", 0, seed=1)
    save(draw_board(agent), folder / "env-match3.png")
    environment.close()
    view = View(0, (9.5, 0, 0), 16, 30, 40)
    save(take(PhysicsWorld(line_of_basic()).areas[0], view), folder / "env-basic.png")


def play(name: str, decisions: int, seed: int) -> tuple[SdkEnvironment, Agent]:
    """An environment after some decisions of its experts, and its first agent."""
    environment = make_environment(name, EnvironmentOptions(seed=seed))
    assert isinstance(environment, SdkEnvironment)
    environment.reset()
    for _ in range(decisions):
        for behavior in environment.behavior_specs:
            environment.set_actions(behavior, environment.expert_actions(behavior))
        environment.step()
    policy = next(iter(environment.academy.policies.remote.values()))
    return environment, environment.academy.agents_of(policy)[0].agent


def world_of(agent: Agent) -> PhysicsWorld:
    """The world in which an agent has its body."""
    things = [*vars(agent).values(), *vars(getattr(agent, "area", agent)).values()]
    return next(thing.world for thing in things if isinstance(thing, Transform))


def take(area: TrainingArea, view: View) -> np.ndarray[Any, Any]:
    """The picture of an area."""
    for transform in area.transforms:
        for beginning, color in view.colors.items():
            if transform.name.startswith(beginning):
                transform.color = color
    rotation = euler_rotation(view.pitch, view.yaw)
    back = rotate(rotation, (0.0, 0.0, -view.distance))
    position = tuple(a + b for a, b in zip(view.target, back, strict=True))
    camera = Camera(area, position, rotation, field_of_view=50.0, background=SKY)
    return camera.render(OVERSAMPLING * HEIGHT, OVERSAMPLING * WIDTH)


def line_of_basic() -> Scene:
    """The line of Basic, which has no bodies: 21 places, the agent in the middle, two goals."""
    scene = Scene()
    for place in range(21):
        color = {7: ORANGE, 17: GREEN}.get(place, SAND)
        scene.add_box(f"place {place}", (0.9, 0.2, 0.9), (place, -0.1, 0), color=color)
    scene.add_box("agent", (0.7, 0.7, 0.7), (10, 0.35, 0), color=BLUE)
    scene.add_sphere("small goal", 0.25, (7, 0.3, 0), color=ORANGE)
    scene.add_sphere("large goal", 0.45, (17, 0.45, 0), color=GREEN)
    return scene


def draw_board(agent: Any) -> np.ndarray[Any, Any]:  # noqa: ANN401 - only agents of Match3 have a board
    """The board of Match3: colours, and rings around special cells."""
    cells, special = agent.board.cell_types(), agent.board.special_types()
    rows, columns = cells.shape
    width, height = OVERSAMPLING * WIDTH, OVERSAMPLING * HEIGHT
    side = math.floor(0.94 * height / rows)
    left, top = (width - side * columns) // 2, (height - side * rows) // 2
    image = Image.new("RGB", (width, height), tuple(round(255 * channel) for channel in SKY))
    pen = ImageDraw.Draw(image)
    for row in range(rows):
        for column in range(columns):
            x, y = left + side * column, top + side * (rows - 1 - row)
            pen.rounded_rectangle(
                (x + 3, y + 3, x + side - 3, y + side - 3), 9, fill=CELL_COLORS[cells[row, column]]
            )
            for ring in range(int(special[row, column])):
                inset = side // 4 + ring * side // 8
                pen.ellipse(
                    (x + inset, y + inset, x + side - inset, y + side - inset), outline="white", width=5
                )
    return np.asarray(image)


def save(pixels: np.ndarray[Any, Any], path: Path) -> None:
    """Write a picture, at its size and with few colours."""
    image = Image.fromarray(pixels).resize((WIDTH, HEIGHT), Image.Resampling.LANCZOS)
    image.quantize(128, Image.Quantize.MAXCOVERAGE, dither=Image.Dither.NONE).save(path, optimize=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parent / "images")
