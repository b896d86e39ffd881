"""Agents and environments for the tests of the SDK."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from mlagents_envs.base_env import ActionTuple
from mlagents_sdk import (
    Academy,
    ActionBuffers,
    ActionSpec,
    Agent,
    BehaviorParameters,
    BehaviorType,
    DecisionRequester,
    SdkEnvironment,
    VectorSensor,
)

CONTINUOUS = BehaviorParameters(
    "Test", vector_observation_size=1, action_spec=ActionSpec.create_continuous(1)
)
HEURISTIC = BehaviorParameters(
    "Test",
    behavior_type=BehaviorType.HEURISTIC_ONLY,
    vector_observation_size=1,
    action_spec=ActionSpec.create_continuous(1),
)
NAME = CONTINUOUS.fully_qualified_name


class LoggingAgent(Agent):
    """Writes every callback into ``log`` and observes ``value``; ``on_action`` may be replaced."""

    def __init__(
        self,
        academy: Academy,
        behavior: BehaviorParameters = CONTINUOUS,
        max_step: int = 0,
        label: str = "a",
        log: list[str] | None = None,
    ) -> None:
        super().__init__(academy, behavior, max_step)
        self.label = label
        self.log: list[str] = [] if log is None else log
        self.value = 0.0
        self.actions: list[list[float]] = []
        self.on_action: Callable[[], None] = lambda: None

    def initialize(self) -> None:
        self.log.append(f"{self.label} initialize")

    def on_episode_begin(self) -> None:
        self.log.append(f"{self.label} begin")

    def collect_observations(self, sensor: VectorSensor) -> None:
        self.log.append(f"{self.label} observe")
        sensor.add_observation(self.value)

    def write_discrete_action_mask(self, mask: object) -> None:
        self.log.append(f"{self.label} mask")

    def on_action_received(self, actions: ActionBuffers) -> None:
        self.log.append(f"{self.label} act")
        self.actions.append(list(actions.continuous_actions))
        self.on_action()

    def heuristic(self, actions_out: ActionBuffers) -> None:
        self.log.append(f"{self.label} heuristic")
        actions_out.continuous_actions[0] = 0.25


def single_agent_environment(
    period: int = 1,
    *,
    behavior: BehaviorParameters = CONTINUOUS,
    max_step: int = 0,
    between: bool = True,
    simulate: Callable[[], None] = lambda: None,
) -> tuple[SdkEnvironment, LoggingAgent]:
    """One logging agent that decides every ``period`` ticks, and its environment."""
    academy = Academy()
    agent = LoggingAgent(academy, behavior, max_step)
    DecisionRequester(agent, period, take_actions_between_decisions=between)
    agent.enable()
    return SdkEnvironment(academy, simulate), agent


def continuous(*values: float) -> ActionTuple:
    """One continuous action per agent."""
    return ActionTuple(continuous=np.array(values, dtype=np.float32).reshape(-1, 1))
