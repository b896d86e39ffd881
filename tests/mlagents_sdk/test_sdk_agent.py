from __future__ import annotations

import warnings
from pathlib import Path

import pytest
from sdk_helpers import CONTINUOUS, HEURISTIC, NAME, LoggingAgent, continuous, single_agent_environment

from mlagents_envs.timers import get_timer_tree, reset_timers
from mlagents_sdk import (
    Academy,
    ActionSpec,
    Agent,
    AgentsError,
    BehaviorParameters,
    BehaviorType,
    DecisionRequester,
    SdkEnvironment,
    VectorSensor,
)


def test_reward_arithmetic() -> None:
    agent = LoggingAgent(Academy())
    agent.add_reward(1.0)
    agent.add_reward(0.5)
    assert agent.get_cumulative_reward() == 1.5
    agent.set_reward(0.25)  # overrides everything pending
    assert agent.get_cumulative_reward() == 0.25
    agent.add_reward(1.0)
    assert agent.get_cumulative_reward() == 1.25


def test_records_carry_the_reward_since_the_last_record_and_set_reward_overrides_once() -> None:
    env, agent = single_agent_environment(period=3)
    rewards = iter([1.0, 2.0, 4.0, 8.0, 16.0, 32.0])
    agent.on_action = lambda: agent.add_reward(next(rewards))
    env.reset()
    env.step()
    assert env.get_steps(NAME)[0].reward.tolist() == [7.0]
    agent.on_action = lambda: agent.set_reward(next(rewards))
    env.step()
    assert env.get_steps(NAME)[0].reward.tolist() == [32.0]  # only the last of the three
    assert agent.get_cumulative_reward() == 39.0


def test_max_step_of_six_with_a_decision_every_tick() -> None:
    env, agent = single_agent_environment(max_step=6)

    def act() -> None:
        agent.value += 1.0
        agent.add_reward(agent.value)

    agent.on_action = act
    env.reset()
    for tick in range(2, 7):
        env.step()
        decisions, terminals = env.get_steps(NAME)
        assert (len(decisions), len(terminals)) == (1, 0)
        assert agent.step_count == tick
    env.step()  # tick 6 acts and ends the episode; tick 7 sends both records
    decisions, terminals = env.get_steps(NAME)
    assert terminals.agent_id.tolist() == decisions.agent_id.tolist() == [0]
    assert terminals.interrupted.tolist() == [True]
    assert terminals.reward.tolist() == [6.0]  # since decision 6
    assert terminals.obs[0].tolist() == [[6.0]]
    assert decisions.reward.tolist() == [0.0]
    assert agent.step_count == 1
    assert agent.completed_episodes == 1
    assert agent.log.count("a begin") == 2


def test_end_episode_is_no_interruption_and_resets_at_once() -> None:
    env, agent = single_agent_environment(period=5)
    env.reset()
    agent.value = 3.0
    agent.add_reward(1.0)
    agent.end_episode()
    agent.value = 0.0
    assert agent.step_count == 0
    assert agent.log[-2:] == ["a observe", "a begin"]
    env.step()
    decisions, terminals = env.get_steps(NAME)
    assert len(decisions) == 0
    assert terminals.interrupted.tolist() == [False]
    assert terminals.obs[0].tolist() == [[3.0]]
    assert terminals.reward.tolist() == [1.0]
    agent.episode_interrupted()
    env.step()
    assert len(env.get_steps(NAME)[1]) == 0  # the last record was terminal already


def test_interrupting_by_hand_sets_the_flag() -> None:
    env, agent = single_agent_environment(period=5)
    env.reset()
    agent.episode_interrupted()
    env.step()
    assert env.get_steps(NAME)[1].interrupted.tolist() == [True]


def test_ending_twice_in_a_row_gives_one_record_and_two_beginnings() -> None:
    env, agent = single_agent_environment(period=5)
    env.reset()
    agent.log.clear()
    agent.end_episode()
    agent.end_episode()
    assert agent.log == ["a observe", "a begin", "a begin"]
    env.step()
    assert len(env.get_steps(NAME)[1]) == 1
    assert agent.completed_episodes == 1


def test_actions_are_zero_after_an_episodes_end_until_the_next_decision() -> None:
    env, agent = single_agent_environment(period=4)
    agent.on_action = lambda: agent.end_episode() if len(agent.actions) == 2 else None
    env.reset()
    env.set_actions(NAME, continuous(0.5))
    env.step()  # ticks 0 and 1 act; the record of the end alone waits in tick 2
    decisions, terminals = env.get_steps(NAME)
    assert (len(decisions), len(terminals)) == (0, 1)
    env.step()
    assert len(env.get_steps(NAME)[0]) == 1
    env.set_actions(NAME, continuous(-0.5))
    env.step()
    assert agent.actions == [[0.5], [0.5], [0.0], [0.0], [-0.5], [-0.5], [-0.5], [-0.5]]


