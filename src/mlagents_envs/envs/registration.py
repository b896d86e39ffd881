"""Makes the registered environments known to Gymnasium as ``mlagents/NAME-v0``.

``gymnasium.make("mlagents/3DBall-v0")`` gives one agent, ``gymnasium.make_vec("mlagents/3DBall-v0",
num_envs=12)`` a vector environment with one agent per sub-environment, all of them in one simulation.
Both take the arguments of the views (:class:`~mlagents_envs.envs.unity_gym_env.UnityToGymWrapper`,
:class:`~mlagents_envs.envs.vector_env.UnityVectorEnv`) and those of the environment.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import gymnasium

from mlagents_envs.base_env import BaseEnv
from mlagents_envs.envs.environment_source import EnvironmentMaker
from mlagents_envs.envs.first_agent_env import FirstAgentEnv
from mlagents_envs.envs.unity_gym_env import UnityToGymWrapper
from mlagents_envs.envs.vector_env import UnityVectorEnv
from mlagents_envs.logging_util import get_logger
from mlagents_envs.registry import BaseRegistryEntry, default_registry

NAMESPACE = "mlagents"
VERSION = 0

_VALID_NAME = re.compile(r"[\w.-]+")
_LOGGER = get_logger(__name__)
_warned: set[str] = set()
_VIEW_ARGUMENTS = ("uint8_visual", "flatten_branched", "allow_multiple_obs")


def register_environments(entries: Mapping[str, BaseRegistryEntry] = default_registry) -> list[str]:
    """Register every environment that is not registered yet; nothing is built or imported.

    Args:
        entries: environments by name; names that Gymnasium does not accept are left out.

    Returns:
        The ids that are new.
    """
    new = []
    for name in entries:
        identifier = f"{NAMESPACE}/{name}-v{VERSION}"
        if identifier in gymnasium.registry or not _VALID_NAME.fullmatch(name):
            continue
        gymnasium.register(
            id=identifier,
            entry_point="mlagents_envs.envs.registration:make_single",
            vector_entry_point="mlagents_envs.envs.registration:make_vector",
            kwargs={"identifier": name},
        )
        new.append(identifier)
    return new


def make_single(
    identifier: str,
    render_mode: str | None = None,
    action_space_seed: int | None = None,
    **kwargs: Any,  # noqa: ANN401
) -> UnityToGymWrapper:
    """One agent of a registered environment; what ``gymnasium.make`` calls.

    Where the scene has several agents although one training area is asked for, its first agent is shown
    and the others idle (zero actions, or the first allowed); a warning says so.

    Args:
        identifier: name in the default registry.
        render_mode: as of :class:`UnityToGymWrapper`.
        action_space_seed: as of :class:`UnityToGymWrapper`.
        **kwargs: further arguments of the view, and of the environment (``side_channels``,
            ``additional_args`` and the like).

    Raises:
        UnityGymException: the environment has several behaviors, or its actions are hybrid.
    """
    view = {key: kwargs.pop(key) for key in _VIEW_ARGUMENTS if key in kwargs}
    maker = _one_agent_maker(identifier, kwargs)
    return UnityToGymWrapper(maker, action_space_seed=action_space_seed, render_mode=render_mode, **view)


def make_vector(
    identifier: str,
    num_envs: int = 1,
    behavior_name: str | None = None,
    render_mode: str | None = None,
    **kwargs: Any,  # noqa: ANN401
) -> UnityVectorEnv:
    """All agents of a registered environment; what ``gymnasium.make_vec`` calls.

    Args:
        identifier: name in the default registry.
        num_envs: number of agents; a multiple of the agents per training area, or 1 as for
            :func:`make_single`.
        behavior_name: the behavior to show; None for the only one.
        render_mode: None; agents of one simulation have no pictures of their own.
        **kwargs: further arguments of the view, and of the environment.

    Raises:
        gymnasium.error.Error: that number of agents cannot be had, or a render mode is given.
    """
    if render_mode is not None:
        raise gymnasium.error.Error(f"{identifier} cannot be rendered as a vector environment.")
    view = {key: kwargs.pop(key) for key in _VIEW_ARGUMENTS if key in kwargs}
    if num_envs == 1:
        return UnityVectorEnv(_one_agent_maker(identifier, kwargs), behavior_name, **view)
    env = UnityVectorEnv(_maker(identifier, {"num_areas": num_envs, **kwargs}), behavior_name, **view)
    if env.num_envs == num_envs or "num_areas" in kwargs:
        return env
    per_area, rest = divmod(env.num_envs, num_envs)  # as many areas as agents were asked for
    env.close()
    if rest or num_envs % max(per_area, 1):
        raise gymnasium.error.Error(
            f"{identifier} has {env.num_envs} agents of {env.name} in {num_envs} areas, so {num_envs} agents "
            "cannot be had. Choose a multiple of the agents per area, or give num_areas."
        )
    return UnityVectorEnv(
        _maker(identifier, {**kwargs, "num_areas": num_envs // per_area}), behavior_name, **view
    )


def _one_agent_maker(identifier: str, kwargs: dict[str, Any]) -> EnvironmentMaker:
    """Builds a single training area from a seed, of which one agent is shown."""
    make = _maker(identifier, {"num_areas": 1, **kwargs})
    several: bool | None = None  # found out once, for looking takes a reset

    def make_one(seed: int) -> BaseEnv:
        nonlocal several
        env = make(seed)
        if several is None:
            several = _has_several_agents(env, identifier)
        return FirstAgentEnv(env) if several else env

    return make_one


def _has_several_agents(env: BaseEnv, identifier: str) -> bool:
    """Whether several agents of the only behavior ask first; said once per environment."""
    env.reset()
    agents = [len(env.get_steps(name)[0]) for name in env.behavior_specs]
    several = len(agents) == 1 and agents[0] > 1
    if several and identifier not in _warned:
        _warned.add(identifier)
        _LOGGER.warning(
            "%s has %d agents. The first one is shown, the others idle; "
            "gymnasium.make_vec shows all of them.",
            identifier,
            agents[0],
        )
    return several


def _maker(identifier: str, kwargs: dict[str, Any]) -> EnvironmentMaker:
    """Builds the environment from a seed; a ``seed`` among the arguments is that of the first one."""
    first = kwargs.pop("seed", None)

    def make(seed: int) -> BaseEnv:
        nonlocal first
        chosen, first = (seed if first is None else int(first)), None
        return default_registry[identifier].make(seed=chosen, **kwargs)

    return make
