from __future__ import annotations

import random
from typing import Any

import numpy as np
import pytest
from sdk_helpers import CONTINUOUS, HEURISTIC, NAME, LoggingAgent, continuous, single_agent_environment

from mlagents_envs.base_env import ActionTuple
from mlagents_envs.capabilities import PlaysHeuristic, SavesState
from mlagents_envs.exception import (
    UnityActionException,
    UnityEnvironmentException,
    UnityObservationException,
    UnityTimeOutException,
)
from mlagents_sdk import (
    Academy,
    ActionBuffers,
    ActionSpec,
    Agent,
    AgentsError,
    BehaviorParameters,
    DecisionRequester,
    SavableSdkEnvironment,
    SdkEnvironment,
    VectorSensor,
    area_positions,
    resolve_num_areas,
)
from mlagents_sdk.policies.remote_policy import RemotePolicy


def many_agents(count: int) -> tuple[SdkEnvironment, list[LoggingAgent]]:
    academy = Academy()
    agents = [LoggingAgent(academy) for _ in range(count)]
    for index, agent in enumerate(agents):
        agent.value = float(index)
        DecisionRequester(agent, 1)
        agent.enable()
    return SdkEnvironment(academy, lambda: None), agents


def test_order_of_a_step_seen_from_outside() -> None:
    log: list[str] = []
    env, agent = single_agent_environment(period=2, simulate=lambda: log.append("physics"))
    agent.log = log
    env.reset()
    assert log == ["a begin", "a observe"]
    log.clear()
    env.step()
    assert log == ["a act", "physics", "a act", "physics", "a observe"]


def test_behaviors_are_announced_with_their_first_records() -> None:
    env, agent = single_agent_environment()
    heuristic = LoggingAgent(env.academy, BehaviorParameters("Silent", action_spec=CONTINUOUS.action_spec))
    heuristic.enable()  # never asks
    assert len(env.behavior_specs) == 0
    with pytest.raises(UnityActionException, match="none yet"):
        env.get_steps(NAME)
    env.step()  # without a reset first
    assert list(env.behavior_specs) == [NAME]
    assert env.behavior_specs[NAME].action_spec == ActionSpec.create_continuous(1)
    assert agent.academy.episode_count == 1


def test_rows_follow_the_agents_and_columns_grow() -> None:
    env, agents = many_agents(40)
    env.reset()
    decisions, terminals = env.get_steps(NAME)
    assert decisions.agent_id.tolist() == list(range(40))
    assert decisions.obs[0].shape == (40, 1)
    assert decisions.obs[0].dtype == np.float32
    assert decisions.obs[0].ravel().tolist() == list(range(40))
    assert (decisions.group_id.any(), decisions.group_reward.any(), len(terminals)) == (False, False, 0)
    env.set_actions(NAME, continuous(*(index / 100 for index in range(40))))
    for agent in agents:
        agent.on_action = lambda agent=agent: agent.add_reward(agent.value)
    for agent in agents[10:]:
        agent.max_step = 1
    env.step()
    for index, agent in enumerate(agents):
        assert agent.actions[0] == pytest.approx([index / 100])
    decisions, terminals = env.get_steps(NAME)
    assert decisions.reward.tolist() == [*range(10)] + [0.0] * 30
    assert terminals.agent_id.tolist() == list(range(10, 40))
    assert terminals.reward.tolist() == list(range(10, 40))
    assert terminals.interrupted.all()


def test_steps_are_copied_once_and_belong_to_the_caller() -> None:
    env, agent = single_agent_environment()
    agent.value = 1.0
    env.reset()
    steps = env.get_steps(NAME)
    assert env.get_steps(NAME) is steps
    agent.value = 2.0
    env.step()
    assert steps[0].obs[0].tolist() == [[1.0]]
    assert env.get_steps(NAME)[0].obs[0].tolist() == [[2.0]]


def test_records_made_in_the_trainers_turn_travel_with_the_next_exchange() -> None:
    env, agents = many_agents(2)
    env.reset()
    env.get_steps(NAME)
    agents[0].value = 7.0
    agents[0].end_episode()
    assert len(env.get_steps(NAME)[1]) == 0
    env.set_actions(NAME, continuous(0.5, 0.75))
    env.step()
    terminals = env.get_steps(NAME)[1]
    assert terminals.agent_id.tolist() == [0]
    assert terminals.obs[0].tolist() == [[7.0]]
    assert agents[0].actions == []  # the end of its episode withdrew the request
    assert agents[1].actions == [[0.75]]
    agents[1].value = 9.0
    agents[1].end_episode()  # its row lies behind the one just handed over
    env.step()
    terminals = env.get_steps(NAME)[1]
    assert terminals.agent_id.tolist() == [1]
    assert terminals.obs[0].tolist() == [[9.0]]
    env.step()
    assert len(env.get_steps(NAME)[1]) == 0


def test_actions_not_set_are_zero_and_used_once() -> None:
    env, agents = many_agents(2)
    env.reset()
    env.set_action_for_agent(NAME, 1, continuous(0.5))
    env.step()
    env.step()
    assert [agent.actions for agent in agents] == [[[0.0], [0.0]], [[0.5], [0.0]]]


