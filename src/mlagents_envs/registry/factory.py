"""From what a user typed after ``--env=`` to an environment."""

from __future__ import annotations

import difflib
from pathlib import Path

from mlagents_envs.base_env import BaseEnv
from mlagents_envs.exception import UnityEnvironmentException
from mlagents_envs.registry.entry_points import build, find_entry_points
from mlagents_envs.registry.options import EnvironmentOptions

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
        nearest = _nearest(name, known)
        hint = f" Did you mean {nearest!r}?" if nearest else ""
        names = ", ".join(known) or "none (is the package installed?)"
        super().__init__(f"There is no environment named {name!r}.{hint} Known environments: {names}.")


def known_environments() -> list[str]:
    """Names that :func:`make_environment` understands, sorted."""
    return sorted(find_entry_points())


def make_environment(name_or_path: str, options: EnvironmentOptions | None = None) -> BaseEnv:
    """Build an environment.

    Args:
        name_or_path: name of a registered environment, or path of an executable.
        options: seed, number of areas and the like; None for the defaults.

    Raises:
        UnknownEnvironmentException: neither a known name nor the path of an executable.
        UnityEnvironmentException: an executable (not supported yet), or a registered environment
            that cannot be loaded.
    """
    found = find_entry_points()
    if name_or_path in found:
        return build(found[name_or_path], options or EnvironmentOptions())
    if _is_executable_path(name_or_path):
        raise UnityEnvironmentException(
            f"{name_or_path!r} is the path of an executable{_missing_note(name_or_path)}. Executables talk "
            "over the wire protocol, which this version does not have yet. "
            f"Environments that run in this process: {', '.join(sorted(found)) or 'none'}."
        )
    raise UnknownEnvironmentException(name_or_path, sorted(found))


def _is_executable_path(text: str) -> bool:
    """Whether ``text`` can only mean a path: by its look, or because the file is there."""
    looks = "/" in text or "\\" in text or text.lower().endswith(EXECUTABLE_SUFFIXES)
    return looks or _exists(text)


def _exists(text: str) -> bool:
    """Whether an executable is at ``text``, its suffix given or not."""
    return Path(text).is_file() or any(Path(text + suffix).exists() for suffix in EXECUTABLE_SUFFIXES)


def _missing_note(text: str) -> str:
    return "" if Path(text).exists() or _exists(text) else " (and nothing is there)"


def _nearest(name: str, known: list[str]) -> str | None:
    """The known name most like ``name``, upper and lower case being alike; None if none is near."""
    by_lower = {candidate.lower(): candidate for candidate in known}
    matches = difflib.get_close_matches(name.lower(), by_lower, n=1)
    return by_lower[matches[0]] if matches else None
