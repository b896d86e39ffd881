"""Writes demonstrations (``.demo`` files), record by record.

Every record reaches the file whole, at once: a recorder that is killed leaves a file that can be read up to
its last record.
"""

from __future__ import annotations

import contextlib
import os
from pathlib import Path
from types import TracebackType
from typing import Self

from mlagents_envs.base_env import ActionSpec
from mlagents_envs.communicator_objects.agent_info_action_pair_pb2 import AgentInfoActionPairProto
from mlagents_envs.communicator_objects.demonstration_meta_pb2 import DemonstrationMetaProto
from mlagents_envs.demonstration_data import DemonstrationError
from mlagents_envs.demonstration_format import (
    API_VERSION,
    framed,
    header,
    reduced_name,
    with_aligned_statement,
)
from mlagents_envs.demonstration_records import behavior_proto

_NEW_FILE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0)


def free_path(path: Path) -> Path:
    """``path``, or ``<stem>_0``, ``<stem>_1``, … with its suffix, whichever no file has yet."""
    candidate, number = path, 0
    while candidate.exists():
        candidate = path.with_name(f"{path.stem}_{number}{path.suffix}")
        number += 1
    return candidate


class DemonstrationWriter:
    """One file under construction. Whoever writes must close it, or use it as a context manager.

    A file that is not closed counts no records in its metadata; readers then read to its end.

    Args:
        path: the file; it must not exist, its folder is made if need be.
        behavior_name: fully qualified name of the behavior, such as ``PushBlock?team=0``.
        action_spec: all actions of the behavior, of component actuators too.
        demonstration_name: name in the metadata, reduced by the rule for names; by default that of the file.

    Attributes:
        path: the file.
        number_steps: records written so far, ends of episodes included.
        number_episodes: ends of episodes among them.

    Raises:
        DemonstrationError: the file exists or cannot be written.
    """

    def __init__(
        self, path: Path, behavior_name: str, action_spec: ActionSpec, demonstration_name: str | None = None
    ) -> None:
        self.path = path
        self.number_steps = 0
        self.number_episodes = 0
        self._total_reward = 0.0
        self._name = reduced_name(path.stem if demonstration_name is None else demonstration_name)
        self._size = 0
        behavior = with_aligned_statement(behavior_proto(behavior_name, action_spec))
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._file: int | None = os.open(path, _NEW_FILE, 0o666)
        except OSError as error:
            raise DemonstrationError(
                f"Cannot record to {path}: {error.strerror}. Record to another file."
            ) from error
        self._append(header(self._metadata(counted=False)) + framed(behavior))

    @property
    def mean_reward(self) -> float:
        """Sum of the individual rewards per ended episode; before the first end, their plain sum."""
        return self._total_reward / max(self.number_episodes, 1)

    @property
    def is_closed(self) -> bool:
        """Whether nothing more can be written."""
        return self._file is None

    def write(self, record: AgentInfoActionPairProto) -> None:
        """Append a record.

        Raises:
            DemonstrationError: the disk is full, or the file cannot be written for another reason; it is
                closed then, with all records before this one. Also when it was closed already.
        """
        self._append(framed(record.SerializeToString()))
        info = record.agent_info
        self.number_steps += 1
        self.number_episodes += info.done
        self._total_reward += info.reward

    def close(self) -> None:
        """Complete the metadata; without effect when repeated.

        Raises:
            DemonstrationError: the metadata cannot be written; what was recorded can be read all the same.
        """
        if self._file is None:
            return
        file, self._file = self._file, None
        try:
            os.fsync(file)
            # The header comes first: with it the file is complete, and the copy at the end may be missing.
            _write_all(file, header(self._metadata(counted=True)), 0)
            _write_all(file, self._metadata(counted=True).SerializeToString(), self._size)
        except OSError as error:
            raise self._failure(error) from error
        finally:
            os.close(file)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def _append(self, data: bytes) -> None:
        if self._file is None:
            raise DemonstrationError(f"The recording {self.path} is closed; begin another one.")
        try:
            _write_all(self._file, data, self._size)
        except OSError as error:
            failure = self._failure(error)
            with contextlib.suppress(OSError):
                os.ftruncate(self._file, self._size)  # half a record is none
            with contextlib.suppress(DemonstrationError):
                self.close()
            if not self.number_steps:  # a file without records could not even be read
                with contextlib.suppress(OSError):
                    self.path.unlink()
            raise failure from error
        self._size += len(data)

    def _failure(self, error: OSError) -> DemonstrationError:
        if not self.number_steps:
            return DemonstrationError(
                f"Cannot record to {self.path}: {error.strerror}. Make room, or record to another disk."
            )
        return DemonstrationError(
            f"Cannot go on recording to {self.path}: {error.strerror}. The first {self.number_steps} records "
            "are kept. Make room, then record the rest to another file."
        )

    def _metadata(self, *, counted: bool) -> DemonstrationMetaProto:
        meta = DemonstrationMetaProto(api_version=API_VERSION, demonstration_name=self._name)
        if counted:
            meta.number_steps = self.number_steps
            meta.number_episodes = self.number_episodes
            meta.mean_reward = self.mean_reward
        return meta


def _write_all(file: int, data: bytes, offset: int) -> None:
    """Write ``data`` at ``offset``; the system may take it in several parts."""
    os.lseek(file, offset, os.SEEK_SET)
    view = memoryview(data)
    while view:
        view = view[os.write(file, view) :]