def test_actions_for_one_agent_keep_those_of_the_others() -> None:
    env, agents = many_agents(2)
    env.reset()
    env.set_actions(NAME, continuous(0.25, 0.75))
    env.set_action_for_agent(NAME, 0, continuous(-1.0))
    env.step()
    assert [agent.actions for agent in agents] == [[[-1.0]], [[0.75]]]


def test_wrong_actions_are_refused() -> None:
    env, _ = many_agents(2)
    env.reset()
    with pytest.raises(UnityActionException, match=r"no behavior Nobody.*Test\?team=0"):
        env.set_actions("Nobody", continuous(1.0, 2.0))
    with pytest.raises(UnityActionException, match=r"shape \(2, 1\)"):
        env.set_actions(NAME, continuous(1.0))
    with pytest.raises(UnityActionException, match="discrete"):
        env.set_actions(NAME, ActionTuple(np.zeros((2, 1)), np.zeros((2, 3))))
    with pytest.raises(UnityActionException, match=r"shape \(1, 1\)"):
        env.set_action_for_agent(NAME, 0, continuous(1.0, 2.0))
    with pytest.raises(IndexError, match="Agent 9"):
        env.set_action_for_agent(NAME, 9, continuous(1.0))


def test_fewer_actions_than_requests_leave_the_rest_with_zeros() -> None:
    env, agents = many_agents(2)
    env.reset()
    policy = env.academy.policies.remote[NAME]
    assert isinstance(policy, RemotePolicy)
    policy.actions = continuous(0.5)
    with pytest.warns(
        UserWarning, match=r"Test\?team=0: 2 agents asked for a decision but the trainer sent 1"
    ):
        env.step()
    assert [agent.actions for agent in agents] == [[[0.5]], [[0.0]]]


@pytest.mark.parametrize("junk", [float("nan"), float("inf"), -float("inf")])
def test_observations_that_are_not_finite_are_refused_by_name(junk: float) -> None:
    class Wide(LoggingAgent):
        def collect_observations(self, sensor: VectorSensor) -> None:
            sensor.add_observation((0.0, 1.0, self.value))

    academy = Academy()
    behavior = BehaviorParameters(
        "Wide", vector_observation_size=3, action_spec=ActionSpec.create_continuous(1)
    )
    agents = [Wide(academy, behavior) for _ in range(3)]
    for agent in agents:
        DecisionRequester(agent, 1)
        agent.enable()
    agents[1].value = junk
    env = SdkEnvironment(academy, lambda: None)
    message = rf"Wide\?team=0, agent 1, sensor VectorSensor_size3: the value at index 2 is {junk}"
    with pytest.raises(UnityObservationException, match=message):
        env.reset()


@pytest.mark.parametrize("ends", [False, True])
def test_rewards_that_are_not_finite_are_refused_by_name(ends: bool) -> None:
    env, agents = many_agents(3)
    env.reset()
    agents[2].set_reward(float("nan"))
    if ends:
        agents[2].end_episode()
    with pytest.raises(UnityObservationException, match=r"Test\?team=0, agent 2: the reward is nan"):
        env.step()


def test_without_any_record_the_environment_gives_up() -> None:
    academy = Academy()
    LoggingAgent(academy).enable()
    env = SdkEnvironment(academy, lambda: None, max_idle_ticks=50)
    with pytest.raises(UnityTimeOutException, match=r"50 ticks.*DecisionRequester"):
        env.reset()


def test_close_releases_once_and_ends_all_use() -> None:
    closed: list[bool] = []
    academy = Academy()
    env = SdkEnvironment(academy, lambda: None, close=lambda: closed.append(True))
    env.close()
    env.close()
    assert closed == [True]
    for use in (env.reset, env.step):
        with pytest.raises(UnityEnvironmentException, match="closed"):
            use()


def test_the_first_reset_shows_the_scene_as_set_up_and_later_ones_finish_the_step() -> None:
    ticks: list[int] = []
    env, agent = single_agent_environment(period=5, simulate=lambda: ticks.append(1))
    env.reset()
    assert (len(ticks), env.academy.step_count) == (0, 1)
    env.set_actions(NAME, continuous(0.5))
    env.reset()
    assert (len(ticks), env.academy.step_count, env.academy.episode_count) == (1, 1, 2)
    assert agent.actions == [[0.0]]
    env.step()
    assert agent.actions == [[0.0]] * 6  # the actions set before the reset are gone


def test_heuristics_play_without_disturbing_anything() -> None:
    env, agents = many_agents(2)
    late = LoggingAgent(env.academy)  # enabled but not waiting
    late.enable()
    env.reset()
    assert isinstance(env, PlaysHeuristic)
    assert env.has_heuristic(NAME)
    env.set_actions(NAME, continuous(0.5, 0.75))
    actions = env.heuristic_actions(NAME)
    assert actions.continuous.tolist() == [[0.25], [0.25]]
    assert actions.discrete.shape == (2, 0)
    env.step()
    assert [agent.actions for agent in agents] == [[[0.5]], [[0.75]]]


