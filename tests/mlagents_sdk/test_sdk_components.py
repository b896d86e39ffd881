from __future__ import annotations

import numpy as np
import pytest
from sdk_helpers import NAME

from mlagents_envs.base_env import ActionTuple
from mlagents_sdk import (
    Academy,
    ActionBuffers,
    ActionSpec,
    Actuator,
    Agent,
    AgentsError,
    BehaviorParameters,
    DecisionRequester,
    DiscreteActionMask,
    Node,
    SdkEnvironment,
    VectorSensorComponent,
)


class Arm:
    """Actuator and its component in one; remembers what it is told."""

    action_spec = ActionSpec.create_continuous(1)

    def __init__(self, name: str) -> None:
        self.name = name
        self.received: list[float] = []

    def create_actuators(self) -> list[Actuator]:
        return [self]

    def on_action_received(self, actions: ActionBuffers) -> None:
        self.received += actions.continuous_actions

    def write_discrete_action_mask(self, mask: DiscreteActionMask) -> None:
        pass

    def heuristic(self, actions_out: ActionBuffers) -> None:
        pass

    def reset_data(self) -> None:
        pass


class Robot(Agent):
    """Has a turret with a barrel; all three have a sensor and an arm."""

    def __init__(self, academy: Academy, behavior: BehaviorParameters) -> None:
        super().__init__(academy, behavior)
        turret = self.add_child(Node("turret"))
        barrel = turret.add_child(Node("barrel"))
        owners = {"hull": self, "turret": turret, "barrel": barrel}
        self.sensors = {name: VectorSensorComponent(owner, 1, name) for name, owner in owners.items()}
        self.arms = {name: Arm(name) for name in owners}
        for name, owner in owners.items():
            owner.add_component(self.arms[name])

    def collect_observations(self, sensor: object) -> None:
        for value, name in enumerate(self.sensors):
            self.sensors[name].get_sensor().add_observation(float(value))


def robot(behavior: BehaviorParameters) -> tuple[SdkEnvironment, Robot]:
    academy = Academy()
    agent = Robot(academy, behavior)
    DecisionRequester(agent, 1)
    agent.enable()
    env = SdkEnvironment(academy, lambda: None)
    env.reset()
    return env, agent


def test_nodes_see_and_act_for_their_agent() -> None:
    env, agent = robot(BehaviorParameters("Test", vector_observation_size=0))
    assert [spec.name for spec in env.behavior_specs[NAME].observation_specs] == ["barrel", "hull", "turret"]
    assert [column.item() for column in env.get_steps(NAME)[0].obs] == [2.0, 0.0, 1.0]
    env.set_actions(NAME, ActionTuple(np.array([[0.25, 0.5, 0.75]])))
    env.step()
    assert {name: arm.received for name, arm in agent.arms.items()} == {
        "barrel": [0.25],
        "hull": [0.5],
        "turret": [0.75],
    }


def test_nodes_may_be_left_out() -> None:
    env, _ = robot(BehaviorParameters("Test", vector_observation_size=0, use_child_sensors=False))
    assert [spec.name for spec in env.behavior_specs[NAME].observation_specs] == ["hull"]
    assert env.behavior_specs[NAME].action_spec.continuous_size == 3
    env, _ = robot(BehaviorParameters("Test", vector_observation_size=0, use_child_actuators=False))
    assert len(env.behavior_specs[NAME].observation_specs) == 3
    assert env.behavior_specs[NAME].action_spec.continuous_size == 1


def test_nodes_do_not_contain_themselves() -> None:
    turret = Node("turret")
    barrel = turret.add_child(Node("barrel"))
    for parent in (turret, barrel):
        with pytest.raises(AgentsError, match="cannot get the child turret"):
            parent.add_child(turret)
