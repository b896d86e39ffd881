"""Rules and pictures of GridWorld."""

from __future__ import annotations

from random import Random

import numpy as np
import pytest
from single_agent_helpers import act, agents_of, assert_same_future, make

from mlagents_envs.base_env import ActionTuple, BaseEnv, ObservationType
from mlagents_envs.capabilities import SavesState
from mlagents_envs.registry.options import EnvironmentOptions
from mlagents_examples.grid_world import Board, Cell, GridWorldAgent, Kind, make_environment
from mlagents_examples.grid_world.area import AGENT, BORDER, EX, FLOOR, MAX_GOALS, PLUS
from mlagents_examples.grid_world.board import DOWN, LEFT, RIGHT, STAY, UP
from mlagents_examples.grid_world.expert import choose_action
from mlagents_sdk import ActionBuffers
from mlagents_sdk.exception import AgentsError

BEHAVIOR = "GridWorld?team=0"


def _place(
    env: BaseEnv,
    agent: tuple[int, int],
    goals: dict[tuple[int, int], Kind],
    wanted: Kind = Kind.PLUS,
) -> GridWorldAgent:
    """Arrange the first area; it is seen from the next decision on."""
    first: GridWorldAgent = agents_of(env)[0]
    board = first.area.board
    board.agent, board.wanted = Cell(*agent), wanted
    board.goals = {Cell(*cell): kind for cell, kind in goals.items()}
    first.area.show()
    return first


def _expert_actions(env: BaseEnv) -> ActionTuple:
    waiting = env.get_steps(BEHAVIOR)[0].agent_id
    agents = {agent.agent_id: agent for agent in agents_of(env)}
    chosen = ActionBuffers([], [0])
    actions = []
    for agent_id in waiting:
        agents[agent_id].expert(chosen)
        actions.append(list(chosen.discrete_actions))
    return ActionTuple(discrete=np.array(actions, np.int32).reshape(-1, 1))


def test_spec_and_number_of_areas() -> None:
    env = make(make_environment)
    assert list(env.behavior_specs) == [BEHAVIOR]
    picture, wanted = env.behavior_specs[BEHAVIOR].observation_specs
    assert (picture.shape, picture.observation_type) == ((3, 64, 84), ObservationType.DEFAULT)
    assert (wanted.shape, wanted.observation_type) == ((2,), ObservationType.GOAL_SIGNAL)
    assert env.behavior_specs[BEHAVIOR].action_spec.discrete_branches == (5,)
    assert env.behavior_specs[BEHAVIOR].action_spec.continuous_size == 0
    assert len(env.get_steps(BEHAVIOR)[0]) == 9
    assert len(make(make_environment, 4).get_steps(BEHAVIOR)[0]) == 4


def test_a_reset_draws_every_cell_and_kind_alike() -> None:
    board, rng = Board(), Random(0)
    agents, goals, wanted = np.zeros((5, 5)), np.zeros((2, 5, 5)), np.zeros(2)
    for _ in range(5000):
        board.reset(rng, 5, 1, 1)
        assert sorted(board.goals.values()) == [Kind.PLUS, Kind.EX]
        assert board.agent not in board.goals
        agents[board.agent] += 1
        wanted[board.wanted] += 1
        for cell, kind in board.goals.items():
            goals[(kind, *cell)] += 1
    for counts in (agents, *goals):  # 200 are expected in each, give or take 14
        assert counts.min() > 140
        assert counts.max() < 260
    assert wanted == pytest.approx([2500, 2500], abs=180)


@pytest.mark.parametrize(
    ("action", "cell"), [(STAY, (2, 2)), (UP, (2, 3)), (DOWN, (2, 1)), (LEFT, (1, 2)), (RIGHT, (3, 2))]
)
def test_a_step_costs_a_hundredth_and_leads_where_it_should(action: int, cell: tuple[int, int]) -> None:
    env = make(make_environment, 2)
    agent = _place(env, (2, 2), {(0, 0): Kind.PLUS, (4, 4): Kind.EX})
    act(env, action)
    assert agent.area.board.agent == cell
    assert env.get_steps(BEHAVIOR)[0].reward[0] == pytest.approx(-0.01)


