"""Match3: swap neighbouring cells so that three of a colour lie in a row; no physics."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from mlagents_envs.base_env import BaseEnv
from mlagents_envs.registry.options import EnvironmentOptions
from mlagents_examples.match3.agent import (
    SIMPLE_HEURISTIC,
    SMART_HEURISTIC,
    VECTOR,
    VISUAL,
    Match3Agent,
    Player,
)
from mlagents_examples.match3.board import Match3Board
from mlagents_sdk import Academy, SavableSdkEnvironment, resolve_num_areas

NUM_AREAS = 4
"""Boards of each of the two behaviors when nobody asks for another number."""

NUM_HEURISTIC_AREAS = 2
"""The same where heuristics play."""

__all__ = [
    "NUM_AREAS",
    "NUM_HEURISTIC_AREAS",
    "SIMPLE_HEURISTIC",
    "SMART_HEURISTIC",
    "VECTOR",
    "VISUAL",
    "Match3Agent",
    "Match3Board",
    "Player",
    "make_environment",
    "make_heuristic_environment",
]


def make_environment(options: EnvironmentOptions) -> BaseEnv:
    """Build Match3 with vector and visual observations; registered as the environment ``Match3``.

    Args:
        options: seed, number of areas (of either kind) and side channels are used.
    """
    return _host((VECTOR, VISUAL), NUM_AREAS, options)


def make_heuristic_environment(options: EnvironmentOptions) -> BaseEnv:
    """Build Match3 played by heuristics; registered as the environment ``Match3Heuristic``.

    Trainers see it as any other environment, but their actions are not carried out. It tells how well
    heuristics play.

    Args:
        options: seed, number of areas (of either heuristic) and side channels are used.
    """
    return _host((SIMPLE_HEURISTIC, SMART_HEURISTIC), NUM_HEURISTIC_AREAS, options)


def _host(players: Sequence[Player], num_areas: int, options: EnvironmentOptions) -> BaseEnv:
    num_each = resolve_num_areas(options.num_areas, num_areas)
    academy = Academy(seed=options.seed, num_areas=num_each)
    agents = [Match3Agent(academy, player) for player in players for _ in range(num_each)]
    for agent in agents:
        agent.enable()

    def advance() -> None:
        for agent in agents:
            agent.advance()

    def save() -> dict[str, Any]:
        return {"agents": [agent.get_state() for agent in agents]}

    def load(state: dict[str, Any]) -> None:
        for agent, saved in zip(agents, state["agents"], strict=True):
            agent.set_state(saved)

    return SavableSdkEnvironment(academy, advance, save=save, load=load, side_channels=options.side_channels)
