from __future__ import annotations

from enum import Enum, Flag
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sdk_helpers import NAME

from mlagents_sdk import (
    Academy,
    ActionSpec,
    Agent,
    AgentsError,
    BehaviorParameters,
    DecisionRequester,
    Observable,
    ObservableAttributeHandling,
    SdkEnvironment,
    observable,
)

IGNORE = ObservableAttributeHandling.IGNORE
OWN = ObservableAttributeHandling.EXCLUDE_INHERITED
ALL = ObservableAttributeHandling.EXAMINE_ALL


class Gear(Enum):
    REVERSE = -1
    NEUTRAL = 0
    FORWARD = 1


class Damage(Flag):
    NONE = 0
    TYRES = 1
    ENGINE = 2
    BOTH = 3


class Vehicle(Agent):
    fuel = Observable(0.5)
    unseen = 7.0

    def __init__(self, academy: Academy, behavior: BehaviorParameters) -> None:
        super().__init__(academy, behavior)
        self.velocity = (0.0, 0.0)

    @property
    @observable("speed")
    def speed(self) -> float:
        return self.velocity[0]

    @property
    def hidden(self) -> float:
        raise NotImplementedError


class Car(Vehicle):
    gear = Observable(Gear.NEUTRAL)
    damage = Observable(Damage.NONE)
    position = Observable((1.0, 2.0, 3.0), name="where")

    @observable(num_stacked_observations=3)  # type: ignore[prop-decorator]
    @property
    def heading(self) -> list[float]:
        return list(self.velocity)


class Anything(Agent):
    thing: Observable[Any] = Observable(0.0)


def environment_of(
    kind: type[Agent], handling: ObservableAttributeHandling
) -> tuple[SdkEnvironment, Any, list[str]]:
    academy = Academy()
    behavior = BehaviorParameters(
        "Test",
        vector_observation_size=0,
        action_spec=ActionSpec.create_continuous(1),
        observable_attribute_handling=handling,
    )
    agent = kind(academy, behavior)
    DecisionRequester(agent, 1)
    agent.enable()
    names = [sensor.get_name() for sensor in agent.runtime.observation_sensors()]
    return SdkEnvironment(academy, lambda: None), agent, names


def observation_of(value: object) -> list[float]:
    """Floats of an observed field that holds ``value``."""
    env, _, _ = environment_of(type("Some", (Anything,), {"thing": Observable(value, "thing")}), OWN)
    env.reset()
    floats: list[float] = env.get_steps(NAME)[0].obs[0][0].tolist()
    return floats


def test_which_members_count() -> None:
    inherited = ["ObservableAttribute:Vehicle.fuel", "speed"]
    own = [
        "ObservableAttribute:Car.damage",
        "ObservableAttribute:Car.gear",
        "StackingSensor_size3_ObservableAttribute:Car.heading",
        "where",
    ]
    assert environment_of(Car, OWN)[2] == own
    assert environment_of(Car, ALL)[2] == sorted(own + inherited, key=str.casefold)
    assert environment_of(Car, IGNORE)[2] == []
    assert environment_of(Vehicle, OWN)[2] == inherited


def test_values_are_read_when_they_are_written() -> None:
    env, car, names = environment_of(Car, ALL)
    car.gear, car.damage, car.position, car.fuel = Gear.FORWARD, Damage.ENGINE, [4.0, 5.0, 6.0], 0.25
    car.velocity = (3.0, 4.0)
    env.reset()
    first = [column[0].tolist() for column in env.get_steps(NAME)[0].obs]
    assert dict(zip(names, first, strict=True)) == {
        "ObservableAttribute:Car.damage": [1.0, 0.0, 1.0, 0.0],  # nothing is contained in everything
        "ObservableAttribute:Car.gear": [0.0, 0.0, 1.0],
        "ObservableAttribute:Vehicle.fuel": [0.25],
        "speed": [3.0],
        "StackingSensor_size3_ObservableAttribute:Car.heading": [0.0, 0.0, 0.0, 0.0, 3.0, 4.0],
        "where": [4.0, 5.0, 6.0],
    }
    car.velocity = (5.0, 6.0)
    env.step()
    stacked = env.get_steps(NAME)[0].obs[names.index("StackingSensor_size3_ObservableAttribute:Car.heading")]
    assert stacked[0].tolist() == [0.0, 0.0, 3.0, 4.0, 5.0, 6.0]


@pytest.mark.parametrize(
    ("value", "floats"),
    [
        (2, [2.0]),
        (0.5, [0.5]),
        (True, [1.0]),
        (np.float32(0.25), [0.25]),
        ((1, 2), [1.0, 2.0]),
        (np.array([1.0, 2.0, 3.0, 4.0]), [1.0, 2.0, 3.0, 4.0]),
        (Gear.REVERSE, [1.0, 0.0, 0.0]),
        (Damage.BOTH, [1.0, 1.0, 1.0, 1.0]),
        (Damage.TYRES, [1.0, 1.0, 0.0, 0.0]),
    ],
)
def test_what_can_be_observed(value: object, floats: list[float]) -> None:
    assert observation_of(value) == floats


@given(st.sampled_from(Gear))
def test_enumerations_are_one_hot(gear: Gear) -> None:
    floats = observation_of(gear)
    assert (sum(floats), floats[list(Gear).index(gear)]) == (1.0, 1.0)


def test_an_unknown_member_is_all_zero() -> None:
    env, agent, _ = environment_of(type("Some", (Anything,), {"thing": Observable(Gear.FORWARD)}), OWN)
    agent.thing = None
    env.reset()
    assert env.get_steps(NAME)[0].obs[0].tolist() == [[0.0, 0.0, 0.0]]


@pytest.mark.parametrize("value", [None, "ab", (1.0,), (1.0, "x"), [1.0] * 5, {"a": 1.0}])
def test_other_things_are_skipped_with_a_warning(value: object) -> None:
    kind = type("Some", (Anything,), {"thing": Observable(value)})
    with pytest.warns(UserWarning, match=r"agent 0: Some\.thing is .* cannot be observed.*initialize"):
        assert environment_of(kind, OWN)[2] == []


@pytest.mark.parametrize("value", [(1.0, 2.0, 3.0), 1.0, None, "ab"])
def test_a_value_that_changes_its_size_is_refused_by_name(value: object) -> None:
    kind = type("Some", (Anything,), {"thing": Observable((1.0, 2.0))})
    env, agent, _ = environment_of(kind, OWN)
    env.reset()
    agent.thing = value
    with pytest.raises(
        AgentsError,
        match=r"Test\?team=0, agent 0\. Sensor ObservableAttribute:Some.thing: Some.thing is .*2 floats",
    ):
        env.step()


def test_fields_belong_to_their_agent() -> None:
    academy = Academy()
    first, second = (Vehicle(academy, BehaviorParameters()) for _ in range(2))
    first.fuel = 0.75
    assert (first.fuel, second.fuel) == (0.75, 0.5)
    assert isinstance(Vehicle.fuel, Observable)


def test_what_a_subclass_declares_anew_counts_once() -> None:
    class Truck(Vehicle):
        fuel = Observable((1.0, 2.0))
        speed = 1.0  # type: ignore[assignment]  # no longer observed

    assert environment_of(Truck, ALL)[2] == ["ObservableAttribute:Truck.fuel"]