def test_agents_without_a_heuristic_say_so() -> None:
    class Silent(Agent):
        def collect_observations(self, sensor: VectorSensor) -> None:
            sensor.add_observation(0.0)

    academy = Academy()
    agent = Silent(academy, CONTINUOUS)
    DecisionRequester(agent, 1)
    agent.enable()
    env = SdkEnvironment(academy, lambda: None)
    env.reset()
    assert not env.has_heuristic(NAME)


def test_heuristic_agents_play_beside_trained_ones_unseen() -> None:
    env, agents = many_agents(1)
    scripted = LoggingAgent(env.academy, HEURISTIC)
    DecisionRequester(scripted, 1)
    scripted.enable()
    env.reset()
    env.step()
    assert env.get_steps(NAME)[0].agent_id.tolist() == [0]
    assert scripted.actions == [[0.25]]
    assert agents[0].actions == [[0.0]]
    scripted.value = float("nan")
    with pytest.raises(UnityObservationException, match="agent 1"):
        env.step()


def test_resolve_num_areas() -> None:
    assert [resolve_num_areas(requested, 12) for requested in (None, 1, 2, 30)] == [12, 12, 2, 30]
    for requested, default in ((0, 12), (-3, 12), (2, 0)):
        with pytest.raises(ValueError, match="at least 1"):
            resolve_num_areas(requested, default)


def test_areas_lie_on_a_grid_close_to_a_cube() -> None:
    assert area_positions(1) == [(0.0, 0.0, 0.0)]
    assert area_positions(5, 2.0) == [(0, 0, 0), (2, 0, 0), (0, 2, 0), (2, 2, 0), (0, 0, 2)]
    assert area_positions(27, 1.0)[-1] == (2, 2, 2)
    assert area_positions(28, 1.0)[4] == (0, 1, 0)


class Walker(Agent):
    """Walks at random; its fields are what a host has to save."""

    def __init__(self, academy: Academy, behavior: BehaviorParameters) -> None:
        super().__init__(academy, behavior, max_step=17)
        self.rng = academy.make_rng()
        self.x = 0.0

    def on_episode_begin(self) -> None:
        self.x = self.rng.gauss(0.0, 1.0) * self.academy.environment_parameters.get_with_default("width", 1.0)

    def collect_observations(self, sensor: VectorSensor) -> None:
        sensor.add_observation((self.x, self.rng.random()))

    def on_action_received(self, actions: ActionBuffers) -> None:
        self.x += 0.1 * actions.continuous_actions[0]
        self.add_reward(self.x)
        if self.rng.random() < 0.05:
            self.end_episode()


def walkers() -> SavableSdkEnvironment:
    from mlagents_sdk.side_channels.samplers import UniformSampler

    academy = Academy(seed=3)
    behavior = BehaviorParameters(
        "Test",
        vector_observation_size=2,
        num_stacked_vector_observations=2,
        action_spec=ActionSpec.create_continuous(1),
    )
    agents = [Walker(academy, behavior) for _ in range(4)]
    for index, agent in enumerate(agents):
        DecisionRequester(agent, 3, index % 3)
        agent.enable()
    academy.environment_parameters.set_sampler("width", UniformSampler(0.0, 1.0, seed=5))

    def load(state: dict[str, Any]) -> None:
        for agent, x in zip(agents, state["x"], strict=True):
            agent.x = x

    return SavableSdkEnvironment(
        academy, lambda: None, save=lambda: {"x": [agent.x for agent in agents]}, load=load
    )


def trace(env: SavableSdkEnvironment, steps: int, seed: int) -> list[Any]:
    rng = random.Random(seed)
    result: list[Any] = []
    for _ in range(steps):
        decisions, terminals = env.get_steps(NAME)
        result += [decisions.agent_id.tolist(), decisions.obs[0].tolist(), decisions.reward.tolist()]
        result += [terminals.agent_id.tolist(), terminals.obs[0].tolist(), terminals.reward.tolist()]
        env.set_actions(NAME, continuous(*(rng.uniform(-1, 1) for _ in range(len(decisions)))))
        env.step()
    return result


@pytest.mark.parametrize("warm_up", [0, 37])
def test_saved_environments_continue_bit_for_bit(warm_up: int) -> None:
    env = walkers()
    assert isinstance(env, SavesState)
    assert not isinstance(single_agent_environment()[0], SavesState)
    env.reset()
    trace(env, 50, seed=1)
    state = env.get_state()
    expected = trace(env, 80, seed=2)
    assert any(len(ids) for ids in expected[3::6])  # some episodes ended

    for other in (walkers(), env):
        if warm_up:
            other.reset()
            trace(other, warm_up, seed=9)
        other.set_state(state)
        assert trace(other, 80, seed=2) == expected


def test_a_state_of_another_environment_is_refused() -> None:
    env = walkers()
    env.reset()
    state = env.get_state()
    state["academy"]["agents"].pop()
    with pytest.raises(AgentsError, match=r"agents \[0, 1, 2\].*has \[0, 1, 2, 3\]"):
        walkers().set_state(state)
