"""Trainers: everything that learns.

The names below are loaded on first use, so that importing the package costs nothing.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

from mlagents_envs import __version__

if TYPE_CHECKING:
    from mlagents.api.policy import Policy
    from mlagents.api.result import Metric, TrainedRun
    from mlagents.api.training import train
    from mlagents.run.callbacks import Callback
    from mlagents.settings.run_options import RunOptions

__all__ = ["Callback", "Metric", "Policy", "RunOptions", "TrainedRun", "__version__", "train"]

_MODULES = {
    "Callback": "mlagents.run.callbacks",
    "Metric": "mlagents.api.result",
    "Policy": "mlagents.api.policy",
    "RunOptions": "mlagents.settings.run_options",
    "TrainedRun": "mlagents.api.result",
    "train": "mlagents.api.training",
}


def __getattr__(name: str) -> object:
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value: object = getattr(import_module(_MODULES[name]), name)
    return value


def __dir__() -> list[str]:
    return sorted([*globals(), *_MODULES])
