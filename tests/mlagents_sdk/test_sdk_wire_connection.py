from __future__ import annotations

import logging
import os
import socket
import subprocess
import sys
import textwrap
import threading
import time
from collections.abc import Iterator

import pytest
from sdk_helpers import NAME, LoggingAgent, continuous
from wire_helpers import GameThread, Trainer, closing, infos, make_server, ok, quit_, step

from mlagents_envs.base_env import BaseEnv
from mlagents_envs.registry.options import EnvironmentOptions
from mlagents_sdk import Academy, AgentsError, DecisionRequester, SdkEnvironment
from mlagents_sdk.wire import (
    NoTrainerException,
    TrainerConnection,
    TrainerLeftException,
    connection,
    play_alone,
)
from mlagents_sdk.wire.messages import bare_message


@pytest.fixture
def trainer() -> Iterator[Trainer]:
    trainer = Trainer()
    yield trainer
    trainer.stop()


class EnoughError(Exception):
    """Ends an environment that plays by itself."""


class ShortGame:
    """One agent; physics that ends everything after a few ticks."""

    def __init__(self, ticks: int = 3) -> None:
        self.ticks = ticks
        self.options: EnvironmentOptions | None = None
        self.closed = 0

    def __call__(self, options: EnvironmentOptions) -> BaseEnv:
        self.options = options
        academy = Academy(options.seed)
        self.agent = LoggingAgent(academy)
        DecisionRequester(self.agent, 1)
        self.agent.enable()
        return SdkEnvironment(academy, self._simulate, close=self._close)

    def _simulate(self) -> None:
        self.ticks -= 1
        if self.ticks < 0:
            raise EnoughError

    def _close(self) -> None:
        self.closed += 1


def free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


def texts(caplog: pytest.LogCaptureFixture) -> str:
    return "\n".join(record.getMessage() for record in caplog.records)


def test_nobody_listens_so_agents_follow_their_heuristics(caplog: pytest.LogCaptureFixture) -> None:
    factory, port = ShortGame(), free_port()
    with caplog.at_level(logging.INFO):
        error = GameThread(factory, port, timeout=0.2).join()
    assert isinstance(error, EnoughError)
    assert factory.agent.actions == [[0.25]] * 4
    assert factory.options == EnvironmentOptions()
    assert factory.closed == 1
    assert texts(caplog).count(f"Nobody listens on port {port}.") == 1
    assert "plays by itself" in texts(caplog)


def test_without_a_port_nobody_is_looked_for() -> None:
    factory = ShortGame()
    assert isinstance(GameThread(factory, None).join(), EnoughError)
    assert factory.agent.actions == [[0.25]] * 4


def test_a_trainer_that_starts_a_little_later_is_found() -> None:
    port = free_port()
    called = threading.Event()

    def exchange(request: bytes) -> bytes:
        called.set()
        return closing().SerializeToString()

    game = GameThread(ShortGame(), port, timeout=10.0)
    time.sleep(0.3)
    server, _ = make_server(exchange, port)
    assert isinstance(game.join(), EnoughError)
    assert called.is_set()
    server.stop(0).wait()


@pytest.mark.parametrize("version", ["2.0.0", ""])
def test_an_unsuited_trainer_is_told_and_left(
    trainer: Trainer, version: str, caplog: pytest.LogCaptureFixture
) -> None:
    factory = ShortGame()
    with caplog.at_level(logging.INFO):
        game = GameThread(factory, trainer.port)
        trainer.welcome(seed=9, version=version)
        last = trainer.receive()  # so that it does not wait for the second message
        trainer.answer(closing())
        assert isinstance(game.join(), EnoughError)
    assert last.header.status == 400
    assert "does not suit" in last.header.message
    assert "does not suit" in texts(caplog)
    assert factory.options == EnvironmentOptions()
    assert factory.agent.actions == [[0.25]] * 4


@pytest.mark.parametrize("answer", [closing().SerializeToString(), b"\xff\xff\xff"])
def test_a_failed_handshake_leaves_the_agents_to_their_heuristics(
    trainer: Trainer, answer: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    factory = ShortGame()
    with caplog.at_level(logging.INFO):
        game = GameThread(factory, trainer.port)
        trainer.receive()
        trainer.answer(answer)
        assert isinstance(game.join(), EnoughError)
    assert f"The handshake on port {trainer.port} failed." in texts(caplog)
    assert factory.agent.actions == [[0.25]] * 4


def test_somebody_who_is_no_trainer_is_given_up() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1]
        link = TrainerConnection(port)
        link.wait_for_trainer(1.0)
        with pytest.raises(NoTrainerException, match=f"handshake on port {port} failed.*DEADLINE_EXCEEDED"):
            link.handshake(timeout=0.5)
        link.close("never introduced, so nobody is told")


@pytest.mark.parametrize("port", [0, -1, 65536])
def test_impossible_ports_are_refused(port: int) -> None:
    with pytest.raises(NoTrainerException, match="not a port"):
        TrainerConnection(port)


def begin(trainer: Trainer) -> tuple[GameThread, ShortGame]:
    factory = ShortGame(ticks=1000)
    game = GameThread(factory, trainer.port)
    trainer.begin()
    trainer.tell(step({NAME: continuous(1.0)}))
    return game, factory


