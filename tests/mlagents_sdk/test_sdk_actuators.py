from __future__ import annotations

from collections.abc import Callable

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
    SdkEnvironment,
    VectorSensor,
)
from mlagents_sdk.actuators.actuator_manager import ActuatorManager
from mlagents_sdk.actuators.vector_actuator import VectorActuator


class FakeActuator:
    """Remembers what it is told."""

    def __init__(self, name: str, spec: ActionSpec) -> None:
        self._name, self._spec = name, spec
        self.received: list[tuple[list[float], list[int]]] = []
        self.mask: Callable[[DiscreteActionMask], None] = lambda mask: None
        self.resets = 0

    @property
    def name(self) -> str:
        return self._name

    @property
    def action_spec(self) -> ActionSpec:
        return self._spec

    def on_action_received(self, actions: ActionBuffers) -> None:
        self.received.append((list(actions.continuous_actions), list(actions.discrete_actions)))

    def write_discrete_action_mask(self, mask: DiscreteActionMask) -> None:
        self.mask(mask)

    def heuristic(self, actions_out: ActionBuffers) -> None:
        for i in range(self._spec.continuous_size):
            actions_out.continuous_actions[i] += 0.5
        for i in range(self._spec.discrete_size):
            actions_out.discrete_actions[i] += 1

    def reset_data(self) -> None:
        self.resets += 1


class DiscreteAgent(Agent):
    """Masks through ``forbidden`` and remembers its actions."""

    forbidden: tuple[tuple[int, int], ...] = ()

    def collect_observations(self, sensor: VectorSensor) -> None:
        sensor.add_observation(0.0)

    def write_discrete_action_mask(self, mask: DiscreteActionMask) -> None:
        for branch, index in self.forbidden:
            mask.set_action_enabled(branch, index, False)

    def on_action_received(self, actions: ActionBuffers) -> None:
        self.last = (actions.continuous_actions, actions.discrete_actions)


def discrete_environment(spec: ActionSpec, num_agents: int = 1) -> tuple[SdkEnvironment, list[DiscreteAgent]]:
    academy = Academy()
    behavior = BehaviorParameters("Test", vector_observation_size=1, action_spec=spec)
    agents = [DiscreteAgent(academy, behavior) for _ in range(num_agents)]
    for agent in agents:
        DecisionRequester(agent, 1)
        agent.enable()
    return SdkEnvironment(academy, lambda: None), agents


def masks(env: SdkEnvironment) -> list[list[list[bool]]]:
    action_mask = env.get_steps(NAME)[0].action_mask
    assert action_mask is not None
    return [branch.tolist() for branch in action_mask]


def test_masks_are_true_where_forbidden_and_last_one_decision() -> None:
    env, (agent,) = discrete_environment(ActionSpec.create_discrete((4, 2)))
    agent.forbidden = ((0, 1), (0, 2))
    env.reset()
    assert masks(env) == [[[False, True, True, False]], [[False, False]]]
    agent.forbidden = ()
    env.step()
    assert masks(env) == [[[False] * 4], [[False] * 2]]


def test_each_agent_has_its_own_mask_row() -> None:
    env, agents = discrete_environment(ActionSpec.create_discrete((3,)), num_agents=20)
    agents[1].forbidden = ((0, 2),)
    agents[19].forbidden = ((0, 0),)
    env.reset()
    allowed = [False] * 3
    assert masks(env) == [[allowed, [False, False, True], *[allowed] * 17, [True, False, False]]]
    agents[1].forbidden = ()
    agents[0].disable()  # its row is taken over by the next
    env.step()
    assert masks(env) == [[*[allowed] * 18, [True, False, False]]]


def test_enabling_a_masked_action_again_allows_it() -> None:
    mask = DiscreteActionMask((2, 3), "agent")
    mask.set_action_enabled(1, 0, False)
    mask.set_action_enabled(1, 2, False)
    mask.set_action_enabled(1, 0, True)
    assert mask.read() == [False, False, False, False, True]
    mask.reset()
    assert mask.read() == [False] * 5


@pytest.mark.parametrize(("branch", "index"), [(2, 0), (-1, 0), (0, 4), (1, 2), (0, -1)])
def test_masks_outside_the_branches_are_refused(branch: int, index: int) -> None:
    env, (agent,) = discrete_environment(ActionSpec.create_discrete((4, 2)))
    agent.forbidden = ((branch, index),)
    with pytest.raises(
        AgentsError,
        match=rf"Test\?team=0, agent 0: the action mask names .*{branch if index == 0 else index}",
    ):
        env.reset()


def test_masking_a_whole_branch_is_refused() -> None:
    env, (agent,) = discrete_environment(ActionSpec.create_discrete((4, 2)))
    agent.forbidden = ((1, 0), (1, 1))
    with pytest.raises(AgentsError, match="agent 0: all 2 actions of branch 1 are masked"):
        env.reset()


def test_continuous_behaviors_have_no_mask() -> None:
    env, _ = discrete_environment(ActionSpec.create_continuous(1))
    env.reset()
    assert env.get_steps(NAME)[0].action_mask is None


