"""3DBall: keep a ball on a platform by tilting it, in twelve areas at once."""

from __future__ import annotations

from mlagents_envs.base_env import BaseEnv
from mlagents_envs.registry.options import EnvironmentOptions
from mlagents_examples.balance_ball.agent import BalanceBallAgent
from mlagents_examples.balance_ball.area import BalanceBallArea, build_scene
from mlagents_sdk import Academy, DecisionRequester, SavableSdkEnvironment, resolve_num_areas
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
    areas = [BalanceBallArea(area) for area in world.areas]
    agents = [BalanceBallAgent(academy, area) for area in areas]
    for agent in agents:
        DecisionRequester(agent, decision_period=DECISION_PERIOD)
        agent.enable()

    def set_gravity(gravity: float) -> None:
        for area in areas:
            area.set_gravity(gravity)

    def simulate() -> None:
        for index in world.step():
            agents[index].episode_interrupted()

    academy.environment_parameters.register_callback("gravity", set_gravity)
    return SavableSdkEnvironment(
        academy,
        simulate,
        save=world.get_state,
        load=world.set_state,
        side_channels=options.side_channels,
    )
