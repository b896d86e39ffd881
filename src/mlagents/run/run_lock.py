"""One process per run: two that wrote to the same folder would ruin each other's results."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TextIO

from mlagents.settings.errors import UnityTrainerException

try:
    import fcntl
except ImportError:  # Windows; there, two processes with one run id are the user's to avoid
    fcntl = None  # type: ignore[assignment]


class RunLock:
    """Holds a run's folder until released, or until the process ends in whatever way.

    Args:
        path: lock file in the folder of the run.
        run_id: name of the run, for the message.

    Raises:
        UnityTrainerException: another process holds it.
    """

    def __init__(self, path: Path, run_id: str) -> None:
        self._path = path
        self._file: TextIO | None = path.open("a+", encoding="ascii")
        if fcntl is None:
            return
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            self._file.seek(0)
            holder = self._file.read().strip()
            self._file.close()
            raise UnityTrainerException(
                f"The run '{run_id}' is in use by another process{f' ({holder})' if holder else ''}. "
                "Wait for it, stop it with Ctrl+C, or choose another --run-id."
            ) from None
        self._file.truncate(0)
        try:
            self._file.write(f"process {os.getpid()}")
            self._file.flush()
        except OSError:
            self._path.unlink(missing_ok=True)
            raise

    def release(self) -> None:
        """Give the folder back; a second call does nothing."""
        if self._file is not None:
            self._path.unlink(missing_ok=True)
            self._file.close()
            self._file = None
