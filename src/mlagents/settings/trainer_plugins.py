"""Trainers of installed packages, found through the entry-point group ``mlagents.trainer_type``.

An entry point is a function without arguments that returns two maps by trainer type: what makes the trainer
(a :class:`~mlagents.algorithms.trainer.TrainerFactory`), and the class of its hyperparameters (a subclass of
:class:`~mlagents.settings.base.Settings`).

Plugins are loaded when a configuration names a trainer that is not built in, so ordinary runs do not wait for
them.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping
from importlib.metadata import entry_points
from typing import Any, NamedTuple

from mlagents.settings.base import Settings
from mlagents_envs.logging_util import get_logger

GROUP = "mlagents.trainer_type"
_LOGGER = get_logger(__name__)
_registered: dict[str, TrainerPlugin] = {}


class TrainerPlugin(NamedTuple):
    """A trainer type of an installed package.

    Attributes:
        factory: makes the trainer.
        settings: class of its hyperparameters.
    """

    factory: Any
    settings: type[Settings]


@functools.cache
def plugin_trainers() -> Mapping[str, TrainerPlugin]:
    """All trainer types of plugins; one that fails to load is logged and left out."""
    found: dict[str, TrainerPlugin] = {}
    for entry_point in entry_points(group=GROUP):
        try:
            factories, settings = entry_point.load()()
            plugins = {name: TrainerPlugin(factories[name], settings[name]) for name in factories}
            for name, plugin in plugins.items():
                _check(name, plugin)
        except Exception as error:  # whatever a plugin does wrong must not end runs that do not need it
            _LOGGER.error(
                "The trainer plugin %s (%s) was left out: %s: %s.",
                entry_point.name,
                entry_point.value,
                type(error).__name__,
                error,
            )
            continue
        found |= plugins
    return found | _registered


def register_trainer(name: str, factory: Any, settings: type[Settings]) -> None:  # noqa: ANN401
    """Make a trainer type known to this process, as an entry point would to all.

    Args:
        name: trainer type in the YAML file.
        factory: makes the trainer; a :class:`~mlagents.algorithms.trainer.TrainerFactory`.
        settings: class of its hyperparameters.

    Raises:
        TypeError: the settings are no :class:`Settings`.
    """
    plugin = TrainerPlugin(factory, settings)
    _check(name, plugin)
    _registered[name] = plugin
    plugin_trainers.cache_clear()


def _check(name: str, plugin: TrainerPlugin) -> None:
    if not (isinstance(plugin.settings, type) and issubclass(plugin.settings, Settings)):
        raise TypeError(f"the settings class of '{name}' is no mlagents.settings.base.Settings")
