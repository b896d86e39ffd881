"""Executables from the network: downloaded once, checked, unpacked, and found again.

Below a base folder (that of the system for temporary files, unless another is given) lie
``NAME.lock``, ``ml-agents-binaries/tmp`` for archives, ``ml-agents-binaries/binaries/NAME-HASH`` for what was
unpacked, HASH being the MD5 of the address, and ``ml-agents-binaries/manifests`` for copies of manifests.
"""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import sys
import tempfile
from pathlib import Path

from filelock import FileLock, Timeout

from mlagents_envs.exception import UnityEnvironmentException
from mlagents_envs.logging_util import get_logger
from mlagents_envs.registry.downloads import download
from mlagents_envs.registry.unpacking import unpack

_LOGGER = get_logger(__name__)

BLOCK_FOLDER = "ml-agents-binaries"
MAX_ARCHIVE_BYTES = 8 << 30
"""Largest archive that is downloaded."""

MAX_UNPACKED_BYTES = 32 << 30
"""Most bytes that an archive may unpack to."""

MAX_MANIFEST_BYTES = 1 << 20
"""Largest manifest that is downloaded."""

LOCK_TIMEOUT = 3600.0
"""Seconds to wait for another process that fetches the same executable."""

_PATTERNS = {"linux": "*.x86_64", "linux2": "*.x86_64", "darwin": "*.app", "win32": "*.exe"}
_NOT_THE_GAME = ("UnityCrashHandler64",)


def get_local_binary_path(
    name: str,
    url: str,
    tmp_dir: str | None = None,
    *,
    sha256: str | None = None,
    platform: str | None = None,
) -> str:
    """Path of an executable, fetched if it is not here yet.

    What was unpacked once is used again without any network. Processes that ask for the same name at the
    same time wait for each other.

    Args:
        name: name of the executable; letters, digits, ``.``, ``_``, ``-`` and spaces.
        url: http or https address of a zip file that holds it.
        tmp_dir: base folder; None for that of the system for temporary files.
        sha256: checksum of the zip file in hexadecimal; None accepts any content.
        platform: what to look for, as ``sys.platform`` says it; None for this one.

    Raises:
        UnityEnvironmentException: it cannot be downloaded or unpacked, holds no executable for this
            platform, or the folder is not one's own.
    """
    if not re.fullmatch(r"[\w][\w .-]*", name):
        raise UnityEnvironmentException(f"{name!r} cannot be the name of a folder; rename the environment.")
    base = Path(tmp_dir or tempfile.gettempdir())
    folder = prepare_folder(base, "binaries") / f"{name}-{_hash(url)}"
    try:
        with FileLock(base / f"{name}.lock", timeout=LOCK_TIMEOUT):
            found = _find_executable(folder, platform)
            if found is None:
                shutil.rmtree(folder, ignore_errors=True)  # systems clear old files from temporary folders
                archive = prepare_folder(base, "tmp") / f"{folder.name}.zip"
                _LOGGER.info("Downloading %s from %s", name, url)
                try:
                    download(url, archive, max_bytes=MAX_ARCHIVE_BYTES, sha256=sha256)
                    unpack(archive, folder, max_bytes=MAX_UNPACKED_BYTES)
                finally:
                    archive.unlink(missing_ok=True)
                found = _find_executable(folder, platform)
    except Timeout:
        raise UnityEnvironmentException(
            f"Another process has held the lock {base / f'{name}.lock'} for {LOCK_TIMEOUT:.0f} s. "
            "If none is downloading, remove the file."
        ) from None
    if found is None:
        raise UnityEnvironmentException(
            f"{url} holds no executable for this platform ({_pattern(platform)}). "
            f"It was unpacked in {folder}."
        )
    return str(found)


def get_manifest(url: str, tmp_dir: str | None = None) -> str:
    """Text of a manifest from the network; where that is not reachable, of the copy kept last time.

    Args:
        url: http or https address.
        tmp_dir: base folder; None for that of the system for temporary files.

    Raises:
        UnityEnvironmentException: it cannot be downloaded, and there is no copy.
    """
    folder = prepare_folder(Path(tmp_dir or tempfile.gettempdir()), "manifests")
    copy = folder / f"{_hash(url)}.yaml"
    try:
        download(url, copy, max_bytes=MAX_MANIFEST_BYTES)
    except UnityEnvironmentException as error:
        if not copy.is_file():
            raise
        _LOGGER.warning("%s The copy from last time is used.", error)
    return copy.read_text(encoding="utf-8")


def prepare_folder(base: Path, part: str) -> Path:
    """A folder of the cache, made where it is missing.

    The base folder may be open to everybody on the machine; what is in the cache is run, so the cache must
    be one's own.

    Raises:
        UnityEnvironmentException: the folder belongs to somebody else, anybody may write to it, or it
            cannot be made.
    """
    block = base / BLOCK_FOLDER
    try:
        block.mkdir(mode=0o755, parents=True, exist_ok=True)
        folder = block / part
        folder.mkdir(mode=0o755, exist_ok=True)
    except OSError as error:
        raise UnityEnvironmentException(f"The folder {block} cannot be made: {error}") from error
    if hasattr(os, "geteuid"):
        for place in (block, folder):
            status = place.lstat()
            if status.st_uid != os.geteuid() or status.st_mode & 0o002 or place.is_symlink():
                raise UnityEnvironmentException(
                    f"The folder {place} belongs to somebody else, or anybody may write to it, so programs "
                    "in it are not to be trusted. Give another one with tmp_dir, or remove it."
                )
    return folder


def _find_executable(folder: Path, platform: str | None) -> Path | None:
    """The executable nearest to the top of a folder."""
    if not folder.is_dir():
        return None
    pattern = _pattern(platform)
    found = [path for path in folder.rglob(pattern) if path.stem not in _NOT_THE_GAME]
    return min(found, key=lambda path: (len(path.parts), str(path)), default=None)


def _pattern(platform: str | None) -> str:
    wanted = platform or sys.platform
    pattern = _PATTERNS.get(wanted)
    if pattern is None:
        raise UnityEnvironmentException(f"There are no executables for the platform {wanted!r}.")
    return pattern


def _hash(url: str) -> str:
    return hashlib.md5(url.encode(), usedforsecurity=False).hexdigest()
