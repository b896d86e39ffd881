"""Where time goes, and how far the run is."""

from __future__ import annotations

import importlib.machinery
import io
import sys
import timeit
from collections.abc import Callable
from types import ModuleType

import pytest

from mlagents.monitoring.phase_clock import ENVIRONMENT, INFERENCE, OTHER, UPDATE, PhaseClock
from mlagents.monitoring.progress import Progress
from mlagents.monitoring.progress_display import clock_time, compact
from mlagents_envs.logging_util import get_logger
from mlagents_envs.timers import TimerStack


class FakeTime:
    """A clock that moves when told."""

    def __init__(self) -> None:
        self.seconds = 100.0

    def now(self) -> float:
        return self.seconds

    def now_ns(self) -> int:
        return round(self.seconds * 1e9)

    def spend(self, clock: PhaseClock, phase: int, seconds: float) -> None:
        clock.switch(phase)
        self.seconds += seconds


@pytest.fixture
def time() -> FakeTime:
    return FakeTime()


@pytest.fixture
def clock(time: FakeTime) -> PhaseClock:
    return PhaseClock(time.now_ns)


# Phase clock


def test_all_time_belongs_to_one_phase(time: FakeTime, clock: PhaseClock) -> None:
    time.seconds += 1.0  # before the first switch
    time.spend(clock, ENVIRONMENT, 5.0)
    time.spend(clock, INFERENCE, 2.0)
    time.spend(clock, UPDATE, 1.5)
    time.spend(clock, ENVIRONMENT, 0.5)  # still running
    assert clock.times() == (5_500_000_000, 2_000_000_000, 1_500_000_000, 1_000_000_000)
    assert clock.times().total == 10_000_000_000
    assert clock.shares() == {"environment": 55.0, "inference": 20.0, "update": 15.0, "other": 10.0}


def test_a_phase_can_be_left_for_another_and_resumed(time: FakeTime, clock: PhaseClock) -> None:
    clock.switch(UPDATE)
    before = clock.switch(INFERENCE)
    time.seconds += 1.0
    assert before == UPDATE
    assert clock.switch(before) == INFERENCE
    time.seconds += 3.0
    assert clock.times() == (0, 1_000_000_000, 3_000_000_000, 0)


def test_shares_since_the_last_summary(time: FakeTime, clock: PhaseClock) -> None:
    time.spend(clock, ENVIRONMENT, 4.0)
    assert clock.summary_shares()["environment"] == 100.0
    time.spend(clock, UPDATE, 1.0)
    time.spend(clock, ENVIRONMENT, 3.0)
    assert clock.summary_shares() == {"environment": 75.0, "inference": 0.0, "update": 25.0, "other": 0.0}
    assert clock.summary_shares() == {"environment": 0.0, "inference": 0.0, "update": 0.0, "other": 0.0}
    assert clock.shares()["environment"] == 87.5


def test_times_pour_into_timers_once(time: FakeTime, clock: PhaseClock) -> None:
    stack = TimerStack()
    for _ in range(3):
        time.spend(clock, ENVIRONMENT, 2.0)
        time.spend(clock, INFERENCE, 1.0)
    time.spend(clock, UPDATE, 4.0)
    time.spend(clock, OTHER, 0.5)
    clock.pour_into(stack.get_root())
    clock.pour_into(stack.get_root())  # no time has passed: nothing may be counted twice
    time.spend(clock, UPDATE, 1.0)
    clock.pour_into(stack.get_root())

    learning = stack.get_timer_tree()["children"]["TrainerController.start_learning"]
    assert (learning["total"], learning["count"]) == (pytest.approx(14.5), 1)
    advance = learning["children"]["TrainerController.advance"]
    assert advance["total"] == pytest.approx(14.5)
    assert advance["count"] == 3
    assert advance["self"] == pytest.approx(0.0)
    nodes = {name: (node["total"], node["count"]) for name, node in advance["children"].items()}
    assert nodes == {
        "env_step": (pytest.approx(6.0), 3),
        "policy": (pytest.approx(3.0), 3),
        "trainer_advance": (pytest.approx(5.5), 1),
    }
    parts = advance["children"]["trainer_advance"]["children"]
    assert (parts["_update_policy"]["total"], parts["_update_policy"]["count"]) == (pytest.approx(5.0), 2)
    assert (parts["process_trajectory"]["total"], parts["process_trajectory"]["count"]) == (
        pytest.approx(0.5),
        1,
    )


