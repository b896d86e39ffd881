from __future__ import annotations

import errno
import subprocess
import sys
import warnings
from pathlib import Path

import pytest

from mlagents.cli.errors import debug_requested, run_command
from mlagents.settings import TrainerConfigError, TrainerConfigWarning, UnityTrainerException
from mlagents_envs.exception import UnityTimeOutException


def raising(error: BaseException) -> int:
    raise error


def outcome(error: BaseException, capsys: pytest.CaptureFixture[str], debug: bool = False) -> tuple[int, str]:
    code = run_command(lambda: raising(error), debug=debug)
    return code, capsys.readouterr().err


@pytest.mark.parametrize(
    ("error", "text"),
    [
        (TrainerConfigError("a: bad"), "error: a: bad\n"),
        (TrainerConfigError("a: bad\nb: worse"), "error: a: bad\nerror: b: worse\n"),
        (UnityTrainerException("use --resume"), "error: use --resume\n"),
        (UnityTimeOutException("no answer"), "error: no answer\n"),
        (
            PermissionError(errno.EACCES, "Permission denied", "/results"),
            "error: /results: Permission denied\n",
        ),
        (
            OSError(errno.ENOSPC, "No space left on device", "/results/a.pt"),
            "error: /results/a.pt: No space left on device; make room there, or choose another place\n",
        ),
    ],
)
def test_user_errors_are_lines_without_traceback(
    error: Exception, text: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert outcome(error, capsys) == (1, text)


def test_debug_adds_the_traceback(capsys: pytest.CaptureFixture[str]) -> None:
    code, text = outcome(TrainerConfigError("a: bad"), capsys, debug=True)
    assert code == 1
    assert "Traceback" in text
    assert text.endswith("error: a: bad\n")


@pytest.mark.parametrize(
    "error", [ValueError("oops"), FileNotFoundError(errno.ENOENT, "missing", "x"), OSError("odd")]
)
def test_bugs_keep_their_traceback(error: Exception, capsys: pytest.CaptureFixture[str]) -> None:
    code, text = outcome(error, capsys)
    assert code == 1
    assert "Traceback" in text
    assert "please report it" in text


def test_interrupt(capsys: pytest.CaptureFixture[str]) -> None:
    assert outcome(KeyboardInterrupt(), capsys) == (130, "interrupted\n")


def test_exit_code_of_the_body_and_of_argparse() -> None:
    assert run_command(lambda: 0) == 0
    assert run_command(lambda: 3) == 3
    with pytest.raises(SystemExit):
        run_command(lambda: raising(SystemExit(2)))


def test_our_warnings_are_one_line_and_the_hook_is_restored(capsys: pytest.CaptureFixture[str]) -> None:
    def body() -> int:
        for _ in range(2):
            warnings.warn("take care", TrainerConfigWarning, stacklevel=1)
        return 0

    before = warnings.showwarning
    assert run_command(body) == 0
    assert capsys.readouterr().err == "warning: take care\nwarning: take care\n"
    assert warnings.showwarning is before


def test_debug_is_found_before_parsing() -> None:
    assert debug_requested(["x.yaml", "--debug"])
    assert not debug_requested(["x.yaml", "--env-args", "--debug"])
    assert not debug_requested(["x.yaml"])
    assert debug_requested(["--deb"])
    assert not debug_requested(["--de", "--env-a=3", "--debug"])


PROGRAM = """
import sys
from mlagents.cli.errors import run_command
from mlagents.cli.options import parse_options

def body():
    print(parse_options(sys.argv[1:]).checkpoint_settings.run_id)
    return 0

sys.exit(run_command(body))
"""


def run(argv: list[str], folder: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", PROGRAM, *argv],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_whole_command(tmp_path: Path) -> None:
    (tmp_path / "tab.yaml").write_text("behaviors:\n\tA: {}\n")
    good = run(["--run-id=x"], tmp_path)
    assert (good.returncode, good.stdout) == (0, "x\n")
    assert (
        good.stderr
        == "warning: no configuration file: every behavior trains with the default settings of PPO\n"
    )
    bad = run(["tab.yaml"], tmp_path)
    assert bad.returncode == 1
    assert bad.stderr == "error: tab.yaml, line 2, column 1: YAML does not allow tabs; use spaces\n"
    usage = run(["--nonsense"], tmp_path)
    assert usage.returncode == 2
    assert "Traceback" not in usage.stderr
