"""The numbered checkpoints of one behavior: written, recorded, and pruned."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from mlagents.run.results_folder import ResultsFolder
from mlagents.settings.errors import TrainerError


@dataclass(slots=True)
class CheckpointRecord:
    """One checkpoint as listed in ``training_status.json``.

    Attributes:
        steps: agent-steps of the behavior.
        file_path: exported model; the file is missing where the export failed.
        reward: mean return of the last 100 episodes at most, None before the first one ended.
        creation_time: seconds since the epoch.
        weights_path: the ``.pt`` file.
    """

    steps: int
    file_path: str
    reward: float | None
    creation_time: float
    weights_path: str

    def as_json(self) -> dict[str, Any]:
        """The record under the names of the file (one of them misspelt in the original, and kept)."""
        return {
            "steps": self.steps,
            "file_path": self.file_path,
            "reward": self.reward,
            "creation_time": self.creation_time,
            "auxillary_file_paths": [self.weights_path],
        }

    @staticmethod
    def from_json(data: dict[str, Any]) -> CheckpointRecord:
        """A record from the file.

        Raises:
            KeyError: a field is missing.
        """
        return CheckpointRecord(
            steps=int(data["steps"]),
            file_path=str(data["file_path"]),
            reward=data["reward"],
            creation_time=float(data["creation_time"]),
            weights_path=str(data["auxillary_file_paths"][0]),
        )


@dataclass(slots=True)
class CheckpointKeeper:
    """Knows the numbered checkpoints of one behavior and deletes the oldest.

    Attributes:
        folder: results folder of the run.
        behavior: name of the behavior.
        keep: how many to keep; 0 or less keeps all.
        records: checkpoints, oldest first.
        final: the model at the end of the run.
        best: the state with the highest mean return; it is never deleted.
    """

    folder: ResultsFolder
    behavior: str
    keep: int
    records: list[CheckpointRecord] = field(default_factory=list)
    final: CheckpointRecord | None = None
    best: CheckpointRecord | None = None

    def paths(self, step: int) -> tuple[Path, Path]:
        """Weights and model file of the checkpoint at ``step``."""
        stem = self.folder.behavior(self.behavior) / f"{self.behavior}-{step}"
        return stem.with_name(stem.name + ".pt"), stem.with_name(stem.name + ".onnx")

    @property
    def best_paths(self) -> tuple[Path, Path]:
        """Weights and model file of the best state."""
        folder = self.folder.behavior(self.behavior)
        return folder / "best.pt", folder / "best.onnx"

    def add(self, step: int, reward: float | None) -> None:
        """Record the checkpoint at ``step``, whose files exist, and prune."""
        weights, model = self.paths(step)
        self.records = [record for record in self.records if record.steps != step]
        self.records.append(CheckpointRecord(step, str(model), reward, time.time(), str(weights)))
        while 0 < self.keep < len(self.records):
            # paths in the status file are for readers: the folder may be a copy of another run's
            for path in self.paths(self.records.pop(0).steps):
                path.unlink(missing_ok=True)

    def finish(self, step: int, reward: float | None) -> None:
        """Record the final model."""
        weights, _ = self.paths(step)
        model = self.folder.final_model(self.behavior)
        self.final = CheckpointRecord(step, str(model), reward, time.time(), str(weights))

    def as_json(self) -> dict[str, Any]:
        """The behavior's part of ``training_status.json``."""
        data: dict[str, Any] = {"checkpoints": [record.as_json() for record in self.records]}
        if self.final is not None:
            data["final_checkpoint"] = self.final.as_json()
        if self.best is not None:
            data["best_checkpoint"] = self.best.as_json()
        return data

    def restore(self, data: dict[str, Any]) -> None:
        """Continue from the behavior's part of ``training_status.json``.

        Raises:
            TrainerError: it does not have the form that :meth:`as_json` gives it.
        """
        try:
            self.records = [CheckpointRecord.from_json(record) for record in data.get("checkpoints", [])]
        except (KeyError, TypeError, ValueError, IndexError, AttributeError) as error:
            raise TrainerError(
                f"The status file {self.folder.training_status} has a broken record of the behavior "
                f"{self.behavior} ({type(error).__name__}: {error}). Delete the file to go on without it."
            ) from error
