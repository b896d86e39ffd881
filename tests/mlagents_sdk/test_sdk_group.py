from __future__ import annotations

from collections.abc import Callable

import pytest
from sdk_helpers import NAME, LoggingAgent

from mlagents_envs.exception import UnityObservationException
from mlagents_sdk import Academy, AgentsError, DecisionRequester, SdkEnvironment, SimpleMultiAgentGroup

GroupCall = Callable[[SimpleMultiAgentGroup], None]


def team(size: int = 2, period: int = 1) -> tuple[SdkEnvironment, SimpleMultiAgentGroup, list[LoggingAgent]]:
    academy = Academy()
    group = SimpleMultiAgentGroup(academy)
    agents = [LoggingAgent(academy, label=str(index)) for index in range(size)]
    for agent in agents:
        DecisionRequester(agent, period)
        agent.enable()
        group.register_agent(agent)
    env = SdkEnvironment(academy, lambda: None)
    env.reset()
    return env, group, agents


def test_ids_count_from_one_in_each_academy() -> None:
    for _ in range(2):
        academy = Academy()
        assert [SimpleMultiAgentGroup(academy).get_id() for _ in range(3)] == [1, 2, 3]


def test_records_carry_group_and_group_reward_apart_from_the_agents_own() -> None:
    env, group, agents = team()
    group.add_group_reward(1.0)
    group.add_group_reward(0.5)
    agents[1].add_reward(4.0)
    env.step()
    decisions = env.get_steps(NAME)[0]
    assert decisions.group_id.tolist() == [1, 1]
    assert decisions.group_reward.tolist() == [1.5, 1.5]
    assert decisions.reward.tolist() == [0.0, 4.0]
    assert [agent.get_cumulative_reward() for agent in agents] == [0.0, 4.0]
    env.step()
    assert env.get_steps(NAME)[0].group_reward.tolist() == [0.0, 0.0]


def test_set_group_reward_overrides_what_is_pending() -> None:
    env, group, _ = team()
    group.add_group_reward(1.0)
    group.set_group_reward(0.25)
    group.add_group_reward(0.5)
    env.step()
    assert env.get_steps(NAME)[0].group_reward.tolist() == [0.75, 0.75]


def test_registering_twice_changes_nothing_and_another_group_is_refused() -> None:
    env, group, agents = team()
    group.register_agent(agents[0])
    assert group.get_registered_agents() == agents
    other = SimpleMultiAgentGroup(env.academy)
    with pytest.raises(AgentsError, match=r"Test\?team=0, agent 0 is in group 1 and cannot join group 2"):
        other.register_agent(agents[0])
    group.unregister_agent(agents[0])
    other.register_agent(agents[0])
    env.step()
    assert env.get_steps(NAME)[0].group_id.tolist() == [2, 1]


def test_agents_of_another_academy_are_refused() -> None:
    _, group, _ = team()
    with pytest.raises(AgentsError, match="belongs to another academy than group 1"):
        group.register_agent(LoggingAgent(Academy()))


def test_members_with_a_step_limit_are_warned_about() -> None:
    academy = Academy()
    with pytest.warns(UserWarning, match="max_step 100 and joins group 1.*group_episode_interrupted"):
        SimpleMultiAgentGroup(academy).register_agent(LoggingAgent(academy, max_step=100))


def test_unregistered_agents_have_no_group_and_get_no_reward() -> None:
    env, group, agents = team()
    group.unregister_agent(agents[1])
    group.unregister_agent(agents[1])
    group.add_group_reward(1.0)
    env.step()
    decisions = env.get_steps(NAME)[0]
    assert decisions.group_id.tolist() == [1, 0]
    assert decisions.group_reward.tolist() == [1.0, 0.0]


def test_a_disabled_member_leaves_after_its_last_record() -> None:
    env, group, agents = team()
    group.add_group_reward(2.0)
    agents[0].disable()
    group.add_group_reward(1.0)
    assert group.get_registered_agents() == [agents[1]]
    env.step()
    decisions, terminals = env.get_steps(NAME)
    assert (terminals.group_id.tolist(), terminals.group_reward.tolist()) == ([1], [2.0])
    assert (decisions.group_id.tolist(), decisions.group_reward.tolist()) == ([1], [3.0])
    agents[0].enable()
    env.step()
    assert env.get_steps(NAME)[0].group_id.tolist() == [1, 0]
    group.register_agent(agents[0])
    env.step()
    assert env.get_steps(NAME)[0].group_id.tolist() == [1, 1]
    assert group.get_registered_agents() == [agents[1], agents[0]]


