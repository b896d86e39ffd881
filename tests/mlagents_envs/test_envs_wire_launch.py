"""Which file is meant by the path of an environment, and how its process is started."""

from __future__ import annotations

import logging
import subprocess
from pathlib import Path

import pytest

from mlagents_envs import env_utils
from mlagents_envs.env_utils import (
    describe_exit,
    get_platform,
    launch_executable,
    player_log_path,
    tail_of_file,
    validate_environment_path,
)
from mlagents_envs.exception import UnityEnvironmentException


@pytest.fixture(autouse=True)
def in_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def touch(*names: str) -> None:
    for name in names:
        Path(name).parent.mkdir(parents=True, exist_ok=True)
        Path(name).write_text("")


def test_the_platform_is_known() -> None:
    assert get_platform() in ("linux", "darwin", "win32")


@pytest.mark.parametrize("asked", ["Game", "Game.x86_64", " Game.exe ", "./Game.app"])
def test_linux_executables(asked: str, in_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(env_utils, "get_platform", lambda: "linux")
    assert validate_environment_path(asked) is None
    touch("Game.txt")
    assert validate_environment_path(asked) is None
    touch("Game")
    assert validate_environment_path(asked) == "Game"
    touch("Game.x86")
    assert validate_environment_path(asked) == str(in_folder / "Game.x86")
    touch("Game.x86_64")
    assert validate_environment_path(asked) == str(in_folder / "Game.x86_64")
    assert validate_environment_path(str(in_folder / "Game")) == str(in_folder / "Game.x86_64")


def test_only_suffixes_are_taken_off(in_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(env_utils, "get_platform", lambda: "linux")
    touch("a.appdir/my.exercise.x86_64", "odd [1].x86_64")
    assert validate_environment_path("a.appdir/my.exercise") == str(in_folder / "a.appdir/my.exercise.x86_64")
    assert validate_environment_path("odd [1]") == str(in_folder / "odd [1].x86_64")


def test_mac_executables(in_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(env_utils, "get_platform", lambda: "darwin")
    inside = in_folder / "Game.app" / "Contents" / "MacOS"
    touch(str(inside / "Other Name"))
    assert validate_environment_path("Game") == str(inside / "Other Name")
    touch(str(inside / "Game"))
    assert validate_environment_path("Game.app") == str(inside / "Game")


def test_windows_executables(in_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(env_utils, "get_platform", lambda: "win32")
    touch("build/UnityCrashHandler64.exe", "build/Game.exe")
    assert validate_environment_path("build") == str(in_folder / "build" / "Game.exe")
    touch("build.exe")
    assert validate_environment_path("build") == str(in_folder / "build.exe")


def script(name: str, text: str) -> str:
    Path(name).write_text(f"#!/bin/sh\n{text}\n")
    Path(name).chmod(0o755)
    return name


def test_output_is_shown_unless_the_level_says_otherwise(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    path = script("Game", 'echo "hello $1"')
    monkeypatch.setattr(env_utils.logger, "level", logging.NOTSET)
    launch_executable(path, ["you"]).wait(5)
    assert capfd.readouterr().out == "hello you\n"
    monkeypatch.setattr(env_utils.logger, "level", logging.INFO)
    process = launch_executable(path, ["me"])
    assert isinstance(process, env_utils.PlayerProcess)
    process.wait(5)
    assert capfd.readouterr().out == ""
    assert process.last_lines() == ["hello me"]


def test_a_talkative_game_never_waits_and_its_end_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(env_utils.logger, "level", logging.INFO)
    path = script("Game", "i=0; while [ $i -lt 20000 ]; do echo line $i; i=$((i+1)); done")
    process = launch_executable(path, [])
    assert isinstance(process, env_utils.PlayerProcess)
    assert process.wait(20) == 0
    lines = process.last_lines()
    assert lines == [f"line {i}" for i in range(20000 - env_utils.TAIL_LINES, 20000)]


def test_the_process_has_a_session_of_its_own() -> None:
    process = launch_executable(script("Game", "sleep 30"), [])
    try:
        session = subprocess.run(
            ["ps", "-o", "sid=", "-p", str(process.pid)], capture_output=True, text=True, check=True
        )
        assert int(session.stdout) == process.pid
    finally:
        process.kill()
        process.wait()


def test_a_missing_executable_is_named() -> None:
    with pytest.raises(UnityEnvironmentException, match="'builds/Game'"):
        launch_executable("builds/Game", [])


def test_small_helpers() -> None:
    assert describe_exit(3) == "3"
    assert describe_exit(-9) == "-9 (SIGKILL)"
    assert describe_exit(-200) == "-200"
    assert player_log_path(["-x", "-LOGFILE", "a/b.log"]) == Path("a/b.log")
    assert player_log_path(["-logFile", "-"]) is None
    assert player_log_path(["-logFile"]) is None
    assert tail_of_file(Path("missing")) == []
    Path("log").write_bytes(b"\xff" * 50_000 + b"\nlast\n")
    assert tail_of_file(Path("log"))[-1] == "last"
