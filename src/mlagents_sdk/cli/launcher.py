"""Launcher files: an environment as an executable that trainers can start."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path

from mlagents_envs.files import atomic_write_text
from mlagents_sdk.exception import AgentsError

MARK = "# made by mlagents-envs build"
"""Second line of every launcher; tells our files from others."""

_PLAYER = "mlagents_sdk.cli.player"
_FOUND_ON_LINUX = ("", ".x86_64", ".x86")
_SUFFIXES = (".app", ".exe", ".x86_64", ".x86")


def launcher_file(path: Path, platform: str = sys.platform) -> Path:
    """Where the launcher has to lie so that trainers find it when told ``path``.

    Args:
        path: as the user typed it.
        platform: as ``sys.platform``.

    Raises:
        AgentsError: trainers would find nothing there.
    """
    suffix = path.suffix if path.suffix in _SUFFIXES else ""
    if platform == "win32":
        raise AgentsError(
            "On Windows trainers start nothing but .exe files, which this command cannot make. Start the "
            "trainer without --env, then the environment with: mlagents-envs serve NAME"
        )
    if platform == "darwin":
        bundle = path.with_suffix("") if suffix else path
        return bundle.with_name(f"{bundle.name}.app") / "Contents" / "MacOS" / bundle.name
    if suffix not in _FOUND_ON_LINUX:
        raise AgentsError(
            f"{path}: trainers on Linux do not find files that end in {suffix}. Name it "
            f"{path.with_suffix('.x86_64')}."
        )
    return path


def launcher_text(name: str, python: str) -> str:
    """Shell script that serves an environment.

    A script of the shell and not of Python, because the path of an interpreter after ``#!`` must be
    short and without blanks.

    Args:
        name: name of the environment.
        python: path of the interpreter.
    """
    interpreter = shlex.quote(python)
    return f"""#!/bin/sh
{MARK}: the environment {" ".join(name.split())}
python={interpreter}
if [ ! -x "$python" ]; then
    echo "error: $0 needs $python, which is gone. Make it anew: mlagents-envs build" >&2
    exit 1
fi
exec "$python" -P -m {_PLAYER} {shlex.quote(name)} "$@"
"""


def write_launcher(name: str, path: Path, *, force: bool = False) -> Path:
    """Write the launcher of an environment; the folder is made if need be.

    Args:
        name: name of the environment.
        path: as the user typed it.
        force: replace a file even if it is not a launcher.

    Returns:
        The file.

    Raises:
        AgentsError: trainers would find nothing there, or another file is in the way.
        OSError: the file cannot be written.
    """
    if not sys.executable:
        raise AgentsError("Python does not know its own path, so no executable can be made that uses it.")
    if path.is_dir():
        raise AgentsError(f"{path} is a folder; name a file, such as {path / name}.x86_64.")
    file = launcher_file(path)
    if file.exists() and not force and not _is_launcher(file):
        raise AgentsError(
            f"{file} is there already and was not made by this command; --force replaces it all the same."
        )
    file.parent.mkdir(parents=True, exist_ok=True)
    atomic_write_text(file, launcher_text(name, sys.executable))
    file.chmod(0o755)
    return file


def _is_launcher(file: Path) -> bool:
    with file.open("rb") as stream:
        start = stream.read(200)
    return MARK.encode() in start