def test_members_may_be_registered_before_they_are_enabled() -> None:
    academy = Academy()
    agent, group = LoggingAgent(academy), SimpleMultiAgentGroup(academy)
    group.register_agent(agent)
    group.end_group_episode()  # nothing to end yet
    DecisionRequester(agent, 1)
    agent.enable()
    env = SdkEnvironment(academy, lambda: None)
    env.reset()
    assert env.get_steps(NAME)[0].group_id.tolist() == [1]


@pytest.mark.parametrize(
    ("end", "interrupted"),
    [
        (SimpleMultiAgentGroup.end_group_episode, False),
        (SimpleMultiAgentGroup.group_episode_interrupted, True),
    ],
)
def test_a_group_ends_all_episodes_together(end: GroupCall, interrupted: bool) -> None:
    env, group, agents = team()
    outsider = LoggingAgent(env.academy)
    outsider.enable()
    group.add_group_reward(1.0)
    end(group)
    assert [agent.completed_episodes for agent in agents] == [1, 1]
    assert outsider.completed_episodes == 0
    env.step()
    decisions, terminals = env.get_steps(NAME)
    assert terminals.agent_id.tolist() == [0, 1]
    assert terminals.interrupted.tolist() == [interrupted] * 2
    assert terminals.group_id.tolist() == [1, 1]
    assert terminals.group_reward.tolist() == [1.0, 1.0]
    assert decisions.group_reward.tolist() == [0.0, 0.0]


def test_callbacks_may_change_the_members_while_their_episodes_end() -> None:
    env, group, agents = team(3)
    newcomer = LoggingAgent(env.academy)
    newcomer.enable()

    def change() -> None:
        if group.get_registered_agents() == agents:
            agents[1].disable()
            group.register_agent(newcomer)

    agents[0].on_episode_begin = change  # type: ignore[method-assign]
    group.end_group_episode()
    assert [agent.completed_episodes for agent in (*agents, newcomer)] == [1, 0, 1, 0]
    assert group.get_registered_agents() == [agents[0], agents[2], newcomer]


def test_a_group_may_end_while_a_member_acts() -> None:
    env, group, agents = team()
    agents[0].on_action = group.end_group_episode
    env.step()
    decisions, terminals = env.get_steps(NAME)
    assert (len(decisions), len(terminals)) == (2, 2)
    assert agents[1].actions == []  # its action was withdrawn with its episode


def test_disposing_lets_all_members_leave() -> None:
    env, group, agents = team()
    group.dispose()
    assert group.get_registered_agents() == []
    env.step()
    assert env.get_steps(NAME)[0].group_id.tolist() == [0, 0]
    SimpleMultiAgentGroup(env.academy).register_agent(agents[0])


def test_a_nan_group_reward_is_told_with_agent_and_remedy() -> None:
    env, group, _ = team()
    group.add_group_reward(float("nan"))
    with pytest.raises(
        UnityObservationException, match=r"Test\?team=0, agent 0: the group reward is nan.*add_group_reward"
    ):
        env.step()


def test_membership_is_saved_with_the_academy() -> None:
    env, group, agents = team()
    state = env.academy.get_state()
    group.unregister_agent(agents[0])
    SimpleMultiAgentGroup(env.academy)
    env.academy.set_state(state)
    assert set(group.get_registered_agents()) == set(agents)
    assert SimpleMultiAgentGroup(env.academy).get_id() == 2


def test_destroyed_members_are_not_kept() -> None:
    env, group, agents = team()
    for _ in range(5):
        spawned = LoggingAgent(env.academy)
        spawned.enable()
        group.register_agent(spawned)
        spawned.destroy()
    assert group.get_registered_agents() == agents
    assert len(group._acquainted) <= len(agents) + 1
