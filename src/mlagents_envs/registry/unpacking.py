"""Unpacking archives of unknown origin: nothing lands outside the folder, and nothing grows without end."""

from __future__ import annotations

import os
import re
import shutil
import stat
import tempfile
import zipfile
from pathlib import Path, PurePosixPath

from mlagents_envs.exception import UnityEnvironmentException

MAX_ENTRIES = 200_000
"""Most files and folders in an archive."""

_LONGEST_LINK = 4096
_MODE = 0o755


def unpack(archive: Path, target: Path, *, max_bytes: int) -> None:
    """Unpack a zip file into a new folder, in one step: afterwards the folder is complete or not there.

    Symbolic links, which macOS applications contain, are made last, so that nothing is written through
    them, and only kept if all of them lead to places inside the folder. Everything gets mode 755.

    Args:
        archive: the zip file.
        target: the folder; it must not exist, its parent must.
        max_bytes: most bytes of all files together.

    Raises:
        UnityEnvironmentException: it is no zip file, is damaged, is too large, or has names that lead
            outside.
    """
    temporary = Path(tempfile.mkdtemp(dir=target.parent, prefix=f".{target.name[:64]}."))
    try:
        try:
            with zipfile.ZipFile(archive) as zipped:
                _extract_all(zipped, temporary, archive, max_bytes)
        except (
            zipfile.BadZipFile,
            zipfile.LargeZipFile,
            NotImplementedError,
            RuntimeError,
            EOFError,
        ) as error:
            raise UnityEnvironmentException(f"{archive} is no zip file that can be used: {error}") from error
        except (FileExistsError, NotADirectoryError, IsADirectoryError) as error:
            raise UnityEnvironmentException(
                f"{archive} holds two entries for one place: {Path(error.filename or '').name}."
            ) from error
        temporary.chmod(_MODE)
        temporary.replace(target)
    except BaseException:
        shutil.rmtree(temporary, ignore_errors=True)
        raise


def _extract_all(zipped: zipfile.ZipFile, root: Path, archive: Path, max_bytes: int) -> None:
    entries = zipped.infolist()
    if len(entries) > MAX_ENTRIES:
        raise UnityEnvironmentException(
            f"{archive} has {len(entries)} entries; {MAX_ENTRIES} at most are accepted."
        )
    if sum(entry.file_size for entry in entries) > max_bytes:  # no entry yields more than it declares
        raise UnityEnvironmentException(
            f"{archive} unpacks to more than {max_bytes} bytes, which is the most accepted."
        )
    links = []
    for entry in entries:
        path = root / _safe_path(entry.filename, archive)
        if stat.S_ISLNK(entry.external_attr >> 16):
            links.append((path, entry))
        elif entry.is_dir():
            path.mkdir(parents=True, exist_ok=True)
        else:
            path.parent.mkdir(parents=True, exist_ok=True)
            with zipped.open(entry) as source, path.open("xb") as file:
                shutil.copyfileobj(source, file)
    for folder, _, files in os.walk(root):
        Path(folder).chmod(_MODE)
        for name in files:
            (Path(folder) / name).chmod(_MODE)
    for path, entry in links:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.symlink_to(_link_target(zipped, entry, archive))
    real_root = root.resolve()
    for path, entry in links:
        if not path.resolve().is_relative_to(real_root):
            raise UnityEnvironmentException(
                f"{archive} has a link {entry.filename!r} that leads outside; nothing of it is used."
            )


def _safe_path(name: str, archive: Path) -> PurePosixPath:
    """The place of an entry below the folder.

    Raises:
        UnityEnvironmentException: it would be elsewhere.
    """
    path = PurePosixPath(name)
    unsafe = path.is_absolute() or ".." in path.parts or not path.parts
    if unsafe or "\\" in name or "\0" in name or re.match(r"[A-Za-z]:", name):
        raise UnityEnvironmentException(
            f"{archive} has an entry {name!r} that leads outside; nothing of it is used."
        )
    return path


def _link_target(zipped: zipfile.ZipFile, entry: zipfile.ZipInfo, archive: Path) -> str:
    """Where a link leads; what it leads to is checked when all links are there."""
    if entry.file_size > _LONGEST_LINK:
        raise UnityEnvironmentException(f"{archive} has a link {entry.filename!r} that is too long.")
    return zipped.read(entry).decode("utf-8", errors="surrogateescape")
