"""From what a user typed after ``--env=`` to an environment."""

from __future__ import annotations

from pathlib import Path

from mlagents_envs.base_env import BaseEnv
from mlagents_envs.exception import UnityEnvironmentException
from mlagents_envs.near_names import nearest
from mlagents_envs.registry.entry_points import build, find_entry_points
from mlagents_envs.registry.options import EnvironmentOptions

FOREIGN_LIBRARIES = {"gym": "gymnasium", "pettingzoo": "pettingzoo"}
"""Packages of environments of others by the prefix that names them, as in ``gym:CartPole-v1``."""

EXECUTABLE_SUFFIXES = (".x86_64", ".x86", ".exe", ".app")


class UnknownEnvironmentException(UnityEnvironmentException):
    """No environment has the given name, and it is no executable either.

    Args:
        name: what was asked for.
        known: names of the registered environments.
    """

    def __init__(self, name: str, known: list[str]) -> None:
        self.name = name
        self.known = known
        meant = nearest(name, known)
        hint = f" Did you mean {meant!r}?" if meant else ""
        names = ", ".join(known) or "none (is the package installed?)"
        super().__init__(f"There is no environment named {name!r}.{hint} Known environments: {names}.")


def known_environments() -> list[str]:
    """Names that :func:`make_environment` understands, sorted."""
    return sorted(find_entry_points())


def make_environment(name_or_path: str | None, options: EnvironmentOptions | None = None) -> BaseEnv:
    """Build an environment.

    Args:
        name_or_path: name of a registered environment, path of an executable, ``gym:ID`` for a
            Gymnasium environment, or ``pettingzoo:MODULE`` for a PettingZoo one; None waits for a game
            that somebody else starts, such as the editor of a game engine.
        options: seed, number of areas and the like; None for the defaults.

    Raises:
        UnknownEnvironmentException: neither a known name nor the path of an executable.
        UnityEnvironmentException: an executable that cannot be started or does not suit, or a registered
            environment that cannot be loaded.
        UnityTimeOutException: an executable that does not connect in time.
    """
    if name_or_path is None:
        return _launch(None, options or EnvironmentOptions())
    library, colon, foreign_name = name_or_path.partition(":")
    if colon and library in FOREIGN_LIBRARIES:
        return _build_foreign(library, foreign_name, options or EnvironmentOptions())
    found = find_entry_points()
    if name_or_path in found:
        return build(found[name_or_path], options or EnvironmentOptions())
    if is_executable_path(name_or_path):
        return _launch(name_or_path, options or EnvironmentOptions())
    raise UnknownEnvironmentException(name_or_path, sorted(found))


def _launch(path: str | None, options: EnvironmentOptions) -> BaseEnv:
    """Start an executable, or wait for the editor."""
    from mlagents_envs.environment import UnityEnvironment  # gRPC and compiled code, only where needed

    return UnityEnvironment(
        file_name=path,
        worker_id=options.worker_id,
        base_port=options.base_port,
        seed=options.seed,
        no_graphics=options.no_graphics and not options.rendering,
        no_graphics_monitor=options.no_graphics_monitor and not options.rendering,
        timeout_wait=options.timeout_wait,
        additional_args=list(options.environment_args),
        side_channels=list(options.side_channels),
        log_folder=options.log_folder,
        num_areas=options.num_areas or 1,
    )


def _build_foreign(library: str, name: str, options: EnvironmentOptions) -> BaseEnv:
    """Build an environment of another library, which is imported only now.

    Raises:
        UnityEnvironmentException: the library is missing, or the environment cannot be built.
    """
    try:
        if library == "gym":
            from mlagents_envs.envs.gymnasium_env import make_gymnasium_environment

            return make_gymnasium_environment(name, options)
        from mlagents_envs.envs.pettingzoo_env import make_pettingzoo_environment

        return make_pettingzoo_environment(name, options)
    except ModuleNotFoundError as error:
        package = FOREIGN_LIBRARIES[library]
        raise UnityEnvironmentException(
            f"{library}:{name} needs a package that is not installed ({error}). "
            f"Install it with: pip install {package}"
        ) from error


def is_executable_path(text: str) -> bool:
    """Whether ``text`` can only mean a path: by its look, or because the file is there."""
    looks = "/" in text or "\\" in text or text.lower().endswith(EXECUTABLE_SUFFIXES)
    return looks or _exists(text)


def _exists(text: str) -> bool:
    """Whether an executable is at ``text``, its suffix given or not."""
    return Path(text).is_file() or any(Path(text + suffix).exists() for suffix in EXECUTABLE_SUFFIXES)
