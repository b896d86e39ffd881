from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from sdk_helpers import NAME, LoggingAgent, single_agent_environment

from mlagents_envs.base_env import DimensionProperty
from mlagents_envs.exception import UnityObservationException
from mlagents_sdk import (
    Academy,
    ActionSpec,
    Agent,
    BehaviorParameters,
    DecisionRequester,
    ObservationSpec,
    ObservationType,
    SdkEnvironment,
    StackingSensor,
    VectorSensor,
    VectorSensorComponent,
)
from mlagents_sdk.sensors.sensor import sort_sensors, vector_spec
from mlagents_sdk.sensors.vector_sensor import Observable


def written(sensor: VectorSensor | StackingSensor) -> list[float]:
    out = np.full(sensor.get_observation_spec().shape, np.nan, dtype=np.float32)
    assert sensor.write(out) == out.size
    return [round(value, 6) for value in out.ravel().tolist()]


class FakeSensor:
    """Sensor of any shape whose observation is all ``value``."""

    def __init__(self, spec: ObservationSpec) -> None:
        self.spec = spec
        self.value = 0.0

    def get_name(self) -> str:
        return self.spec.name

    def get_observation_spec(self) -> ObservationSpec:
        return self.spec

    def update(self) -> None:
        pass

    def write(self, out: NDArray[np.float32]) -> int:
        out[...] = self.value
        return out.size

    def reset(self) -> None:
        pass


@pytest.mark.parametrize(
    ("value", "floats"),
    [
        (0.5, [0.5]),
        (3, [3.0]),
        (True, [1.0]),
        (False, [0.0]),
        (np.float64(0.25), [0.25]),
        (np.int32(4), [4.0]),
        (np.bool_(True), [1.0]),
        ((1.0, 2.0), [1.0, 2.0]),
        ([1, 2.0, True], [1.0, 2.0, 1.0]),
        (np.array([1.0, 2.0, 3.0]), [1.0, 2.0, 3.0]),
        (np.array([[1, 2], [3, 4]]), [1.0, 2.0, 3.0, 4.0]),
        (range(3), [0.0, 1.0, 2.0]),
    ],
)
def test_vector_sensor_accepts(value: Observable, floats: list[float]) -> None:
    sensor = VectorSensor(1 + len(floats))
    sensor.add_observation(9.0)
    sensor.add_observation(value)
    assert written(sensor) == [9.0, *floats]


def test_vector_sensor_spec_and_names() -> None:
    sensor = VectorSensor(3)
    assert sensor.get_observation_spec() == (
        (3,),
        (DimensionProperty.NONE,),
        ObservationType.DEFAULT,
        "VectorSensor_size3",
    )
    goal = VectorSensor(2, observation_type=ObservationType.GOAL_SIGNAL)
    assert goal.get_name() == "VectorSensor_size2_GoalSignal"
    assert goal.get_observation_spec().observation_type is ObservationType.GOAL_SIGNAL
    assert VectorSensor(2, "mine").get_name() == "mine"


def test_one_hot() -> None:
    sensor = VectorSensor(9)
    for index in (2, -1, 3):
        sensor.add_one_hot_observation(index, 3)
    assert written(sensor) == [0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0]


def test_quaternions_are_written_as_xyzw() -> None:
    sensor = VectorSensor(8)
    sensor.add_quaternion((1.0, 2.0, 3.0, 4.0))
    sensor.add_quaternion((1.0, 2.0, 3.0, 4.0), order="xyzw")
    assert written(sensor) == [2.0, 3.0, 4.0, 1.0, 1.0, 2.0, 3.0, 4.0]
    with pytest.raises(ValueError, match="order"):
        sensor.add_quaternion((1.0, 2.0, 3.0, 4.0), order="zyxw")
    with pytest.raises(ValueError, match="3 were given"):
        sensor.add_quaternion((1.0, 2.0, 3.0))


def test_too_few_values_are_padded_and_too_many_cut_off_with_a_warning() -> None:
    sensor = VectorSensor(3, "mine")
    sensor.add_observation((1.0, 2.0))
    with pytest.warns(UserWarning, match="mine: 2 floats were added but 3 are expected.*padded"):
        assert written(sensor) == [1.0, 2.0, 0.0]
    sensor.add_observation((3.0, 4.0))
    with pytest.warns(UserWarning, match="mine: 4 floats were added but 3 are expected.*truncated"):
        assert written(sensor) == [1.0, 2.0, 3.0]


def test_update_and_reset_empty_the_vector() -> None:
    sensor = VectorSensor(1)
    for clear in (sensor.update, sensor.reset):
        sensor.add_observation(1.0)
        clear()
        sensor.add_observation(2.0)
        assert written(sensor) == [2.0]


@pytest.mark.parametrize("junk", [[1.0, (2.0, 3.0)], [1.0, object()], [1.0, 10**400]])
def test_what_is_no_number_is_refused_by_name(junk: list[Any]) -> None:
    sensor = VectorSensor(2, "mine")
    sensor.add_observation(junk)
    with pytest.raises(UnityObservationException, match="Sensor mine"):
        written(sensor)


def test_stacking_is_oldest_first_and_zero_filled() -> None:
    vector = VectorSensor(1)
    stack = StackingSensor(vector, 3)
    assert stack.get_name() == "StackingSensor_size3_VectorSensor_size1"
    assert stack.get_observation_spec().shape == (3,)
    seen = []
    for value in (0.1, 0.2, 0.3, 0.4):
        stack.update()
        vector.add_observation(value)
        seen.append(written(stack))
    assert seen == [[0, 0, 0.1], [0, 0.1, 0.2], [0.1, 0.2, 0.3], [0.2, 0.3, 0.4]]
    assert written(stack) == seen[-1]  # writing again does not advance
    stack.reset()
    stack.update()
    vector.add_observation(0.5)
    assert written(stack) == [0, 0, 0.5]


