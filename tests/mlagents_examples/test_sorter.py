"""Rules of Sorter."""

from __future__ import annotations

import math
from pathlib import Path
from random import Random

import numpy as np
import pytest
import yaml
from single_agent_helpers import act, agents_of, assert_same_future, boxes, make, play

from mlagents_envs.base_env import BaseEnv, DimensionProperty
from mlagents_envs.capabilities import SavesState
from mlagents_envs.registry.options import EnvironmentOptions
from mlagents_examples.sorter import SorterArea, build_scene, make_environment
from mlagents_examples.sorter.area import Tile, place_of_tile
from mlagents_sdk.exception import AgentsError
from mlagents_sdk.physics import Freeze, PhysicsWorld
from mlagents_sdk.physics.rotations import IDENTITY, yaw_rotation

BEHAVIOR = "Sorter?team=0"
STAY = (0, 0, 0)
FORWARD = (1, 0, 0)


def _set_up(env: BaseEnv, tiles: list[tuple[int, int]]) -> SorterArea:
    """The first area with these tiles (number, place), its agent in the middle, looking along z."""
    area: SorterArea = agents_of(env)[0].area
    area.set_state({"tiles": [[number, place, False] for number, place in tiles]})
    area.agent.position = (0.0, 0.29, 0.0)
    area.agent.rotation = IDENTITY
    area.agent.stop()
    return area


def _run_to(env: BaseEnv, place: int) -> list[float]:
    """Let all agents run straight at a place, from the middle; rewards of the first one until it is there."""
    area: SorterArea = agents_of(env)[0].area
    area.agent.position = (0.0, 0.29, 0.0)
    area.agent.rotation = yaw_rotation(18.0 * place)
    area.agent.stop()
    rewards = []
    for _ in range(25):
        act(env, *FORWARD)
        for steps in env.get_steps(BEHAVIOR):
            rewards += steps.reward[steps.agent_id == 0].tolist()
        if max(rewards) > 0.5 or min(rewards) < -0.5:
            break
    return rewards


def test_the_scene_has_its_documented_sizes() -> None:
    scene = build_scene()
    found = boxes(scene)
    assert scene.gravity == pytest.approx((0.0, -24.525, 0.0))
    tiles = [(size, center) for tag, size, center in found.values() if tag == "tile"]
    assert len(tiles) == 20
    for place, (size, (x, y, z)) in enumerate(tiles):
        assert (size, y) == ([3.5, 4.28, 1.52], 1.84)
        assert math.hypot(x, z) == pytest.approx(20.5)
        assert math.degrees(math.atan2(x, z)) % 360.0 == pytest.approx(18.0 * place)
    agent = scene.colliders["agent"]
    assert (agent.mass, agent.drag, agent.freeze) == (10.0, 4.0, Freeze.ROTATION)
    assert found["agent"] == ("agent", [1.0, 1.0, 1.0], [0.0, 1.0, 0.0])


def test_a_ring_closes_the_floor_and_tiles_stand_out_of_it() -> None:
    world = PhysicsWorld(build_scene())
    area = world.areas[0]
    middle = (0.0, 1.0, 0.0)
    for degrees in range(360):
        way = (math.sin(math.radians(degrees)), 0.0, math.cos(math.radians(degrees)))
        hit = area.raycast(middle, way, 30.0, ignore=area.body("agent"))
        assert hit is not None
        if min(degrees % 18, -degrees % 18) <= 4:
            assert hit.tag == "tile"
            assert hit.distance == pytest.approx(19.74, abs=0.06)
        elif min(degrees % 18, -degrees % 18) >= 6:
            assert hit.tag == ""
            assert hit.distance == pytest.approx(20.0, abs=0.03)
    for height, closed in ((-0.6, True), (3.6, True), (3.8, False)):
        assert (area.raycast((0.0, height, 0.0), (1.0, 0.0, 0.16), 30.0) is not None) == closed
    hit = area.raycast((5.0, 1.0, 5.0), (0.0, -1.0, 0.0), 5.0)
    assert hit is not None
    assert hit.point[1] == pytest.approx(-0.21)


def test_observations_and_actions_are_those_of_the_original() -> None:
    env = make(make_environment, 2)
    spec = env.behavior_specs[BEHAVIOR]
    shapes = [one.shape for one in spec.observation_specs]
    assert shapes == [(20, 23), (10,), (8,)]
    assert spec.observation_specs[0].dimension_property == (
        DimensionProperty.VARIABLE_SIZE,
        DimensionProperty.NONE,
    )
    assert spec.observation_specs[2].name == "StackingSensor_size2_VectorSensor_size4"
    assert spec.action_spec.discrete_branches == (3, 3, 3)


