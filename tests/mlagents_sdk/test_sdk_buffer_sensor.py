from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sdk_helpers import NAME

from mlagents_envs.base_env import DimensionProperty
from mlagents_envs.exception import UnityObservationException
from mlagents_sdk import (
    Academy,
    ActionSpec,
    Agent,
    AgentsError,
    BehaviorParameters,
    BufferSensor,
    BufferSensorComponent,
    DecisionRequester,
    ObservationType,
    SdkEnvironment,
    VectorSensor,
)

entities = st.lists(
    st.lists(st.floats(-100.0, 100.0, width=32), min_size=3, max_size=3).filter(any), min_size=0, max_size=8
)


def written(sensor: BufferSensor) -> np.ndarray[Any, np.dtype[np.float32]]:
    out = np.full(sensor.get_observation_spec().shape, np.nan, dtype=np.float32)
    assert sensor.write(out) == out.size
    return out


def test_spec() -> None:
    assert BufferSensor(3, 2).get_observation_spec() == (
        (3, 2),
        (DimensionProperty.VARIABLE_SIZE, DimensionProperty.NONE),
        ObservationType.DEFAULT,
        "BufferSensor",
    )
    assert BufferSensor(3, 2, "mine").get_name() == "mine"


def test_rows_come_in_the_order_of_appending_and_are_padded_with_zeros() -> None:
    sensor = BufferSensor(3, 2)
    sensor.append_observation((1.0, 2.0))
    sensor.append_observation(np.array([3, 4]))
    assert written(sensor).tolist() == [[1, 2], [3, 4], [0, 0]]
    assert sensor.num_appended == 2
    sensor.append_observation([5, 6])
    sensor.append_observation([7, 8])  # one too many
    assert written(sensor).tolist() == [[1, 2], [3, 4], [5, 6]]


@given(entities, st.integers(1, 6))
def test_what_is_written_is_what_was_appended_cut_or_filled(rows: list[list[float]], limit: int) -> None:
    sensor = BufferSensor(limit, 3)
    for row in rows:
        sensor.append_observation(row)
    out = written(sensor)
    kept = min(len(rows), limit)
    assert out[:kept].tolist() == rows[:kept]
    assert not out[kept:].any()
    assert sensor.num_appended == kept


def test_update_and_reset_forget() -> None:
    sensor = BufferSensor(2, 1)
    for forget in (sensor.update, sensor.reset):
        sensor.append_observation([1.0])
        forget()
        assert written(sensor).tolist() == [[0], [0]]


def test_a_list_that_is_used_again_does_not_change_what_was_appended() -> None:
    sensor, entity = BufferSensor(2, 1), [1.0]
    sensor.append_observation(entity)
    entity[0] = 2.0
    sensor.append_observation(entity)
    assert written(sensor).tolist() == [[1], [2]]


@pytest.mark.parametrize("observation", [(1.0,), (1.0, 2.0, 3.0), ()])
def test_other_lengths_are_refused(observation: tuple[float, ...]) -> None:
    with pytest.raises(AgentsError, match=f"Sensor b: an observation of {len(observation)} floats.*has 2"):
        BufferSensor(3, 2, "b").append_observation(observation)


def test_what_is_no_number_is_refused_by_name() -> None:
    sensor = BufferSensor(3, 2, "b")
    sensor.append_observation((1.0, 2.0))
    sensor.append_observation((1.0, "x"))  # type: ignore[arg-type]
    with pytest.raises(UnityObservationException, match=r"Sensor b: \(1.0, 'x'\) was appended"):
        written(sensor)


@pytest.mark.parametrize("sizes", [(0, 1), (1, 0)])
def test_impossible_sizes_are_refused(sizes: tuple[int, int]) -> None:
    with pytest.raises(AgentsError, match="at least 1"):
        BufferSensor(*sizes)


class Seeing(Agent):
    seen: tuple[tuple[float, float], ...] = ()
    buffer: BufferSensorComponent

    def collect_observations(self, sensor: VectorSensor) -> None:
        sensor.add_observation(0.0)
        for entity in self.seen:
            self.buffer.append_observation(entity)


def seeing_environment() -> tuple[SdkEnvironment, Seeing]:
    academy = Academy()
    agent = Seeing(academy, BehaviorParameters("Test", action_spec=ActionSpec.create_continuous(1)))
    agent.buffer = BufferSensorComponent(agent, 3, 2)
    DecisionRequester(agent, 1)
    agent.enable()
    return SdkEnvironment(academy, lambda: None), agent


def test_agents_see_anew_at_each_record() -> None:
    env, agent = seeing_environment()
    agent.seen = ((1.0, 2.0), (3.0, 4.0))
    env.reset()
    names = [spec.name for spec in env.behavior_specs[NAME].observation_specs]
    assert names == ["BufferSensor", "VectorSensor_size1"]
    assert env.get_steps(NAME)[0].obs[0].tolist() == [[[1, 2], [3, 4], [0, 0]]]
    agent.seen = ((5.0, 6.0),)
    env.step()
    assert env.get_steps(NAME)[0].obs[0].tolist() == [[[5, 6], [0, 0], [0, 0]]]
    agent.seen = ((7.0, 8.0),)
    agent.end_episode()
    agent.seen = ()
    env.step()
    decisions, terminals = env.get_steps(NAME)
    assert terminals.obs[0].tolist() == [[[7, 8], [0, 0], [0, 0]]]
    assert decisions.obs[0].tolist() == [[[0, 0]] * 3]


def test_nan_is_told_with_agent_sensor_and_place() -> None:
    env, agent = seeing_environment()
    agent.seen = ((1.0, 2.0), (3.0, float("nan")))
    with pytest.raises(
        UnityObservationException, match=r"Test\?team=0, agent 0, sensor BufferSensor: .*\(1, 1\) is nan"
    ):
        env.reset()