def nanoseconds(call: Callable[[], object]) -> float:
    """Time of one call; the best of many short tries, so that a busy machine does not matter."""
    return min(timeit.repeat(call, number=1000, repeat=200)) / 1000 * 1e9


def test_the_hot_path_is_cheap() -> None:
    """Loose against a busy or slow machine; a lock, a dataclass or a look at the clock more would fail."""
    clock = PhaseClock()
    progress = Progress({"Ball": 10**9}, clock, stream=io.StringIO())
    progress.start({"Ball": 0})
    assert nanoseconds(lambda: clock.switch(ENVIRONMENT)) < 600
    assert nanoseconds(lambda: progress.update("Ball", 1, 1.0)) < 400


# Plain lines


def test_plain_lines_come_every_ten_seconds(time: FakeTime, clock: PhaseClock) -> None:
    out = io.StringIO()
    progress = Progress({"3DBall": 500_000}, clock, stream=out, now=time.now)
    progress.start({"3DBall": 100_000})
    step = 100_000
    for _ in range(299):  # 29.9 seconds of 100 ms, 2,000 steps each
        time.spend(clock, ENVIRONMENT, 0.051)
        time.spend(clock, INFERENCE, 0.020)
        time.spend(clock, UPDATE, 0.027)
        time.spend(clock, OTHER, 0.002)
        step += 2000
        progress.update("3DBall", step, 1.0)
    lines = out.getvalue().splitlines()
    assert len(lines) == 2
    # A line is due at 10 s; the clock is looked at once a second.
    percent = int(lines[0].split("(")[1].split(" %")[0])
    done = int(lines[0].split("3DBall ")[1].split("/")[0])
    assert 300_000 <= done <= 320_000
    assert percent == round(done / 5000)
    assert lines[0].startswith(f"[INFO] 3DBall {done}/500000 ({percent} %), 20k steps/s, ETA 0:")
    eta = int(lines[0].split("ETA 0:")[1].split(",")[0])
    assert abs(eta - (500_000 - done) / 20_000) < 0.51
    assert lines[0].endswith(", environment 51 % inference 20 % update 27 %")


def test_rates_are_recent(time: FakeTime, clock: PhaseClock) -> None:
    out = io.StringIO()
    progress = Progress({"A": 10**6}, clock, stream=out, now=time.now)
    progress.start({"A": 0})
    step = 0
    for rate in [100] * 60 + [10] * 60:
        time.spend(clock, ENVIRONMENT if rate == 100 else UPDATE, 1.0)
        step += rate
        progress.update("A", step)
    lines = out.getvalue().splitlines()
    assert "100 steps/s" in lines[3]
    assert "environment 100 %" in lines[3]
    assert ", 10 steps/s" in lines[-1]
    assert "environment 0 % inference 0 % update 100 %" in lines[-1]


def test_behaviors_may_turn_up_later_and_lack_an_end(time: FakeTime, clock: PhaseClock) -> None:
    out = io.StringIO()
    totals = {"A": 1000}
    progress = Progress(totals, clock, stream=out, now=time.now)
    progress.start({"A": 0})
    totals["B"] = 400
    for i in range(1, 13):
        time.seconds += 1.0
        progress.update("A", 10 * i)
        progress.update("B", 20 * i)
        progress.update("C", 30 * i)
    text = out.getvalue()
    assert "[INFO] A 100/1000 (10 %), 10 steps/s, ETA 1:30, " in text
    assert "/400 (" in text
    assert "C 300, " in text or "C 270, " in text
    assert len(text.splitlines()) == 3


