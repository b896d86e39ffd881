"""What a person's keys do in the environments whose agents are played by hand."""

from __future__ import annotations

import numpy as np
import pytest
from single_agent_helpers import Factory, make

from mlagents_envs.base_env import BaseEnv
from mlagents_examples import (
    balance_ball,
    balance_ball_hard,
    basic,
    hallway,
    push_block,
    roller_ball,
    wall_jump,
)

NONE: tuple[str, ...] = ()


def _chosen(env: BaseEnv, keys: tuple[str, ...]) -> list[list[float]]:
    """The actions of all agents that ask for a decision, with these keys held down."""
    env.academy.keyboard.press(*keys)
    chosen: list[list[float]] = []
    for behavior in env.behavior_specs:
        actions = env.heuristic_actions(behavior)
        chosen += np.concatenate((actions.continuous, actions.discrete), axis=1).tolist()
    env.academy.keyboard.release_all()
    return chosen


@pytest.mark.parametrize(
    ("factory", "expected"),
    [
        (
            push_block.make_environment,
            {NONE: 0, ("w",): 1, ("s",): 2, ("d",): 3, ("left",): 4, ("q",): 5, ("e",): 6, ("d", "w"): 3},
        ),
        (
            hallway.make_environment,
            {NONE: 0, ("up",): 1, ("down",): 2, ("right",): 3, ("a",): 4, ("q",): 0, ("w", "s"): 1},
        ),
        (basic.make_environment, {NONE: 0, ("a",): 1, ("d",): 2, ("left",): 1, ("right",): 2, ("w",): 0}),
    ],
)
def test_single_discrete_actions(factory: Factory, expected: dict[tuple[str, ...], int]) -> None:
    env = make(factory, 2)
    for keys, action in expected.items():
        chosen = _chosen(env, keys)
        assert chosen
        assert all(one == [action] for one in chosen), keys


def test_wall_jump() -> None:
    env = make(wall_jump.make_environment, 6, seed=3)
    for keys, actions in {
        NONE: [0, 0, 0, 0],
        ("w", "space"): [1, 0, 0, 1],
        ("s", "a"): [2, 1, 0, 0],
        ("right",): [0, 2, 0, 0],
        ("q",): [0, 0, 1, 0],
        ("e", "up"): [1, 0, 2, 0],
    }.items():
        assert _chosen(env, keys) == [actions] * 6, keys


@pytest.mark.parametrize(
    ("factory", "sign"),
    [
        (roller_ball.make_environment, 1.0),
        (balance_ball.make_environment, -1.0),  # the platform goes down to the right by a negative turn
        (balance_ball_hard.make_environment, -1.0),
    ],
)
def test_continuous_actions(factory: Factory, sign: float) -> None:
    env = make(factory, 2)
    for keys, (across, along) in {
        NONE: (0.0, 0.0),
        ("d",): (1.0, 0.0),
        ("left",): (-1.0, 0.0),
        ("w",): (0.0, 1.0),
        ("down", "a"): (-1.0, -1.0),
        ("a", "d"): (0.0, 0.0),
    }.items():
        chosen = _chosen(env, keys)
        assert len(chosen) > 0
        assert all(one == [sign * across, along] for one in chosen), keys


def test_the_platform_goes_down_where_the_keys_point() -> None:
    for keys, axis in ((("d",), 0), (("w",), 2)):
        env = make(balance_ball.make_environment, 2, seed=1)
        (behavior,) = env.behavior_specs
        env.academy.keyboard.press(*keys)
        for _ in range(4):
            env.set_actions(behavior, env.heuristic_actions(behavior))
            env.step()
        area = env.academy.agents_of(env.academy.policies.remote[behavior])[0].agent.area
        downhill = area.platform.up[axis]  # the upright direction leans where the platform goes down
        assert downhill > 0.2
