"""The grid sensor: which cells are filled, and where they stand in the observation."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mlagents_envs.base_env import DimensionProperty
from mlagents_sdk import Academy, Agent, AgentsError, BehaviorParameters
from mlagents_sdk.physics import Body, Motion, PhysicsWorld, Scene, TrainingArea, Transform
from mlagents_sdk.physics.rotations import rotate, yaw_rotation
from mlagents_sdk.sensors.grid import CountingGridSensor, GridCells, GridSensor, GridSensorComponent
from mlagents_sdk.sensors.sensor import Sensor

TAGS = ["food", "wall"]


def _agent() -> Agent:
    return Agent(Academy(), BehaviorParameters("Grid", vector_observation_size=0))


def make_sensor(body: Transform, tags: list[str] | None = None, **options: Any) -> Sensor:  # noqa: ANN401
    options = {"grid_size": (2, 1, 2), **options}
    return GridSensorComponent(_agent(), body, TAGS if tags is None else tags, **options).create_sensors()[0]


def observe(sensor: Sensor) -> np.ndarray:
    out = np.full(sensor.get_observation_spec().shape, np.nan, np.float32)
    sensor.update()
    assert sensor.write(out) == out.size
    return out


def area_with(*things: tuple[str, tuple[float, float, float], str]) -> TrainingArea:
    """Small spheres around an agent at the origin."""
    scene = Scene(gravity=(0.0, 0.0, 0.0))
    scene.add_box("agent", (0.5, 0.5, 0.5), motion=Motion.DYNAMIC, tag="wall")
    for name, position, tag in things:
        scene.add_sphere(name, 0.1, position, tag=tag, motion=Motion.SCRIPTED)
    return PhysicsWorld(scene).areas[0]


def test_the_worked_example() -> None:
    area = area_with(("apple", (0.5, 0.0, 0.5), "food"))
    sensor = make_sensor(area.body("agent"))
    expected = np.zeros((2, 2, 2))
    expected[0, 0, 1] = 1.0
    np.testing.assert_array_equal(observe(sensor), expected)
    spec = sensor.get_observation_spec()
    assert spec.name == "GridSensor-OneHot"
    assert spec.shape == (2, 2, 2)
    moves = DimensionProperty.TRANSLATIONAL_EQUIVARIANCE
    assert spec.dimension_property == (DimensionProperty.NONE, moves, moves)


def test_rows_run_from_right_to_left_and_columns_from_back_to_front() -> None:
    area = area_with(("apple", (2.0, 0.0, -1.0), "food"), ("post", (-2.0, 0.0, 1.0), "wall"))
    observation = observe(make_sensor(area.body("agent"), grid_size=(5, 1, 3)))
    assert observation.shape == (2, 5, 3)
    assert np.argwhere(observation).tolist() == [[0, 0, 0], [1, 4, 2]]


def test_the_grid_turns_with_its_body_or_only_moves_with_it() -> None:
    area = area_with(("apple", (4.5, 0.0, 0.5), "food"))
    body = area.body("agent")
    body.position, body.rotation = (4.0, 0.0, 0.0), yaw_rotation(90.0)  # forward is +x, right is -z
    turning, moving = make_sensor(body), make_sensor(body, rotate_with_agent=False)
    assert np.argwhere(observe(turning)).tolist() == [[0, 1, 1]]
    assert np.argwhere(observe(moving)).tolist() == [[0, 0, 1]]
    ahead = make_sensor(body, position=(0.0, 0.0, 10.0))
    area.transform("apple").position = (14.5, 0.0, 0.5)
    assert np.argwhere(observe(ahead)).tolist() == [[0, 1, 1]]


def test_the_height_of_a_cell_is_not_halved() -> None:
    area = area_with(("apple", (0.5, 0.55, 0.5), "food"))
    assert observe(make_sensor(area.body("agent"), cell_scale=(1.0, 0.5, 1.0))).sum() == 1.0
    assert observe(make_sensor(area.body("agent"), cell_scale=(1.0, 0.44, 1.0))).sum() == 0.0


def test_what_is_nearer_to_the_sensor_wins_its_cell() -> None:
    area = area_with(("apple", (0.8, 0.0, 0.8), "food"), ("post", (0.3, 0.0, 0.3), "wall"))
    sensor = make_sensor(area.body("agent"))
    assert observe(sensor)[:, 0, 1].tolist() == [0.0, 1.0]
    area.transform("post").position = (0.9, 0.0, 0.9)
    assert observe(sensor)[:, 0, 1].tolist() == [1.0, 0.0]
    area.transform("apple").tag = "stone"
    assert observe(sensor)[:, 0, 1].tolist() == [0.0, 1.0]
    area.transform("post").enabled = False
    assert observe(sensor).sum() == 0.0  # the agent itself is never seen


def test_stacks_and_layers() -> None:
    scene = Scene()
    scene.add_box("agent", (0.5, 0.5, 0.5), motion=Motion.DYNAMIC)
    scene.add_box("post", (0.5, 0.5, 0.5), (0.5, 0.0, 0.5), tag="wall", layer=4)
    body = PhysicsWorld(scene).areas[0].body("agent")
    assert observe(make_sensor(body, layers=1 << 4)).sum() == 1.0
    assert observe(make_sensor(body, layers=1 << 5)).sum() == 0.0
    stacked = make_sensor(body, observation_stacks=3)
    assert stacked.get_observation_spec().shape == (6, 2, 2)
    assert stacked.get_name() == "StackingSensor_size3_GridSensor-OneHot"
    np.testing.assert_array_equal(np.argwhere(observe(stacked)), [[5, 0, 1]])


def _brute_force(area: TrainingArea, body: Body, size: int, cell: tuple[float, float, float]) -> np.ndarray:
    """The observation by one box query per cell."""
    expected = np.zeros((2, size, size))
    right, up, forward = cell
    for a in range(size):
        for b in range(size):
            local = ((a - 0.5 * (size - 1)) * right, 0.0, (b - 0.5 * (size - 1)) * forward)
            center = tuple(p + q for p, q in zip(body.position, rotate(body.rotation, local), strict=True))
            half = (0.5 * right, up, 0.5 * forward)
            for thing in area.overlap_box(center, half, body.rotation, ignore=body, tags=TAGS):
                expected[TAGS.index(thing.tag), size - 1 - a, b] = 1.0
    return expected


coordinates = st.floats(-4.0, 4.0)


@settings(max_examples=80, deadline=None)
@given(
    st.floats(0.0, 360.0),
    st.lists(
        st.tuples(st.sampled_from(["box", "sphere", "capsule", "cylinder"]), coordinates, coordinates),
        max_size=4,
    ),
    st.floats(0.0, 360.0),
)
def test_cells_are_filled_where_boxes_overlap(
    yaw: float, things: list[tuple[str, float, float]], turn: float
) -> None:
    scene = Scene()
    scene.add_box("agent", (0.5, 0.5, 0.5), (1.0, 0.2, -0.5), yaw_rotation(yaw), motion=Motion.DYNAMIC)
    for index, (kind, x, z) in enumerate(things):
        # One tag for all, because where several lie in a cell only the nearest is told.
        name, at, pose = f"thing {index}", (x, 0.3, z), yaw_rotation(turn + 50.0 * index)
        if kind == "box":
            scene.add_box(name, (0.7, 0.8, 3.1), at, pose, tag="food")
        elif kind == "sphere":
            scene.add_sphere(name, 0.9, at, tag="food")
        elif kind == "capsule":
            scene.add_capsule(name, 0.4, 2.0, at, pose, tag="food")
        else:
            scene.add_cylinder(name, 0.6, 1.0, at, pose, tag="food")
    area = PhysicsWorld(scene).areas[0]
    body, cell = area.body("agent"), (0.8, 0.05, 1.1)
    observation = observe(make_sensor(body, grid_size=(7, 1, 7), cell_scale=cell))
    np.testing.assert_array_equal(observation, _brute_force(area, body, 7, cell))


@settings(max_examples=40, deadline=None)
@given(st.floats(0.0, 360.0), coordinates, coordinates)
def test_turning_everything_changes_nothing(yaw: float, x: float, z: float) -> None:
    observations = []
    for turn in (0.0, yaw):
        area = area_with(("apple", rotate(yaw_rotation(turn), (x, 0.0, z)), "food"))
        area.body("agent").rotation = yaw_rotation(turn)
        observations.append(
            observe(make_sensor(area.body("agent"), grid_size=(8, 1, 8), cell_scale=(1.01, 0.1, 0.99)))
        )
    assert np.abs(observations[0] - observations[1]).sum() <= 1.0  # an apple that just reaches a cell
    assert observations[0].sum() >= 1.0 or max(abs(x), abs(z)) > 3.9


class _CountingComponent(GridSensorComponent):
    def get_grid_sensors(self, cells: GridCells) -> list[GridSensor]:
        return [CountingGridSensor(cells, "counts"), _HeightSensor(cells, "heights")]


class _HeightSensor(GridSensor):
    def cell_observation_size(self, num_tags: int) -> int:
        return 2

    def get_object_data(self, body: Transform, tag_index: int, buffer: np.ndarray) -> None:
        buffer[0] = body.position[1]
        buffer[1] = tag_index + 1


def test_a_component_may_make_other_sensors() -> None:
    area = area_with(
        ("apple", (0.4, 0.05, 0.4), "food"),
        ("pear", (0.6, 0.0, 0.6), "food"),
        ("post", (-0.5, -0.05, 0.5), "wall"),
    )
    component = _CountingComponent(
        _agent(), area.body("agent"), TAGS, grid_size=(2, 1, 2), cell_scale=(1.0, 0.2, 1.0)
    )
    counts, heights = (observe(sensor) for sensor in component.create_sensors())
    assert counts[:, 0, 1].tolist() == [2.0, 0.0]
    assert counts[:, 1, 1].tolist() == [0.0, 1.0]
    assert counts.sum() == 3.0
    assert heights[:, 0, 1] == pytest.approx([0.05, 1.0])
    assert heights[:, 1, 1] == pytest.approx([-0.05, 2.0])


def test_impossible_settings_are_named() -> None:
    body = area_with().body("agent")
    for options, problem in (
        ({"detectable_tags": []}, "no detectable tags"),
        ({"grid_size": (4, 2, 4)}, r"grid_size is \(4, 2, 4\)"),
        ({"grid_size": (0, 1, 4)}, r"grid_size is \(0, 1, 4\)"),
        ({"cell_scale": (1.0, 0.0, 1.0)}, r"cell_scale is \(1.0, 0.0, 1.0\)"),
    ):
        settings_ = {"detectable_tags": TAGS, "sensor_name": "Map", **options}
        with pytest.raises(AgentsError, match=f"Sensor Map.*{problem}"):
            GridSensorComponent(_agent(), body, **settings_)

    class Nothing(GridSensorComponent):
        def get_grid_sensors(self, cells: GridCells) -> list[GridSensor]:
            return []

    with pytest.raises(AgentsError, match="at least one"):
        Nothing(_agent(), body, TAGS).create_sensors()
