"""WallJump: get over a wall, with the help of a block where it is too high, in 24 areas at once."""

from __future__ import annotations

from mlagents_envs.base_env import BaseEnv
from mlagents_envs.registry.options import EnvironmentOptions
from mlagents_examples.hosting import host_single_agents
from mlagents_examples.wall_jump.agent import WallJumpAgent
from mlagents_examples.wall_jump.area import WallJumpArea, build_scene
from mlagents_sdk import Academy, resolve_num_areas
from mlagents_sdk.physics import PhysicsWorld

NUM_AREAS = 24
"""Areas of the scene when nobody asks for another number."""

DECISION_PERIOD = 5
"""Physics steps per decision."""

__all__ = ["DECISION_PERIOD", "NUM_AREAS", "WallJumpAgent", "WallJumpArea", "build_scene", "make_environment"]


def make_environment(options: EnvironmentOptions) -> BaseEnv:
    """Build WallJump; registered as the environment ``WallJump``.

    Its agents change between the behaviors ``SmallWallJump`` and ``BigWallJump`` from episode to
    episode.

    Args:
        options: seed, number of areas and side channels are used.
    """
    academy = Academy(seed=options.seed, num_areas=resolve_num_areas(options.num_areas, NUM_AREAS))
    world = PhysicsWorld(build_scene(), academy.num_areas)
    agents = [WallJumpAgent(academy, WallJumpArea(area)) for area in world.areas]
    return host_single_agents(academy, world, agents, DECISION_PERIOD, options, savables=agents)
