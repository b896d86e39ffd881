from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from match3_helpers import TableBoard, empty_board
from sdk_helpers import NAME

from mlagents_envs.base_env import ActionTuple
from mlagents_sdk import (
    Academy,
    ActionBuffers,
    ActionSpec,
    Agent,
    AgentsError,
    BehaviorParameters,
    BehaviorType,
    DecisionRequester,
    SdkEnvironment,
)
from mlagents_sdk.match3 import BoardSize, Direction, Match3ActuatorComponent, Move

SMALL = BoardSize(2, 3, 3)  # moves: 4 to the right, then 3 upward
OPPOSITE = {
    Direction.UP: Direction.DOWN,
    Direction.DOWN: Direction.UP,
    Direction.LEFT: Direction.RIGHT,
    Direction.RIGHT: Direction.LEFT,
}
sizes = st.builds(BoardSize, st.integers(1, 9), st.integers(1, 9), st.just(3))


@pytest.mark.parametrize(
    ("index", "cell", "direction", "other"),
    [
        (0, (0, 0), Direction.RIGHT, (0, 1)),
        (6, (0, 6), Direction.RIGHT, (0, 7)),
        (7, (1, 0), Direction.RIGHT, (1, 1)),
        (62, (8, 6), Direction.RIGHT, (8, 7)),
        (63, (0, 0), Direction.UP, (1, 0)),
        (70, (0, 7), Direction.UP, (1, 7)),
        (71, (1, 0), Direction.UP, (2, 0)),
        (126, (7, 7), Direction.UP, (8, 7)),
    ],
)
def test_moves_of_nine_rows_and_eight_columns(
    index: int, cell: tuple[int, int], direction: Direction, other: tuple[int, int]
) -> None:
    size = BoardSize(9, 8, 6)
    assert Move.num_potential_moves(size) == 127
    move = Move.from_move_index(index, size)
    assert (move.index, (move.row, move.column), move.direction, move.other_cell()) == (
        index,
        cell,
        direction,
        other,
    )


@given(sizes, st.data())
def test_indices_positions_and_directions_agree(size: BoardSize, data: st.DataObject) -> None:
    total = Move.num_potential_moves(size)
    if total == 0:
        return
    move = Move.from_move_index(data.draw(st.integers(0, total - 1)), size)
    assert Move.from_position_and_direction(move.row, move.column, move.direction, size) == move
    assert Move.from_position_and_direction(*move.other_cell(), OPPOSITE[move.direction], size) == move
    assert move.in_range_for_board(size)
    smaller = BoardSize(max(size.rows - 1, 1), max(size.columns - 1, 1), 3)
    row, column = move.other_cell()
    assert move.in_range_for_board(smaller) == (row < smaller.rows and column < smaller.columns)


@given(sizes)
def test_all_pairs_of_neighbours_are_moves_once(size: BoardSize) -> None:
    moves = [Move.from_move_index(index, size) for index in range(Move.num_potential_moves(size))]
    pairs = {((move.row, move.column), move.other_cell()) for move in moves}
    right = {((r, c), (r, c + 1)) for r in range(size.rows) for c in range(size.columns - 1)}
    up = {((r, c), (r + 1, c)) for r in range(size.rows - 1) for c in range(size.columns)}
    assert pairs == right | up
    assert len(pairs) == len(moves)


@pytest.mark.parametrize("index", [-1, 7])
def test_there_is_no_such_move(index: int) -> None:
    with pytest.raises(AgentsError, match=f"There is no move {index}: .*has 7 moves"):
        Move.from_move_index(index, SMALL)


@pytest.mark.parametrize(
    ("cell", "direction"),
    [((0, 0), Direction.LEFT), ((0, 0), Direction.DOWN), ((0, 2), Direction.RIGHT), ((1, 2), Direction.UP)],
)
def test_cells_at_the_rim_have_no_neighbour_outside(cell: tuple[int, int], direction: Direction) -> None:
    with pytest.raises(AgentsError, match=f"no neighbour {direction.name}"):
        Move.from_position_and_direction(*cell, direction, SMALL)


@pytest.mark.parametrize("numbers", [(0, 1, 1, 0), (1, 0, 1, 0), (1, 1, 0, 0), (1, 1, 1, -1)])
def test_impossible_boards_are_refused(numbers: tuple[int, int, int, int]) -> None:
    with pytest.raises(AgentsError, match="is no board"):
        BoardSize(*numbers)


class Player(Agent):
    """Acts through the actuator alone."""