def test_tiles_are_told_by_ascending_numbers_with_place_and_visit() -> None:
    env = make(make_environment, 2)
    act(env, *STAY)
    area = _set_up(env, [(3, 5), (7, 0), (20, 10)])
    area.visit(area.tiles[0])
    area.agent.position = (2.0, 0.29, -4.0)
    act(env, *STAY)
    rows = env.get_steps(BEHAVIOR)[0].obs[0][0]
    expected = np.zeros((20, 23))
    expected[0, 3] = expected[1, 7] = 1.0
    expected[0, 20:] = (20.5 - 2.0) / 20.0, 4.0 / 20.0, 1.0
    expected[1, 20:] = -2.0 / 20.0, (20.5 + 4.0) / 20.0, 0.0
    # Number 20 has no mark: its entry is the first of the place.
    expected[2, 20:] = -2.0 / 20.0, (-20.5 + 4.0) / 20.0, 0.0
    np.testing.assert_allclose(rows, expected, atol=1e-6)


def test_body_place_and_heading_are_told() -> None:
    env = make(make_environment, 2)
    act(env, *STAY)
    area = _set_up(env, [(1, 0)])
    area.agent.position = (3.0, 40.0, -8.0)
    area.agent.rotation = yaw_rotation(90.0)
    area.agent.velocity = (10.0, 0.0, 5.0)
    before = env.get_steps(BEHAVIOR)[0].obs[2][0][4:].tolist()
    act(env, 0, 0, 2)
    (body,) = env.get_steps(BEHAVIOR)[0].obs[1][:1].tolist()
    assert body[:7] == [0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 1.0]
    vx, vy, vz = area.agent.velocity
    c, s = math.cos(math.radians(110.0)), math.sin(math.radians(110.0))
    assert body[7:] == pytest.approx([c * vx - s * vz, vy, s * vx + c * vz], abs=1e-5)
    stacked = env.get_steps(BEHAVIOR)[0].obs[2][0].tolist()
    assert stacked[:4] == before
    x, _, z = area.agent.position
    assert stacked[4:] == pytest.approx([x / 20.0, z / 20.0, s, c], abs=1e-6)


@pytest.mark.parametrize(
    ("action", "velocity", "heading"),
    [
        (STAY, (0.0, 0.0), 0.0),
        ((1, 0, 0), (0.0, 2.0), 0.0),
        ((2, 0, 0), (0.0, -2.0), 0.0),
        ((0, 1, 0), (2.0, 0.0), 0.0),
        ((0, 2, 0), (-2.0, 0.0), 0.0),
        ((1, 1, 0), (2.0, 0.0), 0.0),
        ((0, 0, 1), (0.0, 0.0), -4.0),
        ((0, 0, 2), (0.0, 0.0), 4.0),
        ((1, 0, 2), (0.0, 2.0), 4.0),  # where it looked before the turn
    ],
)
def test_what_an_action_does_in_one_step(
    action: tuple[int, int, int], velocity: tuple[float, float], heading: float
) -> None:
    env = make(make_environment, 2)
    area = _set_up(env, [(1, 0)])
    area.agent.position = (0.0, 40.0, 0.0)
    agents_of(env)[0]._move(*action)
    area.agent.world.step()
    vx, _, vz = area.agent.velocity
    drag = 1.0 - 4.0 * 0.02
    assert (vx, vz) == pytest.approx((drag * velocity[0], drag * velocity[1]))
    x, _, z = area.agent.forward
    assert math.degrees(math.atan2(x, z)) == pytest.approx(heading)


def test_tiles_in_order_earn_one_each_and_the_last_ends_the_episode() -> None:
    env = make(make_environment, 2)
    act(env, *STAY)
    area = _set_up(env, [(2, 4), (9, 12)])
    rewards = _run_to(env, 4)
    assert rewards[-1] == pytest.approx(1.0 - 0.001)
    assert rewards[0] == pytest.approx(-0.001)
    assert area.tiles == [Tile(2, 4, True), Tile(9, 12, False)]
    assert len(env.get_steps(BEHAVIOR)[1]) == 0
    rewards = _run_to(env, 4)  # visited already
    assert set(rewards) == {rewards[0]}
    rewards = _run_to(env, 12)
    ended = env.get_steps(BEHAVIOR)[1]
    assert ended.agent_id.tolist() == [0]
    assert not ended.interrupted[0]
    assert 0.999 - 1e-6 <= ended.reward[0] < 1.0


def test_a_tile_out_of_order_costs_one_and_ends_the_episode() -> None:
    env = make(make_environment, 2)
    act(env, *STAY)
    _set_up(env, [(2, 4), (9, 12)])
    _run_to(env, 12)
    ended = env.get_steps(BEHAVIOR)[1]
    assert ended.agent_id.tolist() == [0]
    assert -1.001 - 1e-6 <= ended.reward[0] < -1.0


def test_the_ring_is_no_tile() -> None:
    env = make(make_environment, 2)
    act(env, *STAY)
    area = _set_up(env, [(2, 4)])
    rewards = _run_to(env, 12)
    assert set(rewards) == {rewards[0]}
    x, _, z = area.agent.position
    assert 19.3 < math.hypot(x, z) < 19.6


