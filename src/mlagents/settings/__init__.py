"""Options of a training run: immutable models, and the YAML files that they are read from.

The names below are loaded on first use: the settings classes of networks, rewards and algorithms live
beside the code that they configure, and import the base class from this package.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mlagents.settings.behavior import BehaviorSettings
    from mlagents.settings.errors import (
        TrainerConfigError,
        TrainerConfigWarning,
        TrainerError,
        UnityTrainerException,
    )
    from mlagents.settings.loading import build_run_options, load_run_options
    from mlagents.settings.run_options import RunOptions

__all__ = [
    "BehaviorSettings",
    "RunOptions",
    "TrainerConfigError",
    "TrainerConfigWarning",
    "TrainerError",
    "UnityTrainerException",
    "build_run_options",
    "load_run_options",
]

_MODULES = {
    "BehaviorSettings": "behavior",
    "RunOptions": "run_options",
    "build_run_options": "loading",
    "load_run_options": "loading",
}


def __getattr__(name: str) -> object:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value: object = getattr(import_module(f"{__name__}.{_MODULES.get(name, 'errors')}"), name)
    return value