def test_quit_ends_the_game(trainer: Trainer, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO):
        game, factory = begin(trainer)
        assert trainer.tell(quit_()).header.status == 400
        trainer.answer(closing())
        assert game.join() is None
    assert factory.closed == 1
    assert "QUIT" in texts(caplog)


def test_quit_does_not_wait_for_a_trainer_that_is_gone(
    trainer: Trainer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connection, "_FAREWELL_TIMEOUT", 0.2)
    game, factory = begin(trainer)
    trainer.tell(quit_())  # and the last message is never answered
    assert game.join() is None
    assert factory.closed == 1


def test_a_closing_trainer_ends_the_game(trainer: Trainer, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO):
        game, factory = begin(trainer)
        trainer.answer(closing())
        assert game.join() is None
    assert factory.closed == 1
    assert "closed the connection (status 400)" in texts(caplog)


def test_a_server_that_stops_in_an_exchange_ends_the_game(
    trainer: Trainer, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.INFO):
        game, factory = begin(trainer)
        started = time.monotonic()
        trainer.server.stop(0)  # while the game waits for its answer
        assert game.join() is None
    assert time.monotonic() - started < 2.0
    assert factory.closed == 1
    assert "The connection broke" in texts(caplog)


@pytest.mark.parametrize("answer", ["truncated", "random", "empty"])
def test_an_unreadable_answer_ends_the_game(
    trainer: Trainer, answer: str, caplog: pytest.LogCaptureFixture
) -> None:
    whole = step({NAME: continuous(1.0)}).SerializeToString()
    data = {"truncated": whole[:-3], "random": bytes(range(200, 256)), "empty": b""}[answer]
    with caplog.at_level(logging.INFO):
        game, factory = begin(trainer)
        acted = len(factory.agent.actions)
        trainer.answer(data)
        assert game.join() is None
    assert factory.closed == 1
    assert len(factory.agent.actions) == acted
    expected = "status 0" if answer == "empty" else f"answer of {len(data)} bytes cannot be read"
    assert expected in texts(caplog)


def test_connections_are_closed_once_and_tell_only_trainers_they_know() -> None:
    received: list[bytes] = []

    def exchange(request: bytes) -> bytes:
        received.append(request)
        return ok().SerializeToString()

    server, port = make_server(exchange)
    stranger = TrainerConnection(port)
    stranger.close("nothing was said yet")
    assert received == []
    known = TrainerConnection(port)
    with pytest.raises(NoTrainerException, match="''"):
        known.handshake()  # the answer names no version
    known.close("why")
    known.close("again")
    assert len(received) == 2
    assert received[1] == bare_message(400, "why")
    server.stop(0).wait()
    with pytest.raises(TrainerLeftException, match="broke"):
        TrainerConnection(port).exchange(bare_message())


def test_a_large_answer_is_accepted(trainer: Trainer) -> None:
    game, _ = begin(trainer)
    data = bytes(16) + (64 * 2**20).to_bytes(4, "little") + bytes(64 * 2**20)
    assert len(infos(trainer.tell(step(side_channel=data)), NAME)) == 1
    trainer.answer(closing())
    assert game.join() is None


def test_only_environments_of_the_sdk_play_by_themselves() -> None:
    class Foreign:
        pass

    with pytest.raises(AgentsError, match="A Foreign cannot play by itself"):
        play_alone(Foreign())  # type: ignore[arg-type]


def test_playing_alone_keeps_to_real_time_and_ends_with_the_parent() -> None:
    env = ShortGame(ticks=1000)(EnvironmentOptions())
    started = time.monotonic()
    play_alone(env, parent=os.getppid(), max_ticks=5, tick_seconds=0.04)
    assert 0.19 < time.monotonic() - started < 2.0
    play_alone(env, parent=-1)  # returns
    env.close()


SERVER = """
    import sys
    sys.path.insert(0, {folder!r})
    from wire_helpers import make_server, ok, reset, step
    import time
    answers = [reset(), step()]
    def exchange(request):
        if b"AcademySingleton" in request:
            message = ok()
            message.unity_input.rl_initialization_input.communication_version = "1.5.0"
            message.unity_input.rl_initialization_input.capabilities.hybridActions = True
            return message.SerializeToString()
        if answers:
            return answers.pop(0).SerializeToString()
        print("holding", flush=True)
        time.sleep(60)
    server, port = make_server(exchange)
    print(port, flush=True)
    time.sleep(60)
"""


def test_a_trainer_that_is_killed_in_an_exchange_ends_the_game() -> None:
    code = textwrap.dedent(SERVER).format(folder=os.path.dirname(__file__))
    process = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    try:
        factory = ShortGame(ticks=1000)
        game = GameThread(factory, int(process.stdout.readline()))
        assert process.stdout.readline() == "holding\n"
        started = time.monotonic()
    finally:
        process.kill()
        process.wait()
    assert game.join() is None
    assert time.monotonic() - started < 2.0
    assert factory.closed == 1
    assert len(factory.agent.actions) == 1
