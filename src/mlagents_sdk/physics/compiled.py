"""Compiles numeric kernels with numba.

The first use on a machine takes some seconds per kernel; after that they come from disk. A kernel holds the
code of those it calls, also from other files, but numba notices changes in its own file only. So whatever
was compiled before the last change of any file of this package is thrown away when it is imported.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from contextlib import suppress
from pathlib import Path
from typing import TypeVar, cast

from numba import njit

_Function = TypeVar("_Function", bound=Callable[..., object])


def discard_outdated(sources: Path, caches: Iterable[Path]) -> None:
    """Delete numba's indices of compiled kernels that are older than a source file.

    Args:
        sources: folder of the source files.
        caches: folders in which numba keeps compiled kernels; what cannot be deleted stays.
    """
    newest = max(file.stat().st_mtime_ns for file in sources.glob("*.py"))
    for folder in caches:
        for index in folder.glob("*.nbi"):
            with suppress(OSError):
                if index.stat().st_mtime_ns < newest:
                    index.unlink()


def compiled(function: _Function) -> _Function:
    """``function`` as machine code, made at its first call and kept on disk where that is possible."""
    try:
        return cast(_Function, njit(cache=True, error_model="numpy")(function))
    except RuntimeError:  # neither the package's folder nor the user's cache can be written
        return cast(_Function, njit(error_model="numpy")(function))


_HERE = Path(__file__).parent
discard_outdated(_HERE, (_HERE / "__pycache__", _HERE.parent / "sensors" / "__pycache__"))
