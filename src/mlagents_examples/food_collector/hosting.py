"""Puts areas and agents of FoodCollector together."""

from __future__ import annotations

from typing import Any

from mlagents_envs.base_env import BaseEnv
from mlagents_envs.registry.options import EnvironmentOptions
from mlagents_examples.food_collector.agent import FoodCollectorAgent
from mlagents_examples.food_collector.area import FoodCollectorArea, build_scene
from mlagents_examples.food_collector.sight import Sight
from mlagents_sdk import Academy, DecisionRequester, SavableSdkEnvironment, resolve_num_areas
from mlagents_sdk.physics import PhysicsWorld

DECISION_PERIOD = 5
"""Physics steps per decision; agents act in between as well."""


def host(sight: Sight, options: EnvironmentOptions) -> BaseEnv:
    """Build the environment for one way to see.

    Food is scattered at an environment reset. An area whose physics diverges interrupts the episodes of
    its agents and scatters its food anew.

    Args:
        sight: how agents see.
        options: seed, number of areas and side channels are used.
    """
    academy = Academy(seed=options.seed, num_areas=resolve_num_areas(options.num_areas, sight.num_areas))
    count = sight.agents_per_area
    world = PhysicsWorld(build_scene(count), academy.num_areas)
    areas = [FoodCollectorArea(area, count, academy.make_rng()) for area in world.areas]
    teams = [[FoodCollectorAgent(academy, area, number, sight) for number in range(count)] for area in areas]
    agents = [agent for team in teams for agent in team]
    for team in teams:
        for agent in team:
            agent.others = {other.body.name: other for other in team}
            DecisionRequester(agent, decision_period=DECISION_PERIOD)
            agent.enable()

    def scatter() -> None:
        for area in areas:
            area.scatter_food()

    def set_gravity(gravity: float) -> None:
        for area in world.areas:
            area.gravity = (0.0, -gravity, 0.0)

    def simulate() -> None:
        for index in world.step():
            areas[index].scatter_food()
            for agent in teams[index]:
                agent.episode_interrupted()
        world.dispatch_contacts()

    def save() -> dict[str, Any]:
        return {"world": world.get_state(), "agents": [agent.get_state() for agent in agents]}

    def load(state: dict[str, Any]) -> None:
        world.set_state(state["world"])
        for agent, saved in zip(agents, state["agents"], strict=True):
            agent.set_state(saved)

    academy.on_environment_reset.append(scatter)
    academy.environment_parameters.register_callback("gravity", set_gravity)
    return SavableSdkEnvironment(academy, simulate, save=save, load=load, side_channels=options.side_channels)