def test_hybrid_actions_reach_their_agents_as_python_numbers() -> None:
    env, agents = discrete_environment(ActionSpec.create_hybrid(2, (3, 4)), num_agents=2)
    env.reset()
    env.set_actions(NAME, ActionTuple(np.array([[0.5, -0.5], [0.25, 1.0]]), np.array([[2, 3], [0, 1]])))
    env.step()
    assert [agent.last for agent in agents] == [([0.5, -0.5], [2, 3]), ([0.25, 1.0], [0, 1])]
    assert {type(value) for values in agents[0].last for value in values} == {float, int}


@pytest.mark.parametrize(
    ("spec", "name"),
    [
        (ActionSpec.create_discrete((2,)), "VectorActuator-Discrete"),
        (ActionSpec.create_continuous(2), "VectorActuator-Continuous"),
        (ActionSpec.create_hybrid(2, (3, 3, 3)), "VectorActuator-Continuous-2-Discrete-3"),
        (ActionSpec(0, ()), "VectorActuator-Discrete"),
    ],
)
def test_the_own_actuators_name(spec: ActionSpec, name: str) -> None:
    assert VectorActuator(DiscreteAgent(Academy(), BehaviorParameters()), spec).name == name


def test_manager_sorts_combines_and_slices() -> None:
    second = FakeActuator("b", ActionSpec.create_hybrid(1, (2, 3)))
    nothing = FakeActuator("aa", ActionSpec(0, ()))
    first = FakeActuator("A", ActionSpec.create_hybrid(2, (4,)))
    manager = ActuatorManager([second, nothing, first], "agent")
    assert manager.action_spec == ActionSpec.create_hybrid(3, (4, 2, 3))
    manager.store([0.1, 0.2, 0.3], [3, 1, 2])
    for receive, buffers in manager.receivers:
        receive(buffers)
    assert first.received == [([0.1, 0.2], [3])]
    assert second.received == [([0.3], [1, 2])]
    assert nothing.received == []
    assert manager.stored_actions == ActionBuffers([0.1, 0.2, 0.3], [3, 1, 2])
    assert manager.heuristic_actions() == ActionBuffers([0.5, 0.5, 0.5], [1, 1, 1])
    assert manager.stored_actions == ActionBuffers([0.1, 0.2, 0.3], [3, 1, 2])
    manager.reset_data()
    assert manager.stored_actions == ActionBuffers([0.0] * 3, [0] * 3)
    assert [actuator.resets for actuator in (first, second, nothing)] == [1, 1, 1]


def test_each_actuator_masks_its_own_branches() -> None:
    first = FakeActuator("a", ActionSpec.create_discrete((2,)))
    second = FakeActuator("b", ActionSpec.create_discrete((2, 3)))
    manager = ActuatorManager([first, second], "agent")
    second.mask = lambda mask: mask.set_action_enabled(1, 2, False)
    assert manager.read_mask() == [False] * 6 + [True]
    first.mask = lambda mask: mask.set_action_enabled(1, 0, False)
    with pytest.raises(AgentsError, match="branch 1, but there are 1 branches"):
        manager.read_mask()


def test_actuators_of_equal_name_are_warned_about() -> None:
    with pytest.warns(UserWarning, match="agent has several actuators named 'a'"):
        ActuatorManager([FakeActuator("a", ActionSpec(1, ())) for _ in range(2)], "agent")


def test_actuator_components_act_beside_the_agent() -> None:
    class Component:
        def __init__(self) -> None:
            self.actuator = FakeActuator("Arm", ActionSpec.create_continuous(1))

        def create_actuators(self) -> list[Actuator]:
            return [self.actuator]

    academy = Academy()
    behavior = BehaviorParameters("Test", action_spec=ActionSpec.create_continuous(2))
    agent, component = DiscreteAgent(academy, behavior), Component()
    agent.add_component(component)
    DecisionRequester(agent, 1)
    agent.enable()
    env = SdkEnvironment(academy, lambda: None)
    env.reset()
    assert env.behavior_specs[NAME].action_spec == ActionSpec.create_continuous(3)
    env.set_actions(NAME, ActionTuple(np.array([[0.25, 0.5, 0.75]])))
    env.step()
    assert component.actuator.received == [([0.25], [])]
    assert agent.last == ([0.5, 0.75], [])


def test_an_agent_without_actions_is_not_called() -> None:
    env, (agent,) = discrete_environment(ActionSpec(0, ()))
    env.reset()
    env.step()
    assert not hasattr(agent, "last")


def test_a_heuristic_that_changes_the_number_of_actions_is_refused() -> None:
    class Growing(DiscreteAgent):
        def heuristic(self, actions_out: ActionBuffers) -> None:
            actions_out.continuous_actions.append(1.0)

    academy = Academy()
    agent = Growing(academy, BehaviorParameters("Test", action_spec=ActionSpec.create_continuous(1)))
    agent.enable()
    agent.request_decision()
    with pytest.raises(AgentsError, match="left 2 continuous and 0 discrete actions, but there are 1 and 0"):
        academy.environment_step()


def test_buffers() -> None:
    buffers = ActionBuffers.zeros(ActionSpec.create_hybrid(2, (3,)))
    assert buffers == ActionBuffers([0.0, 0.0], [0])
    assert not buffers.is_empty()
    buffers.continuous_actions[1] = 0.5
    buffers.discrete_actions[0] = 2
    buffers.clear()
    assert buffers == ActionBuffers([0.0, 0.0], [0])
    assert ActionBuffers().is_empty()
