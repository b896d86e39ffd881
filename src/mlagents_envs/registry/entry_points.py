"""Environments that installed distributions offer under the entry-point group ``mlagents.environments``.

A distribution registers its own with::

    [project.entry-points."mlagents.environments"]
    MyEnvironment = "my_package.my_module:make_environment"

where ``make_environment(options: EnvironmentOptions) -> BaseEnv``. Nothing is imported before an
environment is asked for.
"""

from __future__ import annotations

from collections.abc import Sequence
from importlib import metadata
from typing import Any

from mlagents_envs.base_env import BaseEnv
from mlagents_envs.exception import UnityEnvironmentException
from mlagents_envs.registry.base_registry_entry import BaseRegistryEntry
from mlagents_envs.registry.options import EnvironmentFactory, EnvironmentOptions
from mlagents_envs.side_channel.side_channel import SideChannel

GROUP = "mlagents.environments"

EXECUTABLE_ARGUMENTS = frozenset(
    {"base_port", "file_name", "log_folder", "no_graphics", "no_graphics_monitor", "timeout_wait"}
)
"""Arguments of executables that say nothing to an environment in this process; accepted and ignored."""


def find_entry_points() -> dict[str, list[metadata.EntryPoint]]:
    """Entry points of the group by name; one name has several when distributions disagree."""
    found: dict[str, list[metadata.EntryPoint]] = {}
    for entry_point in metadata.entry_points(group=GROUP):
        rivals = found.setdefault(entry_point.name, [])
        if entry_point.value not in [rival.value for rival in rivals]:  # the same one may be listed twice
            rivals.append(entry_point)
    return found


def load_factory(rivals: list[metadata.EntryPoint]) -> EnvironmentFactory:
    """Import the factory behind a name.

    Args:
        rivals: entry points of that name, as found by :func:`find_entry_points`.

    Raises:
        UnityEnvironmentException: distributions disagree about the name, the factory cannot be
            imported, or it is not callable.
    """
    if len(rivals) > 1:
        raise UnityEnvironmentException(
            f"The environment name {rivals[0].name!r} is registered more than once: "
            f"{'; '.join(_describe(rival) for rival in rivals)}. Uninstall all but one."
        )
    entry_point = rivals[0]
    try:
        factory = entry_point.load()
    except Exception as error:
        raise UnityEnvironmentException(
            f"The environment {entry_point.name!r} cannot be loaded from its entry point "
            f"{_describe(entry_point)}: {type(error).__name__}: {error}"
        ) from error
    if not callable(factory):
        raise UnityEnvironmentException(
            f"The environment {entry_point.name!r} has the entry point {_describe(entry_point)}, which is "
            f"a {type(factory).__name__} and not a function that takes EnvironmentOptions."
        )
    return factory  # type: ignore[no-any-return]  # checked as far as can be


def build(rivals: list[metadata.EntryPoint], options: EnvironmentOptions) -> BaseEnv:
    """Import the factory behind a name and call it.

    Raises:
        UnityEnvironmentException: as :func:`load_factory`, or the factory returned something else
            than a ``BaseEnv``.
    """
    env = load_factory(rivals)(options)
    if not isinstance(env, BaseEnv):
        raise UnityEnvironmentException(
            f"The entry point {_describe(rivals[0])} of the environment {rivals[0].name!r} returned a "
            f"{type(env).__name__} and not a BaseEnv."
        )
    return env


class EntryPointEntry(BaseRegistryEntry):
    """Registry entry of an environment that a distribution offers.

    Args:
        rivals: entry points of one name, as found by :func:`find_entry_points`.
    """

    def __init__(self, rivals: list[metadata.EntryPoint]) -> None:
        super().__init__(rivals[0].name, None, "; ".join(_describe(rival) for rival in rivals))
        self._rivals = rivals

    def make(
        self,
        additional_args: list[str] | None = None,
        side_channels: Sequence[SideChannel] | None = None,
        **kwargs: Any,  # noqa: ANN401
    ) -> BaseEnv:
        """Build the environment.

        Args:
            additional_args: the name that executables give to ``environment_args``.
            side_channels: channels that exchange messages with the environment.
            **kwargs: further fields of :class:`EnvironmentOptions` (seed, worker_id, num_areas,
                environment_args, rendering). Arguments that only executables have are ignored, so
                that scripts written for those run unchanged.

        Raises:
            UnityEnvironmentException: as :func:`build`.
            TypeError: an argument is unknown.
        """
        if additional_args:
            kwargs["environment_args"] = (*kwargs.get("environment_args", ()), *additional_args)
        fields = {name: value for name, value in kwargs.items() if name not in EXECUTABLE_ARGUMENTS}
        return build(self._rivals, EnvironmentOptions(side_channels=tuple(side_channels or ()), **fields))


def _describe(entry_point: metadata.EntryPoint) -> str:
    """The target of an entry point and who registered it."""
    owner = f" of {entry_point.dist.name}" if entry_point.dist is not None else ""
    return f"{entry_point.value!r}{owner}"
