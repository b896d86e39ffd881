"""A drill: environments die, hang and talk nonsense, the run is told to stop, the disk is full.

Whatever happens, the run goes on or can be resumed, counts every decision exactly, learns from nothing that
is mixed up (see the auditor of the driver), and leaves nothing behind.
"""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from mlagents.run.checkpoint_file import load_checkpoint

HERE = Path(__file__).parent
PATIENCE = 60.0
pytestmark = pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="needs the /proc of Linux")


def wait_for(condition: Callable[[], object], process: subprocess.Popen[bytes] | None, what: str) -> None:
    deadline = time.monotonic() + PATIENCE
    while not condition():
        assert process is None or process.poll() is None, f"the run ended while waiting for {what}"
        assert time.monotonic() < deadline, f"{what} took too long"
        time.sleep(0.02)


def processes_of(session: int) -> dict[int, tuple[int, str]]:
    """Parent and command line of the living processes of a session, by process id."""
    found = {}
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            fields = (folder / "stat").read_text().rpartition(")")[2].split()
            command = (folder / "cmdline").read_bytes().replace(b"\0", b" ").decode()
        except OSError:
            continue
        if int(fields[3]) == session and fields[0] != "Z":
            found[int(folder.name)] = int(fields[1]), command
    return found


class Drill:
    """A run in a program of its own, and everything to trouble and to check it with."""

    def __init__(self, folder: Path, results: Path | None = None) -> None:
        self.results = results or folder / "results"
        self.control = folder / "control"
        self.log = folder / "log.txt"
        self.control.mkdir()
        self.process: subprocess.Popen[bytes] | None = None
        self.chance = random.Random(5)

    # -- starting and stopping -------------------------------------------------------------------------

    def start(self, *arguments: str) -> None:
        self.forget("step", "outcome.json")
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, str(HERE / "chaos_driver.py"), self.results, self.control, *arguments],
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        self.session = self.process.pid
        wait_for(lambda: self.step > 0, self.process, "the first step")
        first = self.step
        wait_for(lambda: self.step > first + 300, self.process, "the first update")

    def forget(self, *names: str) -> None:
        for name in names:
            (self.control / name).unlink(missing_ok=True)

    def end(self, number: signal.Signals | None, *, group: bool = False) -> dict[str, Any]:
        """Tell the run to stop, or wait for it, and check everything that it leaves."""
        assert self.process is not None
        if number is not None:
            (os.killpg if group else os.kill)(self.process.pid, number)
        code = self.process.wait(PATIENCE)
        assert code == (-signal.SIGKILL if number is signal.SIGKILL else 0), self.tail()
        assert "Traceback" not in self.log.read_text(), self.tail()
        wait_for(lambda: not processes_of(self.session), None, "the end of all processes")
        wait_for(lambda: not self.segments(), None, "the end of shared memory")
        self.check_files()
        if number is signal.SIGKILL:
            return {}
        outcome: dict[str, Any] = json.loads((self.control / "outcome.json").read_text())
        assert outcome["step"] - outcome["first"] == outcome["counted"], "every decision counts once"
        assert outcome["step"] == self.saved_step()
        assert outcome["learned"] > 0
        return outcome

    def close(self) -> None:
        if self.process is not None and self.process.poll() is None:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()

    # -- trouble ---------------------------------------------------------------------------------------

    def workers(self) -> list[int]:
        assert self.process is not None
        return [
            pid
            for pid, (parent, command) in processes_of(self.session).items()
            if parent == self.process.pid and "spawn_main" in command
        ]

    def survives(self, trouble: Callable[[], None], what: str) -> None:
        """Make trouble, wait until an environment was started again, and for the run to go on."""
        before = self.restarts()
        trouble()
        wait_for(lambda: self.restarts() > before, self.process, f"a restart after {what}")
        step = self.step
        wait_for(lambda: self.step > step + 20, self.process, f"steps after {what}")

    def signal_a_worker(self, number: signal.Signals) -> None:
        os.kill(self.chance.choice(self.workers()), number)

    def order(self, order: str) -> None:
        (self.control / f"{order}-{self.chance.randrange(2)}").touch()

    # -- what there is ---------------------------------------------------------------------------------

    @property
    def step(self) -> int:
        try:
            return int((self.control / "step").read_text() or 0)
        except FileNotFoundError:
            return 0

    def restarts(self) -> int:
        return self.log.read_text().count("It is started again")

    def tail(self) -> str:
        return self.log.read_text()[-3000:]

    def segments(self) -> list[str]:
        path = self.control / "segments"
        names = path.read_text().split() if path.exists() else []
        assert names
        return [name for name in names if Path("/dev/shm", name).exists()]

    def saved_step(self) -> int:
        state = load_checkpoint(self.results / "r" / "Telling" / "checkpoint.pt").state
        return int(state["global_step"]["_GlobalSteps__global_step"])

    def check_files(self) -> None:
        """The latest state can be read, and so can all checkpoints that are said to be there."""
        root = self.results / "r"
        load_checkpoint(root / "Telling" / "checkpoint.pt")
        load_checkpoint(root / "run_logs" / "run_state.pt")
        status = json.loads((root / "run_logs" / "training_status.json").read_text())["Telling"]
        listed = {int(record["steps"]) for record in status["checkpoints"]}
        kept = {int(path.stem.split("-")[1]) for path in (root / "Telling").glob("Telling-*.pt")}
        # one that was killed may have made room for a newer checkpoint and not have said so yet
        missing, unlisted = listed - kept, kept - listed
        assert len(missing) <= len(unlisted), "no checkpoint is lost"
        assert all(old < min(kept) for old in missing), "only the oldest make room"
        for step in kept:
            load_checkpoint(root / "Telling" / f"Telling-{step}.pt")


