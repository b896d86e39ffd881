"""Hallway: remember a symbol and walk to the goal that shows it, in 16 areas at once."""

from __future__ import annotations

from mlagents_envs.base_env import BaseEnv
from mlagents_envs.registry.options import EnvironmentOptions
from mlagents_examples.hallway.agent import HallwayAgent
from mlagents_examples.hallway.area import HallwayArea, build_scene
from mlagents_examples.hosting import host_single_agents
from mlagents_sdk import Academy, resolve_num_areas
from mlagents_sdk.physics import PhysicsWorld

NUM_AREAS = 16
"""Areas of the scene when nobody asks for another number."""

DECISION_PERIOD = 6
"""Physics steps per decision."""

__all__ = ["DECISION_PERIOD", "NUM_AREAS", "HallwayAgent", "HallwayArea", "build_scene", "make_environment"]


def make_environment(options: EnvironmentOptions) -> BaseEnv:
    """Build Hallway; registered as the environment ``Hallway``.

    Args:
        options: seed, number of areas and side channels are used.
    """
    academy = Academy(seed=options.seed, num_areas=resolve_num_areas(options.num_areas, NUM_AREAS))
    world = PhysicsWorld(build_scene(), academy.num_areas)
    areas = [HallwayArea(area) for area in world.areas]
    agents = [HallwayAgent(academy, area) for area in areas]
    return host_single_agents(academy, world, agents, DECISION_PERIOD, options, savables=areas)
