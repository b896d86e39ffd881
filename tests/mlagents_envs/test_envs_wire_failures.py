"""Everything that goes wrong with a game says what it was, in time, and leaves nothing behind."""

from __future__ import annotations

import contextlib
import logging
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import pytest
from game_client import BEHAVIOR

from mlagents_envs import env_utils
from mlagents_envs.environment import UnityEnvironment
from mlagents_envs.exception import (
    UnityCommunicatorStoppedException,
    UnityEnvironmentException,
    UnityException,
    UnityTimeOutException,
)
from mlagents_envs.registry import EnvironmentOptions, make_environment

HERE = Path(__file__).parent
MARGIN = 2.0
"""Seconds beyond its timeout that a failure may take to be reported."""


def running_in_session(session: int) -> list[str]:
    """Processes of a session, those that only wait to be buried left out."""
    found = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            text = stat.read_text()
            state, _, _, owner = text[text.rindex(")") + 2 :].split()[:4]
            if int(owner) == session and state not in "ZX":
                found.append(text)
    return found


@dataclass
class Launches:
    """Processes started during a test and the ports they were told."""

    processes: list[subprocess.Popen[bytes]] = field(default_factory=list)
    ports: list[int] = field(default_factory=list)

    def assert_nothing_is_left(self) -> None:
        assert self.processes
        for process in self.processes:
            assert process.poll() is not None
            deadline = time.monotonic() + 1.0  # the kernel may take a moment
            while running_in_session(process.pid) and time.monotonic() < deadline:
                time.sleep(0.01)
            assert running_in_session(process.pid) == []
        for port in self.ports:
            for family, host in ((socket.AF_INET, "127.0.0.1"), (socket.AF_INET6, "::1")):
                if host == "::1" and not Path("/proc/net/if_inet6").exists():
                    continue
                with socket.socket(family) as probe:
                    probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                    probe.bind((host, port))
                    probe.listen(1)


@pytest.fixture
def launches(monkeypatch: pytest.MonkeyPatch) -> Launches:
    record = Launches()
    launch = env_utils.launch_executable

    def recording(file_name: str, args: list[str]) -> subprocess.Popen[bytes]:
        record.ports.append(int(args[args.index("--mlagents-port") + 1]))
        record.processes.append(launch(file_name, args))
        return record.processes[-1]

    monkeypatch.setattr(env_utils, "launch_executable", recording)
    return record


@pytest.fixture
def quiet(monkeypatch: pytest.MonkeyPatch) -> None:
    """Output of games is kept instead of shown."""
    monkeypatch.setattr(env_utils.logger, "level", logging.INFO)


@pytest.fixture
def game(tmp_path: Path) -> str:
    """Path of the scripted game as an executable."""
    path = tmp_path / "Game.x86_64"
    path.write_text(
        f"#!{sys.executable}\nimport sys\nsys.path.insert(0, {str(HERE)!r})\n"
        "from game_client import main\nmain()\n"
    )
    path.chmod(0o755)
    return str(tmp_path / "Game")


def shell_script(path: Path, text: str) -> str:
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)
    return str(path)


def start(path: str, script: str, timeout: int = 20, log_folder: Path | None = None) -> UnityEnvironment:
    log = None if log_folder is None else str(log_folder)
    arguments = ["--script", script]
    return UnityEnvironment(path, timeout_wait=timeout, additional_args=arguments, log_folder=log)


def fails(action: Callable[[], object], kind: type[Exception], pattern: str, within: float) -> str:
    """Message of the exception of that very kind that ``action`` raises in time."""
    begin = time.monotonic()
    with pytest.raises(kind, match=pattern) as caught:
        action()
    assert time.monotonic() - begin < within
    assert type(caught.value) is kind
    return str(caught.value)


def test_no_such_file(tmp_path: Path) -> None:
    message = fails(
        lambda: UnityEnvironment(str(tmp_path / "Nothing")), UnityEnvironmentException, "no executable", 1
    )
    assert "Nothing" in message
    fails(lambda: UnityEnvironment(str(tmp_path)), UnityEnvironmentException, "that is a folder", 1)
    fails(lambda: make_environment("./Nothing"), UnityEnvironmentException, "no executable './Nothing'", 1)


