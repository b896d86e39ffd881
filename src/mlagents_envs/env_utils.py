"""Finds and starts the executables of environments, and keeps their last words."""

from __future__ import annotations

import contextlib
import errno
import logging
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator, Sequence
from itertools import pairwise
from pathlib import Path

from mlagents_envs.exception import UnityEnvironmentException
from mlagents_envs.logging_util import get_logger

logger = get_logger(__name__)

TAIL_LINES = 20
"""Lines of a log that messages repeat."""
_TAIL_BYTES = 16384
_DRAIN_SECONDS = 0.5
"""How long to wait for the rest of the output of a process that has ended."""

_KILL_SECONDS = 5.0
"""How long the system may take to end a process that was killed."""

_SUFFIXES = (".app", ".exe", ".x86_64", ".x86")


def get_platform() -> str:
    """Name of the operating system as Python calls it: ``linux``, ``darwin`` or ``win32``."""
    return sys.platform


def validate_environment_path(env_path: str) -> str | None:
    """Path of the executable that a user means, or None when there is none.

    Args:
        env_path: path of a build, its suffix given or not, absolute or from the working directory.
    """
    stem = Path(_without_suffix(env_path.strip()))
    return next((str(path) for path in _candidates(stem) if path.is_file()), None)


def launch_executable(file_name: str, args: Sequence[str]) -> subprocess.Popen[bytes]:
    """Start an environment in a session of its own.

    Its output goes to this terminal, unless the level of this module's logger was set above DEBUG; then
    only the end of it is kept, see :class:`PlayerProcess`.

    Args:
        file_name: path of a build, its suffix given or not.
        args: arguments.

    Raises:
        UnityEnvironmentException: there is no such file, or it cannot be executed.
    """
    path = validate_environment_path(file_name)
    if path is None:
        found = "that is a folder" if Path(file_name.strip()).is_dir() else f"looked in {Path.cwd()}"
        raise UnityEnvironmentException(
            f"There is no executable {file_name!r}, with or without the suffix of one ({found}). "
            "Check the path of the environment."
        )
    logger.debug("Starting %s with the arguments %s", path, list(args))
    try:
        return PlayerProcess([str(Path(path).absolute()), *args], quiet=logger.level > logging.DEBUG)
    except PermissionError as error:
        raise UnityEnvironmentException(
            f"The environment {path!r} may not be executed. "
            f'Make it executable, for instance with: chmod -R 755 "{path}"'
        ) from error
    except OSError as error:
        hint = " It is no program of this operating system." if error.errno == errno.ENOEXEC else ""
        raise UnityEnvironmentException(
            f"The environment {path!r} cannot be executed: {error.strerror}.{hint}"
        ) from error


class PlayerProcess(subprocess.Popen[bytes]):
    """The process of an environment, in a session of its own.

    Args:
        command: executable and arguments.
        quiet: keep the output, the end of it only, instead of showing it.
    """

    def __init__(self, command: Sequence[str], quiet: bool) -> None:
        self._tail = bytearray()
        self._reader: threading.Thread | None = None
        output = subprocess.PIPE if quiet else None
        super().__init__(
            list(command),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT if quiet else None,
            start_new_session=True,
        )
        if quiet:
            self._reader = threading.Thread(target=self._drain, name="mlagents-player-output", daemon=True)
            self._reader.start()

    def last_lines(self) -> list[str]:
        """The last lines of its output, as far as it was kept."""
        if self._reader is not None and self.poll() is not None:
            self._reader.join(_DRAIN_SECONDS)
        return _last_lines(bytes(self._tail))

    def stop(self, grace: float) -> None:
        """Wait for the process to end, then kill it, together with what it has started.

        Args:
            grace: seconds to wait.
        """
        try:
            self.wait(grace)
        except subprocess.TimeoutExpired:
            if grace > 0:
                logger.warning("The environment did not end within %g s; it is killed.", grace)
        self._kill_session()
        try:
            self.wait(_KILL_SECONDS)
        except subprocess.TimeoutExpired:
            logger.warning("The process %d of the environment does not end, although killed.", self.pid)

    def _kill_session(self) -> None:
        if hasattr(os, "killpg"):
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(self.pid, signal.SIGKILL)
        elif self.poll() is None:
            self.kill()

    def _drain(self) -> None:
        """Read everything, so that the process never waits for a reader; keep the end."""
        assert self.stdout is not None
        with contextlib.suppress(OSError, ValueError), self.stdout:
            while chunk := os.read(self.stdout.fileno(), 65536):
                self._tail += chunk
                del self._tail[:-_TAIL_BYTES]


def describe_exit(code: int) -> str:
    """How a process ended: ``3``, or ``-9 (SIGKILL)``."""
    name = ""
    if code < 0:
        with contextlib.suppress(ValueError):
            name = f" ({signal.Signals(-code).name})"
    return f"{code}{name}"


def log_arguments(log_folder: Path | str | None, worker_id: int, additional: Sequence[str]) -> list[str]:
    """Arguments that make a player write its log into a folder, which is made if it is missing.

    Args:
        log_folder: the folder; None for no arguments.
        worker_id: index of the environment, part of the name of the log.
        additional: the other arguments; no more are needed where they already say it.
    """
    if not log_folder or any(argument.lower() == "-logfile" for argument in additional):
        return []
    folder = Path(log_folder).absolute()
    folder.mkdir(parents=True, exist_ok=True)
    return ["-logFile", str(folder / f"Player-{worker_id}.log")]


def player_log_path(args: Sequence[str]) -> Path | None:
    """The log file that the arguments of a player name, or None."""
    for flag, value in pairwise(args):
        if flag.lower() == "-logfile":
            return None if value == "-" else Path(value)
    return None


def tail_of_file(path: Path) -> list[str]:
    """The last lines of a file, none when it cannot be read."""
    try:
        with path.open("rb") as file:
            file.seek(max(0, path.stat().st_size - _TAIL_BYTES))
            return _last_lines(file.read())
    except OSError:
        return []


def _last_lines(text: bytes) -> list[str]:
    return text.decode(errors="replace").splitlines()[-TAIL_LINES:]


def _without_suffix(path: str) -> str:
    for suffix in _SUFFIXES:
        if path.endswith(suffix):
            return path.removesuffix(suffix)
    return path


def _candidates(stem: Path) -> Iterator[Path]:
    """Paths that an executable may have, the most likely first."""
    bases = (Path.cwd() / stem, stem)
    match get_platform():
        case "darwin":
            folders = [Path(f"{base}.app") / "Contents" / "MacOS" for base in bases]
            yield from (folder / stem.name for folder in folders)
            for folder in folders:
                yield from sorted(folder.glob("*"))
        case "win32":
            yield from (Path(f"{base}.exe") for base in bases)
            found = sorted(bases[0].glob("*.exe"))
            yield from (path for path in found if not path.name.startswith("UnityCrashHandler"))
        case _:
            yield from (Path(f"{base}{suffix}") for base in bases for suffix in (".x86_64", ".x86"))
            yield stem