def test_an_uneven_rate_of_calls_does_not_hide_the_lines(time: FakeTime, clock: PhaseClock) -> None:
    out = io.StringIO()
    progress = Progress({"A": 10**9}, clock, stream=out, now=time.now)
    progress.start({"A": 0})
    for i in range(50_000):  # fast
        time.seconds += 1e-4
        progress.update("A", i)
    for i in range(2000):  # then a hundred times slower: 20 s
        time.seconds += 1e-2
        progress.update("A", 50_000 + i)
    assert len(out.getvalue().splitlines()) >= 1


def test_plain_log_and_close(time: FakeTime, clock: PhaseClock) -> None:
    out = io.StringIO()
    with Progress({"A": 10}, clock, stream=out, now=time.now) as progress:
        progress.start({"A": 0})
        progress.log("[INFO] hello [bold]x")
        time.seconds += 100.0
    assert out.getvalue() == "[INFO] hello [bold]x\n"


# Terminal


class Terminal(io.StringIO):
    """Takes what is written to a terminal."""

    def isatty(self) -> bool:
        return True

    def read_new(self) -> str:
        """What was written since the last call."""
        shown = self.getvalue()
        self.seek(0)
        self.truncate()
        return shown


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch) -> Terminal:
    for name in ("NO_COLOR", "FORCE_COLOR", "TTY_COMPATIBLE", "TTY_INTERACTIVE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.setenv("COLUMNS", "100")
    monkeypatch.setenv("LINES", "30")
    return Terminal()


def test_terminal_shows_bar_speed_reward_and_shares(
    terminal: Terminal, time: FakeTime, clock: PhaseClock
) -> None:
    progress = Progress({"3DBall": 500_000}, clock, stream=terminal, now=time.now)
    progress.start({"3DBall": 0})
    time.spend(clock, ENVIRONMENT, 6.0)
    time.spend(clock, UPDATE, 4.0)
    progress.update("3DBall", 120_000, 45.25)
    shown = terminal.read_new()
    for part in ("3DBall", "━", "24 %", "120k/500k", "12k steps/s", "ETA 0:32", "reward 45.250"):
        assert part in shown, part
    assert "environment 60 % inference 0 % update 40 %" in shown
    assert "[INFO]" not in shown

    progress.update("3DBall", 120_000, 45.25)
    assert terminal.read_new() == "", "drawn again although no time has passed"

    progress.close()
    assert "\x1b[?25h" in terminal.read_new(), "the cursor must come back"
    progress.close()
    assert terminal.read_new() == ""


def test_other_output_goes_above_the_bar(
    terminal: Terminal,
    time: FakeTime,
    clock: PhaseClock,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("sys.stdout", terminal)
    progress = Progress({"A": 100}, clock, now=time.now)
    progress.start({"A": 0})
    time.seconds += 1.0
    progress.update("A", 50)
    terminal.read_new()
    long = "[INFO] 3DBall. Step: 12000. " + "x" * 120 + " [bold]not markup[/bold] :smile:"
    for show, expected in (
        (progress.log, long),
        (print, "printed"),
        (get_logger("test_monitoring_progress").warning, "[WARNING] logged"),
    ):
        show(expected.removeprefix("[WARNING] "))
        shown = terminal.read_new()
        assert expected in shown
        assert shown.index(expected) < shown.rindex("50 %"), "the bar is not below"
        assert shown.index("\x1b[2K") < shown.index(expected), "the old bar was not erased"
    progress.close()


def test_a_dumb_terminal_gets_plain_lines(
    terminal: Terminal,
    time: FakeTime,
    clock: PhaseClock,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("TERM", "dumb")
    progress = Progress({"A": 100}, clock, stream=terminal, now=time.now)
    progress.start({"A": 0})
    time.seconds += 11.0
    progress.update("A", 50)
    assert terminal.read_new().startswith("[INFO] A 50/100 (50 %)")


def test_one_run_at_a_time_has_the_bars(terminal: Terminal, time: FakeTime, clock: PhaseClock) -> None:
    first, second = (Progress({"A": 100}, clock, stream=terminal, now=time.now) for _ in range(2))
    stdout = sys.stdout
    first.start({"A": 0})
    second.start({"A": 0})
    terminal.read_new()
    time.seconds += 1.0
    second.update("A", 50)
    assert terminal.read_new() == ""
    second.log("a line")
    assert "a line" in terminal.read_new()
    first.close()
    second.close()
    assert sys.stdout is stdout
    third = Progress({"A": 100}, clock, stream=terminal, now=time.now)
    third.start({"A": 0})
    time.seconds += 1.0
    third.update("A", 50)
    assert "50 %" in terminal.read_new()
    third.close()


class Notebook:
    """Stands for the packages of a notebook: one cell that is cleared and drawn again."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.cell: list[str] = []
        self.shown: list[str] = []
        display, widgets, ipython = (ModuleType(n) for n in ("IPython.display", "ipywidgets", "IPython"))
        display.display = self._display
        ipython.display = display
        widgets.Output = self._output
        widgets.__spec__ = importlib.machinery.ModuleSpec("ipywidgets", None)
        for module in (display, widgets, ipython):
            monkeypatch.setitem(sys.modules, module.__name__, module)
        monkeypatch.setattr("rich.console._is_jupyter", lambda: True)

    def _output(self) -> Notebook:
        return self

    def __enter__(self) -> None: ...

    def __exit__(self, *_: object) -> None: ...

    def clear_output(self, wait: bool = False) -> None:
        self.cell.clear()

    def _display(self, content: object) -> None:
        if content is not self:
            self.cell.append(str(getattr(content, "data", content)) + str(getattr(content, "text", "")))
            self.shown.append(self.cell[-1])


def test_a_notebook_redraws_its_cell(
    time: FakeTime, clock: PhaseClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    notebook = Notebook(monkeypatch)
    progress = Progress({"A": 100}, clock, stream=io.StringIO(), now=time.now)
    progress.start({"A": 0})
    for step in (25, 50, 75):
        time.seconds += 1.0
        progress.update("A", step)
    assert any("25 %" in text for text in notebook.shown)
    assert not any("25 %" in text for text in notebook.cell), "the old drawing stays"
    assert any("75 %" in text for text in notebook.cell)
    progress.close()


def test_a_notebook_without_widgets_gets_plain_lines(
    time: FakeTime, clock: PhaseClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    Notebook(monkeypatch)
    monkeypatch.delitem(sys.modules, "ipywidgets")
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    stream = io.StringIO()
    progress = Progress({"A": 100}, clock, stream=stream, now=time.now)
    progress.start({"A": 0})
    time.seconds += 11.0
    progress.update("A", 50)
    assert stream.getvalue().startswith("[INFO] A 50/100 (50 %)")
    progress.close()


# Numbers


@pytest.mark.parametrize(
    ("number", "text"),
    [
        (0, "0"),
        (9.96, "10"),
        (845.4, "845"),
        (999.7, "1k"),
        (99_960, "100k"),
        (1000, "1k"),
        (21_345, "21.3k"),
        (120_000, "120k"),
        (999_999, "1M"),
        (1_234_567, "1.2M"),
        (5e9, "5G"),
    ],
)
def test_compact(number: float, text: str) -> None:
    assert compact(number) == text


@pytest.mark.parametrize(
    ("seconds", "text"), [(None, "-"), (0.4, "0:00"), (18, "0:18"), (59.6, "1:00"), (3723, "1:02:03")]
)
def test_clock_time(seconds: float | None, text: str) -> None:
    assert clock_time(seconds) == text
