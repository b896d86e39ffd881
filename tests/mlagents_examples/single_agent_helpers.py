"""What the tests of several example environments share."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from mlagents.evaluation.evaluate import Score, evaluate
from mlagents.evaluation.players import ModelPlayer, Player, stand_in
from mlagents_envs.base_env import ActionTuple, BaseEnv
from mlagents_envs.inference import OnnxPolicy
from mlagents_envs.registry.options import EnvironmentOptions
from mlagents_envs.side_channel.environment_parameters_channel import EnvironmentParametersChannel
from mlagents_sdk import Agent
from mlagents_sdk.physics import Scene

Factory = Callable[[EnvironmentOptions], BaseEnv]


def make(factory: Factory, num_areas: int | None = None, seed: int = 0, **parameters: float) -> BaseEnv:
    """Build and reset an environment with these environment parameters."""
    channel = EnvironmentParametersChannel()
    for name, value in parameters.items():
        channel.set_float_parameter(name, value)
    env = factory(EnvironmentOptions(seed=seed, num_areas=num_areas, side_channels=(channel,)))
    env.reset()
    return env


def agents_of(env: BaseEnv) -> list[Any]:
    """All agents in the order of their ids."""
    academy = env.academy
    agents: list[Agent] = [
        runtime.agent for policy in academy.policies.remote.values() for runtime in academy.agents_of(policy)
    ]
    return sorted(agents, key=lambda agent: agent.agent_id)


def act(env: BaseEnv, *action: int) -> None:
    """Let everybody do the same, and step."""
    for behavior in list(env.behavior_specs):
        count = len(env.get_steps(behavior)[0])
        branches = np.tile(np.array([action], dtype=np.int32), (count, 1))
        env.set_actions(behavior, ActionTuple(discrete=branches))
    env.step()


def act_randomly(env: BaseEnv, rng: np.random.Generator) -> None:
    """Let everybody do something, and step."""
    for behavior, spec in list(env.behavior_specs.items()):
        env.set_actions(behavior, spec.action_spec.random_action(len(env.get_steps(behavior)[0]), rng))
    env.step()


def play(
    env: BaseEnv, behavior: str, episodes: int, model: Path | None = None, deterministic: bool = True
) -> Score:
    """Returns of one behavior, by its name without team; where no model acts, experts do."""

    def player(name: str) -> Player:
        if model is None or name.split("?")[0] != behavior:
            return stand_in(env, name, env.behavior_specs[name], np.random.default_rng(0))
        policy = OnnxPolicy(model, deterministic=deterministic)
        policy.check(env.behavior_specs[name], name)
        return ModelPlayer(policy)

    (score,) = evaluate(env, player, episodes, counted=behavior)
    return score


def assert_same_future(env: BaseEnv, other: BaseEnv, steps: int) -> int:
    """Step both with the same random actions and compare all records; returns the episodes that ended."""
    rng, same_rng = np.random.default_rng(0), np.random.default_rng(0)
    ended = 0
    for _ in range(steps):
        assert list(env.behavior_specs) == list(other.behavior_specs)
        for behavior in env.behavior_specs:
            pairs = zip(env.get_steps(behavior), other.get_steps(behavior), strict=True)
            for a, b in pairs:
                np.testing.assert_array_equal(a.agent_id, b.agent_id)
                np.testing.assert_array_equal(a.reward, b.reward)
                for one, two in zip(a.obs, b.obs, strict=True):
                    np.testing.assert_array_equal(one, two)
            ended += len(env.get_steps(behavior)[1])
        act_randomly(env, rng)
        act_randomly(other, same_rng)
    return ended


def boxes(scene: Scene) -> dict[str, tuple[str, list[float], list[float]]]:
    """Tag, full sizes and centre of every box of a scene, in the frame of the area."""
    found = {}
    for collider in scene.colliders.values():
        for number, shape in enumerate(collider.shapes):
            name = collider.name if len(collider.shapes) == 1 else f"{collider.name} {number}"
            size = [2.0 * half for half in shape.half_size]
            center = [a + b for a, b in zip(collider.position, shape.position, strict=True)]
            found[name] = (collider.tag, size, center)
    return found