def test_steps_out_of_the_grid_are_masked_and_lead_nowhere() -> None:
    env = make(make_environment, 2)
    goals = {(2, 2): Kind.PLUS, (3, 2): Kind.EX}
    forbidden = {(0, 0): [DOWN, LEFT], (4, 4): [UP, RIGHT], (0, 3): [LEFT], (4, 1): [RIGHT], (1, 1): []}
    for cell, actions in forbidden.items():
        agent = _place(env, cell, goals)
        act(env, STAY)
        mask = env.get_steps(BEHAVIOR)[0].action_mask
        assert mask is not None
        assert np.flatnonzero(mask[0][0]).tolist() == actions
        for action in actions:
            act(env, action)
            assert agent.area.board.agent == cell


@pytest.mark.parametrize("wanted", list(Kind))
@pytest.mark.parametrize("reached", list(Kind))
def test_a_goal_ends_the_episode(wanted: Kind, reached: Kind) -> None:
    env = make(make_environment, 2)
    other = Kind(1 - reached)
    _place(env, (2, 2), {(2, 3): reached, (0, 0): other}, wanted)
    act(env, UP)
    terminals = env.get_steps(BEHAVIOR)[1]
    assert terminals.agent_id.tolist() == [0]
    assert not terminals.interrupted[0]
    assert terminals.reward[0] == (1.0 if wanted is reached else -1.0)
    picture, goal = terminals.obs
    assert goal.tolist() == [[float(wanted is Kind.PLUS), float(wanted is Kind.EX)]]
    # The last picture shows the agent around the goal.
    assert _color(picture[0], Cell(2, 3)) == (PLUS if reached is Kind.PLUS else EX)
    assert _color(picture[0], Cell(2, 3), left=0.45) == AGENT


def test_an_episode_ends_after_100_steps() -> None:
    env = make(make_environment, 2)
    total = 0.0
    for step in range(1, 101):
        act(env, STAY)
        decisions, terminals = env.get_steps(BEHAVIOR)
        assert len(terminals) == (2 if step == 100 else 0)
        total += decisions.reward[0] + (terminals.reward[0] if step == 100 else 0.0)
    assert terminals.interrupted.all()
    assert total == pytest.approx(-1.0)


def _color(picture: np.ndarray, cell: Cell, size: int = 5, left: float = 0.0) -> tuple[float, ...]:
    """Colour of a cell's centre, or of a place so many cells to the left of it."""
    scale = 64 / size
    x = 42.0 + (cell.x - left - (size - 1) / 2) * scale
    y = 32.0 - (cell.z - (size - 1) / 2) * scale
    red, green, blue = (round(255 * channel) / 255 for channel in picture[:, int(y), int(x)].tolist())
    return (red, green, blue)


def test_the_picture_shows_everything_at_its_place() -> None:
    env = make(make_environment, 2)
    _place(env, (0, 4), {(4, 0): Kind.PLUS, (1, 2): Kind.EX})
    act(env, STAY)
    picture = env.get_steps(BEHAVIOR)[0].obs[0][0]
    assert _color(picture, Cell(4, 0)) == PLUS
    assert _color(picture, Cell(1, 2)) == EX
    assert _color(picture, Cell(0, 4)) == FLOOR  # the frame is hollow
    assert _color(picture, Cell(0, 4), left=0.45) == AGENT
    assert _color(picture, Cell(3, 3)) == FLOOR
    seen = np.rint(255.0 * picture).transpose(1, 2, 0)
    assert (seen[:, [0, 9, 74, 83]] == _bytes(BORDER)).all()
    assert (seen[:, 10:74] != _bytes(BORDER)).any(axis=2).all()
    # A cell is 12.8 pixels wide, a bar 0.2 cells.
    assert (seen[51:64, 61:74] == _bytes(PLUS)).all(axis=2).sum() == 69
    assert (seen == _bytes(AGENT)).all(axis=2).sum() == 120


