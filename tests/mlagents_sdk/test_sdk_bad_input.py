"""What goes wrong in an environment is told with behavior, agent, sensor and remedy, and nothing is lost."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from numpy.typing import NDArray
from sdk_helpers import CONTINUOUS, HEURISTIC, NAME, LoggingAgent, continuous, single_agent_environment

from mlagents_envs.base_env import DimensionProperty, ObservationSpec, ObservationType
from mlagents_envs.exception import UnityObservationException
from mlagents_sdk import (
    Academy,
    ActionBuffers,
    ActionSpec,
    AgentsError,
    BehaviorParameters,
    DecisionRequester,
    DiscreteActionMask,
    SdkEnvironment,
    Sensor,
    VectorSensorComponent,
)

WHO = r"Behavior Test\?team=0, agent 0"


class OddSensor:
    """A sensor that can be told to misbehave; also its own component."""

    def __init__(self, shape: tuple[int, ...] = (2,)) -> None:
        self.shape = shape
        self.values: list[float] = [1.0, 2.0]
        self.write_as: Callable[[NDArray[np.float32]], int | None] = self.fill

    def create_sensors(self) -> list[Sensor]:
        return [self]

    def get_name(self) -> str:
        return "Odd"

    def get_observation_spec(self) -> ObservationSpec:
        properties = (DimensionProperty.NONE,) * len(self.shape)
        return ObservationSpec(self.shape, properties, ObservationType.DEFAULT, "Odd")

    def update(self) -> None:
        pass

    def reset(self) -> None:
        pass

    def fill(self, out: NDArray[np.float32]) -> int:
        out[...] = np.reshape(self.values, self.shape)
        return len(self.values)

    def write(self, out: NDArray[np.float32]) -> int:
        return self.write_as(out)  # type: ignore[return-value]


def odd_environment(shape: tuple[int, ...] = (2,)) -> tuple[SdkEnvironment, LoggingAgent, OddSensor]:
    academy = Academy()
    agent, sensor = LoggingAgent(academy), OddSensor(shape)
    agent.add_component(sensor)
    DecisionRequester(agent, 1)
    agent.enable()
    env = SdkEnvironment(academy, lambda: None)
    env.reset()
    return env, agent, sensor


def odd_column(env: SdkEnvironment) -> list[list[float]]:
    column: list[list[float]] = env.get_steps(NAME)[0].obs[0].tolist()
    return column


def test_a_sensor_that_grows_is_named_and_the_environment_goes_on() -> None:
    env, _, sensor = odd_environment()
    sensor.shape, sensor.values = (3,), [1.0, 2.0, 3.0]
    with pytest.raises(
        AgentsError, match=rf"{WHO}, sensor Odd: .*shape \(2,\).*now it declares \(3,\).*disable and enable"
    ):
        env.step()
    sensor.shape, sensor.values = (2,), [5.0, 6.0]
    env.step()
    assert odd_column(env) == [[5.0, 6.0]]


def test_a_sensor_that_grows_at_an_episodes_end_is_named() -> None:
    _, agent, sensor = odd_environment()
    sensor.values = [1.0, 2.0, 3.0]
    with pytest.raises(AgentsError, match=rf"{WHO}, sensor Odd: .*shape \(2,\)"):
        agent.end_episode()


def test_a_sensor_that_shrinks_is_named_and_filled_up() -> None:
    env, _, sensor = odd_environment()

    def write_one(out: NDArray[np.float32]) -> int:
        out[:1] = 7.0
        return 1

    sensor.write_as = write_one
    with pytest.warns(UserWarning, match=rf"{WHO}, sensor Odd: 1 floats were written, but 2 were declared"):
        env.step()
    assert odd_column(env) == [[7.0, 0.0]]  # not what another agent left in the row


def test_a_sensor_that_does_not_tell_what_it_wrote_is_named() -> None:
    env, _, sensor = odd_environment()
    sensor.write_as = lambda out: None
    with pytest.raises(AgentsError, match=rf"{WHO}, sensor Odd: write\(\) returned None"):
        env.step()


def test_an_agent_that_changed_its_size_is_enabled_anew_under_its_own_behavior() -> None:
    env, agent, sensor = odd_environment()
    agent.disable()
    sensor.shape, sensor.values = (3,), [1.0, 2.0, 3.0]
    with pytest.raises(AgentsError, match=r"agent 1 has the sensors .*'Odd', \(3,\).*has .*'Odd', \(2,\)"):
        agent.enable()
    agent.behavior_parameters = BehaviorParameters("Larger", action_spec=CONTINUOUS.action_spec)
    agent.enable()
    env.step()
    assert env.get_steps("Larger?team=0")[0].obs[0].tolist() == [[1.0, 2.0, 3.0]]


def test_a_wrong_number_of_observations_names_the_agent() -> None:
    env, agent = single_agent_environment()
    agent.collect_observations = lambda sensor: sensor.add_observation((1.0, 2.0))  # type: ignore[method-assign]
    with pytest.warns(UserWarning, match=rf"{WHO}, sensor VectorSensor_size1: 2 floats.*truncated"):
        env.reset()
    assert env.get_steps(NAME)[0].obs[0].tolist() == [[1.0]]


@pytest.mark.parametrize(("shape", "place"), [((2, 1), r"\(1, 0\)"), ((1, 2, 1), r"\(0, 1, 0\)")])
def test_not_finite_numbers_of_tables_and_images_are_named_by_place(
    shape: tuple[int, ...], place: str
) -> None:
    env, _, sensor = odd_environment(shape)

    def write_nan(out: NDArray[np.float32]) -> int:
        out.reshape(-1)[:] = (1.0, np.nan)
        return out.size

    sensor.write_as = write_nan
    with pytest.raises(UnityObservationException, match=rf"{WHO}, sensor Odd: the value at index {place} is"):
        env.step()


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf")])
def test_not_finite_numbers_of_any_sensor_are_named_by_place(value: float) -> None:
    env, _, sensor = odd_environment()
    sensor.values = [1.0, value]
    with pytest.raises(
        UnityObservationException, match=rf"{WHO}, sensor Odd: the value at index 1 is {value}"
    ):
        env.step()
    sensor.values = [1.0, 2.0]
    env.step()
    assert odd_column(env) == [[1.0, 2.0]]


def test_not_finite_numbers_at_an_episodes_end_are_named() -> None:
    env, agent, sensor = odd_environment()
    sensor.values = [float("nan"), 0.0]
    agent.end_episode()
    sensor.values = [0.0, 0.0]
    with pytest.raises(UnityObservationException, match=rf"{WHO}, sensor Odd: the value at index 0 is nan"):
        env.step()


def test_not_finite_rewards_are_named_and_gone_afterwards() -> None:
    env, agent = single_agent_environment()
    env.reset()
    agent.add_reward(float("nan"))
    with pytest.raises(
        UnityObservationException, match=rf"{WHO}: the reward is nan.*add_reward and set_reward"
    ):
        env.step()
    agent.end_episode()
    agent.add_reward(1.0)
    env.step()
    assert env.get_steps(NAME)[0].reward.tolist() == [1.0]
    assert agent.get_cumulative_reward() == 1.0


def test_equal_sensor_names_are_warned_about_with_the_agent_and_the_remedy() -> None:
    academy = Academy()
    agent = LoggingAgent(academy)
    for _ in range(2):
        VectorSensorComponent(agent, 1, "Twin")
    with pytest.warns(UserWarning, match=rf"{WHO} has several sensors named 'Twin'; give each its own name"):
        agent.enable()


class Masking(LoggingAgent):
    """Masks everything in ``mask_branch`` or does something else while it is asked for its mask."""

    mask_branch: int | None = None
    on_mask: Callable[[], None] = staticmethod(lambda: None)

    def write_discrete_action_mask(self, mask: object) -> None:
        assert isinstance(mask, DiscreteActionMask)
        self.on_mask()
        if self.mask_branch is not None:
            mask.set_branch_enabled(self.mask_branch, [False, False])


def masking_environment() -> tuple[SdkEnvironment, Masking]:
    academy = Academy()
    agent = Masking(academy, BehaviorParameters("Test", action_spec=ActionSpec.create_discrete((3, 2))))
    DecisionRequester(agent, 1)
    agent.enable()
    env = SdkEnvironment(academy, lambda: None)
    env.reset()
    return env, agent


def test_masking_all_actions_of_a_branch_is_named_and_the_environment_goes_on() -> None:
    env, agent = masking_environment()
    agent.mask_branch = 1
    with pytest.raises(
        AgentsError, match=rf"{WHO}: all 2 actions of branch 1 are masked\. Leave at least one"
    ):
        env.step()
    agent.mask_branch = None
    env.step()
    mask = env.get_steps(NAME)[0].action_mask
    assert mask is not None
    assert not any(branch.any() for branch in mask)


def test_a_whole_branch_of_another_size_is_refused() -> None:
    env, agent = masking_environment()
    agent.mask_branch = 0
    with pytest.raises(AgentsError, match=rf"{WHO}: .*gives 2 actions of branch 0, which has 3"):
        env.step()
    agent.mask_branch = 2
    with pytest.raises(AgentsError, match=rf"{WHO}: .*names branch 2, but there are 2 branches"):
        env.step()


@pytest.mark.parametrize("end", ["end_episode", "episode_interrupted", "disable"])
def test_ending_inside_the_mask_is_refused_and_the_guard_released(end: str) -> None:
    env, agent = masking_environment()
    agent.on_mask = getattr(agent, end)
    with pytest.raises(AgentsError, match=rf"{WHO}: .*inside write_discrete_action_mask.*on_action_received"):
        env.step()
    agent.on_mask = lambda: None
    env.step()
    agent.end_episode()
    env.step()
    assert [len(steps) for steps in env.get_steps(NAME)] == [1, 1]


def test_ending_inside_the_heuristic_leaves_zero_actions_for_the_next_episode() -> None:
    academy = Academy()
    agent = LoggingAgent(academy, HEURISTIC)
    DecisionRequester(agent, 3)

    def give_up(actions_out: ActionBuffers) -> None:
        actions_out.continuous_actions[0] = 1.0
        agent.end_episode()

    agent.heuristic = give_up  # type: ignore[method-assign]
    agent.enable()
    for _ in range(3):
        academy.environment_step()
    assert agent.actions == [[0.0], [0.0]]  # the action of the ended episode is never carried out
    assert agent.completed_episodes == 1


def test_disabling_inside_initialize_leaves_the_agent_disabled() -> None:
    academy = Academy()
    academy.environment_step()
    agent = LoggingAgent(academy, HEURISTIC)
    DecisionRequester(agent, 1)
    agent.initialize = agent.disable  # type: ignore[method-assign]
    agent.enable()
    assert not agent.enabled
    academy.environment_step()
    assert agent.log == []
    del agent.initialize  # type: ignore[method-assign]
    agent.enable()
    academy.environment_step()
    assert agent.log == ["a initialize", "a begin", "a observe", "a heuristic", "a act"]


def test_fewer_actions_than_asked_for_leave_zeros_with_a_warning() -> None:
    env, agent = single_agent_environment()
    other = LoggingAgent(env.academy)
    DecisionRequester(other, 1)
    other.enable()
    env.reset()
    env.academy.policies.remote[NAME].actions = continuous(0.5)
    with pytest.warns(UserWarning, match="Test.team=0: 2 agents asked for a decision but the trainer sent 1"):
        env.step()
    assert (agent.actions, other.actions) == ([[0.5]], [[0.0]])
