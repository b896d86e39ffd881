from __future__ import annotations

import numpy as np
import pytest
from sdk_helpers import CONTINUOUS, HEURISTIC, NAME, LoggingAgent, continuous, single_agent_environment

from mlagents_envs.exception import UnityObservationException
from mlagents_sdk import Academy, AgentsError, DecisionRequestContext, DecisionRequester, SdkEnvironment


def test_phases_of_a_step_follow_the_specified_order() -> None:
    academy = Academy()
    log: list[str] = []
    agents = [LoggingAgent(academy, HEURISTIC, label=label, log=log) for label in "ab"]
    for agent in agents:
        agent.enable()
        DecisionRequester(agent, 2)

    def snapshot(phase: str) -> str:
        return f"{phase} {academy.step_count} {academy.total_step_count} {agents[0].step_count}"

    academy.on_environment_reset.append(lambda: log.append(snapshot("reset")))
    academy.agent_pre_step.append(lambda step_count: log.append(snapshot(f"pre({step_count})")))
    academy.agent_increment_step.append(lambda: log.append(snapshot("increment")))
    academy.agent_send_state.append(lambda: log.append(snapshot("send")))
    academy.decide_action.append(lambda: log.append(snapshot("decide")))
    academy.agent_act.append(lambda: log.append(snapshot("act")))

    academy.environment_step()
    assert log == [
        *("a initialize", "b initialize"),
        *("reset 0 0 0", "a begin", "b begin"),
        "pre(0) 0 0 0",
        "increment 1 1 1",
        *("a observe", "b observe", "send 1 1 1"),
        *("a heuristic", "b heuristic", "decide 1 1 1"),
        *("a act", "b act", "act 1 1 1"),
    ]
    log.clear()
    academy.environment_step()
    assert log == [
        "pre(1) 1 1 1",
        "increment 2 2 2",
        "send 2 2 2",
        "decide 2 2 2",
        "a act",
        "b act",
        "act 2 2 2",
    ]
    assert agents[0].actions == [[0.25], [0.25]]


def test_halves_of_a_step_split_before_the_decision() -> None:
    academy = Academy()
    agent = LoggingAgent(academy, HEURISTIC)
    DecisionRequester(agent, 1)
    agent.enable()
    assert academy.begin_step() is False  # a heuristic waits for no trainer
    assert agent.log == ["a initialize", "a begin", "a observe"]
    with pytest.raises(AgentsError, match="finish_step has to come first"):
        academy.begin_step()
    academy.finish_step()
    assert agent.log[3:] == ["a heuristic", "a act"]
    with pytest.raises(AgentsError, match="begin_step has to come first"):
        academy.finish_step()


def test_begin_step_reports_what_waits_for_a_trainer() -> None:
    academy = Academy()
    agent = LoggingAgent(academy)
    DecisionRequester(agent, 2, take_actions_between_decisions=False)
    agent.enable()
    academy.connect()
    waits = []
    for tick in range(4):
        waits.append(academy.begin_step())
        academy.finish_step()
        if tick == 2:
            agent.end_episode()
    assert waits == [True, False, True, True]  # the last one for the terminal record alone


def test_requesters_stagger_and_follow_the_count_since_the_environment_reset() -> None:
    academy = Academy()
    early, late = LoggingAgent(academy, HEURISTIC), LoggingAgent(academy, HEURISTIC)
    DecisionRequester(early, 3)
    DecisionRequester(late, 3, 2, take_actions_between_decisions=False)
    for agent in (early, late):
        agent.enable()

    def decisions(ticks: int) -> tuple[list[int], list[int]]:
        seen: tuple[list[int], list[int]] = ([], [])
        for tick in range(ticks):
            early.log.clear()
            late.log.clear()
            academy.environment_step()
            for agent, ticks_seen in zip((early, late), seen, strict=True):
                if "a observe" in agent.log:
                    ticks_seen.append(tick)
        return seen

    assert decisions(8) == ([0, 3, 6], [2, 5])
    assert len(early.actions) == 8
    assert len(late.actions) == 2
    academy.environment_reset()
    assert decisions(4) == ([0, 3], [2])


def test_overridden_requester_gets_the_step_count() -> None:
    class Odd(DecisionRequester):
        def should_request_decision(self, context: DecisionRequestContext) -> bool:
            return context.academy_step_count % 2 == 1

    academy = Academy()
    agent = LoggingAgent(academy, HEURISTIC)
    Odd(agent, 5, take_actions_between_decisions=False)
    agent.enable()
    observed = []
    for _ in range(5):
        agent.log.clear()
        academy.environment_step()
        observed.append("a observe" in agent.log)
    assert observed == [False, True, False, True, False]
    assert len(agent.actions) == 2


@pytest.mark.parametrize(("period", "step"), [(0, 0), (21, 0), (5, 5), (5, -1)])
def test_requester_refuses_impossible_rhythms(period: int, step: int) -> None:
    with pytest.raises(ValueError, match="decision_"):
        DecisionRequester(LoggingAgent(Academy()), period, step)


def test_counters_survive_resets_as_specified() -> None:
    academy = Academy()
    agent = LoggingAgent(academy, HEURISTIC)
    agent.enable()
    for _ in range(3):
        academy.environment_step()
    academy.environment_reset()
    assert (academy.step_count, academy.total_step_count, academy.episode_count) == (0, 3, 2)
    assert agent.step_count == 0
    academy.environment_step()
    assert (academy.step_count, academy.total_step_count, academy.episode_count) == (1, 4, 2)


