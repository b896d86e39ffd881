"""3DBallHard: keep a ball on a platform without seeing how fast it rolls, in twelve areas at once."""

from __future__ import annotations

from mlagents_envs.base_env import BaseEnv
from mlagents_envs.registry.options import EnvironmentOptions
from mlagents_examples.balance_ball import DECISION_PERIOD, NUM_AREAS, BalanceBallArea, build_scene
from mlagents_examples.balance_ball_hard.agent import BalanceBallHardAgent
from mlagents_examples.hosting import host_single_agents
from mlagents_sdk import Academy, resolve_num_areas
from mlagents_sdk.physics import PhysicsWorld

__all__ = ["DECISION_PERIOD", "NUM_AREAS", "BalanceBallHardAgent", "make_environment"]


def make_environment(options: EnvironmentOptions) -> BaseEnv:
    """Build 3DBallHard; registered as the environment ``3DBallHard``.

    The scene is that of 3DBall.

    Args:
        options: seed, number of areas and side channels are used.
    """
    academy = Academy(seed=options.seed, num_areas=resolve_num_areas(options.num_areas, NUM_AREAS))
    world = PhysicsWorld(build_scene(), academy.num_areas)
    agents = [BalanceBallHardAgent(academy, BalanceBallArea(area)) for area in world.areas]
    return host_single_agents(academy, world, agents, DECISION_PERIOD, options)
