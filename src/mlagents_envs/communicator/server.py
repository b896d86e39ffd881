"""The gRPC server that a game connects to: whole messages in, whole messages out, as bytes.

The game always calls, and what Python has to say travels in the reply. So there is at most one call that
waits for an answer, and the thread that steps the environment only ever does two things: wait for the
next call, and answer it.
"""

from __future__ import annotations

import contextlib
import errno
import os
import queue
import socket
import threading
from collections.abc import Callable
from concurrent import futures
from dataclasses import dataclass, field
from typing import Any

import grpc

from mlagents_envs.exception import UnityCommunicationException
from mlagents_envs.logging_util import get_logger

logger = get_logger(__name__)

SERVICE = "communicator_objects.UnityToExternalProto"
METHOD = "Exchange"

ADDRESS_VARIABLE = "MLAGENTS_LISTEN_ADDRESS"
"""Environment variable with the address to listen on instead of this machine alone, such as ``0.0.0.0``."""

LOOPBACK = ("127.0.0.1", "::1")
"""Both, because games call ``localhost``, which is either."""

_OPTIONS = (
    ("grpc.so_reuseport", 0),  # two servers on one port would each get some of the calls
    ("grpc.max_receive_message_length", -1),
    ("grpc.max_send_message_length", -1),
)
_STOP_SECONDS = 1.0
"""How long the last reply may take to leave."""
_ATTEMPTS = 10
"""Free ports tried until one is free on all addresses."""


class PortInUseError(OSError):
    """The port, or with port 0 every port tried, is taken on one of the addresses."""


class ConnectionLostError(Exception):
    """The game went away while it was waiting for a reply."""


@dataclass(slots=True)
class _Call:
    """A call of the game that waits for its reply; None in ``reply`` tells that the game is gone."""

    request: bytes
    reply: queue.SimpleQueue[bytes | None] = field(default_factory=queue.SimpleQueue)


class ExchangeServer:
    """Listens from construction until :meth:`stop`.

    Args:
        port: port to listen on, 0 for any that is free.
        addresses: addresses to listen on; None for the one in :data:`ADDRESS_VARIABLE`, or this machine
            alone when that is not set.

    Attributes:
        port: the port that it listens on.

    Raises:
        PortInUseError: the port is taken, or it may not be used.
    """

    def __init__(self, port: int, addresses: tuple[str, ...] | None = None) -> None:
        self._inbox: queue.SimpleQueue[_Call | Exception] = queue.SimpleQueue()
        self._lock = threading.Lock()
        self._pending: _Call | None = None
        self._stopped = False
        self._server, self.port = self._listen(port, addresses or _default_addresses())

    @property
    def is_pending(self) -> bool:
        """Whether the game waits for a reply."""
        return self._pending is not None

    def receive(self, timeout: float) -> bytes | None:
        """The next message of the game, or None when none comes within ``timeout`` seconds.

        Raises:
            ConnectionLostError: the game went away instead of taking the last reply.
            UnityCommunicationException: the call could not be handled.
        """
        try:
            item = self._inbox.get(timeout=timeout)
        except queue.Empty:
            return None
        if isinstance(item, Exception):
            raise item
        return item.request

    def reply(self, message: bytes) -> None:
        """Answer the call received last; without one, nothing happens."""
        with self._lock:
            call, self._pending = self._pending, None
        if call is not None:
            call.reply.put(message)

    def stop(self, last_message: bytes | None = None) -> None:
        """Answer a pending call with ``last_message``, end all others and free the port; once is enough."""
        if self._stopped:
            return
        self._stopped = True
        if last_message is not None:
            self.reply(last_message)
        self._server.stop(_STOP_SECONDS).wait(2 * _STOP_SECONDS)
        with self._lock:
            call, self._pending = self._pending, None
        if call is not None:
            call.reply.put(None)

    def _listen(self, port: int, addresses: tuple[str, ...]) -> tuple[Any, int]:
        """Bind a server to ``port`` on all addresses and start it."""
        addresses = tuple(address for address in addresses if _is_usable(address))
        for _ in range(1 if port else _ATTEMPTS):
            candidate = port or _free_port(addresses[0])
            server = grpc.server(_DaemonThreads(), options=_OPTIONS)
            handler = grpc.unary_unary_rpc_method_handler(self._exchange)
            server.add_generic_rpc_handlers(
                (grpc.method_handlers_generic_handler(SERVICE, {METHOD: handler}),)
            )
            if _bind(server, candidate, addresses):
                server.start()
                return server, candidate
        raise PortInUseError(errno.EADDRINUSE, f"port {port} cannot be used on {', '.join(addresses)}")

    def _exchange(self, request: bytes, context: Any) -> bytes:  # noqa: ANN401  # gRPC has no types
        """Handle a call of the game; runs in a thread of its own."""
        try:
            reply = self._await_reply(_Call(request), context)
        except Exception as error:
            failure = UnityCommunicationException(f"A call of the game could not be handled: {error!r}")
            failure.__cause__ = error
            self._inbox.put(failure)
            raise
        if reply is None:
            context.abort(grpc.StatusCode.FAILED_PRECONDITION, "This port serves another game, or none.")
        return reply  # type: ignore[return-value]  # abort raises

    def _await_reply(self, call: _Call, context: Any) -> bytes | None:  # noqa: ANN401
        """Hand a call over and wait for its reply, None when it gets none."""
        with self._lock:
            accepted = self._pending is None and not self._stopped
            if accepted:
                self._pending = call
        if not accepted:
            logger.warning(
                "A second game called port %d and was turned away; give each game a port of its own.",
                self.port,
            )
            return None
        if context.add_callback(lambda: self._on_end(call)):
            self._inbox.put(call)
        else:  # the call ended before it could be watched
            self._on_end(call)
        return call.reply.get()

    def _on_end(self, call: _Call) -> None:
        """Tell whoever waits that a call ended without having been answered."""
        with self._lock:
            lost = self._pending is call
            if lost:
                self._pending = None
        if lost:
            call.reply.put(None)
            if not self._stopped:
                self._inbox.put(ConnectionLostError())


