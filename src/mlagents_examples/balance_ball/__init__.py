"""3DBall: keep a ball on a platform by tilting it, in twelve areas at once."""

from __future__ import annotations

from mlagents_envs.base_env import BaseEnv
from mlagents_envs.registry.options import EnvironmentOptions
from mlagents_examples.balance_ball.agent import BalanceBallAgent
from mlagents_examples.balance_ball.area import BalanceBallArea, build_scene
from mlagents_examples.hosting import host_single_agents
from mlagents_sdk import Academy, resolve_num_areas
from mlagents_sdk.physics import PhysicsWorld

NUM_AREAS = 12
"""Areas of the scene when nobody asks for another number."""

DECISION_PERIOD = 5
"""Physics steps per decision."""

__all__ = [
    "DECISION_PERIOD",
    "NUM_AREAS",
    "BalanceBallAgent",
    "BalanceBallArea",
    "build_scene",
    "make_environment",
]


def make_environment(options: EnvironmentOptions) -> BaseEnv:
    """Build 3DBall; registered as the environment ``3DBall``.

    Args:
        options: seed, number of areas and side channels are used.
    """
    academy = Academy(seed=options.seed, num_areas=resolve_num_areas(options.num_areas, NUM_AREAS))
    world = PhysicsWorld(build_scene(), academy.num_areas)
    agents = [BalanceBallAgent(academy, BalanceBallArea(area)) for area in world.areas]
    return host_single_agents(academy, world, agents, DECISION_PERIOD, options)