def test_images_are_stacked_along_channels() -> None:
    equivariant = DimensionProperty.TRANSLATIONAL_EQUIVARIANCE
    properties = (DimensionProperty.NONE, equivariant, equivariant)
    image = FakeSensor(ObservationSpec((2, 3, 4), properties, ObservationType.GOAL_SIGNAL, "image"))
    stack = StackingSensor(image, 2)
    spec = ObservationSpec((4, 3, 4), properties, ObservationType.GOAL_SIGNAL, "StackingSensor_size2_image")
    assert stack.get_observation_spec() == spec
    for value in (1.0, 2.0):
        stack.update()
        image.value = value
        out = np.zeros((4, 3, 4), dtype=np.float32)
        stack.write(out)
    assert out[:, 0, 0].tolist() == [1.0, 1.0, 2.0, 2.0]


def test_impossible_stacks_are_refused() -> None:
    with pytest.raises(ValueError, match="0; it must lie in 1-50"):
        StackingSensor(VectorSensor(1), 0)
    rank_2 = ObservationSpec((2, 3), (DimensionProperty.NONE,) * 2, ObservationType.DEFAULT, "buffer")
    with pytest.raises(ValueError, match=r"buffer of shape \(2, 3\) cannot be stacked"):
        StackingSensor(FakeSensor(rank_2), 2)


def test_sensors_are_sorted_by_name_ignoring_case_first() -> None:
    sensors = [FakeSensor(vector_spec(1, name)) for name in ("b", "a", "C", "A", "Z_", "Za")]
    assert [sensor.get_name() for sensor in sort_sensors(sensors, "agent")] == [
        "A",
        "a",
        "b",
        "C",
        "Z_",
        "Za",
    ]


def test_equal_names_are_warned_about() -> None:
    sensors = [FakeSensor(vector_spec(1, "twin")) for _ in range(2)]
    with pytest.warns(UserWarning, match="agent 7 has several sensors named 'twin'"):
        sort_sensors(sensors, "agent 7")


class GoalAgent(Agent):
    """Observes two numbers itself and a goal through a component."""

    goal: VectorSensorComponent
    t = 0.0

    def collect_observations(self, sensor: VectorSensor) -> None:
        self.t += 1.0
        sensor.add_observation((self.t, -self.t))
        self.goal.get_sensor().add_one_hot_observation(1, 3)


def test_components_add_observations_in_the_order_of_their_names() -> None:
    academy = Academy()
    behavior = BehaviorParameters(
        "Test", vector_observation_size=2, action_spec=ActionSpec.create_discrete((2,))
    )
    agent = GoalAgent(academy, behavior)
    agent.goal = VectorSensorComponent(agent, 3, "Goal", ObservationType.GOAL_SIGNAL, observation_stacks=2)
    DecisionRequester(agent, 1)
    agent.enable()
    env = SdkEnvironment(academy, lambda: None)
    env.reset()
    specs = env.behavior_specs[NAME].observation_specs
    assert [spec.name for spec in specs] == ["StackingSensor_size2_Goal", "VectorSensor_size2"]
    assert [spec.shape for spec in specs] == [(6,), (2,)]
    assert specs[0].observation_type is ObservationType.GOAL_SIGNAL
    env.step()
    goal, vector = env.get_steps(NAME)[0].obs
    assert goal.tolist() == [[0, 1, 0, 0, 1, 0]]
    assert vector.tolist() == [[2.0, -2.0]]


def test_stacks_advance_per_record_and_start_anew_with_each_episode() -> None:
    behavior = BehaviorParameters(
        "Test",
        vector_observation_size=1,
        num_stacked_vector_observations=3,
        action_spec=ActionSpec.create_continuous(1),
    )
    env, agent = single_agent_environment(period=2, behavior=behavior)

    def observe(value: float) -> list[float]:
        agent.value = value
        env.step()
        return env.get_steps(NAME)[0].obs[0].ravel().tolist()

    agent.value = 1.0
    env.reset()
    assert observe(2.0) == [0.0, 1.0, 2.0]
    assert agent.get_observations() == [2.0]
    assert agent.get_stacked_observations() == [0.0, 1.0, 2.0]
    agent.value = 3.0
    agent.end_episode()
    agent.value = 4.0
    env.step()
    assert env.get_steps(NAME)[1].obs[0].tolist() == [[1.0, 2.0, 3.0]]
    assert observe(4.0) == [0.0, 0.0, 4.0]
    agent.value = 5.0
    env.reset()
    assert env.get_steps(NAME)[0].obs[0].tolist() == [[0.0, 0.0, 5.0]]


def test_sensors_may_be_configured_in_initialize_and_are_made_anew_when_enabled_again() -> None:
    class Configuring(LoggingAgent):
        def initialize(self) -> None:
            self.component = VectorSensorComponent(self, 1, f"Extra{len(self.runtime.parts.components)}")

        def collect_observations(self, sensor: VectorSensor) -> None:
            sensor.add_observation(1.0)
            self.component.get_sensor().add_observation(2.0)

    academy = Academy()
    agent = Configuring(academy)
    agent.enable()
    spec = academy.policies.remote or next(iter(academy.policies)).columns.spec
    assert [one.name for one in spec.observation_specs] == ["Extra0", "VectorSensor_size1"]
