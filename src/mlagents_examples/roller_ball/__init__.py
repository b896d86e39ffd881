"""RollerBall: roll a ball to a cube without falling off the floor; the environment of the tutorial."""

from __future__ import annotations

from mlagents_envs.base_env import BaseEnv
from mlagents_envs.registry.options import EnvironmentOptions
from mlagents_examples.hosting import host_single_agents
from mlagents_examples.roller_ball.agent import RollerBallAgent
from mlagents_examples.roller_ball.area import RollerBallArea, build_scene
from mlagents_sdk import Academy, resolve_num_areas
from mlagents_sdk.physics import PhysicsWorld

NUM_AREAS = 1
"""Areas of the scene when nobody asks for another number."""

DECISION_PERIOD = 10
"""Physics steps per decision."""

__all__ = [
    "DECISION_PERIOD",
    "NUM_AREAS",
    "RollerBallAgent",
    "RollerBallArea",
    "build_scene",
    "make_environment",
]


def make_environment(options: EnvironmentOptions) -> BaseEnv:
    """Build RollerBall; registered as the environment ``RollerBall``.

    Args:
        options: seed, number of areas and side channels are used.
    """
    academy = Academy(seed=options.seed, num_areas=resolve_num_areas(options.num_areas, NUM_AREAS))
    world = PhysicsWorld(build_scene(), academy.num_areas)
    agents = [RollerBallAgent(academy, RollerBallArea(area)) for area in world.areas]
    return host_single_agents(academy, world, agents, DECISION_PERIOD, options)
