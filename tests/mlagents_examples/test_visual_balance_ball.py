"""Visual3DBall is 3DBall seen through a camera."""

from __future__ import annotations

import math

import gymnasium
import numpy as np
import pytest
from single_agent_helpers import agents_of, assert_same_future, make

import mlagents_envs.envs
from mlagents_envs.base_env import ActionTuple, BaseEnv, DimensionProperty
from mlagents_envs.capabilities import SavesState, ShowsScene
from mlagents_envs.exception import UnityEnvironmentException
from mlagents_examples.balance_ball import make_environment as make_vector_environment
from mlagents_examples.balance_ball.visual import VisualBalanceBallAgent, make_environment
from mlagents_sdk.physics.rotations import IDENTITY

BEHAVIOR = "Visual3DBall?team=0"
BLACK = np.zeros(3, np.float32)


def act(env: BaseEnv, action: tuple[float, float]) -> None:
    for name in list(env.behavior_specs):
        count = len(env.get_steps(name)[0])
        env.set_actions(name, ActionTuple(np.tile(np.array([action], np.float32), (count, 1))))
    env.step()


def pixel(x: float, y: float, z: float) -> tuple[int, int]:
    """Row and column of a point: the camera is at (0, 7, -8), pitched down by 30 degrees, and sees 60."""
    c, s = math.cos(math.radians(30)), math.sin(math.radians(30))
    up, forward = y - 7.0, z + 8.0
    depth, height = c * forward - s * up, s * forward + c * up
    half = depth * math.tan(math.radians(30))
    return math.floor((1 - height / half) * 42), math.floor((1 + x / half) * 42)


def test_four_pictures_in_eight_areas() -> None:
    env = make(make_environment)
    assert list(env.behavior_specs) == [BEHAVIOR]
    (observation,) = env.behavior_specs[BEHAVIOR].observation_specs
    moves = DimensionProperty.TRANSLATIONAL_EQUIVARIANCE
    assert observation.name == "StackingSensor_size4_CameraSensor"
    assert observation.shape == (12, 84, 84)
    assert observation.dimension_property == (DimensionProperty.NONE, moves, moves)
    assert env.behavior_specs[BEHAVIOR].action_spec.continuous_size == 2
    decisions, _ = env.get_steps(BEHAVIOR)
    assert decisions.obs[0].shape == (8, 12, 84, 84)
    assert len(make(make_environment, num_areas=3).get_steps(BEHAVIOR)[0]) == 3


@pytest.mark.parametrize("ball", [(0.0, 4.0, 0.0), (2.0, 3.0, -1.0), (-1.5, 3.5, 2.0)])
def test_ball_and_platform_are_where_the_camera_equation_says(ball: tuple[float, float, float]) -> None:
    env = make(make_environment, num_areas=2)
    agent: VisualBalanceBallAgent = agents_of(env)[0]
    agent.area.platform.rotation = IDENTITY
    agent.area.ball.position = ball
    academy = env.academy
    (sensor,) = academy.agents_of(academy.policies.remote[BEHAVIOR])[0].observation_sensors()
    sensor.update()
    out = np.zeros((12, 84, 84), np.float32)
    sensor.write(out)
    picture = out[9:].transpose(1, 2, 0)
    gray = picture.max(axis=2) - picture.min(axis=2) < 0.02
    rows, columns = np.nonzero(gray & (picture.max(axis=2) > 0.1))
    row, column = pixel(*ball)
    assert len(rows) > 30
    assert abs(rows.mean() - row) <= 1.0
    assert abs(columns.mean() - column) <= 1.0
    for corner in ((-2.3, 2.5, -2.3), (2.3, 2.5, -2.3), (-2.2, 2.5, 2.3)):
        red, green, blue = picture[pixel(*corner)]
        assert blue > green > 1.5 * red
    for outside in ((-2.9, 2.5, -2.3), (2.9, 2.5, -2.3), (2.2, 2.5, 4.5)):
        np.testing.assert_array_equal(picture[pixel(*outside)], BLACK)
    red, green, blue = picture[pixel(0, 0, -2.51)]  # the band
    assert red > green > blue


def test_pictures_are_stacked_oldest_first_and_forgotten_at_the_end_of_an_episode() -> None:
    env = make(make_environment, num_areas=3)
    nothing = np.zeros((12, 84, 84), np.float32)
    before = dict.fromkeys(range(3), nothing)
    begun = 0
    for _ in range(60):
        decisions, terminals = env.get_steps(BEHAVIOR)
        for agent, stacked in zip(terminals.agent_id.tolist(), terminals.obs[0], strict=True):
            np.testing.assert_array_equal(stacked[:9], before[agent][3:])
            before[agent] = nothing
        for agent, stacked in zip(decisions.agent_id.tolist(), decisions.obs[0], strict=True):
            np.testing.assert_array_equal(stacked[:9], before[agent][3:])
            assert stacked[9:].any()
            begun += before[agent] is nothing
            before[agent] = stacked
        act(env, (1.0, 0.0))
    assert begun > 3


def test_it_plays_as_3dball_does() -> None:
    """The same seed and actions lead to the same rewards and ends."""
    visual, vector = make(make_environment, 6, seed=2), make(make_vector_environment, 6, seed=2)
    ended = 0
    for step in range(60):
        for a, b in zip(visual.get_steps(BEHAVIOR), vector.get_steps("3DBall?team=0"), strict=True):
            np.testing.assert_array_equal(a.reward, b.reward)
            np.testing.assert_array_equal(a.agent_id, b.agent_id)
        ended += len(visual.get_steps(BEHAVIOR)[1])
        for env in (visual, vector):
            act(env, (math.sin(step), 0.3))
    assert ended > 0


def test_state_is_saved_with_the_pictures_and_the_future_repeats() -> None:
    env = make(make_environment, 2, seed=4)
    for _ in range(10):
        act(env, (0.5, -0.2))
    assert isinstance(env, SavesState)
    other = make(make_environment, 2, seed=9)
    other.set_state(env.get_state())
    assert_same_future(env, other, 40)


def test_the_expert_keeps_the_ball() -> None:
    env = make(make_environment, 2)
    for _ in range(150):
        env.set_actions(BEHAVIOR, env.expert_actions(BEHAVIOR))
        env.step()
        assert not len(env.get_steps(BEHAVIOR)[1])


def test_a_person_sees_the_scene_through_gymnasium() -> None:
    assert mlagents_envs.envs  # registers the environments
    env = gymnasium.make("mlagents/3DBall-v0", render_mode="rgb_array")
    env.reset(seed=1)
    before = env.render()
    assert isinstance(before, np.ndarray)
    assert before.shape == (480, 640, 3)
    assert before.dtype == np.uint8
    blue = (before[:, :, 2] > 200) & (before[:, :, 0] < 60)
    assert 0.05 < blue.mean() < 0.6
    for _ in range(5):
        env.step(np.array([1.0, 1.0], np.float32))
    assert (env.render() != before).any()
    env.close()


def test_what_cannot_be_looked_at_says_so() -> None:
    env = make(make_environment, 1)
    assert isinstance(env, ShowsScene)
    assert env.can_render
    assert env.render(30, 40).shape == (30, 40, 3)
    env.view = None
    assert not env.can_render
    with pytest.raises(UnityEnvironmentException, match="has no view"):
        env.render()
