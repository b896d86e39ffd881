"""Writing files so that a crash leaves either the old content or the new, never half of one."""

from __future__ import annotations

import errno
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

FULL_DISK = frozenset({errno.EDQUOT, errno.EFBIG, errno.ENOSPC})
"""There is no room, or no more is allowed."""


@contextmanager
def atomic_writer(path: str | os.PathLike[str]) -> Iterator[BinaryIO]:
    """Open a temporary file beside ``path`` that replaces it when the block ends without error.

    The content is flushed to the disk before the replacement. On an error the temporary file is removed
    and ``path`` stays as it was.

    Args:
        path: file to create or replace; its folder must exist.

    Raises:
        OSError: the folder is missing or not writable, or the disk is full; names ``path``.
    """
    path = Path(path)
    try:
        handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.", suffix=".tmp")
    except OSError as error:
        raise OSError(error.errno, error.strerror, str(path)) from error
    try:
        with os.fdopen(handle, "wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        umask = os.umask(0)
        os.umask(umask)
        Path(temporary).chmod(0o666 & ~umask)  # mkstemp makes files for the owner only
        Path(temporary).replace(path)
    except BaseException as error:
        Path(temporary).unlink(missing_ok=True)
        if isinstance(error, OSError) and (error.errno in FULL_DISK or error.filename == temporary):
            raise OSError(error.errno, error.strerror, str(path)) from error
        raise


def atomic_write_text(path: str | os.PathLike[str], text: str) -> None:
    """Write ``text`` as UTF-8 to ``path``, replacing it in one step.

    Raises:
        OSError: the folder is missing or not writable, or the disk is full.
    """
    with atomic_writer(path) as file:
        file.write(text.encode("utf-8"))
