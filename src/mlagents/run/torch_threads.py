"""PyTorch on one thread while runs are on, also when several runs overlap."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

import torch

_lock = threading.Lock()
_running = 0
_before = 1


@contextmanager
def single_threaded_torch() -> Iterator[None]:
    """Let operators of PyTorch use one thread within the body, and as many as before after it.

    The matrices of these networks are small: a second thread costs more than it helps.

    The number belongs to the calling thread, but new threads take it over from whichever set it last. So
    runs that overlap share one memory of what it was before the first of them.
    """
    global _running, _before
    with _lock:
        if not _running:
            _before = torch.get_num_threads()
        _running += 1
        torch.set_num_threads(1)
    try:
        yield
    finally:
        with _lock:
            _running -= 1
            torch.set_num_threads(_before)