class _DaemonThreads(futures.Executor):
    """Runs calls in threads that do not keep the interpreter alive.

    The threads of the standard pool are joined when the interpreter exits, before any exit handler could
    end the call in which such a thread waits for a reply.
    """

    def __init__(self) -> None:
        self._work: queue.SimpleQueue[Callable[[], None]] = queue.SimpleQueue()
        self._idle = threading.Semaphore(0)

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> futures.Future[Any]:  # noqa: ANN401
        """Run ``fn`` in an idle thread, or in a new one when none is idle."""
        future: futures.Future[Any] = futures.Future()

        def run() -> None:
            try:
                future.set_result(fn(*args, **kwargs))
            except BaseException as error:  # the future carries it to whoever asks
                future.set_exception(error)

        self._work.put(run)
        if not self._idle.acquire(blocking=False):
            threading.Thread(target=self._serve, name="mlagents-exchange", daemon=True).start()
        return future

    def _serve(self) -> None:
        while True:
            self._work.get()()
            self._idle.release()


def _default_addresses() -> tuple[str, ...]:
    chosen = os.environ.get(ADDRESS_VARIABLE, "").strip()
    return (chosen,) if chosen else LOOPBACK


def _family(address: str) -> socket.AddressFamily:
    return socket.AF_INET6 if ":" in address else socket.AF_INET


def _is_usable(address: str) -> bool:
    """Whether this machine has the address; many containers have no IPv6."""
    if address not in LOOPBACK:
        return True
    try:
        with socket.socket(_family(address), socket.SOCK_STREAM) as probe:
            probe.bind((address, 0))
    except OSError:
        return False
    return True


def _free_port(address: str) -> int:
    with socket.socket(_family(address), socket.SOCK_STREAM) as probe:
        probe.bind((address, 0))
        return int(probe.getsockname()[1])


def _bind(server: Any, port: int, addresses: tuple[str, ...]) -> bool:  # noqa: ANN401  # gRPC has no types
    """Bind ``server`` to a port on all addresses; False when one of them refuses."""
    for address in addresses:
        try:
            # a plain socket first, because gRPC reports failures on the terminal
            with socket.socket(_family(address), socket.SOCK_STREAM) as probe:
                if os.name != "nt":
                    probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                probe.bind((address, port))
            host = f"[{address}]" if ":" in address else address
            with contextlib.suppress(RuntimeError):
                if server.add_insecure_port(f"{host}:{port}") == port:
                    continue
        except OSError:
            pass
        return False
    return True