def play(
    board: TableBoard, kind: BehaviorType = BehaviorType.DEFAULT, **component: object
) -> tuple[SdkEnvironment, Player]:
    academy = Academy(seed=3)
    agent = Player(academy, BehaviorParameters("Test", behavior_type=kind, vector_observation_size=0))
    Match3ActuatorComponent(agent, board, **component)  # type: ignore[arg-type]
    DecisionRequester(agent, 1)
    agent.enable()
    return SdkEnvironment(academy, lambda: None), agent


def mask_of(env: SdkEnvironment) -> list[bool]:
    mask = env.get_steps(NAME)[0].action_mask
    assert mask is not None
    forbidden: list[bool] = mask[0][0].tolist()
    return forbidden


def act(env: SdkEnvironment, index: int) -> None:
    env.set_actions(NAME, ActionTuple(discrete=np.array([[index]], dtype=np.int32)))
    env.step()


def test_one_branch_with_the_valid_moves_enabled() -> None:
    board = empty_board(2, 3, SMALL)
    board.valid = {1, 6}
    env, _ = play(board)
    env.reset()
    assert env.behavior_specs[NAME].action_spec == ActionSpec.create_discrete((7,))
    assert mask_of(env) == [True, False, True, True, True, True, False]
    board.valid = {0}
    act(env, 6)
    assert board.made == [6]
    assert mask_of(env) == [False, *[True] * 6]


def test_moves_outside_the_current_board_are_forbidden() -> None:
    board = empty_board(1, 2, SMALL)  # its only move is 0
    board.valid = set(range(7))
    env, _ = play(board)
    env.reset()
    assert mask_of(env) == [False, *[True] * 6]


def test_without_a_valid_move_the_callback_is_called_and_the_last_action_stays() -> None:
    board = empty_board(2, 3, SMALL)
    called = []
    board.on_no_valid_moves_action = lambda: called.append(True)
    env, _ = play(board)
    env.reset()
    assert called == [True]
    assert mask_of(env) == [*[True] * 6, False]


def test_without_a_valid_move_and_callback_there_is_a_warning() -> None:
    env, _ = play(empty_board(2, 3, SMALL), actuator_name="mine")
    with pytest.warns(UserWarning, match="Actuator mine: no move is valid.*on_no_valid_moves_action"):
        env.reset()


def choices(seed: int, board: TableBoard, count: int = 300, **component: object) -> list[int]:
    board.made.clear()
    env, _ = play(board, BehaviorType.HEURISTIC_ONLY, random_seed=seed, **component)
    for _ in range(count):
        env.tick()
    return list(board.made)


def test_the_heuristic_takes_the_best_moves_equally_often() -> None:
    board = empty_board(2, 3, SMALL)
    board.valid = {1, 2, 4, 6}
    points = {1: 5.0, 2: 7.0, 4: 7.0, 6: 1.0}
    counts = Counter(choices(1, board, eval_move_points=lambda move: points[move.index]))
    assert set(counts) == {2, 4}
    assert 100 < counts[2] < 200  # 150 ± 9
    assert set(choices(1, board)) == {1, 2, 4, 6}  # all worth 1


def test_ties_repeat_with_the_seed() -> None:
    board = empty_board(2, 3, SMALL)
    board.valid = set(range(7))
    assert choices(5, board) == choices(5, board)
    assert choices(5, board) != choices(6, board)
    assert choices(-1, board) == choices(-1, board)  # from the academy's seed, which is the same


def test_the_heuristic_may_be_forced() -> None:
    board = empty_board(2, 3, SMALL)
    board.valid = {3}
    env, _ = play(board, force_heuristic=True)
    env.reset()
    act(env, 5)
    assert board.made == [3]


def test_the_heuristic_without_valid_moves_is_harmless() -> None:
    board = empty_board(2, 3, SMALL)
    env, agent = play(board)
    board.on_no_valid_moves_action = lambda: None
    env.reset()
    assert agent.runtime.actuators.heuristic_actions() == ActionBuffers([], [0])


def test_the_position_of_the_tie_breaker_is_saved_with_the_academy() -> None:
    board = empty_board(2, 3, SMALL)
    board.valid = set(range(7))
    env, agent = play(board, BehaviorType.HEURISTIC_ONLY, random_seed=4)
    env.tick()
    state = agent.academy.get_state()
    board.made.clear()
    for _ in range(20):
        env.tick()
    first = list(board.made)
    agent.academy.set_state(state)
    board.made.clear()
    for _ in range(20):
        env.tick()
    assert board.made == first
