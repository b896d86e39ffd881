"""The two faces of the progress of a run: bars on a terminal, lines in a file or pipe."""

from __future__ import annotations

import importlib.util
import math
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, TextIO

from rich.console import Console, Group
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

_live = threading.Lock()
"""Held by the run whose bars are shown: there is one terminal, and standard output goes through the bars."""

_SHOWN_PHASES = ("environment", "inference", "update")


@dataclass(frozen=True, slots=True)
class BehaviorProgress:
    """How far one behavior is.

    Attributes:
        name: behavior name.
        step: agent steps so far.
        total: agent steps at which it is done, None if unknown.
        rate: agent steps per second lately.
        mean_reward: mean return of recent episodes, None if there was none.
    """

    name: str
    step: int
    total: int | None
    rate: float
    mean_reward: float | None

    @property
    def percent(self) -> float | None:
        """Percentage of the total, at most 100; None without a total."""
        return min(100.0, 100.0 * self.step / self.total) if self.total else None

    @property
    def eta(self) -> float | None:
        """Seconds to go at the present rate, None if that cannot be told."""
        if not self.total or self.rate <= 0.0:
            return None
        return max(0, self.total - self.step) / self.rate


class PlainDisplay:
    """A short line per behavior at each drawing.

    Args:
        stream: where to print.
    """

    interval: Final = 10.0
    """Seconds between drawings."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def start(self) -> None:
        """Nothing is shown before there is something to tell."""

    def draw(self, rows: list[BehaviorProgress], shares: Mapping[str, float]) -> None:
        """Print where each behavior stands."""
        for row in rows:
            steps = str(row.step)
            if row.percent is not None:
                steps += f"/{row.total} ({row.percent:.0f} %)"
            parts = [f"{row.name} {steps}", f"{compact(row.rate)} steps/s", f"ETA {clock_time(row.eta)}"]
            self.log(f"[INFO] {', '.join(parts)}, {phase_text(shares)}")

    def log(self, line: str) -> None:
        """Print a line at once, also into a pipe."""
        print(line, file=self._stream, flush=True)

    def close(self, rows: list[BehaviorProgress], shares: Mapping[str, float]) -> None:
        """The lines already printed say enough."""


class TerminalDisplay:
    """A bar per behavior that stays below everything else that is printed; also in the cell of a notebook.

    While one run shows its bars, another in the same process prints its lines only.

    Args:
        stream: the terminal.
    """

    interval: Final = 0.5
    """Seconds between drawings; each costs about a millisecond."""

    def __init__(self, stream: TextIO) -> None:
        self._console = Console(file=stream)
        # Without a refresh thread: it would take the interpreter lock from the training loop.
        self._live = Live(console=self._console, auto_refresh=False, vertical_overflow="crop")
        self._shown = False

    @staticmethod
    def fits(stream: TextIO) -> bool:
        """Whether ``stream`` is a terminal that can move its cursor, or a notebook that can redraw a cell."""
        console = Console(file=stream)
        if console.is_jupyter:
            return importlib.util.find_spec("ipywidgets") is not None
        return stream.isatty() and not console.is_dumb_terminal

    def start(self) -> None:
        """Take over the last lines of the terminal, unless another run has them."""
        self._shown = _live.acquire(blocking=False)
        if self._shown:
            self._live.start()

    def draw(self, rows: list[BehaviorProgress], shares: Mapping[str, float]) -> None:
        """Redraw the bars."""
        if self._shown:
            self._live.update(render(rows, shares), refresh=True)

    def log(self, line: str) -> None:
        """Print a line above the bars."""
        self._console.print(line, markup=False, highlight=False, emoji=False, soft_wrap=True)

    def close(self, rows: list[BehaviorProgress], shares: Mapping[str, float]) -> None:
        """Draw once more and give the terminal back."""
        if not self._shown:
            return
        try:
            self.draw(rows, shares)
            self._live.stop()
        finally:
            self._shown = False
            _live.release()


def render(rows: list[BehaviorProgress], shares: Mapping[str, float]) -> Group:
    """The live display: a line per behavior, then where time goes."""
    table = Table.grid(padding=(0, 1), expand=True)
    table.add_column(no_wrap=True)
    table.add_column(ratio=1)
    for _ in range(5):
        table.add_column(no_wrap=True, justify="right")
    for row in rows:
        reward = row.mean_reward
        known_total = row.percent is not None
        table.add_row(
            Text(row.name, style="bold"),
            ProgressBar(total=row.total, completed=row.step) if known_total else "",
            f"{row.percent:.0f} %" if known_total else "",
            f"{compact(row.step)}/{compact(row.total or 0)}" if known_total else compact(row.step),
            f"{compact(row.rate)} steps/s",
            f"ETA {clock_time(row.eta)}",
            "" if reward is None or math.isnan(reward) else f"reward {reward:.3f}",
        )
    return Group(table, Text(phase_text(shares), style="dim"))


def compact(number: float) -> str:
    """A count in at most three or four digits: 845, 21.3k, 1.2M."""
    for limit, divisor, unit in ((1e3, 1.0, ""), (1e6, 1e3, "k"), (1e9, 1e6, "M")):
        scaled = number / divisor
        # Below the rounding border, so that 999,999 becomes 1M and not 1000k.
        if number < limit and round(scaled) < 1000:
            return _short(scaled) + unit
    return _short(number / 1e9) + "G"


def _short(scaled: float) -> str:
    return f"{scaled:.0f}" if scaled >= 99.95 else f"{scaled:.1f}".removesuffix(".0")


def clock_time(seconds: float | None) -> str:
    """Seconds as ``m:ss`` or ``h:mm:ss``; a dash if unknown."""
    if seconds is None:
        return "-"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{rest:02d}" if hours else f"{minutes}:{rest:02d}"


def phase_text(shares: Mapping[str, float]) -> str:
    """Shares of the named phases, as in ``environment 51 % inference 20 % update 27 %``."""
    return " ".join(f"{name} {shares[name]:.0f} %" for name in _SHOWN_PHASES)
