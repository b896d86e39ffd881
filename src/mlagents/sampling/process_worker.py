"""An environment in a process of its own."""

from __future__ import annotations

import multiprocessing
import signal
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from multiprocessing import resource_tracker
from multiprocessing.shared_memory import SharedMemory
from typing import Any

import cloudpickle  # type: ignore[import-untyped]

from mlagents.sampling.line import Line, LineError
from mlagents.sampling.shared_columns import SharedColumns, needed_bytes
from mlagents.sampling.worker import StepBatch
from mlagents.sampling.worker_process import ANSWERS, UNNOTICED_SIGNALS, run_worker
from mlagents.settings.errors import EnvironmentFailure
from mlagents_envs import exception
from mlagents_envs.base_env import ActionTuple, BaseEnv, BehaviorSpec
from mlagents_envs.exception import UnityException
from mlagents_envs.side_channel.incoming_message import IncomingMessage
from mlagents_envs.side_channel.side_channel import SideChannel

_GRACE = 10.0
"""Seconds that a worker gets to close before it is killed."""
_MAX_BLOCK = 8 << 30
"""Most shared memory of one behavior of one worker, bytes; who asks for more is out of its mind."""


class WorkerCrash(exception.UnityCommunicationException):
    """A worker died, hung or spoke nonsense; another may be started in its place.

    Args:
        index: index of the worker.
        name: what its environment is called.
        reason: what happened, completing "Environment 3 (name) ...".
    """

    def __init__(self, index: int, name: str, reason: str) -> None:
        self.index = index
        super().__init__(f"Environment {index} ({name}) {reason}.")


class RemoteError(Exception):
    """Stands for an exception in another process: named like it, with its traceback as a note."""


def _remote_error(kind: str, text: str, trace: str) -> Exception:
    error: Exception = type(kind, (RemoteError,), {})(text)
    error.add_note(f"In the process of the environment:\n{trace}")
    return error


