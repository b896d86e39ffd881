"""What a finished run gives back to Python."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from mlagents.api.policy import Policy
from mlagents.monitoring.stats import StatsSummary, StatsWriter
from mlagents.settings.run_options import RunOptions


class Metric(NamedTuple):
    """One statistic over the run.

    Attributes:
        steps: agent-steps of the behavior at each summary, int64 ``[n]``.
        values: the statistic there, float64 ``[n]``.
    """

    steps: NDArray[np.int64]
    values: NDArray[np.float64]


@dataclass(frozen=True)
class TrainedRun:
    """A run that is over; made by :func:`mlagents.train`.

    Attributes:
        folder: the results folder.
        options: every option as it was used.
        seed: the seed in use, also where the options left it to chance.
        steps: agent-steps by behavior.
        mean_returns: mean return of the last 100 episodes at most by behavior, None without episodes.
        interrupted: whether it was stopped before it was done.
        seconds: wall time.
        metrics: statistics by behavior and tag, as ``metrics["3DBall"]["Environment/Cumulative Reward"]``.
        policies: the trained policies by behavior, read from their models when they are asked for.
    """

    folder: Path
    options: RunOptions = field(repr=False)
    seed: int
    steps: dict[str, int]
    mean_returns: dict[str, float | None]
    interrupted: bool
    seconds: float
    metrics: dict[str, dict[str, Metric]] = field(repr=False)
    policies: Mapping[str, Policy] = field(repr=False)

    def policy(
        self, behavior: str | None = None, *, best: bool = False, deterministic: bool = False, seed: int = 0
    ) -> Policy:
        """Read a policy anew, so that it shares no memory with others.

        Args:
            behavior: which behavior; may be left out where there is only one.
            best: the state with the highest mean return instead of the last one.
            deterministic: take the most likely actions instead of sampled ones.
            seed: seed of the sampling.

        Raises:
            KeyError: there is no such behavior, or there are several and none was named.
            UnityPolicyException: the model is missing, because its export failed or the run only acted.
        """
        name = self._only_behavior() if behavior is None else behavior
        if name not in self.steps:
            raise KeyError(f"The run has no behavior {name!r}; it has {', '.join(self.steps)}.")
        return Policy.load(model_path(self.folder, name, best=best), deterministic=deterministic, seed=seed)

    def _only_behavior(self) -> str:
        if len(self.steps) != 1:
            raise KeyError(f"Name one of the behaviors of the run: {', '.join(self.steps)}.")
        return next(iter(self.steps))


def model_path(folder: Path, behavior: str, *, best: bool = False) -> Path:
    """The model of a behavior in a results folder, the final or the best one."""
    return folder / behavior / "best.onnx" if best else folder / f"{behavior}.onnx"


class FinalPolicies(Mapping[str, Policy]):
    """The final policies of a run, each read when first asked for.

    Args:
        folder: the results folder.
        behaviors: names of its behaviors.
    """

    def __init__(self, folder: Path, behaviors: list[str]) -> None:
        self._folder = folder
        self._behaviors = behaviors
        self._loaded: dict[str, Policy] = {}

    def __getitem__(self, behavior: str) -> Policy:
        if behavior not in self._behaviors:
            raise KeyError(behavior)
        if behavior not in self._loaded:
            self._loaded[behavior] = Policy.load(model_path(self._folder, behavior))
        return self._loaded[behavior]

    def __iter__(self) -> Iterator[str]:
        return iter(self._behaviors)

    def __len__(self) -> int:
        return len(self._behaviors)


class MetricsWriter(StatsWriter):
    """Keeps all summaries in memory: one number per tag and summary."""

    def __init__(self) -> None:
        self._points: dict[str, dict[str, list[tuple[int, float]]]] = {}

    def write_stats(self, category: str, values: dict[str, StatsSummary], step: int) -> None:
        """Note one summary."""
        tags = self._points.setdefault(category, {})
        for tag, summary in values.items():
            tags.setdefault(tag, []).append((step, summary.aggregated_value))

    def metrics(self) -> dict[str, dict[str, Metric]]:
        """Everything noted so far, by category and tag."""
        return {
            category: {
                tag: Metric(
                    np.array([step for step, _ in points], dtype=np.int64),
                    np.array([value for _, value in points], dtype=np.float64),
                )
                for tag, points in tags.items()
            }
            for category, tags in self._points.items()
        }
