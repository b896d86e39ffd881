"""Which versions of the protocol go together, and what the games are told about ours."""

from __future__ import annotations

import re

from mlagents_envs.communicator_objects.unity_rl_initialization_output_pb2 import (
    UnityRLInitializationOutputProto,
)
from mlagents_envs.exception import UnityEnvironmentException

API_VERSION = "1.5.0"
"""Version of the protocol spoken here."""

ANNOUNCED_PACKAGE_VERSION = "1.1.0"
"""Version of the original's Python packages that this one stands in for; games compare it with theirs."""

_EARLY_PACKAGE_VERSION = "0.20.0"
"""What games with package 1.0.x are told: they turn away everything later than 0.25."""

_VERSION = re.compile(r"(\d+)\.(\d+)(\.\d+)?([ab]\d+)?")


def announced_package_version(game_package_version: str) -> str:
    """Version of the Python package to tell a game whose own package has the given version."""
    return _EARLY_PACKAGE_VERSION if game_package_version.startswith("1.0.") else ANNOUNCED_PACKAGE_VERSION


def check_communication_version(output: UnityRLInitializationOutputProto) -> None:
    """Check that a game speaks this protocol: the major version must be the same, before 1.0 the minor too.

    Raises:
        UnityEnvironmentException: it does not.
    """
    game = output.communication_version
    found, ours = _VERSION.fullmatch(game), _VERSION.fullmatch(API_VERSION)
    assert ours is not None
    if found is not None:
        compared = 2 if int(found[1]) == 0 else 1
        if [int(found[i + 1]) for i in range(compared)] == [int(ours[i + 1]) for i in range(compared)]:
            return
    raise UnityEnvironmentException(
        f"The environment connected, but speaks version {game!r} of the protocol (its package has "
        f"the version {output.package_version or 'unknown'}); this side speaks {API_VERSION}. "
        "Build the environment with a package that speaks version 1.x."
    )