def test_without_actions_between_decisions_agents_act_once_per_decision() -> None:
    env, agent = single_agent_environment(period=4, between=False)
    env.reset()
    for value in (0.5, -0.5):
        env.set_actions(NAME, continuous(value))
        env.step()
    assert agent.actions == [[0.5], [-0.5]]


def test_ending_inside_an_action_makes_the_max_step_test_see_a_reset_counter() -> None:
    env, agent = single_agent_environment(max_step=1)
    agent.on_action = agent.end_episode
    env.reset()
    env.step()
    terminals = env.get_steps(NAME)[1]
    assert terminals.interrupted.tolist() == [False]
    assert agent.completed_episodes == 1


def test_ending_before_any_decision_sends_a_lone_terminal() -> None:
    academy = Academy()
    agent = LoggingAgent(academy)
    agent.enable()
    env = SdkEnvironment(academy, simulate=agent.end_episode)
    env.reset()
    decisions, terminals = env.get_steps(NAME)
    assert (len(decisions), len(terminals)) == (0, 1)
    assert academy.step_count == 2  # nothing to tell in the first tick


def test_max_step_applies_to_agents_that_never_decide() -> None:
    academy = Academy()
    agent = LoggingAgent(academy, max_step=3)
    agent.enable()
    env = SdkEnvironment(academy, lambda: None)
    env.reset()
    decisions, terminals = env.get_steps(NAME)
    assert (len(decisions), len(terminals)) == (0, 1)
    assert academy.step_count == 4
    assert agent.actions == []


@pytest.mark.parametrize("callback", ["collect_observations", "on_episode_begin"])
def test_ending_inside_these_callbacks_is_refused_and_the_guard_released(callback: str) -> None:
    env, agent = single_agent_environment()
    env.reset()

    def end_again(*_: object) -> None:
        agent.end_episode()

    setattr(agent, callback, end_again)
    with pytest.raises(AgentsError, match=f"agent 0: {callback} was entered again"):
        agent.end_episode()
    delattr(agent, callback)
    agent.end_episode()
    env.step()
    assert len(env.get_steps(NAME)[0]) == 1


def test_request_decision_by_hand() -> None:
    academy = Academy()
    agent = LoggingAgent(academy, HEURISTIC)
    agent.enable()
    academy.environment_step()
    assert agent.actions == []
    agent.request_decision()
    academy.environment_step()
    agent.request_action()
    academy.environment_step()
    academy.environment_step()
    assert agent.actions == [[0.25], [0.25]]
    assert agent.log.count("a observe") == 1


def test_flags_set_while_disabled_act_after_enabling() -> None:
    academy = Academy()
    agent = LoggingAgent(academy, HEURISTIC)
    DecisionRequester(agent, 2)
    academy.environment_step()
    agent.enable()
    academy.environment_step()  # step 1: no decision is due, but the request of step 0 stands
    assert "a observe" in agent.log


def test_disabling_sends_a_terminal_without_beginning_anew_and_enabling_gives_a_new_id() -> None:
    env, agent = single_agent_environment()
    other = LoggingAgent(env.academy)
    DecisionRequester(other, 1)
    other.enable()
    env.reset()
    told: list[Agent] = []
    agent.on_agent_disabled.append(told.append)
    agent.add_reward(2.0)
    agent.log.clear()
    agent.disable()
    agent.disable()
    assert agent.log == ["a observe"]
    assert told == [agent]
    assert agent.completed_episodes == 0
    env.step()
    decisions, terminals = env.get_steps(NAME)
    assert decisions.agent_id.tolist() == [1]
    assert terminals.agent_id.tolist() == [0]
    assert terminals.interrupted.tolist() == [False]
    assert terminals.reward.tolist() == [2.0]
    agent.enable()
    assert agent.agent_id == 2
    assert agent.log == ["a observe", "a initialize", "a begin"]
    env.step()
    assert env.get_steps(NAME)[0].agent_id.tolist() == [1, 2]


def test_a_disabled_agent_does_not_receive_the_decision_it_asked_for() -> None:
    env, agent = single_agent_environment()
    other = LoggingAgent(env.academy)
    DecisionRequester(other, 1)
    other.enable()
    env.reset()
    env.set_actions(NAME, continuous(0.5, 0.75))
    agent.disable()
    env.step()
    assert agent.actions == []
    assert other.actions == [[0.75]]


def test_destroyed_agents_stay_away() -> None:
    env, agent = single_agent_environment()
    agent.destroy()
    with pytest.raises(AgentsError, match="destroyed"):
        agent.enable()
    assert not agent.runtime.decision_requested
    env.academy.environment_step()
    assert not agent.runtime.decision_requested  # its requester is gone too