def test_not_executable(tmp_path: Path) -> None:
    path = tmp_path / "Game.x86_64"
    path.write_bytes(b"#!/bin/sh\n")
    path.chmod(0o644)
    fails(lambda: UnityEnvironment(str(path)), UnityEnvironmentException, "may not be executed.*chmod", 1)


def test_no_program(tmp_path: Path) -> None:
    path = tmp_path / "Game.x86_64"
    path.write_bytes(b"\x00\x01\x02")
    path.chmod(0o755)
    fails(lambda: UnityEnvironment(str(path)), UnityEnvironmentException, "cannot be executed", 1)


@pytest.mark.usefixtures("quiet")
def test_exits_at_once(tmp_path: Path, launches: Launches) -> None:
    path = shell_script(tmp_path / "Game.x86_64", "for i in 1 2 3; do echo oops $i >&2; done; exit 3")
    message = fails(
        lambda: UnityEnvironment(path),
        UnityEnvironmentException,
        r"ended before it connected\. Environment shut down with return code 3\.",
        MARGIN,
    )
    assert message.endswith("The last lines of its output:\n    oops 1\n    oops 2\n    oops 3")
    launches.assert_nothing_is_left()


def test_never_connects(tmp_path: Path, launches: Launches) -> None:
    # with a child of its own, which must not survive it
    path = shell_script(tmp_path / "Game.x86_64", "sleep 60 & sleep 60")
    fails(
        lambda: UnityEnvironment(path, timeout_wait=1),
        UnityTimeOutException,
        r"did not connect to port \d+ within 1 s\. Its process is still running",
        1 + MARGIN,
    )
    launches.assert_nothing_is_left()


def test_no_editor_connects() -> None:
    begin = time.monotonic()
    with pytest.raises(UnityTimeOutException, match=r"The editor did not connect .* was Play pressed"):
        UnityEnvironment(base_port=0, timeout_wait=1)
    assert time.monotonic() - begin < 1 + MARGIN


def test_hangs_in_the_handshake(game: str, tmp_path: Path, launches: Launches) -> None:
    message = fails(
        lambda: start(game, "hang-in-handshake", 3, tmp_path),
        UnityTimeOutException,
        "connected, but did not finish the handshake within 3 s",
        3 + MARGIN,
    )
    assert f"The last lines of its log ({tmp_path}/Player-0.log):" in message
    assert "playing hang-in-handshake" in message
    assert "log line 29" in message
    assert "log line 5" not in message  # twenty lines only
    launches.assert_nothing_is_left()


def test_dies_in_the_handshake(game: str, launches: Launches) -> None:
    fails(
        lambda: start(game, "die-in-handshake"),
        UnityEnvironmentException,
        r"ended during the handshake\. Environment shut down with return code -11 \(SIGSEGV\)",
        5,
    )
    launches.assert_nothing_is_left()


def test_wrong_version(game: str, launches: Launches) -> None:
    fails(
        lambda: start(game, "wrong-version"),
        UnityEnvironmentException,
        r"connected, but speaks version '2\.0\.0'.*package has the version 9\.0\.0.*speaks 1\.5\.0",
        5,
    )
    launches.assert_nothing_is_left()


def test_no_agent_asks(game: str, launches: Launches) -> None:
    env = start(game, "no-agents", 2)
    fails(
        env.reset,
        UnityTimeOutException,
        "connected, but no agent asked for a decision within 2 s",
        2 + MARGIN,
    )
    launches.assert_nothing_is_left()


def step_on(env: UnityEnvironment) -> None:
    while True:
        env.step()


def test_hangs_while_running(game: str, launches: Launches) -> None:
    env = start(game, "hang", 2)
    env.reset()
    env.step()
    env.step()
    fails(env.step, UnityTimeOutException, "sent nothing for 2 s, after 3 steps", 2 + MARGIN)
    launches.assert_nothing_is_left()
    env.close()


@pytest.mark.usefixtures("quiet")
def test_dies_while_it_simulates(game: str, launches: Launches) -> None:
    env = start(game, "die")
    message = fails(
        lambda: step_on(env),
        UnityEnvironmentException,
        r"ended after 3 steps\. Environment shut down with return code -9 \(SIGKILL\)",
        6,
    )
    assert "playing die" in message
    launches.assert_nothing_is_left()


