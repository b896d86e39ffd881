from __future__ import annotations

import pytest
from sdk_helpers import HEURISTIC, NAME, LoggingAgent, continuous

from mlagents_envs.exception import UnityTimeOutException
from mlagents_sdk import Academy, AgentsError, BehaviorParameters, DecisionRequester, SdkEnvironment
from mlagents_sdk.wire.serving import play_alone


class TurnBased:
    """A game in which a step is due every third tick only; observes the number of ticks."""

    def __init__(self, behavior: BehaviorParameters | None = None, steps_at_once: int = 1) -> None:
        self.ticks = 0
        self.steps_at_once = steps_at_once
        self.academy = Academy()
        self.academy.automatic_stepping_enabled = False
        self.agent = LoggingAgent(self.academy, behavior) if behavior else LoggingAgent(self.academy)
        DecisionRequester(self.agent, 1)
        self.agent.enable()

    def simulate(self) -> None:
        self.ticks += 1
        self.agent.value = float(self.ticks)
        if self.ticks % 3 == 0:
            for _ in range(self.steps_at_once):
                self.academy.environment_step()


def observed(env: SdkEnvironment) -> float:
    return float(env.get_steps(NAME)[0].obs[0].item())


def test_with_a_trainer_steps_take_place_when_the_game_asks() -> None:
    game = TurnBased()
    env = SdkEnvironment(game.academy, game.simulate)
    env.reset()
    assert (observed(env), game.academy.step_count) == (3.0, 1)
    env.set_actions(NAME, continuous(0.5))
    env.step()
    assert (observed(env), game.academy.step_count) == (6.0, 2)
    assert game.agent.actions == [[0.5]]


def test_several_steps_may_be_asked_for_in_one_tick() -> None:
    game = TurnBased(steps_at_once=2)
    env = SdkEnvironment(game.academy, game.simulate)
    env.reset()
    seen = [observed(env)]
    for _ in range(3):
        env.step()
        seen.append(observed(env))
    assert seen == [3.0, 3.0, 6.0, 6.0]


def test_steps_asked_for_are_saved() -> None:
    game = TurnBased(steps_at_once=2)
    env = SdkEnvironment(game.academy, game.simulate)
    env.reset()
    state = game.academy.get_state()
    env.step()
    assert game.ticks == 3  # the second step of the first turn
    game.academy.set_state(state)
    env.step()
    assert game.ticks == 3
    env.step()
    assert game.ticks == 6


def test_without_a_trainer_steps_take_place_at_once() -> None:
    game = TurnBased(HEURISTIC)
    env = SdkEnvironment(game.academy, game.simulate)
    play_alone(env, max_ticks=7, tick_seconds=0.0)
    assert (game.ticks, game.academy.step_count) == (7, 2)
    assert game.agent.actions == [[0.25], [0.25]]


def test_a_game_that_never_asks_is_given_up_with_a_hint() -> None:
    academy = Academy()
    academy.automatic_stepping_enabled = False
    env = SdkEnvironment(academy, lambda: None, max_idle_ticks=5)
    with pytest.raises(UnityTimeOutException, match=r"5 ticks.*academy\.environment_step\(\)"):
        env.reset()


def test_asking_inside_a_step_is_refused() -> None:
    game = TurnBased()
    env = SdkEnvironment(game.academy, game.simulate)
    env.reset()
    game.agent.on_action = game.academy.environment_step
    with pytest.raises(AgentsError, match="environment_step was called from inside a step"):
        env.step()
