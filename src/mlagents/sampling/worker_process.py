"""What runs inside a worker process: one environment, driven through a pipe and shared memory.

Commands arrive as small tuples; each is answered by one tuple, whose first item says what it is:
``("steps", [(behavior id, decisions, terminals)], messages)`` after a reset or step, ``("grow", behavior id,
spec, rows)`` when a behavior needs a (larger) block first, ``("state", tree)``, ``("done", flag)``,
``("unity", class name, text)`` for what the environment raises on purpose, and ``("failure", doing, class
name, text, traceback)`` for a bug in it.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
import time
import traceback
import uuid
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from multiprocessing.connection import Connection, wait
from multiprocessing.shared_memory import SharedMemory
from typing import Any

import cloudpickle  # type: ignore[import-untyped]

from mlagents.sampling.line import Line
from mlagents.sampling.shared_columns import SharedColumns
from mlagents_envs.base_env import BaseEnv, BehaviorSpec
from mlagents_envs.capabilities import SavesState
from mlagents_envs.exception import UnityException
from mlagents_envs.side_channel.incoming_message import IncomingMessage
from mlagents_envs.side_channel.side_channel import SideChannel
from mlagents_envs.side_channel.side_channel_manager import SideChannelManager

FIRST_CAPACITY = 8
ANSWERS = {"steps": 2, "state": 1, "done": 1}
"""What is answered to commands that succeed, and how many items come with it."""
UNNOTICED_SIGNALS = (signal.SIGINT, signal.SIGTERM)
"""Ctrl+C and the end of a container reach all processes, but only the trainer decides what follows."""
_ORPHAN_SECONDS = 5.0
"""How long an environment may go on when the trainer is gone."""


class RelayChannel(SideChannel):
    """Stands for a channel of the trainer's process: keeps what the environment says, to be passed on."""

    def __init__(self, channel_id: uuid.UUID) -> None:
        super().__init__(channel_id)
        self.received: list[bytes] = []

    def on_message_received(self, msg: IncomingMessage) -> None:
        """Keep the message."""
        self.received.append(bytes(msg.get_raw_bytes()))


class _Host:
    """The environment of a worker, with its blocks of shared memory."""

    def __init__(self, env: BaseEnv, line: Line, channels: Sequence[RelayChannel]) -> None:
        self._env = env
        self._line = line
        self._channels = channels
        self._inbox = SideChannelManager(channels)
        self._columns: dict[str, SharedColumns] = {}

    def reset(self, messages: Sequence[tuple[int, bytes]]) -> None:
        self._queue(messages)
        self._env.reset()
        self._report()

    def step(self, actions: Mapping[str, int], messages: Sequence[tuple[int, bytes]]) -> None:
        self._queue(messages)
        for behavior_id, count in actions.items():
            self._env.set_actions(behavior_id, self._columns[behavior_id].read_actions(count))
        self._env.step()
        self._report()

    def _queue(self, messages: Sequence[tuple[int, bytes]]) -> None:
        for channel, message in messages:
            self._channels[channel].message_queue.append(bytearray(message))

    def _report(self) -> None:
        counts = []
        for behavior_id, spec in self._env.behavior_specs.items():
            decision, terminal = self._env.get_steps(behavior_id)
            rows = max(len(decision.agent_id), len(terminal.agent_id))
            self._columns_for(behavior_id, spec, rows).write_steps(decision, terminal)
            counts.append((behavior_id, len(decision.agent_id), len(terminal.agent_id)))
        received = []
        for index, channel in enumerate(self._channels):
            received += [(index, message) for message in channel.received]
            channel.received.clear()
        self._line.send("steps", counts, received)

    def _columns_for(self, behavior_id: str, spec: BehaviorSpec, rows: int) -> SharedColumns:
        columns = self._columns.get(behavior_id)
        if columns is not None and rows <= columns.capacity:
            return columns
        self._line.send("grow", behavior_id, spec, max(rows, FIRST_CAPACITY))
        name, capacity = self._line.receive()
        self.release(behavior_id)
        columns = self._columns[behavior_id] = SharedColumns(SharedMemory(name), spec, capacity)
        return columns

    def release(self, behavior_id: str) -> None:
        old = self._columns.pop(behavior_id, None)
        if old is not None:
            old.release()
            old.memory.close()

    def get_state(self) -> None:
        state = self._env.get_state() if isinstance(self._env, SavesState) else None
        self._line.send("state", state)

    def set_state(self, state: dict[str, Any]) -> None:
        can = isinstance(self._env, SavesState)
        if isinstance(self._env, SavesState):
            self._env.set_state(state)
            for behavior_id, spec in self._env.behavior_specs.items():
                self._columns_for(behavior_id, spec, len(self._env.get_steps(behavior_id)[0].agent_id))
        self._line.send("done", can)

    def close(self) -> None:
        for behavior_id in list(self._columns):
            self.release(behavior_id)
        self._env.close()


def run_worker(connection: Connection, build: bytes, channel_ids: Sequence[uuid.UUID]) -> None:
    """Serve one environment until told to close, or until the trainer is gone.

    Args:
        connection: the worker's end of the pipe.
        build: pickled ``(side channels) -> BaseEnv``.
        channel_ids: identities of the trainer's side channels.
    """
    # what is ignored here is ignored by the games that are started from here, too; they may be asked to end
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, lambda number, frame: None)
    if hasattr(signal, "pthread_sigmask"):  # held since before this process began
        signal.pthread_sigmask(signal.SIG_UNBLOCK, UNNOTICED_SIGNALS)
    _end_with_parent()
    channels = [RelayChannel(channel_id) for channel_id in channel_ids]
    line = Line(connection)
    host: _Host | None = None
    try:
        with suppress(EOFError, ConnectionError):
            doing = "be built"
            try:
                builder: Callable[[Sequence[SideChannel]], BaseEnv] = cloudpickle.loads(build)
                host = _Host(builder(channels), line, channels)
                line.send("done", True)
                while True:
                    command, *arguments = line.receive()
                    if command == "close":
                        break
                    doing = {"set_state": "restore its state", "get_state": "save its state"}.get(
                        command, command
                    )
                    getattr(host, command)(*arguments)
            except UnityException as error:
                line.send("unity", type(error).__name__, str(error))
            except (EOFError, ConnectionError):
                raise
            except Exception as error:
                trace = traceback.format_exc()
                line.send("failure", doing, type(error).__name__, str(error), trace)
    finally:
        if host is not None:
            with suppress(Exception):  # whatever it was doing, the process ends now
                host.close()


def _end_with_parent() -> None:
    """End this process soon after the trainer's, whatever the environment is doing then."""
    parent = multiprocessing.parent_process()
    if parent is None:
        return

    def watch() -> None:
        wait([parent.sentinel])
        time.sleep(_ORPHAN_SECONDS)  # usually it ends by itself, in order, because the line is closed
        os._exit(1)

    threading.Thread(target=watch, name="watch-trainer", daemon=True).start()
