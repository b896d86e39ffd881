"""Sorter: touch numbered tiles around a round floor from the lowest to the highest, in 8 areas at once."""

from __future__ import annotations

from mlagents_envs.base_env import BaseEnv
from mlagents_envs.registry.options import EnvironmentOptions
from mlagents_examples.hosting import host_single_agents
from mlagents_examples.sorter.agent import SorterAgent
from mlagents_examples.sorter.area import SorterArea, build_scene
from mlagents_sdk import Academy, resolve_num_areas
from mlagents_sdk.physics import PhysicsWorld

NUM_AREAS = 8
"""Areas of the scene when nobody asks for another number."""

DECISION_PERIOD = 5
"""Physics steps per decision."""

__all__ = ["DECISION_PERIOD", "NUM_AREAS", "SorterAgent", "SorterArea", "build_scene", "make_environment"]


def make_environment(options: EnvironmentOptions) -> BaseEnv:
    """Build Sorter; registered as the environment ``Sorter``.

    Args:
        options: seed, number of areas and side channels are used.
    """
    academy = Academy(seed=options.seed, num_areas=resolve_num_areas(options.num_areas, NUM_AREAS))
    world = PhysicsWorld(build_scene(), academy.num_areas)
    areas = [SorterArea(area) for area in world.areas]
    agents = [SorterAgent(academy, area) for area in areas]
    return host_single_agents(academy, world, agents, DECISION_PERIOD, options, savables=areas)
