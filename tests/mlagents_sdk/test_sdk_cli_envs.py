from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from wire_helpers import Trainer, closing, infos, step

from mlagents_envs import logging_util
from mlagents_sdk.cli import envs, player
from mlagents_sdk.cli.errors import run_command
from mlagents_sdk.cli.launcher import MARK, launcher_file, launcher_text, write_launcher
from mlagents_sdk.exception import AgentsError

TESTS = Path(__file__).parent

MODULES = {
    "wanderers_environment": '''"""Wanderers: walk about and choose.

More text.
"""
from wire_helpers import make_wanderers

def make_environment(options):
    print("arguments", list(options.environment_args))
    return make_wanderers(options)
''',
    "broken_environment": '"""Says what it is about, but cannot be imported."""\nimport no_such_module\n',
    "failing_environment": """
def make_environment(options):
    raise RuntimeError("the scene is missing")
""",
}


@pytest.fixture(autouse=True)
def undo_settings_of_the_process() -> Iterator[None]:
    handler, level = signal.getsignal(signal.SIGTERM), logging_util._log_level
    yield
    signal.signal(signal.SIGTERM, handler)
    logging_util.set_log_level(level)


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with an installed distribution of environments, for this process and its children."""
    folder = tmp_path / "site"
    info = folder / "test_environments-1.0.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: test-environments\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(
        "[mlagents.environments]\n"
        "Wanderers = wanderers_environment:make_environment\n"
        "Broken = broken_environment:make_environment\n"
        "Failing = failing_environment:make_environment\n"
    )
    for name, text in MODULES.items():
        (folder / f"{name}.py").write_text(text)
    monkeypatch.syspath_prepend(str(folder))
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(folder), str(TESTS)]))
    return folder


@pytest.fixture
def trainer() -> Iterator[Trainer]:
    trainer = Trainer()
    yield trainer
    trainer.stop()


@pytest.fixture
def processes() -> Iterator[list[subprocess.Popen[str]]]:
    """Processes that are killed in the end, whatever happens."""
    started: list[subprocess.Popen[str]] = []
    yield started
    for process in started:
        process.kill()
        process.communicate()


def start(processes: list[subprocess.Popen[str]], *command: object) -> subprocess.Popen[str]:
    process = subprocess.Popen(
        [str(part) for part in command],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        # a suite that runs in the background inherits an ignored SIGINT, and would pass it on
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    processes.append(process)
    return process


def build(path: Path, name: str = "Wanderers") -> Path:
    assert envs.main(["build", name, str(path)]) == 0
    return path


def test_list_describes_environments_without_importing_them(
    site: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert envs.main(["list"]) == 0
    lines = [" ".join(line.split()) for line in capsys.readouterr().out.splitlines()]
    assert "Wanderers walk about and choose." in lines
    assert "Broken Says what it is about, but cannot be imported." in lines
    assert "Failing" in lines
    assert "wanderers_environment" not in sys.modules


def test_a_built_executable_plays_for_a_trainer(
    site: Path,
    tmp_path: Path,
    trainer: Trainer,
    processes: list[subprocess.Popen[str]],
    capsys: pytest.CaptureFixture[str],
) -> None:
    file = build(tmp_path / "it's a folder" / "new" / "My $Game.x86_64")
    assert f"--env={file}" in capsys.readouterr().out
    assert os.stat(file).st_mode & 0o777 == 0o755
    assert os.listdir(file.parent) == [file.name]
    log = tmp_path / "logs" / "Player-0.log"
    process = start(
        processes,
        *(file, "-nographics", "-batchmode", "--mlagents-port", trainer.port, "-logFile", log),
        *("--level", "two words", "-height", "5"),
    )
    message = trainer.begin(seed=3, num_areas=4)
    assert len(infos(message, "Walker?team=0")) == 2  # the two that decide in the first step
    trainer.tell(step())
    trainer.answer(closing())
    output, errors = process.communicate(timeout=10)
    assert (process.returncode, output, errors) == (0, "", "")
    text = log.read_text()
    assert "arguments ['--level', 'two words', '-height', '5']" in text
    assert "seed 3" in text
    assert "closed the connection" in text


def test_only_launchers_are_replaced_without_force(
    site: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "game.x86_64"
    file.write_bytes(b"\x7fELF precious")
    assert envs.main(["build", "Wanderers", str(file)]) == 1
    assert "--force" in capsys.readouterr().err
    assert file.read_bytes() == b"\x7fELF precious"
    assert envs.main(["build", "Wanderers", str(file), "--force"]) == 0
    assert MARK in file.read_text()
    file.write_text(file.read_text() + "# old\n")
    assert envs.main(["build", "Wanderers", str(file)]) == 0
    assert "# old" not in file.read_text()


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["build", "wanderer", "x.x86_64"], "Did you mean 'Wanderers'?"),
        (["build", "Broken", "x.x86_64"], "no_such_module"),
        (["build", "Wanderers", "."], "is a folder"),
        (["build", "Wanderers", "x.exe"], "x.x86_64"),
        (["serve", "Nothing"], "no environment named 'Nothing'"),
        (["serve", "Wanderers", "--mlagents-port", "0"], "0 is not a port"),
    ],
)
def test_mistakes_are_told_in_one_line(
    site: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    arguments: list[str],
    expected: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    assert envs.main(arguments) == 1
    errors = capsys.readouterr().err
    assert errors.startswith("error: ")
    assert errors.count("\n") == 1
    assert expected in errors
    assert os.listdir(tmp_path) == ["site"]


def test_an_environment_that_fails_shows_where(
    site: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert envs.main(["build", "Failing", str(tmp_path / "f.x86_64")]) == 1
    errors = capsys.readouterr().err
    assert "Traceback" in errors
    assert errors.splitlines()[-1] == "error: RuntimeError: the scene is missing"
    assert not (tmp_path / "f.x86_64").exists()


def test_errors_of_the_disk_name_the_file(capsys: pytest.CaptureFixture[str]) -> None:
    assert run_command(lambda: Path("/nowhere/file").write_text("")) == 1
    assert capsys.readouterr().err == "error: /nowhere/file: No such file or directory\n"


def test_a_launcher_says_when_its_python_is_gone(tmp_path: Path) -> None:
    file = tmp_path / "game"
    file.write_text(launcher_text("Any", "/no such/python"))
    file.chmod(0o755)
    result = subprocess.run([str(file)], capture_output=True, text=True, timeout=10)
    assert result.returncode == 1
    assert result.stderr.startswith(f"error: {file} needs /no such/python")


@pytest.mark.parametrize(
    ("platform", "typed", "file"),
    [
        ("linux", "builds/3DBall.x86_64", "builds/3DBall.x86_64"),
        ("linux", "builds/3DBall.x86", "builds/3DBall.x86"),
        ("linux", "builds/3DBall", "builds/3DBall"),
        ("linux", "builds/v1.2", "builds/v1.2"),
        ("darwin", "builds/3DBall", "builds/3DBall.app/Contents/MacOS/3DBall"),
        ("darwin", "builds/3DBall.app", "builds/3DBall.app/Contents/MacOS/3DBall"),
        ("darwin", "builds/3DBall.x86_64", "builds/3DBall.app/Contents/MacOS/3DBall"),
        ("darwin", "builds/v1.2", "builds/v1.2.app/Contents/MacOS/v1.2"),
    ],
)
def test_launchers_lie_where_trainers_look(platform: str, typed: str, file: str) -> None:
    assert launcher_file(Path(typed), platform) == Path(file)


@pytest.mark.parametrize(("platform", "typed"), [("linux", "a.exe"), ("linux", "a.app"), ("win32", "a.exe")])
def test_launchers_that_trainers_would_not_find_are_refused(platform: str, typed: str) -> None:
    with pytest.raises(AgentsError, match="trainers"):
        launcher_file(Path(typed), platform)


def test_an_unknown_interpreter_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "executable", "")
    with pytest.raises(AgentsError, match="own path"):
        write_launcher("Any", tmp_path / "x")


def test_help_and_wrong_usage_end_at_once(capsys: pytest.CaptureFixture[str]) -> None:
    for arguments, code in ([["--help"], 0], [["serve", "--help"], 0], [[], 2], [["list", "extra"], 2]):
        with pytest.raises(SystemExit) as end:
            envs.main(arguments)  # type: ignore[arg-type]
        assert end.value.code == code
    output = capsys.readouterr()
    assert "mlagents-envs build 3DBall builds/3DBall.x86_64" in output.out
    assert "unrecognized arguments: extra" in output.err
    with pytest.raises(SystemExit):
        player.main(["Wanderers", "--help"])
    assert "--mlagents-port" in capsys.readouterr().out


def test_flags_of_games_are_known_in_any_case(
    site: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[object] = []
    monkeypatch.setattr(player, "play", lambda name, arguments, extras: seen.extend((arguments, extras)))
    assert player.main(["W", "-BatchMode", "-logfile", "a.log", "-NOGRAPHICS", "-Height", "5"]) == 0
    arguments, extras = seen
    assert arguments.log_file == "a.log"  # type: ignore[attr-defined]
    assert arguments.mlagents_port is None  # type: ignore[attr-defined]
    assert extras == ["-Height", "5"]


def first_lines(process: subprocess.Popen[str], text: str) -> str:
    """Output of a process up to the line that contains ``text``."""
    assert process.stdout is not None
    lines = ""
    for line in process.stdout:
        lines += line
        if text in line:
            return lines
    raise AssertionError(lines)


def test_an_executable_without_a_port_plays_by_itself_until_stopped(
    site: Path, tmp_path: Path, processes: list[subprocess.Popen[str]]
) -> None:
    process = start(processes, build(tmp_path / "w.x86_64"), "-logFile", "-")
    assert "No --mlagents-port" in first_lines(process, "plays by itself")
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=10)
    assert process.returncode == 130
    assert errors.splitlines()[-1] == "interrupted"


def test_terminating_a_game_tells_the_trainer(
    site: Path, tmp_path: Path, trainer: Trainer, processes: list[subprocess.Popen[str]]
) -> None:
    command = (sys.executable, "-m", "mlagents_sdk.cli.envs", "serve", "Wanderers")
    process = start(processes, *command, "--mlagents-port", trainer.port)
    trainer.begin()
    process.terminate()
    assert trainer.receive().header.status == 400
    trainer.answer(closing())
    trainer.answer(closing())
    process.communicate(timeout=10)
    assert process.returncode == 128 + signal.SIGTERM


def test_a_game_that_plays_by_itself_ends_with_whoever_started_it(site: Path, tmp_path: Path) -> None:
    file, log = build(tmp_path / "w"), tmp_path / "log"
    script = f"{file} -logFile {log} & echo $!; until grep -q itself {log}; do sleep 0.05; done"
    result = subprocess.run(["sh", "-c", script], capture_output=True, text=True, timeout=20)
    deadline = time.monotonic() + 10.0
    while "gone" not in log.read_text():
        if time.monotonic() > deadline:
            os.kill(int(result.stdout), signal.SIGKILL)
            pytest.fail("the game lives on as an orphan")
        time.sleep(0.05)
