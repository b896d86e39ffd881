"""Statistics in Weights & Biases (https://wandb.ai), an optional package."""

from __future__ import annotations

import os
from collections.abc import Mapping
from importlib import import_module
from pathlib import Path
from typing import Any

from mlagents.monitoring.stats import (
    StatsAggregationMethod,
    StatsPropertyType,
    StatsSummary,
    StatsWriter,
)
from mlagents.settings.errors import TrainerConfigError
from mlagents.settings.run_options import RunOptions

DEFAULT_PROJECT = "mlagents"


class WandbWriter(StatsWriter):
    """Sends summaries to one run of Weights & Biases, ``<behavior>/<tag>`` over ``<behavior>/Step``.

    The run begins with the first property or summary, so that a run that fails before leaves no trace. Its
    project is that of the environment variable ``WANDB_PROJECT``, else "mlagents"; the other variables of
    the package count as well, such as ``WANDB_MODE=offline``. Its files lie in the results folder.

    Args:
        options: options of the run.

    Raises:
        TrainerConfigError: the package is not installed.
    """

    def __init__(self, options: RunOptions) -> None:
        try:
            self._wandb = import_module("wandb")
        except ImportError as error:
            raise TrainerConfigError(
                f"--wandb needs the package wandb ({error}). Install it with: pip install "
                '"open-mlagents[wandb]"'
            ) from error
        self._options = options
        self._run: Any = None
        self._categories: set[str] = set()

    def write_stats(self, category: str, values: dict[str, StatsSummary], step: int) -> None:
        """Send one summary; tags aggregated as HISTOGRAM get ``<tag>_hist`` as well."""
        run = self._started()
        if category not in self._categories:
            self._categories.add(category)
            run.define_metric(f"{category}/Step")
            run.define_metric(f"{category}/*", step_metric=f"{category}/Step")
        data: dict[str, Any] = {}
        for tag, summary in values.items():
            data[f"{category}/{tag}"] = summary.aggregated_value
            if summary.aggregation_method is StatsAggregationMethod.HISTOGRAM:
                data[f"{category}/{tag}_hist"] = self._wandb.Histogram(summary.full_dist)
        run.log({**data, f"{category}/Step": step})

    def add_property(self, category: str, property_type: StatsPropertyType, value: object) -> None:
        """Send hyperparameters as part of the run's configuration."""
        if property_type is StatsPropertyType.HYPERPARAMETERS and isinstance(value, Mapping):
            self._started().config.update({category: dict(value)}, allow_val_change=True)

    def close(self) -> None:
        """End the run, if it began."""
        if self._run is not None:
            self._run.finish()
            self._run = None

    def _started(self) -> Any:  # noqa: ANN401 - an object of an optional package
        if self._run is None:
            checkpoint = self._options.checkpoint_settings
            folder = Path(checkpoint.results_dir) / checkpoint.run_id
            self._run = self._wandb.init(
                project=os.environ.get("WANDB_PROJECT", DEFAULT_PROJECT),
                name=checkpoint.run_id,
                dir=str(folder),
                config=self._options.model_dump(mode="json"),
                reinit="create_new",  # runs side by side in one process stay apart
            )
        return self._run
