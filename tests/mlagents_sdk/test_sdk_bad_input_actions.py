"""Actions, rewards and sensors that no environment can use are named; recordings stay readable."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from sdk_helpers import HEURISTIC, NAME, LoggingAgent, single_agent_environment

from mlagents_envs.base_env import ActionTuple, DimensionProperty, ObservationSpec, ObservationType
from mlagents_envs.demonstrations import read_demonstration
from mlagents_envs.exception import EnvironmentWarning
from mlagents_envs.registry import factory
from mlagents_envs.registry.options import EnvironmentOptions
from mlagents_sdk import (
    Academy,
    ActionBuffers,
    ActionSpec,
    AgentsError,
    BehaviorParameters,
    DecisionRequester,
    SdkEnvironment,
    VectorSensorComponent,
)
from mlagents_sdk.cli.envs import main
from mlagents_sdk.cli.errors import run_command

HYBRID = BehaviorParameters(
    "Test", vector_observation_size=1, action_spec=ActionSpec.create_hybrid(1, (3, 2))
)


class Choosing(LoggingAgent):
    """Its heuristic and its expert do what they are told from their tenth decision on."""

    choose: Callable[[ActionBuffers], None]
    decisions = 0

    def heuristic(self, actions_out: ActionBuffers) -> None:
        self.decisions += 1
        if self.decisions >= 10:
            self.choose(actions_out)

    def on_action_received(self, actions: ActionBuffers) -> None:
        super().on_action_received(actions)
        if len(self.actions) % 3 == 0:
            self.end_episode()


class Expert(Choosing):
    """Has an expert instead."""

    def expert(self, actions_out: ActionBuffers) -> None:
        Choosing.heuristic(self, actions_out)


def _branch(value: object) -> Callable[[ActionBuffers], None]:
    def choose(actions_out: ActionBuffers) -> None:
        actions_out.discrete_actions[1] = value  # type: ignore[call-overload]

    return choose


def _push(value: float) -> Callable[[ActionBuffers], None]:
    def choose(actions_out: ActionBuffers) -> None:
        actions_out.continuous_actions[0] = value

    return choose


IMPOSSIBLE = [
    (_branch(2), r"chose action 2 of branch 1, which has 2, counted from 0"),
    (_branch(-1), r"chose action -1 of branch 1"),
    (_branch(1.0), r"chose action 1\.0 of branch 1"),
    (_branch("left"), r"chose action 'left' of branch 1"),
    (_push(float("nan")), r"chose nan as continuous action 0"),
    (_push(float("inf")), r"chose inf as continuous action 0"),
]


def choosing_environment(
    choose: Callable[[ActionBuffers], None], kind: type[Choosing] = Choosing
) -> SdkEnvironment:
    academy = Academy()
    agent = kind(academy, HYBRID)
    agent.choose = choose
    DecisionRequester(agent, 1)
    agent.enable()
    env = SdkEnvironment(academy, lambda: None)
    env.reset()
    return env


@pytest.mark.parametrize(("choose", "problem"), IMPOSSIBLE)
def test_impossible_heuristics_are_named(choose: Callable[[ActionBuffers], None], problem: str) -> None:
    env = choosing_environment(choose)
    for _ in range(9):
        env.heuristic_actions(NAME)
    with pytest.raises(AgentsError, match=rf"^Behavior Test\?team=0, agent 0: the heuristic of .* {problem}"):
        env.heuristic_actions(NAME)


@pytest.mark.parametrize(("choose", "problem"), IMPOSSIBLE)
def test_impossible_experts_are_named(choose: Callable[[ActionBuffers], None], problem: str) -> None:
    env = choosing_environment(choose, Expert)
    for _ in range(9):
        env.expert_actions(NAME)
    with pytest.raises(AgentsError, match=rf"^Behavior Test\?team=0, agent 0: the expert {problem}"):
        env.expert_actions(NAME)


def test_experts_that_add_actions_are_named() -> None:
    env = choosing_environment(lambda actions_out: actions_out.discrete_actions.append(0), Expert)
    for _ in range(9):
        env.expert_actions(NAME)
    with pytest.raises(AgentsError, match=r"the expert left 1 continuous and 3 discrete actions"):
        env.expert_actions(NAME)


def test_possible_actions_of_any_kind_of_number_are_taken() -> None:
    def choose(actions_out: ActionBuffers) -> None:
        actions_out.discrete_actions[:] = [np.int64(2), True]
        actions_out.continuous_actions[0] = np.float32(0.5)

    env = choosing_environment(choose)
    for _ in range(9):
        env.heuristic_actions(NAME)
    chosen: ActionTuple = env.heuristic_actions(NAME)
    assert chosen.discrete.tolist() == [[2, 1]]
    assert chosen.continuous.tolist() == [[0.5]]


@pytest.mark.parametrize("kind", [Choosing, Expert])
def test_recordings_of_impossible_actions_end_and_stay_readable(
    kind: type[Choosing], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)

    def make(name: str, options: EnvironmentOptions) -> SdkEnvironment:
        return choosing_environment(_branch(9), kind)

    monkeypatch.setattr(factory, "make_environment", make)
    who = "default" if kind is Choosing else "expert"
    assert main(["record", "World", f"--heuristic={who}", "--episodes=20", "--out=a.demo"]) == 1
    captured = capsys.readouterr()
    assert "3 of 20 episodes are in a.demo" in captured.out + captured.err
    assert "chose action 9 of branch 1" in captured.err
    demo = read_demonstration("a.demo")
    assert demo.done.sum() == demo.metadata.number_episodes == 3


# Rewards and sensors


def test_rewards_that_are_no_numbers_are_named() -> None:
    env, agent = single_agent_environment()
    env.reset()
    agent.add_reward(np.array([1.0, 2.0]))  # type: ignore[arg-type]
    with pytest.raises(AgentsError, match=r"agent 0: the reward is array\(\[1\., 2\.\]\).*add_reward"):
        env.step()


class _Talking:
    """A sensor that answers in words."""

    def create_sensors(self) -> list[_Talking]:
        return [self]

    def get_name(self) -> str:
        return "Talking"

    def get_observation_spec(self) -> ObservationSpec:
        return ObservationSpec((2,), (DimensionProperty.NONE,), ObservationType.DEFAULT, "Talking")

    def update(self) -> None:
        """Nothing changes."""

    def reset(self) -> None:
        """Nothing is remembered."""

    def write(self, out: NDArray[np.float32]) -> str:
        out[...] = 0.0
        return "two"


def test_sensors_that_tell_their_size_in_words_are_named() -> None:
    academy = Academy()
    agent = LoggingAgent(academy)
    agent.add_component(_Talking())  # type: ignore[arg-type]
    DecisionRequester(agent, 1)
    agent.enable()
    with pytest.raises(AgentsError, match=r"agent 0, sensor Talking: write\(\) returned 'two'"):
        SdkEnvironment(academy, lambda: None).reset()


# Warnings


def test_warnings_are_of_a_kind_that_commands_print_as_one_line(
    capsys: pytest.CaptureFixture[str],
) -> None:
    def body() -> None:
        agent = LoggingAgent(Academy(), HEURISTIC)
        for _ in range(2):
            VectorSensorComponent(agent, 1, "Twin")
        agent.enable()

    before = warnings.showwarning
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        assert run_command(body) == 0
    err = capsys.readouterr().err
    assert err.startswith(
        "warning: Behavior Test?team=0, agent 0 has several sensors named 'Twin'; give each"
    )
    assert err.count("\n") == 1
    assert warnings.showwarning is before
    with pytest.warns(EnvironmentWarning):
        body()