def test_is_killed_while_it_waits(game: str, launches: Launches) -> None:
    env = start(game, "play")
    env.reset()
    env.step()
    os.kill(launches.processes[0].pid, signal.SIGKILL)
    fails(
        env.step,
        UnityEnvironmentException,
        r"ended after 2 steps\. Environment shut down with return code -9 \(SIGKILL\)",
        MARGIN,
    )
    launches.assert_nothing_is_left()


def test_quits(game: str, launches: Launches) -> None:
    env = start(game, "quit")
    fails(lambda: step_on(env), UnityCommunicatorStoppedException, "announced .* after 3 steps", 6)
    launches.assert_nothing_is_left()


def test_two_runs_at_once_on_default_ports(game: str, launches: Launches) -> None:
    first, second = start(game, "play"), start(game, "play")
    for env in (first, second):
        env.reset()
        env.step()
        assert len(env.get_steps(BEHAVIOR)[0]) == 1
    assert launches.ports[0] != launches.ports[1]
    first.close()
    second.step()
    second.close()
    launches.assert_nothing_is_left()


def test_a_game_that_does_not_end_is_killed(tmp_path: Path, game: str, launches: Launches) -> None:
    path = shell_script(tmp_path / "Stubborn", f'{game}.x86_64 "$@"; sleep 60')
    env = start(path, "play", 1)
    env.reset()
    begin = time.monotonic()
    env.close()
    assert time.monotonic() - begin < 1 + MARGIN
    launches.assert_nothing_is_left()


def test_arguments_reach_the_game_in_their_order(tmp_path: Path) -> None:
    path = shell_script(tmp_path / "Game", f'echo "$@" > {tmp_path}/arguments')
    launch = partial(UnityEnvironment, path, timeout_wait=1, base_port=0)
    with pytest.raises(UnityException):
        launch(no_graphics=True, log_folder=str(tmp_path))
    words = (tmp_path / "arguments").read_text().split()
    assert words[:3] == ["-nographics", "-batchmode", "--mlagents-port"]
    assert words[4:] == ["-logFile", f"{tmp_path}/Player-0.log"]
    more = ["--mine", "-LogFile", "-"]
    with pytest.raises(UnityException):
        launch(worker_id=1, additional_args=more, log_folder=str(tmp_path))
    words = (tmp_path / "arguments").read_text().split()
    assert words[0] == "--mlagents-port"
    assert words[2:] == more
    with pytest.raises(UnityException):
        launch(worker_id=1, no_graphics_monitor=True)
    assert (tmp_path / "arguments").read_text().startswith("-nographics -batchmode")


def test_executables_are_made_by_path(game: str, launches: Launches) -> None:
    env = make_environment(
        game, EnvironmentOptions(seed=3, environment_args=("--script", "play"), timeout_wait=20)
    )
    assert isinstance(env, UnityEnvironment)
    env.reset()
    assert list(env.behavior_specs) == [BEHAVIOR]
    env.close()
    launches.assert_nothing_is_left()


def test_an_environment_that_is_not_closed_ends_with_the_interpreter(game: str, tmp_path: Path) -> None:
    program = (
        "from mlagents_envs.environment import UnityEnvironment\n"
        f"env = UnityEnvironment({game!r}, additional_args=['--script', 'play'])\n"
        "env.reset(); env.step()\n"
        "print(env._session._process.pid, flush=True)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=30, check=True
    )
    pid = int(done.stdout.split()[-1])
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)
    assert "Traceback" not in done.stderr


def test_an_interrupted_wait_leaves_nothing_behind(
    game: str, launches: Launches, monkeypatch: pytest.MonkeyPatch
) -> None:
    env = start(game, "hang")
    env.reset()
    env.step()
    env.step()
    poll = launches.processes[0].poll

    def interrupt() -> int | None:
        monkeypatch.setattr(launches.processes[0], "poll", poll)
        raise KeyboardInterrupt

    monkeypatch.setattr(launches.processes[0], "poll", interrupt)
    with pytest.raises(KeyboardInterrupt):
        env.step()
    launches.assert_nothing_is_left()