def _bytes(color: tuple[float, float, float]) -> np.ndarray:
    return np.rint(255.0 * np.array(color))


def test_parameters_change_size_and_numbers() -> None:
    env = make(make_environment, 2, gridSize=8, numPlusGoals=3, numExGoals=2)
    agent = agents_of(env)[0]
    board = agent.area.board
    assert board.size == 8
    assert sorted(board.goals.values()) == [Kind.PLUS] * 3 + [Kind.EX] * 2
    picture = env.get_steps(BEHAVIOR)[0].obs[0][0]
    for cell, kind in board.goals.items():
        assert _color(picture, cell, size=8) == (PLUS if kind is Kind.PLUS else EX)
    assert _color(picture, board.agent, size=8, left=0.42) == AGENT
    empty = next(
        Cell(x, z)
        for x in range(8)
        for z in range(8)
        if Cell(x, z) not in board.goals and Cell(x, z) != board.agent
    )
    assert _color(picture, empty, size=8) == FLOOR


@pytest.mark.parametrize(
    ("parameters", "named"),
    [
        ({"gridSize": 1.0}, "gridSize"),
        ({"gridSize": 3.0, "numPlusGoals": 5.0, "numExGoals": 4.0}, "numPlusGoals"),
        ({"gridSize": 9.0, "numPlusGoals": MAX_GOALS + 1.0}, "at most"),
    ],
)
def test_parameters_that_make_no_sense_are_named(parameters: dict[str, float], named: str) -> None:
    with pytest.raises(AgentsError, match=named):
        make(make_environment, 2, **parameters)


def test_the_expert_takes_the_shortest_way_around_the_other_kind() -> None:
    board = Board()
    board.size, board.agent = 5, Cell(0, 0)
    board.goals = {Cell(1, 0): Kind.EX, Cell(2, 0): Kind.PLUS}
    walked = []
    while board.goals.get(board.agent) is None:
        walked.append(choose_action(board))
        board.move(walked[-1])
    assert walked == [UP, RIGHT, RIGHT, DOWN]
    board.agent, board.goals = Cell(0, 0), {Cell(1, 0): Kind.EX, Cell(0, 1): Kind.EX, Cell(2, 2): Kind.PLUS}
    assert choose_action(board) == STAY  # walled in


def test_the_expert_scores_everywhere() -> None:
    env = make(make_environment, seed=3)
    rewards = []
    while len(rewards) < 200:
        env.set_actions(BEHAVIOR, _expert_actions(env))
        env.step()
        rewards += env.get_steps(BEHAVIOR)[1].reward.tolist()
    # A single goal of the other kind cannot bar the way.
    assert rewards == [1.0] * len(rewards)


@pytest.mark.parametrize(
    ("keys", "action"), [((), STAY), (("w",), UP), (("down",), DOWN), (("a",), LEFT), (("right", "w"), RIGHT)]
)
def test_a_person_walks_by_keys(keys: tuple[str, ...], action: int) -> None:
    env = make(make_environment, 2)
    env.academy.keyboard.press(*keys)
    assert env.heuristic_actions(BEHAVIOR).discrete.tolist() == [[action], [action]]


def test_saved_state_continues() -> None:
    env = make(make_environment, 6, seed=9)
    assert isinstance(env, SavesState)
    for _ in range(10):
        env.set_actions(BEHAVIOR, _expert_actions(env))
        env.step()
    other = make_environment(EnvironmentOptions(seed=1, num_areas=6))
    other.reset()
    other.set_state(env.get_state())
    assert assert_same_future(env, other, 60) >= 3
