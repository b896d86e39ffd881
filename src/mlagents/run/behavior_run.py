"""One behavior of a run: its trainer, its statistics, and its checkpoints."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mlagents.algorithms.trainer import BehaviorTrainer
from mlagents.export import ExportError
from mlagents.monitoring.stats import StatsAggregationMethod, StatsReporter
from mlagents.run.best_checkpoint import BestCheckpoint
from mlagents.run.checkpoint_file import (
    INITIALIZE_ADVICE,
    Checkpoint,
    first_reason,
    load_checkpoint,
    save_checkpoint,
)
from mlagents.run.checkpoint_keeper import CheckpointKeeper
from mlagents.run.results_folder import ResultsFolder
from mlagents.run.saved_policy import DESCRIPTION, describe_behavior
from mlagents_envs.logging_util import get_logger

_LOGGER = get_logger(__name__)
_RECENT_EPISODES = 100


class BehaviorRun:
    """Drives one trainer through summaries and checkpoints.

    Args:
        trainer: what learns.
        reporter: takes its statistics.
        folder: results folder of the run.
        lessons: number of the present lesson by environment parameter; kept up to date by its owner.

    Attributes:
        first_step: step at which this run began, above 0 when it was resumed.
        mean_return: mean return of the last 100 episodes at most, None before the first one ended.
        save_id: which saving of the run this state belongs to, -1 for none.
        is_best_due: whether the last summary found the highest mean return so far.
    """

    def __init__(
        self,
        trainer: BehaviorTrainer,
        reporter: StatsReporter,
        folder: ResultsFolder,
        lessons: Mapping[str, int] | None = None,
    ) -> None:
        self.trainer = trainer
        self.name = trainer.behavior
        self.reporter = reporter
        self.mean_return: float | None = None
        self.save_id = -1
        self.is_best_due = False
        self._folder = folder
        self._lessons = lessons or {}
        self.first_step = 0
        settings = trainer.settings
        self._summary_freq = settings.summary_freq
        self._checkpoint_interval = settings.checkpoint_interval
        self.keeper = CheckpointKeeper(folder, self.name, settings.keep_checkpoints)
        self._recent_returns: deque[float] = deque(maxlen=_RECENT_EPISODES)
        self._best = BestCheckpoint(self.keeper, self._lessons, _RECENT_EPISODES)
        self.schedule_from(trainer.step)

    def schedule_from(self, step: int) -> None:
        """Plan the next summary and checkpoint at the next multiples of their intervals."""
        self.next_summary = self._summary_freq * (step // self._summary_freq + 1)
        self.next_checkpoint = self._checkpoint_interval * (step // self._checkpoint_interval + 1)

    def update(self) -> None:
        """Learn from what was collected."""
        self.trainer.update(self.reporter.add_stat)

    def summarize_if_due(self) -> None:
        """Write a summary when the step has reached the next multiple of ``summary_freq``."""
        if self.trainer.step < self.next_summary:
            return
        label = self.next_summary
        while self.next_summary <= self.trainer.step:
            label = self.next_summary
            self.next_summary += self._summary_freq
        self.collect_episodes()
        reporter = self.reporter
        for name, number in self._lessons.items():
            reporter.set_stat(f"Environment/Lesson Number/{name}", float(number))
        reporter.set_stat("Is Training", float(self.trainer.learns_at(label)))
        reporter.set_stat("Step", float(label))
        reporter.write_stats(label)
        self.is_best_due = self.trainer.learns_at(label) and self._best.is_beaten_by(self.mean_return)

    @property
    def fraction_done(self) -> float:
        """Steps done, as a fraction of ``max_steps``."""
        return self.trainer.step / self.trainer.settings.max_steps

    @property
    def rating(self) -> float | None:
        """Rating in self-play, None without it."""
        return None

    def has_reached(self, goal: float) -> bool:
        """Whether the mean return of 100 episodes, all of the present lessons, is at least ``goal``."""
        return self._best.has_window and self.mean_return is not None and self.mean_return >= goal

    def collect_episodes(self) -> list[float]:
        """Take the episodes that ended since the last call into the statistics.

        Returns:
            Their returns.
        """
        returns, lengths, rewards = self.trainer.take_episodes()
        for name, sums in rewards.items():
            self.reporter.add_stats(f"Policy/{name.capitalize()} Reward", sums)
        if not returns:
            return returns
        self._best.count_episodes(len(returns))
        self._recent_returns.extend(returns)
        self.mean_return = sum(self._recent_returns) / len(self._recent_returns)
        histogram = StatsAggregationMethod.HISTOGRAM
        self.reporter.add_stats("Environment/Cumulative Reward", returns, histogram)
        self.reporter.add_stats("Environment/Episode Length", lengths)
        return returns

    def is_checkpoint_due(self) -> bool:
        """Whether the step has reached the next multiple of ``checkpoint_interval``."""
        return self.trainer.step >= self.next_checkpoint

    def _get_state(self) -> dict[str, Any]:
        """State of the trainer, with what a run and a reader have to know."""
        state = self.trainer.get_state()
        state["Training"][DESCRIPTION] = describe_behavior(self.trainer)
        state["Training"]["best"] = self._best.get_state()
        return state

    def save_latest(self, save_id: int) -> None:
        """Write ``checkpoint.pt``, from which the run can be resumed."""
        self.save_id = save_id
        state = self._get_state()
        state["Training"]["save_id"] = save_id
        state["Training"]["recent_returns"] = list(self._recent_returns)
        path = self._folder.checkpoint(self.name)
        path.parent.mkdir(parents=True, exist_ok=True)
        save_checkpoint(state, path)

    def save_numbered(self) -> None:
        """Write a numbered checkpoint with its model, and delete the oldest beyond the limit."""
        self.collect_episodes()
        step = self.trainer.step
        while self.next_checkpoint <= step:
            self.next_checkpoint += self._checkpoint_interval
        weights, model = self.keeper.paths(step)
        weights.parent.mkdir(parents=True, exist_ok=True)
        state = self._get_state()
        state.pop("Replay", None)
        save_checkpoint(state, weights)
        self.export(model)
        self._best.export()
        self.keeper.add(step, self.mean_return)

    def save_best(self) -> None:
        """Write ``best.pt``; its model follows with the next numbered checkpoint.

        Raises:
            OSError: the folder is not writable or the disk is full.
        """
        self.is_best_due = False
        if self.mean_return is not None:
            state = self._get_state()
            state.pop("Replay", None)
            self._best.save(state, self.trainer.step, self.mean_return)

    def skip_checkpoint(self) -> None:
        """Plan the next numbered checkpoint without writing the one that is due."""
        self.next_checkpoint = self.trainer.step + self._checkpoint_interval

    def save_final(self) -> None:
        """Write a last numbered checkpoint and the model of the run.

        A run that was too short to find a best state has its last one.
        """
        self.collect_episodes()
        if self.keeper.best is None or self._best.is_beaten_by(self.mean_return):
            self.save_best()
        self.save_numbered()
        self.export(self._folder.final_model(self.name))
        self.keeper.finish(self.trainer.step, self.mean_return)

    def export(self, path: Path) -> None:
        """Export the policy as ONNX; a failure is reported and costs nothing else."""
        try:
            self.trainer.export(path)
        except ExportError as error:
            _LOGGER.error("The model %s was not exported: %s", path, error)

    def restore(self, checkpoint: Checkpoint) -> None:
        """Continue from ``checkpoint.pt``.

        Raises:
            UnityTrainerException: it belongs to a behavior of another shape.
        """
        with checkpoint.explaining_mismatch(self.name):
            self.trainer.set_state(checkpoint.state)
        training = checkpoint.state["Training"]
        self.save_id = int(training.get("save_id", -1))
        self._recent_returns.extend(training.get("recent_returns", []))
        self._best.set_state(training.get("best", {}))
        if self._recent_returns:
            self.mean_return = sum(self._recent_returns) / len(self._recent_returns)
        self.first_step = self.trainer.step
        self.schedule_from(self.trainer.step)

    def initialize(self, path: Path) -> None:
        """Start from the weights of another checkpoint, at step 0.

        Parts that are missing there or have another shape keep their fresh weights, with a warning each.

        Raises:
            UnityTrainerException: the file cannot be read.
        """
        state = load_checkpoint(path, INITIALIZE_ADVICE).state
        misfits = self.trainer.take_over_weights(state)
        for part, error in misfits.items():
            _LOGGER.warning("%s starts with a fresh %s: %s.", self.name, part, first_reason(error))
        if "actor" in misfits:
            _LOGGER.warning(
                "%s does not start from the policy in %s, which does not fit. Compare its network_settings, "
                "observations and actions.",
                self.name,
                path,
            )
        else:
            _LOGGER.info("%s starts from the weights in %s.", self.name, path)
