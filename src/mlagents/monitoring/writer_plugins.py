"""Statistics writers of installed packages, found through the entry-point group ``mlagents.stats_writer``.

An entry point is a function that takes the :class:`~mlagents.settings.run_options.RunOptions` of a run and
returns a list of :class:`~mlagents.monitoring.stats.StatsWriter`, made for this run alone. The writers of
this package come through the same group, under the name ``default``.
"""

from __future__ import annotations

from collections.abc import Callable
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path

from mlagents.monitoring.console import ConsoleWriter
from mlagents.monitoring.stats import StatsWriter
from mlagents.monitoring.tensorboard import TensorboardWriter
from mlagents.settings.errors import TrainerConfigError
from mlagents.settings.run_options import RunOptions
from mlagents_envs.logging_util import get_logger

GROUP = "mlagents.stats_writer"
DEFAULT = "default"
HIDDEN_FROM_TENSORBOARD = frozenset({"Is Training", "Step"})
_LOGGER = get_logger(__name__)

MakeWriters = Callable[[RunOptions], list[StatsWriter]]


def default_writers(options: RunOptions) -> list[StatsWriter]:
    """TensorBoard, the console, and Weights & Biases where the options ask for it.

    Raises:
        TrainerConfigError: Weights & Biases is asked for, but not installed.
    """
    checkpoint = options.checkpoint_settings
    writers: list[StatsWriter] = [
        TensorboardWriter(
            Path(checkpoint.results_dir) / checkpoint.run_id,
            clear_past_data=checkpoint.force and not checkpoint.resume,
            hidden_keys=HIDDEN_FROM_TENSORBOARD,
        ),
        ConsoleWriter(),
    ]
    if checkpoint.wandb:
        from mlagents.monitoring.wandb_writer import WandbWriter

        writers.append(WandbWriter(options))
    return writers


def load_writers(options: RunOptions) -> list[StatsWriter]:
    """New writers for a run, of this package and of all plugins; a plugin that fails is logged and left out.

    Raises:
        TrainerConfigError: the options ask for a writer that cannot be had.
    """
    found = list(entry_points(group=GROUP))
    writers: list[StatsWriter] = []
    if all(entry_point.name != DEFAULT for entry_point in found):  # installed before there was the group
        writers += default_writers(options)
    for entry_point in found:
        try:
            writers += _made_by(entry_point, options)
        except TrainerConfigError:
            raise
        except Exception as error:  # whatever a plugin does wrong must not end runs
            _LOGGER.error(
                "The statistics plugin %s (%s) was left out: %s: %s.",
                entry_point.name,
                entry_point.value,
                type(error).__name__,
                error,
            )
    return writers


def _made_by(entry_point: EntryPoint, options: RunOptions) -> list[StatsWriter]:
    """The writers of one entry point.

    Raises:
        TypeError: it returned something else.
    """
    made = list(entry_point.load()(options))
    for writer in made:
        if not isinstance(writer, StatsWriter):
            raise TypeError(f"it returned a {type(writer).__name__}, which is no StatsWriter")
    return made
