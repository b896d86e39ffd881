"""Compiles numeric kernels with numba."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar, cast

from numba import njit

_Function = TypeVar("_Function", bound=Callable[..., object])


def compiled(function: _Function) -> _Function:
    """``function`` as machine code, made at its first call and kept on disk where that is possible."""
    try:
        return cast(_Function, njit(cache=True, error_model="numpy")(function))
    except RuntimeError:  # neither the package's folder nor the user's cache can be written
        return cast(_Function, njit(error_model="numpy")(function))
