"""Files, disks and ports that are not as they should be: named, with the next step, and nothing is lost."""

from __future__ import annotations

import errno
import os
from pathlib import Path
from typing import NoReturn

import pytest

from mlagents_envs import logging_util
from mlagents_envs.base_env import ActionSpec
from mlagents_envs.demonstration_writer import DemonstrationWriter
from mlagents_envs.demonstrations import DemonstrationError, find_demonstrations
from mlagents_envs.environment import UnityEnvironment
from mlagents_envs.exception import UnityPolicyException, UnityWorkerInUseException
from mlagents_envs.files import atomic_write_text
from mlagents_envs.inference import OnnxPolicy
from mlagents_envs.rpc_communicator import RpcCommunicator


def no_room(*_: object) -> NoReturn:
    raise OSError(errno.ENOSPC, "No space left on device")


# Files that are written


def test_full_disks_name_the_file_and_leave_the_old_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "a.txt"
    atomic_write_text(path, "old")
    monkeypatch.setattr(os, "fsync", no_room)
    with pytest.raises(OSError, match="No space left") as caught:
        atomic_write_text(path, "new")
    assert (caught.value.errno, caught.value.filename) == (errno.ENOSPC, str(path))
    assert "None" not in str(caught.value)
    assert [(each.name, each.read_text()) for each in tmp_path.iterdir()] == [("a.txt", "old")]


def test_folders_that_are_missing_name_the_file(tmp_path: Path) -> None:
    path = tmp_path / "nowhere" / "a.txt"
    with pytest.raises(FileNotFoundError) as caught:
        atomic_write_text(path, "new")
    assert caught.value.filename == str(path)


def test_places_that_are_folders_name_them(tmp_path: Path) -> None:
    path = tmp_path / "folder"
    (path / "inner").mkdir(parents=True)
    with pytest.raises(OSError, match=r"folder'$") as caught:
        atomic_write_text(path, "new")
    assert caught.value.filename == str(path)
    assert list(tmp_path.iterdir()) == [path]


def test_errors_of_the_writer_itself_stay_as_they_are(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    error = ConnectionResetError(errno.ECONNRESET, "gone")

    def fail(*_: object) -> NoReturn:
        raise error

    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(ConnectionResetError) as caught:
        atomic_write_text(tmp_path / "a.txt", "new")
    assert caught.value is error
    assert error.filename is None


def test_messages_to_a_full_disk_are_reported_once(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    class Full:
        write = staticmethod(no_room)

        @staticmethod
        def flush() -> None:
            """Nothing was kept."""

    logger = logging_util.get_logger("test_bad_input.full")
    monkeypatch.setattr(logging_util._handler, "_complained", False)
    monkeypatch.setattr("sys.stdout", Full())
    for _ in range(3):
        logger.error("lost")
    assert capsys.readouterr().err == (
        "warning: messages are lost, standard output: No space left on device\n"
    )


# Demonstrations


def test_recordings_that_never_began_leave_no_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "a.demo"
    monkeypatch.setattr(os, "write", no_room)
    with pytest.raises(DemonstrationError, match=r"Cannot record to .*a\.demo: No space left.*Make room"):
        DemonstrationWriter(path, "Ball", ActionSpec.create_continuous(1))
    assert not path.exists()


def test_missing_demonstrations_name_the_nearest(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "ExpertPush.demo").touch()
    with pytest.raises(DemonstrationError) as caught:
        find_demonstrations("ExpertPus.demo")
    assert str(caught.value) == (
        f"There is no demonstration file or directory ExpertPus.demo (looked in {tmp_path}). Did you mean "
        "ExpertPush.demo?"
    )


# Models


def test_models_that_are_something_else(tmp_path: Path) -> None:
    (tmp_path / "run").mkdir()
    with pytest.raises(UnityPolicyException, match=r"run is a folder; name an \.onnx file"):
        OnnxPolicy(tmp_path / "run")
    (tmp_path / "run" / "Ball.onnx").touch()
    with pytest.raises(UnityPolicyException, match=r"run is a folder; name the model in it: .*Ball\.onnx"):
        OnnxPolicy(tmp_path / "run")
    with pytest.raises(UnityPolicyException, match=r"no model file .*Bal\.onnx\. Did you mean .*Ball\.onnx"):
        OnnxPolicy(tmp_path / "run" / "Bal.onnx")
    (tmp_path / "checkpoint.pt").touch()
    with pytest.raises(UnityPolicyException, match=r"checkpoint\.pt is a checkpoint; name the \.onnx file"):
        OnnxPolicy(tmp_path / "checkpoint.pt")


def test_models_that_may_not_be_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "a.onnx"
    path.touch()

    def refuse(*_: object) -> NoReturn:
        raise PermissionError(errno.EACCES, "Permission denied")

    monkeypatch.setattr(Path, "open", refuse)
    with pytest.raises(UnityPolicyException, match=r"a\.onnx cannot be opened: Permission denied"):
        OnnxPolicy(path)


# Ports


def test_the_port_of_the_editor_is_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    taken = RpcCommunicator(worker_id=0, base_port=0)
    monkeypatch.setattr(UnityEnvironment, "DEFAULT_EDITOR_PORT", taken.port)
    try:
        with pytest.raises(UnityWorkerInUseException, match=f"port {taken.port}.*another training run"):
            UnityEnvironment()
    finally:
        taken.close()
