"""Environments in which every training area has one agent and nobody is shared."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache, partial
from typing import Any, Protocol

from mlagents_envs.base_env import BaseEnv
from mlagents_envs.registry.options import EnvironmentOptions
from mlagents_sdk import Academy, Agent, DecisionRequester, SavableSdkEnvironment
from mlagents_sdk.physics import PhysicsWorld
from mlagents_sdk.physics.overview import overview


class Savable(Protocol):
    """What an environment keeps of one area beside the physics."""

    def get_state(self) -> dict[str, Any]:
        """A tree of dicts, lists, arrays and numbers."""

    def set_state(self, state: dict[str, Any]) -> None:
        """Put it back."""


def host_single_agents(
    academy: Academy,
    world: PhysicsWorld,
    agents: Sequence[Agent],
    decision_period: int,
    options: EnvironmentOptions,
    savables: Sequence[Savable] = (),
) -> BaseEnv:
    """Enable the agents and make physics and academy one environment.

    The environment parameter ``gravity`` (m/s², downwards) acts on all areas at once. An area whose
    physics diverges interrupts the episode of its agent.

    Args:
        academy: the academy.
        world: the physics, one area per agent.
        agents: the agents in the order of their areas, wired and not yet enabled.
        decision_period: physics steps per decision; agents act in between as well.
        options: of the environment; the side channels are used.
        savables: what to save beside academy and physics, in a fixed order.
    """
    for agent in agents:
        DecisionRequester(agent, decision_period=decision_period)
        agent.enable()

    def set_gravity(gravity: float) -> None:
        for area in world.areas:
            area.gravity = (0.0, -gravity, 0.0)

    def simulate() -> None:
        for index in world.step():
            agents[index].episode_interrupted()
        world.dispatch_contacts()

    def save() -> dict[str, Any]:
        return {"world": world.get_state(), "areas": [savable.get_state() for savable in savables]}

    def load(state: dict[str, Any]) -> None:
        world.set_state(state["world"])
        for savable, saved in zip(savables, state["areas"], strict=True):
            savable.set_state(saved)

    academy.environment_parameters.register_callback("gravity", set_gravity)
    environment = SavableSdkEnvironment(
        academy, simulate, save=save, load=load, side_channels=options.side_channels
    )
    camera = cache(partial(overview, world.areas[0]))  # nobody may ever look
    environment.view = lambda height, width: camera().render(height, width)
    return environment