def test_time_runs_out_after_5000_steps() -> None:
    env = make(make_environment, 2)
    for decisions in range(1, 1001):
        act(env, *STAY)
        ended = env.get_steps(BEHAVIOR)[1]
        assert len(ended) == (2 if decisions == 1000 else 0)
    assert ended.interrupted.tolist() == [True, True]


def test_a_reset_draws_numbers_and_places_and_keeps_the_heading() -> None:
    area = SorterArea(PhysicsWorld(build_scene()).areas[0])
    rng = Random(0)
    area.agent.rotation = yaw_rotation(77.0)
    counts, numbers, places = set(), set(), set()
    for _ in range(200):
        area.agent.position = (5.0, 3.0, 5.0)
        area.agent.velocity = (1.0, 1.0, 1.0)
        area.reset(rng, 20)
        drawn = [tile.number for tile in area.tiles]
        assert drawn == sorted(set(drawn))
        assert len({tile.place for tile in area.tiles}) == len(drawn)
        assert not any(tile.visited for tile in area.tiles)
        counts.add(len(drawn))
        numbers.update(drawn)
        places.update(tile.place for tile in area.tiles)
        assert area.agent.position == (0.0, 1.0, 0.0)
        assert area.agent.velocity == (0.0, 0.0, 0.0)
    assert counts == numbers == set(range(1, 21))
    assert places == set(range(20))
    fx, _, fz = area.agent.forward
    assert math.degrees(math.atan2(fx, fz)) == pytest.approx(77.0)


def test_only_the_tiles_of_the_episode_are_there() -> None:
    area = SorterArea(PhysicsWorld(build_scene()).areas[0])
    area.set_state({"tiles": [[4, 0, False], [8, 5, True]]})
    for place in range(20):
        x, _, z = place_of_tile(place)
        found = area.agent.world.areas[0].check_box((x, 1.84, z), (0.1, 0.1, 0.1), tags=("tile",))
        assert found == (place in (0, 5))


def test_the_number_of_tiles_is_a_parameter() -> None:
    env = make(make_environment, 8, num_tiles=2.0)
    counts = set()
    for _ in range(10):
        for agent in agents_of(env):
            counts.add(len(agent.area.tiles))
            agent.end_episode()
    assert counts == {1, 2}
    with pytest.raises(AgentsError, match="num_tiles is 21"):
        make(make_environment, 2, num_tiles=21.0)


def test_the_expert_touches_all_tiles() -> None:
    score = play(make(make_environment, 8, seed=4, num_tiles=6), "Sorter", 24)
    assert score.min_return > 0.9
    assert score.max_return > 5.5


@pytest.mark.parametrize(
    ("keys", "actions"),
    [
        ((), STAY),
        (("w",), (1, 0, 0)),
        (("down", "e"), (2, 1, 0)),
        (("q",), (0, 2, 0)),
        (("a", "up"), (1, 0, 1)),
        (("right",), (0, 0, 2)),
    ],
)
def test_keys_give_their_actions(keys: tuple[str, ...], actions: tuple[int, int, int]) -> None:
    env = make(make_environment, 2)
    env.academy.keyboard.press(*keys)
    assert env.heuristic_actions(BEHAVIOR).discrete.tolist() == [list(actions)] * 2


def test_saved_state_continues_bit_for_bit() -> None:
    env = make(make_environment, 3, seed=9, num_tiles=4)
    assert isinstance(env, SavesState)
    for _ in range(60):
        env.set_actions(BEHAVIOR, env.expert_actions(BEHAVIOR))
        env.step()
    assert any(tile.visited for agent in agents_of(env) for tile in agent.area.tiles)
    for agent in agents_of(env)[:2]:  # so that resets are compared as well
        agent.runtime.step_count = 4800
    other = make_environment(EnvironmentOptions(seed=1, num_areas=3))
    other.reset()
    other.set_state(env.get_state())
    assert assert_same_future(env, other, 60) >= 2


def test_the_curriculum_adds_two_tiles_at_a_time() -> None:
    path = Path(__file__).resolve().parents[2] / "config" / "ppo" / "Sorter_curriculum.yaml"
    lessons = yaml.safe_load(path.read_text())["environment_parameters"]["num_tiles"]["curriculum"]
    assert [lesson["value"] for lesson in lessons] == list(range(2, 21, 2))
    criteria = [lesson["completion_criteria"] for lesson in lessons[:-1]]
    assert [one["threshold"] for one in criteria] == [0.3, 0.4, 0.45, 0.5, 0.55, 0.6, 0.65, 0.7, 0.75]
    for one in criteria:
        assert (one["behavior"], one["measure"], one["min_lesson_length"]) == ("Sorter", "progress", 100)
    assert "completion_criteria" not in lessons[-1]
