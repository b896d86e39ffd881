"""A pipe between two processes on which a message comes whole and in time, or not at all."""

from __future__ import annotations

import pickle
import select
import socket
import struct
from contextlib import suppress
from multiprocessing.connection import Connection
from typing import Any

MAX_MESSAGE = 1 << 30
"""Longest message, bytes. Observations and actions go through shared memory, so that only the saved state of
an environment is ever long."""


class LineError(Exception):
    """What came is no message; it reads on as "it ..."."""


class Line:
    """One end of a pipe.

    Args:
        connection: the end; owned by the line from now on.
        patience: longest pause in the middle of a message, seconds; None for any. A process that stops while
            it writes, or that writes something else, must not stop the other one too.
    """

    def __init__(self, connection: Connection, patience: float | None = None) -> None:
        self.connection = connection
        self._poll: select.poll | None = None
        if hasattr(select, "poll"):  # not on Windows; setting it up for every message takes longer than one
            self._poll = select.poll()
            self._poll.register(connection.fileno(), select.POLLIN)
        if patience is not None:
            _limit_pauses(connection, patience)

    def send(self, *message: object) -> None:
        """Send a message.

        Raises:
            OSError: the other end is gone, or did not read in time.
        """
        self.connection.send_bytes(pickle.dumps(message, pickle.HIGHEST_PROTOCOL))

    def has_message(self, timeout: float | None = None) -> bool:
        """Wait until a message, or the end of the line, is there; at most ``timeout`` seconds."""
        if self._poll is None:
            return self.connection.poll(timeout)
        return bool(self._poll.poll(None if timeout is None else 1000.0 * max(0.0, timeout)))

    def receive(self) -> tuple[Any, ...]:
        """The next message; waits for it to come.

        Raises:
            EOFError: the other end is gone.
            OSError: the line is broken, or the message stopped in the middle.
            LineError: what came is no message.
        """
        content = self.connection.recv_bytes(MAX_MESSAGE)
        try:
            message = pickle.loads(content)
        except Exception as error:  # unpickling junk raises anything
            raise LineError("sent something that is no message") from error
        if not isinstance(message, tuple) or not message:
            raise LineError("sent something that is no answer")
        return message

    def close(self) -> None:
        """Close this end."""
        self.connection.close()


def _limit_pauses(connection: Connection, seconds: float) -> None:
    """Let reading and writing fail after a pause; where pipes are no sockets, nothing changes."""
    if not hasattr(socket, "AF_UNIX"):
        return
    whole = int(seconds)
    pause = struct.pack("ll", whole, max(1, int(1e6 * (seconds - whole))))
    with suppress(OSError), socket.fromfd(connection.fileno(), socket.AF_UNIX, socket.SOCK_STREAM) as end:
        end.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, pause)
        end.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, pause)
