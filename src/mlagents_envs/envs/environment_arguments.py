"""What followed ``--env-args`` on the command line, for environments that are made with keywords."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import yaml

from mlagents_envs.exception import UnityEnvironmentException
from mlagents_envs.logging_util import get_logger
from mlagents_envs.registry.options import EnvironmentOptions
from mlagents_envs.side_channel.environment_parameters_channel import EnvironmentParametersChannel

_LOGGER = get_logger(__name__)


def parse_arguments(arguments: Sequence[str], owner: str) -> dict[str, Any]:
    """Keyword arguments from ``key=value`` texts; values are read as YAML, so ``2`` is a number.

    Args:
        arguments: such as ``["continuous=true", "--gravity=-5.0"]``; leading dashes do not count.
        owner: the environment, for messages.

    Raises:
        UnityEnvironmentException: an argument has another form, or its value is not YAML.
    """
    keywords = {}
    for argument in arguments:
        key, equals, value = argument.lstrip("-").partition("=")
        if not equals or not key.isidentifier():
            raise UnityEnvironmentException(
                f"{owner} takes arguments of the form key=value after --env-args, not {argument!r}."
            )
        try:
            keywords[key] = yaml.safe_load(value)
        except yaml.YAMLError:
            raise UnityEnvironmentException(f"{owner}: the value of {argument!r} cannot be read.") from None
    return keywords


def warn_of_parameters(options: EnvironmentOptions, owner: str) -> None:
    """Say so when environment parameters were set that the environment cannot receive."""
    channels = [c for c in options.side_channels if isinstance(c, EnvironmentParametersChannel)]
    if any(channel.message_queue for channel in channels):
        _LOGGER.warning(
            "%s has no environment parameters; those that were set have no effect. "
            "Arguments for it go behind --env-args as key=value.",
            owner,
        )
