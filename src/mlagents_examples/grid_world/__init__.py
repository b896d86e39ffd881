"""GridWorld: walk over a grid to the one of two kinds of goals that is wanted, by a camera's picture."""

from __future__ import annotations

from typing import Any

from mlagents_envs.base_env import BaseEnv
from mlagents_envs.registry.options import EnvironmentOptions
from mlagents_examples.grid_world.agent import GridWorldAgent
from mlagents_examples.grid_world.area import GridWorldArea, build_scene
from mlagents_examples.grid_world.board import Board, Cell, Kind
from mlagents_sdk import Academy, DecisionRequester, SavableSdkEnvironment, resolve_num_areas
from mlagents_sdk.physics import PhysicsWorld

NUM_AREAS = 9
"""Areas of the scene when nobody asks for another number."""

DECISION_PERIOD = 1
"""Steps per decision."""

__all__ = [
    "DECISION_PERIOD",
    "NUM_AREAS",
    "Board",
    "Cell",
    "GridWorldAgent",
    "GridWorldArea",
    "Kind",
    "build_scene",
    "make_environment",
]


def make_environment(options: EnvironmentOptions) -> BaseEnv:
    """Build GridWorld; registered as the environment ``GridWorld``.

    The bodies of its world are only looked at; nothing moves by itself, so no physics is stepped.

    Args:
        options: seed, number of areas and side channels are used.
    """
    academy = Academy(seed=options.seed, num_areas=resolve_num_areas(options.num_areas, NUM_AREAS))
    world = PhysicsWorld(build_scene(), academy.num_areas)
    agents = [GridWorldAgent(academy, GridWorldArea(area)) for area in world.areas]
    for agent in agents:
        DecisionRequester(agent, decision_period=DECISION_PERIOD)
        agent.enable()

    def save() -> dict[str, Any]:
        return {"areas": [agent.get_state() for agent in agents]}

    def load(state: dict[str, Any]) -> None:
        for agent, saved in zip(agents, state["areas"], strict=True):
            agent.set_state(saved)

    return SavableSdkEnvironment(
        academy, lambda: None, save=save, load=load, side_channels=options.side_channels
    )
