"""The best checkpoint of a behavior: the state at the summary with the highest mean return so far."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

from mlagents.export import ExportError
from mlagents.run.checkpoint_file import save_checkpoint
from mlagents.run.checkpoint_keeper import CheckpointKeeper, CheckpointRecord
from mlagents.run.saved_policy import export_checkpoint
from mlagents.settings.errors import TrainerError
from mlagents_envs.logging_util import get_logger

_LOGGER = get_logger(__name__)


class BestCheckpoint:
    """Keeps ``best.pt`` and ``best.onnx`` in the folder of a behavior.

    Returns of different lessons cannot be compared, so the search starts over when a lesson begins: what
    is kept is the best of the latest lessons.

    The state is written at once, the model, which takes longer, by :meth:`export`.

    Args:
        keeper: knows the folder, and puts the record into ``training_status.json``.
        lessons: number of the present lesson by environment parameter; kept up to date by its owner.
        window: number of episodes that a mean return must be of.
    """

    def __init__(self, keeper: CheckpointKeeper, lessons: Mapping[str, int], window: int) -> None:
        self._keeper = keeper
        self._lessons = lessons
        self._window = window
        self._of_lessons = dict(lessons)
        self._episodes = 0
        self._is_exported = True

    def count_episodes(self, count: int) -> None:
        """Note that episodes ended."""
        if self._of_lessons != dict(self._lessons):
            self._of_lessons, self._episodes = dict(self._lessons), 0
            self._keeper.best = None
        self._episodes += count

    @property
    def has_window(self) -> bool:
        """Whether enough episodes ended since the present lessons began."""
        return self._episodes >= self._window and self._of_lessons == dict(self._lessons)

    def is_beaten_by(self, mean_return: float | None) -> bool:
        """Whether a mean return of the last episodes is the highest so far, and of enough of them."""
        if mean_return is None or not self.has_window:
            return False
        best = self._keeper.best
        return best is None or best.reward is None or mean_return > best.reward

    def save(self, state: dict[str, Any], step: int, mean_return: float) -> None:
        """Write ``best.pt``.

        Args:
            state: state of the trainer.
            step: its step.
            mean_return: mean return of its last episodes.

        Raises:
            OSError: the folder is not writable or the disk is full.
        """
        weights, model = self._keeper.best_paths
        weights.parent.mkdir(parents=True, exist_ok=True)
        save_checkpoint(state, weights)
        self._keeper.best = CheckpointRecord(step, str(model), mean_return, time.time(), str(weights))
        self._is_exported = False

    def export(self) -> None:
        """Write ``best.onnx`` if ``best.pt`` is newer; a failure is reported and costs nothing else."""
        if self._is_exported:
            return
        weights, model = self._keeper.best_paths
        try:
            export_checkpoint(weights, model)
        except (ExportError, TrainerError) as error:
            _LOGGER.error("The model %s was not exported: %s", model, error)
        self._is_exported = True

    def get_state(self) -> dict[str, Any]:
        """What a resumed run has to know."""
        best = self._keeper.best
        return {
            "record": best.as_json() if best is not None else None,
            "lessons": self._of_lessons,
            "episodes": self._episodes,
            "is_exported": self._is_exported,
        }

    def set_state(self, state: Mapping[str, Any]) -> None:
        """Continue from a state of :meth:`get_state`."""
        record = state.get("record")
        self._keeper.best = CheckpointRecord.from_json(record) if record else None
        self._of_lessons = dict(state.get("lessons", {}))
        self._episodes = int(state.get("episodes", 0))
        self._is_exported = bool(state.get("is_exported", True))
