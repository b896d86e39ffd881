"""Ctrl+C and its kin as a polite request: the run stops at the next step and saves everything."""

from __future__ import annotations

import contextlib
import os
import signal
import threading
from collections.abc import Callable
from types import FrameType, TracebackType

Handler = Callable[[int, FrameType | None], object] | int | None
_STDERR = 2


class StopSignals:
    """While entered, the first signal to stop is noted; a second Ctrl+C interrupts at once.

    The signals are SIGINT (Ctrl+C), SIGTERM, and SIGHUP (the terminal was closed). Outside the main thread,
    where Python does not deliver signals, it does nothing.

    Attributes:
        requested: True once a signal has arrived.
    """

    _NAMES = ("SIGINT", "SIGTERM", "SIGHUP")  # the last does not exist on Windows

    def __init__(self) -> None:
        self.requested = False
        self._previous: dict[int, Handler] = {}

    def __enter__(self) -> StopSignals:
        if threading.current_thread() is threading.main_thread():
            numbers = [getattr(signal, name) for name in self._NAMES if hasattr(signal, name)]
            self._previous = {number: signal.signal(number, self._note) for number in numbers}
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for number, handler in self._previous.items():
            signal.signal(number, handler)

    def _note(self, number: int, frame: FrameType | None) -> None:
        if self.requested and number == signal.SIGINT:
            raise KeyboardInterrupt
        self.requested = True
        if number == signal.SIGINT:
            # print() may be in the middle of a line when the signal comes; this call never is
            with contextlib.suppress(OSError):
                os.write(_STDERR, b"\nStopping after this step; Ctrl+C again leaves without saving.\n")