def test_environment_reset_clears_rewards_and_stored_actions_but_not_request_flags() -> None:
    env, agent = single_agent_environment()
    env.reset()
    env.set_actions(NAME, continuous(0.5))
    env.step()
    agent.add_reward(3.0)
    agent.log.clear()
    agent.actions.clear()
    env.reset()
    assert agent.get_cumulative_reward() == 0.0
    assert agent.log == ["a begin", "a act", "a observe"]  # the begun step finishes with zero actions
    assert agent.actions == [[0.0]]
    decisions, terminals = env.get_steps(NAME)
    assert decisions.reward.tolist() == [0.0]
    assert len(terminals) == 0


def test_environment_reset_drops_records_that_wait() -> None:
    env, agent = single_agent_environment(period=2)
    env.reset()
    agent.end_episode()
    env.reset()
    decisions, terminals = env.get_steps(NAME)
    assert (len(decisions), len(terminals)) == (1, 0)


@pytest.mark.parametrize("call", ["environment_step", "begin_step", "finish_step", "environment_reset"])
def test_stepping_inside_a_callback_is_refused_and_the_guard_released(call: str) -> None:
    academy = Academy()
    agent = LoggingAgent(academy, HEURISTIC)
    DecisionRequester(agent, 1)
    agent.enable()
    agent.on_action = getattr(academy, call)
    with pytest.raises(AgentsError, match="from inside a step"):
        academy.environment_step()
    agent.on_action = lambda: None
    agent.actions.clear()
    academy.environment_step()
    assert len(agent.actions) == 1


def test_an_error_while_observing_leaves_the_academy_usable() -> None:
    env, agent = single_agent_environment()
    env.reset()
    agent.value = float("nan")
    with pytest.raises(UnityObservationException, match="nan"):
        env.step()
    agent.value = 2.0
    env.step()
    assert env.get_steps(NAME)[0].obs[0].tolist() == [[2.0]]


def test_an_error_withdraws_the_requests_of_all_agents() -> None:
    academy = Academy()
    once, always = LoggingAgent(academy), LoggingAgent(academy)
    once.enable()
    always.enable()
    DecisionRequester(always, 1)
    env = SdkEnvironment(academy, lambda: None)
    env.reset()
    once.request_decision()
    always.value = float("nan")
    with pytest.raises(UnityObservationException, match="agent 1"):
        env.step()
    always.value = 0.0
    env.step()
    env.set_actions(NAME, continuous(0.5))
    env.step()
    assert always.actions[-1] == [0.5]
    assert once.get_stored_action_buffers().continuous_actions == [0.0]  # not the action of the other


def test_agents_created_late_begin_their_episode_at_once() -> None:
    academy = Academy()
    early = LoggingAgent(academy, HEURISTIC)
    early.enable()
    assert early.log == ["a initialize"]
    academy.environment_step()
    late = LoggingAgent(academy, HEURISTIC)
    late.enable()
    assert late.log == ["a initialize", "a begin"]


def test_agent_ids_belong_to_the_academy() -> None:
    for _ in range(2):
        academy = Academy()
        agents = [LoggingAgent(academy, HEURISTIC) for _ in range(3)]
        for agent in agents:
            agent.enable()
        assert [agent.agent_id for agent in agents] == [0, 1, 2]


def test_generators_repeat_with_the_seed_and_differ_from_each_other() -> None:
    draws = [
        [rng.random() for rng in (academy.make_rng(), academy.make_rng())]
        for academy in map(Academy, (7, 7, 8))
    ]
    assert draws[0] == draws[1]
    assert len({*draws[0], *draws[2]}) == 4


def test_several_academies_do_not_disturb_each_other() -> None:
    (first, one), (second, two) = single_agent_environment(), single_agent_environment(period=3)
    first.reset()
    second.reset()
    for _ in range(4):
        first.step()
    assert (one.academy.step_count, two.academy.step_count) == (5, 1)
    assert len(two.actions) == 0


def test_disposed_academy_refuses_to_step_and_disposes_twice() -> None:
    academy = Academy()
    academy.dispose()
    academy.dispose()
    with pytest.raises(AgentsError, match="dispose"):
        academy.environment_step()


def test_agents_that_leave_during_a_step_are_skipped() -> None:
    academy = Academy()
    first, second = LoggingAgent(academy, HEURISTIC, max_step=1), LoggingAgent(academy, HEURISTIC, max_step=1)
    for agent in (first, second):
        DecisionRequester(agent, 1)
        agent.enable()
    first.on_action = second.disable
    academy.environment_step()
    assert len(first.actions) == 1
    assert second.actions == []
    assert first.completed_episodes == 1  # by max_step
    assert second.completed_episodes == 0


def test_connecting_between_the_halves_of_a_step_is_refused() -> None:
    academy = Academy()
    academy.begin_step()
    with pytest.raises(AgentsError, match="finish_step has to come first"):
        SdkEnvironment(academy, lambda: None)


def test_without_a_trainer_default_agents_play_their_heuristic() -> None:
    academy = Academy()
    agent = LoggingAgent(academy, CONTINUOUS)
    DecisionRequester(agent, 1)
    agent.enable()
    assert agent.is_in_heuristic_mode()
    academy.environment_step()
    assert agent.actions == [[0.25]]
    academy.connect()
    assert not agent.is_in_heuristic_mode()
    academy.environment_step()
    assert agent.actions[1] == [0.0]  # asked, but nobody answered
    assert np.isclose(agent.get_stored_action_buffers().continuous_actions, 0.0).all()