def test_ending_an_agent_that_was_never_enabled_is_refused() -> None:
    with pytest.raises(AgentsError, match="enable"):
        LoggingAgent(Academy()).end_episode()


def test_an_agent_that_cannot_be_enabled_leaves_no_trace() -> None:
    academy = Academy()
    agent = LoggingAgent(academy, BehaviorParameters("Test", behavior_type=BehaviorType.INFERENCE_ONLY))
    with pytest.raises(AgentsError, match=r"Test\?team=0, agent 0 only plays a model, but has none"):
        agent.enable()
    assert not agent.enabled
    academy.environment_step()
    assert "a begin" not in agent.log


def test_a_model_that_is_missing_is_named() -> None:
    behavior = BehaviorParameters("Test", model=Path("m.onnx"), action_spec=ActionSpec.create_continuous(1))
    with pytest.raises(AgentsError, match=r"agent 0 cannot play.*There is no model file .*m\.onnx"):
        LoggingAgent(Academy(), behavior).enable()


def test_changing_the_behavior_name_keeps_the_id() -> None:
    env, agent = single_agent_environment()
    env.reset()
    agent.add_reward(1.0)
    agent.set_model("Other", None)
    agent.set_model("Other", None)
    env.step()
    assert len(env.get_steps(NAME)[0]) == 0
    assert env.get_steps(NAME)[1].agent_id.tolist() == [0]
    decisions = env.get_steps("Other?team=0")[0]
    assert decisions.agent_id.tolist() == [0]
    assert agent.log.count("a begin") == 1
    assert list(env.behavior_specs) == [NAME, "Other?team=0"]


def test_agents_of_one_behavior_need_equal_observations_and_actions() -> None:
    academy = Academy()
    LoggingAgent(academy).enable()
    wider = BehaviorParameters("Test", vector_observation_size=2, action_spec=ActionSpec.create_continuous(1))
    with pytest.raises(
        AgentsError, match=r"agent 1 has the sensors .*VectorSensor_size2.*VectorSensor_size1"
    ):
        LoggingAgent(academy, wider).enable()
    other = BehaviorParameters("Test", vector_observation_size=1, action_spec=ActionSpec.create_continuous(2))
    with pytest.raises(AgentsError, match=r"Continuous: 2.*Continuous: 1"):
        LoggingAgent(academy, other).enable()


def test_default_heuristic_warns_and_leaves_zeros() -> None:
    class Silent(Agent):
        def collect_observations(self, sensor: VectorSensor) -> None:
            sensor.add_observation(0.0)

    academy = Academy()
    agent = Silent(academy, HEURISTIC)
    agent.enable()
    agent.request_decision()
    with pytest.warns(UserWarning, match="Silent has no heuristic"):
        academy.environment_step()
    assert agent.get_stored_action_buffers().continuous_actions == [0.0]


def test_cumulative_reward_is_published_at_the_episodes_end() -> None:
    reset_timers()
    env, agent = single_agent_environment()
    env.reset()
    agent.add_reward(2.5)
    agent.end_episode()
    assert agent.get_cumulative_reward() == 0.0
    assert get_timer_tree()["gauges"]["Test.CumulativeReward"]["value"] == 2.5
    reset_timers()


def test_scale_action() -> None:
    assert Agent.scale_action(-1.0, 2.0, 6.0) == 2.0
    assert Agent.scale_action(0.5, 2.0, 6.0) == 5.0


@pytest.mark.parametrize(
    "wrong",
    [
        {"team_id": -1},
        {"behavior_name": ""},
        {"vector_observation_size": -1},
        {"num_stacked_vector_observations": 0},
        {"num_stacked_vector_observations": 51},
    ],
)
def test_behavior_parameters_are_checked(wrong: dict[str, object]) -> None:
    with pytest.raises(ValueError, match=next(iter(wrong))):
        BehaviorParameters(**wrong)  # type: ignore[arg-type]


def test_teams_are_part_of_the_name() -> None:
    assert BehaviorParameters("Soccer", team_id=1).fully_qualified_name == "Soccer?team=1"
    assert CONTINUOUS.fully_qualified_name == "Test?team=0"


def test_floats_without_a_declared_size_are_refused() -> None:
    academy = Academy()
    behavior = BehaviorParameters(
        "Test",
        vector_observation_size=0,
        behavior_type=BehaviorType.HEURISTIC_ONLY,
        action_spec=ActionSpec.create_continuous(1),
    )
    agent = LoggingAgent(academy, behavior)
    agent.enable()
    agent.request_decision()
    with pytest.raises(AgentsError, match="added 1 floats, but vector_observation_size is 0"):
        academy.environment_step()


def test_no_warning_in_an_ordinary_run() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        env, _ = single_agent_environment(period=3, max_step=10)
        env.reset()
        for _ in range(20):
            env.step()
