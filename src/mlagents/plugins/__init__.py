"""What installed packages may add: trainers, samplers and statistics writers.

The groups of entry points by which they are found:

==========================  ==========================================================================
``mlagents.trainer_type``   a function without arguments that returns ``({type: factory}, {type:
                            settings})``; see :class:`~mlagents.algorithms.trainer.TrainerFactory`
``mlagents.samplers``       a function without arguments that returns ``{type: class}``; see
                            :class:`CustomSampler`
``mlagents.stats_writer``   a function that takes the options of a run and returns a list of
                            :class:`~mlagents.monitoring.stats.StatsWriter`
==========================  ==========================================================================

:func:`register_trainer` and :func:`register_sampler` do the same for one process, as in a notebook.

``all_trainer_types`` and ``all_trainer_settings`` map every trainer type, built in or of a plugin, to what
makes its trainer, and to the class of its hyperparameters.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from mlagents.settings.sampler_plugins import GROUP as ML_AGENTS_SAMPLERS
from mlagents.settings.sampler_plugins import CustomSampler, register_sampler
from mlagents.settings.trainer_plugins import GROUP as ML_AGENTS_TRAINER_TYPE
from mlagents.settings.trainer_plugins import plugin_trainers, register_trainer

if TYPE_CHECKING:
    all_trainer_types: dict[str, Any]
    all_trainer_settings: dict[str, Any]

ML_AGENTS_STATS_WRITER = "mlagents.stats_writer"

__all__ = [
    "ML_AGENTS_SAMPLERS",
    "ML_AGENTS_STATS_WRITER",
    "ML_AGENTS_TRAINER_TYPE",
    "CustomSampler",
    "all_trainer_settings",
    "all_trainer_types",
    "register_sampler",
    "register_trainer",
]


def __getattr__(name: str) -> dict[str, Any]:
    if name == "all_trainer_types":
        from mlagents.algorithms.registry import TRAINERS  # PyTorch, only where needed

        return {**{key: plugin.factory for key, plugin in plugin_trainers().items()}, **TRAINERS}
    if name == "all_trainer_settings":
        from mlagents.settings.registry import TRAINER_SETTINGS

        return {**{key: plugin.settings for key, plugin in plugin_trainers().items()}, **TRAINER_SETTINGS}
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
