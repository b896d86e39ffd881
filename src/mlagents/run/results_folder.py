"""The results folder of a run: where everything lies, and whether it may be used."""

from __future__ import annotations

import contextlib
import os
import tempfile
from pathlib import Path

from mlagents.run.run_lock import RunLock
from mlagents.settings.behavior import BehaviorSettings
from mlagents.settings.errors import UnityTrainerException
from mlagents.settings.sections import LONGEST_NAME, CheckpointSettings
from mlagents_envs.files import FULL_DISK


class ResultsFolder:
    """Paths of one run.

    Args:
        results_dir: base folder of all runs.
        run_id: name of the run.
    """

    def __init__(self, results_dir: str, run_id: str) -> None:
        self.results_dir = Path(results_dir)
        self.run_id = run_id
        self.root = self.results_dir / run_id
        self.logs = self.root / "run_logs"
        self.configuration = self.root / "configuration.yaml"
        self.timers = self.logs / "timers.json"
        self.training_status = self.logs / "training_status.json"
        self.run_state = self.logs / "run_state.pt"
        self._lock: RunLock | None = None
        self._is_new = False

    def behavior(self, name: str) -> Path:
        """Folder of a behavior."""
        return self.root / name

    def check_behavior_name(self, name: str) -> None:
        """Refuse names that would write outside the folder: they come from the environment.

        Raises:
            UnityTrainerException: the name cannot be that of a file.
        """
        if len(name.encode("utf-8", "replace")) > LONGEST_NAME:
            raise UnityTrainerException(
                f"The environment has a behavior named {name[:40]}..., which is too long for the name of a "
                f"folder. Rename it in the environment; {LONGEST_NAME} letters are allowed."
            )
        if not name or name in {".", "..", self.logs.name} or any(c in name for c in '/\\\0:*?"<>|'):
            raise UnityTrainerException(
                f"The environment has a behavior named {name!r}, which cannot be the name of a folder. "
                "Rename it in the environment."
            )

    def checkpoint(self, name: str) -> Path:
        """Latest state of a behavior."""
        return self.behavior(name) / "checkpoint.pt"

    def final_model(self, name: str) -> Path:
        """Exported model of a behavior at the end of the run."""
        return self.root / f"{name}.onnx"

    def prepare(self, settings: CheckpointSettings) -> None:
        """Check that the run may use the folder, create it, and keep other processes out of it.

        Raises:
            UnityTrainerException: the run exists and is neither resumed nor forced, there is nothing to
                resume or to initialise from, another process uses it, or it cannot be written to.
        """
        exists = self.root.is_dir()
        if settings.resume and not exists:
            raise UnityTrainerException(
                f"There is no run '{self.run_id}' to resume in {self.results_dir}."
                f"{self._other_runs()} Check --run-id and --results-dir, or start it without --resume."
            )
        if exists and not (settings.resume or settings.force):
            raise UnityTrainerException(
                f"The run '{self.run_id}' exists already in {self.results_dir}. Choose another --run-id, "
                "continue it with --resume, or start it over with --force."
            )
        if settings.initialize_from is not None and not settings.resume:
            source = self.results_dir / settings.initialize_from
            if not source.is_dir():
                raise UnityTrainerException(
                    f"There is no run '{settings.initialize_from}' in {self.results_dir} to initialize from."
                    f"{self._other_runs()} Check --initialize-from."
                )
        self._is_new = not exists
        try:
            self.logs.mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryFile(dir=self.logs):
                pass
            self._lock = RunLock(self.logs / ".lock", self.run_id)
        except OSError as error:
            self.release(began=False)
            advice = "make room there" if error.errno in FULL_DISK else "change its permissions"
            raise UnityTrainerException(
                f"The results folder {self.root} cannot be written to ({os.strerror(error.errno or 0)}). "
                f"Choose another --results-dir, or {advice}."
            ) from error

    def release(self, *, began: bool) -> None:
        """Let other processes use the folder.

        Args:
            began: False when the run failed before it began; a folder made for it is removed again if
                nothing lies in it, so that the corrected command needs no ``--force``.
        """
        if self._lock is not None:
            self._lock.release()
        if self._is_new and not began:
            for folder in (self.logs, self.root):
                with contextlib.suppress(OSError):  # something lies in it, such as the log of a game
                    folder.rmdir()

    def initial_checkpoint(
        self, checkpoint: CheckpointSettings, behavior: BehaviorSettings, name: str
    ) -> Path | None:
        """File that a behavior takes its first weights from, None for fresh ones.

        ``init_path`` counts as it is when it has a folder; a bare file name is looked up in the run to
        initialise from.

        Raises:
            UnityTrainerException: the file does not exist or is no ``.pt`` file.
        """
        init_path = behavior.init_path
        if checkpoint.initialize_from is None and init_path is None:
            return None
        path = Path(init_path or "checkpoint.pt")
        if checkpoint.initialize_from is not None and path.parent == Path("."):
            path = self.results_dir / checkpoint.initialize_from / name / path
        if path.suffix != ".pt":
            raise UnityTrainerException(
                f"Weights for the behavior {name} cannot come from {path}: it must be a .pt file."
            )
        if not path.is_file():
            raise UnityTrainerException(
                f"There is no file {path} to initialize the behavior {name} from. "
                "Check --initialize-from and init_path."
            )
        return path

    def _other_runs(self) -> str:
        try:
            runs = sorted(path.name for path in self.results_dir.iterdir() if path.is_dir())
        except OSError:
            return ""
        return f" Runs there: {', '.join(runs[:8])}{', ...' if len(runs) > 8 else ''}." if runs else ""
