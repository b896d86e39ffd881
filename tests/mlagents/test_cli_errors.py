"""Who is blamed for a failure: the environment, the machine, whoever stopped reading, or us."""

from __future__ import annotations

import errno
import subprocess
import sys
import warnings
from pathlib import Path

import pytest
import torch

from mlagents.cli.errors import run_command
from mlagents.sampling.worker import blaming
from mlagents.settings.errors import EnvironmentFailure


def divide() -> float:
    return 1 / 0


def failing_environment() -> int:
    with blaming("MyGame", "step"):
        divide()
    return 0


def test_bug_of_the_environment_shows_its_traceback_and_blames_it(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert run_command(failing_environment) == 1
    *traceback, last = capsys.readouterr().err.splitlines()
    assert any("in divide" in line for line in traceback)
    assert "ZeroDivisionError: division by zero" in traceback
    assert last.startswith(
        "error: The environment MyGame failed to step: ZeroDivisionError: division by zero"
    )
    text = "\n".join(traceback)
    assert "EnvironmentFailure" not in text
    assert "bug in Open ML-Agents" not in text + last


def test_debug_shows_both_tracebacks_once(capsys: pytest.CaptureFixture[str]) -> None:
    assert run_command(failing_environment, debug=True) == 1
    text = capsys.readouterr().err
    assert text.count("in divide") == 1
    assert "EnvironmentFailure" in text


def test_environment_failure_without_cause_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    def body() -> int:
        raise EnvironmentFailure("MyGame", "reset", ValueError("x"))

    assert run_command(body) == 1
    assert len(capsys.readouterr().err.splitlines()) == 1


@pytest.mark.parametrize("ask", [lambda: bytearray(2**60), lambda: torch.zeros(2**50)])
def test_no_memory_is_one_line(ask: type[bytearray], capsys: pytest.CaptureFixture[str]) -> None:
    def body() -> int:
        ask()
        return 0

    assert run_command(body) == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("error: There is not enough memory")
    assert "buffer_size" in line


def test_pipe_of_somebody_else_is_reported(capfd: pytest.CaptureFixture[str]) -> None:
    def body() -> int:
        raise BrokenPipeError(errno.EPIPE, "Broken pipe")

    assert run_command(body) == 1
    (line,) = capfd.readouterr().err.splitlines()
    assert "broken pipe" in line


def test_warnings_of_others_keep_their_place(capsys: pytest.CaptureFixture[str]) -> None:
    def body() -> int:
        warnings.warn_explicit("old", UserWarning, "their_module.py", 7)
        return 0

    with warnings.catch_warnings():
        warnings.simplefilter("always")
        seen: list[tuple[object, ...]] = []
        warnings.showwarning = lambda *details: seen.append(details)
        assert run_command(body) == 0
    assert str(seen[0][0]) == "old"
    assert seen[0][1:4] == (UserWarning, "their_module.py", 7)


PRINTS = "print('x' * 200)"
LOGS = "logger.error('y' * 200)"
PROGRAM = """
import sys
from mlagents.cli.errors import run_command
from mlagents_envs.logging_util import get_logger

logger = get_logger("closed")

def body():
    for _ in range(2000):
        {first}
        {second}
    return 0

sys.exit(run_command(body))
"""


@pytest.mark.parametrize(("first", "second"), [(PRINTS, "pass"), (LOGS, PRINTS), (PRINTS, LOGS)])
def test_closed_output_ends_quietly(first: str, second: str, tmp_path: Path) -> None:
    (tmp_path / "program.py").write_text(PROGRAM.format(first=first, second=second))
    process = subprocess.Popen(
        [sys.executable, "program.py"],
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    assert process.stderr is not None
    assert len(process.stdout.readline()) > 200 - 1
    process.stdout.close()
    errors = process.stderr.read()
    process.stderr.close()
    assert process.wait(timeout=60) == 1
    assert errors == ""


def test_messages_to_nobody_are_quiet(tmp_path: Path) -> None:
    (tmp_path / "program.py").write_text(PROGRAM.format(first=LOGS, second="pass"))
    command = f"'{sys.executable}' program.py | head -n 1"
    result = subprocess.run(
        ["bash", "-c", command], cwd=tmp_path, capture_output=True, text=True, check=True, timeout=60
    )
    assert result.stdout == f"[ERROR] {'y' * 200}\n"
    assert result.stderr == ""
