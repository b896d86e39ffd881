"""Basic: walk along a line of 21 places to the larger of two rewards; no physics, no chance."""

from __future__ import annotations

from typing import Any

from mlagents_envs.base_env import BaseEnv
from mlagents_envs.registry.options import EnvironmentOptions
from mlagents_examples.basic.agent import BasicAgent
from mlagents_sdk import Academy, DecisionRequester, SavableSdkEnvironment, resolve_num_areas

NUM_AREAS = 1
"""Lines, each with an agent, when nobody asks for another number."""

DECISION_PERIOD = 1
"""Steps per decision."""

__all__ = ["DECISION_PERIOD", "NUM_AREAS", "BasicAgent", "make_environment"]


def make_environment(options: EnvironmentOptions) -> BaseEnv:
    """Build Basic; registered as the environment ``Basic``.

    Args:
        options: number of areas and side channels are used; there is nothing to seed.
    """
    academy = Academy(seed=options.seed, num_areas=resolve_num_areas(options.num_areas, NUM_AREAS))
    agents = [BasicAgent(academy) for _ in range(academy.num_areas)]
    for agent in agents:
        DecisionRequester(agent, decision_period=DECISION_PERIOD)
        agent.enable()

    def save() -> dict[str, Any]:
        return {"places": [agent.place for agent in agents]}

    def load(state: dict[str, Any]) -> None:
        for agent, place in zip(agents, state["places"], strict=True):
            agent.place = place

    return SavableSdkEnvironment(
        academy, lambda: None, save=save, load=load, side_channels=options.side_channels
    )