class ProcessWorker:
    """Runs one environment in another process and exchanges columns with it through shared memory.

    Args:
        build: makes the environment, given the side channels that it talks through; pickled by value.
        name: what the environment is called in messages.
        index: index of the worker.
        channels: the trainer's side channels of this worker. What they have queued goes to it with the next
            step or reset; what the worker says is handed to them.
        timeout: longest time that a start, reset or step may take, seconds.
    """

    def __init__(
        self,
        build: Callable[[Sequence[SideChannel]], BaseEnv],
        name: str,
        index: int,
        channels: Sequence[SideChannel] = (),
        timeout: float = 60.0,
    ) -> None:
        self._name = name
        self._index = index
        self._channels = list(channels)
        self._timeout = timeout
        self._specs: dict[str, BehaviorSpec] = {}
        self._columns: dict[str, SharedColumns] = {}
        self._deadline = time.monotonic() + timeout
        context = multiprocessing.get_context("spawn")
        mine, theirs = context.Pipe()
        self.line = Line(mine, patience=timeout)
        self._process = context.Process(
            target=run_worker,
            args=(theirs, cloudpickle.dumps(build), [channel.channel_id for channel in self._channels]),
            name=f"environment-{index}",
            daemon=True,
        )
        with _without_main_module(), _signals_held():
            self._process.start()
        theirs.close()
        self._is_built = False

    @property
    def index(self) -> int:
        """Index of the worker."""
        return self._index

    @property
    def deadline(self) -> float:
        """Moment of ``time.monotonic`` until which the answer that is due may take."""
        return self._deadline

    @property
    def pid(self) -> int | None:
        """Process id of the worker."""
        return self._process.pid

    def reset(self) -> None:
        """Start a reset, which may still have to wait for the environment to be built."""
        self._send("reset", self._take_messages())

    def submit(self, actions: Mapping[str, ActionTuple]) -> None:
        """Start a step with actions by behavior id; agents without actions get zeros."""
        counts = {
            behavior_id: self._columns[behavior_id].write_actions(action)
            for behavior_id, action in actions.items()
        }
        self._send("step", counts, self._take_messages())

    def receive(self) -> list[StepBatch]:
        """Wait for the running reset or step, and return what happened, one batch per behavior.

        The batches are views of shared memory, valid until the next :meth:`submit` or :meth:`reset`.

        Raises:
            WorkerCrash: the process died, or took too long.
            UnityException: the environment raised it.
            EnvironmentFailure: the environment has a bug.
        """
        self._wait_until_built()
        counts, messages = self._expect("steps")
        with self._nonsense_as_crash():
            heard = [(self._channels[channel], IncomingMessage(payload)) for channel, payload in messages]
            batches = [
                StepBatch(self._index, behavior_id, *self._columns[behavior_id].read_steps(*numbers))
                for behavior_id, *numbers in counts
            ]
        for channel, message in heard:
            channel.on_message_received(message)
        return batches

    def behavior_specs(self) -> Mapping[str, BehaviorSpec]:
        """Specs of the behaviors announced so far, by behavior id."""
        return self._specs

    def get_state(self) -> dict[str, Any] | None:
        """State of the environment between two steps, None where it cannot be saved."""
        self._send("get_state")
        (state,) = self._expect("state")
        return state if isinstance(state, dict) else None

    def set_state(self, state: dict[str, Any]) -> bool:
        """Continue from a state of :meth:`get_state`; False where the environment cannot."""
        self._wait_until_built()
        self._send("set_state", state)
        (can,) = self._expect("done")
        return bool(can)

    def kill(self) -> None:
        """End the process at once and give back its memory."""
        self._process.kill()
        self._process.join()
        self._release()

    def ask_to_close(self) -> None:
        """Tell the process to end, without waiting for it."""
        with suppress(OSError, ValueError):
            self.line.send("close")

    def close(self) -> None:
        """End the process, by force if it does not follow, and give back its memory."""
        self.ask_to_close()
        self._process.join(_GRACE)
        self.kill()

    # -- talking to the process ------------------------------------------------------------------------

    def _wait_until_built(self) -> None:
        if not self._is_built:
            self._expect("done")
            self._is_built = True

    def _send(self, *message: object) -> None:
        self._deadline = time.monotonic() + self._timeout
        try:
            self.line.send(*message)
        except (OSError, ValueError):
            raise self._crash() from None

    def _receive(self) -> tuple[Any, ...]:
        try:
            if not self.line.has_message(self._deadline - time.monotonic()):
                raise self._hang()
            return self.line.receive()
        except LineError as error:
            raise WorkerCrash(self._index, self._name, str(error)) from error
        except (EOFError, OSError):
            raise self._crash() from None

    def _hang(self) -> WorkerCrash:
        reason = f"did not answer for {self._timeout:g} s (--timeout-wait)"
        return WorkerCrash(self._index, self._name, reason)

    def _crash(self) -> WorkerCrash:
        self._process.join(1.0)
        code = self._process.exitcode
        if code is None:  # it is there, but stopped in the middle of a message
            return self._hang()
        how = f"by signal {-code}" if code < 0 else f"with exit code {code}"
        return WorkerCrash(self._index, self._name, f"died {how}")

    def _expect(self, wanted: str) -> list[Any]:
        """The answer that is due, without its kind; larger blocks are given on the way."""
        kind, *content = self._receive()
        while kind == "grow":
            self._grow(content)
            kind, *content = self._receive()
        if kind == wanted:
            if len(content) == ANSWERS[wanted]:
                return content
            kind = f"{kind} with {len(content)} parts"
        with self._nonsense_as_crash():
            self._raise_for(kind, content)
        raise WorkerCrash(self._index, self._name, f"answered '{kind}' where '{wanted}' was due")

    def _raise_for(self, kind: object, content: list[Any]) -> None:
        """Raise what the environment raised, if the answer says so."""
        if kind == "unity":
            class_name, text = content
            error_class = getattr(exception, str(class_name), UnityException)
            if error_class is exception.UnityWorkerInUseException:
                error_class = exception.UnityEnvironmentException
            raise error_class(text)
        if kind == "failure":
            doing, *error = content
            cause = _remote_error(*error)
            raise EnvironmentFailure(self._name, doing, cause) from cause

    @contextmanager
    def _nonsense_as_crash(self) -> Iterator[None]:
        """Blame the worker for an answer that makes no sense."""
        try:
            yield
        except (TypeError, ValueError, KeyError, IndexError, AttributeError, MemoryError) as error:
            raise WorkerCrash(
                self._index,
                self._name,
                f"sent an answer that makes no sense ({type(error).__name__}: {error})",
            ) from error

    def _take_messages(self) -> list[tuple[int, bytes]]:
        """What the channels have queued, as (index of the channel, payload)."""
        messages: list[tuple[int, bytes]] = []
        for index, channel in enumerate(self._channels):
            if channel.message_queue:
                queue, channel.message_queue = channel.message_queue, []
                messages += [(index, bytes(message)) for message in queue]
        return messages

    def _grow(self, content: list[Any]) -> None:
        """Give a behavior a block for at least as many agents as it says, twice as many as before."""
        with self._nonsense_as_crash():
            behavior_id, spec, rows = content
            old = self._columns.get(behavior_id)
            capacity = rows if old is None else max(rows, 2 * old.capacity)
            size = needed_bytes(spec, capacity)
            if not 0 <= size <= _MAX_BLOCK:
                raise ValueError(f"{rows} agents of {behavior_id} need {size / 2**30:.0f} GiB")
        memory = SharedMemory(create=True, size=max(1, size))
        self._release_columns(behavior_id)
        self._specs[behavior_id] = spec
        self._columns[behavior_id] = SharedColumns(memory, spec, capacity)
        self._send(memory.name, capacity)

    def _release_columns(self, behavior_id: str) -> None:
        columns = self._columns.pop(behavior_id, None)
        if columns is None:
            return
        columns.release()
        with suppress(BufferError):  # somebody still holds a view; the name goes all the same
            columns.memory.close()
        columns.memory.unlink()

    def _release(self) -> None:
        self.line.close()
        for behavior_id in list(self._columns):
            self._release_columns(behavior_id)


@contextmanager
def _signals_held() -> Iterator[None]:
    """Let a new process begin with the signals held that it will take no notice of, until it can say so.

    What arrives here meanwhile is delivered afterwards.
    """
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    resource_tracker.ensure_running()  # it is started with the first process, and lets signals go
    before = signal.pthread_sigmask(signal.SIG_BLOCK, UNNOTICED_SIGNALS)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


@contextmanager
def _without_main_module() -> Iterator[None]:
    """Keep a new process from running the user's script again.

    A process that is spawned imports the main module first, and a script without a ``__main__`` guard would
    start another training. Nothing of it is needed: what the worker runs is pickled by value.
    """
    main = sys.modules["__main__"]
    hidden: dict[str, Any] = {
        name: vars(main).pop(name) for name in ("__file__", "__spec__") if name in vars(main)
    }
    main.__spec__ = None
    try:
        yield
    finally:
        vars(main).update(hidden)
