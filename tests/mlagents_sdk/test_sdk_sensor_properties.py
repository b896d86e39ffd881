"""Properties of the encodings that hold for all values, not only for the examples."""

from __future__ import annotations

from typing import Any

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from mlagents_envs.base_env import DimensionProperty, ObservationType
from mlagents_sdk import Academy, BehaviorParameters, Sensor, StackingSensor, VectorSensor
from mlagents_sdk.sensors.sensor import name_order, sort_sensors, variable_length_spec, visual_spec

numbers = st.floats(-100.0, 100.0, width=32)
RESET = "reset"


def written(sensor: Sensor) -> list[float]:
    out = np.full(sensor.get_observation_spec().shape, np.nan, dtype=np.float32)
    assert sensor.write(out) == out.size
    floats: list[float] = out.ravel().tolist()
    return floats


@given(st.integers(-5, 15), st.integers(1, 10))
def test_one_hot_is_one_at_its_index_or_nowhere(index: int, num_values: int) -> None:
    sensor = VectorSensor(num_values)
    sensor.add_one_hot_observation(index, num_values)
    floats = written(sensor)
    assert set(floats) <= {0.0, 1.0}
    assert [position for position, value in enumerate(floats) if value] == (
        [index] if 0 <= index < num_values else []
    )


@given(st.lists(st.one_of(numbers, st.booleans(), st.lists(numbers, max_size=4)), max_size=6))
def test_observations_follow_each_other_in_the_order_of_adding(values: list[Any]) -> None:
    flat = [float(x) for value in values for x in (value if isinstance(value, list) else [value])]
    sensor = VectorSensor(len(flat))
    for value in values:
        sensor.add_observation(value)
    assert written(sensor) == flat


@given(
    size=st.integers(1, 3),
    stacks=st.integers(1, 5),
    events=st.lists(st.one_of(numbers, st.just(RESET)), max_size=12),
)
def test_stacks_hold_the_records_since_the_last_reset_oldest_first(
    size: int, stacks: int, events: list[float | str]
) -> None:
    vector = VectorSensor(size)
    stack = StackingSensor(vector, stacks)
    assert stack.get_observation_spec().shape == (size * stacks,)
    history: list[list[float]] = []
    for event in events:
        if isinstance(event, str):
            stack.reset()
            history = []
            continue
        stack.update()
        vector.add_observation([event] * size)
        history.append([event] * size)
        frames = ([[0.0] * size] * stacks + history)[-stacks:]
        assert written(stack) == [value for frame in frames for value in frame]


@given(st.lists(st.text(max_size=6), unique=True, max_size=8), st.randoms())
def test_the_order_of_sensors_does_not_depend_on_the_order_of_adding(names: list[str], rng: Any) -> None:  # noqa: ANN401
    sensors = [VectorSensor(1, name) for name in names]
    ordered = [sensor.get_name() for sensor in sort_sensors(sensors, "agent")]
    rng.shuffle(sensors)
    assert [sensor.get_name() for sensor in sort_sensors(sensors, "agent")] == ordered
    assert ordered == sorted(names, key=name_order)


def test_factories_of_specs() -> None:
    moves = DimensionProperty.TRANSLATIONAL_EQUIVARIANCE
    goal = ObservationType.GOAL_SIGNAL
    assert visual_spec(3, 20, 30, "image", goal) == (
        (3, 20, 30),
        (DimensionProperty.NONE, moves, moves),
        goal,
        "image",
    )
    assert variable_length_spec(4, 5, "buffer") == (
        (4, 5),
        (DimensionProperty.VARIABLE_SIZE, DimensionProperty.NONE),
        ObservationType.DEFAULT,
        "buffer",
    )


def test_defaults_of_the_behavior_are_those_of_the_original() -> None:
    behavior = BehaviorParameters()
    assert (behavior.behavior_name, behavior.team_id) == ("My Behavior", 0)
    assert behavior.behavior_type.value == "Default"
    assert (behavior.vector_observation_size, behavior.num_stacked_vector_observations) == (1, 1)
    assert (behavior.use_child_sensors, behavior.use_child_actuators) == (True, True)
    assert behavior.observable_attribute_handling.value == "Ignore"
    assert Academy().automatic_stepping_enabled