@pytest.fixture
def drill(tmp_path: Path) -> Iterator[Drill]:
    made = Drill(tmp_path)
    yield made
    made.close()


def go_through(drill: Drill, kills: int, pause: float, hangs: tuple[str, ...]) -> None:
    """The whole drill."""
    drill.start()
    for number in range(kills):
        drill.survives(lambda: drill.signal_a_worker(signal.SIGKILL), f"kill {number + 1}")
        time.sleep(drill.chance.uniform(0.0, pause))
    drill.survives(lambda: drill.signal_a_worker(signal.SIGSTOP), "a stop")
    first = drill.end(signal.SIGTERM)
    assert first["restarts"] == kills + 1

    drill.start("--resume", "--threaded")
    for order in ("junk", "nonsense", "huge", "number", "exit"):
        drill.survives(lambda order=order: drill.order(order), order)
    for order in hangs:
        drill.survives(lambda order=order: drill.order(order), order)
    for number in range(kills):
        drill.survives(lambda: drill.signal_a_worker(signal.SIGKILL), f"kill {number + 1}")
        time.sleep(drill.chance.uniform(0.0, pause))
    second = drill.end(signal.SIGINT, group=True)  # as Ctrl+C does
    assert second["first"] == first["step"]

    drill.start("--resume")
    drill.end(signal.SIGKILL)  # of the run itself, which loses what came after the last saving
    saved = drill.saved_step()
    assert saved >= second["step"]

    drill.start("--resume", "--threaded")
    drill.signal_a_worker(signal.SIGKILL)
    third = drill.end(
        signal.SIGTERM, group=True
    )  # as the end of a container does, in the middle of a restart
    assert third["first"] == saved

    drill.start("--resume", f"--max-steps={third['step'] + 1000}")
    last = drill.end(None)
    assert last["first"] == third["step"]
    assert last["step"] >= third["step"] + 1000
    assert (drill.results / "r" / "Telling.onnx").is_file()


@pytest.mark.slow
def test_the_drill(drill: Drill) -> None:
    go_through(drill, kills=3, pause=0.2, hangs=("half",))


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A folder on a disk of its own, 2 MB."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", str(folder)]
    done = subprocess.run(mount, capture_output=True, text=True, check=False)
    if done.returncode:
        pytest.skip(f"no small disk can be mounted here: {done.stderr.strip()}")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


@pytest.mark.slow
@pytest.mark.parametrize("mode", ["--threaded", "--resume"])
def test_a_full_disk_ends_nothing_and_loses_nothing(tmp_path: Path, small_disk: Path, mode: str) -> None:
    drill = Drill(tmp_path, small_disk)
    complaint = "A checkpoint could not be written"
    try:
        if mode == "--resume":
            drill.start()
            drill.end(signal.SIGTERM)
        drill.start(mode)
        wait_for(lambda: len(list(small_disk.glob("r/Telling/*-*.pt"))) >= 2, drill.process, "checkpoints")
        ballast = small_disk / "ballast"
        with ballast.open("wb", buffering=0) as file, suppress(OSError):  # until the disk is full
            while True:
                file.write(b"\0" * 1024)
        wait_for(lambda: complaint in drill.log.read_text(), drill.process, "a complaint")
        drill.check_files()
        saved = drill.saved_step()
        ballast.unlink()
        wait_for(lambda: drill.saved_step() > saved, drill.process, "the next checkpoint")
        drill.end(signal.SIGTERM)
    finally:
        drill.close()
