"""Our GridWorld against a recording of the original: rules, masks and pictures.

The recording is of an older version without goal signal, in which the plus was always wanted. Record i + 1
holds the action that led from record i to it, except where an episode lasted one step only: there the
recorder had none and wrote zeros. That version masked steps to the left and right as ours does, but never
those up and down out of the grid.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from mlagents_envs.demonstrations import Demonstration, action_alignment, read_demonstration
from mlagents_examples.grid_world import Board, Cell, GridWorldArea, Kind, build_scene
from mlagents_examples.grid_world.agent import RIGHT_GOAL_REWARD, STEP_REWARD
from mlagents_examples.grid_world.board import LEFT, RIGHT, STAY
from mlagents_sdk.physics import PhysicsWorld

SIZE = 5
SCALE = 64 / SIZE


@pytest.fixture(scope="module")
def demo(shared_data: Path) -> Demonstration:
    return read_demonstration(shared_data / "demos" / "ExpertGrid.demo")


def _reconstruct(picture: NDArray[np.float32]) -> Board:
    """Who is where in a recorded picture ``[3, 64, 84]``."""
    board = Board()
    board.size = SIZE
    agents = []
    for x in range(SIZE):
        for z in range(SIZE):
            column, row = 42.0 + (x - 2) * SCALE, 32.0 - (z - 2) * SCALE
            red, green, blue = picture[:, int(row), int(column)]
            if green > 0.6:
                board.goals[Cell(x, z)] = Kind.PLUS
            elif red > 0.6:
                board.goals[Cell(x, z)] = Kind.EX
            blue = picture[2, int(row), int(column - 0.45 * SCALE)]
            if blue > 0.8:
                agents.append(Cell(x, z))
    (board.agent,) = agents
    assert sorted(board.goals.values()) == [Kind.PLUS, Kind.EX]
    return board


def test_every_recorded_step_is_predicted(demo: Demonstration) -> None:
    assert action_alignment(demo) == "lagged"
    assert len(demo) == 53
    predicted = unrecorded = 0
    for row in range(len(demo) - 1):
        if demo.done[row]:
            continue
        board = _reconstruct(demo.obs[0][row])
        after = _reconstruct(demo.obs[0][row + 1])
        action = int(demo.discrete_actions[row + 1, 0])
        if action == STAY and (row == 0 or demo.done[row - 1]) and demo.done[row + 1]:
            (action,) = (each for each in range(1, 5) if board.neighbour(board.agent, each) == after.agent)
            unrecorded += 1
        reached = board.move(action)
        assert (board.agent, board.goals) == (after.agent, after.goals)
        assert (reached is not None) == demo.done[row + 1]
        assert demo.reward[row + 1] == np.float32(STEP_REWARD if reached is None else RIGHT_GOAL_REWARD)
        predicted += 1
    assert (predicted, unrecorded) == (39, 2)


def test_every_recorded_mask_is_predicted(demo: Demonstration) -> None:
    assert demo.action_mask is not None
    sideways = 0
    for row in np.flatnonzero(~demo.done):
        recorded = np.flatnonzero(demo.action_mask[0][row]).tolist()
        ours = list(_reconstruct(demo.obs[0][row]).leaving_actions())
        assert recorded == [action for action in ours if action in (LEFT, RIGHT)]
        sideways += len(recorded)
    assert sideways == 11


def test_every_recorded_picture_is_drawn(demo: Demonstration) -> None:
    area = GridWorldArea(PhysicsWorld(build_scene()).areas[0])
    worst = mean = 0.0
    for picture in demo.obs[0]:
        area.board = _reconstruct(picture)
        area.show()
        drawn = area.camera.render(64, 84).transpose(2, 0, 1).astype(np.float64)
        difference = np.abs(drawn - 255.0 * picture)
        worst = max(worst, difference.max())
        mean += difference.mean() / len(demo)
    # What differs are the shadows on the floor; the next nearest colours are 60 apart.
    assert worst < 15.0
    assert mean < 1.5
