"""A run that is killed without warning can be resumed, whatever it was doing."""

from __future__ import annotations

import json
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from mlagents.run.checkpoint_file import load_checkpoint

CONFIG = """
behaviors:
  3DBall:
    trainer_type: ppo
    hyperparameters: {batch_size: 64, buffer_size: 1200}
    network_settings: {normalize: true, hidden_units: 32}
    max_steps: 100000000
    summary_freq: 12000
    checkpoint_interval: 1500   # writes all the time, so that kills hit it writing
    keep_checkpoints: 3
"""


def start(folder: Path, *extra: str) -> subprocess.Popen[bytes]:
    arguments = ["config.yaml", "--env=3DBall", "--run-id=k", "--seed=1", *extra]
    log = (folder / "log.txt").open("ab")
    return subprocess.Popen(
        [sys.executable, "-m", "mlagents.cli.learn", *arguments], cwd=folder, stdout=log, stderr=log
    )


def wait_for_step(folder: Path, process: subprocess.Popen[bytes], beyond: int, seconds: float = 60.0) -> None:
    """Wait until a checkpoint beyond a step is there."""
    deadline = time.monotonic() + seconds
    while saved_step(folder) <= beyond:
        assert process.poll() is None, (folder / "log.txt").read_text()[-2000:]
        assert time.monotonic() < deadline, "no checkpoint came"
        time.sleep(0.01)


def saved_step(folder: Path) -> int:
    path = folder / "results" / "k" / "3DBall" / "checkpoint.pt"
    if not path.is_file():
        return -1
    return int(load_checkpoint(path).state["global_step"]["_GlobalSteps__global_step"])


@pytest.mark.slow
def test_twenty_kills_at_random_moments(tmp_path: Path) -> None:
    (tmp_path / "config.yaml").write_text(CONFIG)
    chance = random.Random(3)
    steps: list[int] = []
    for attempt in range(20):
        process = start(tmp_path, *(["--resume"] if attempt else []))
        try:
            # from the moment of the first saving on, which is when there is something to lose
            wait_for_step(tmp_path, process, steps[-1] if steps else -1)
            time.sleep(chance.uniform(0.0, 0.4))
        finally:
            process.send_signal(signal.SIGKILL)
            process.wait()
        steps.append(saved_step(tmp_path))
        status = json.loads((tmp_path / "results/k/run_logs/training_status.json").read_text())
        assert status["metadata"]["stats_format_version"] == "0.3.0"
    assert steps == sorted(steps)
    assert len(set(steps)) == len(steps), "every resumed run went further than the one before"

    process = start(tmp_path, "--resume")
    wait_for_step(tmp_path, process, steps[-1])
    process.send_signal(signal.SIGINT)
    assert process.wait(timeout=60) == 0
    assert (tmp_path / "results/k/3DBall.onnx").is_file()
    assert not list((tmp_path / "results/k").rglob("core*"))


def test_interrupt_saves_everything_and_exits_with_zero(tmp_path: Path) -> None:
    (tmp_path / "config.yaml").write_text(CONFIG)
    process = start(tmp_path)
    wait_for_step(tmp_path, process, 5000)
    process.send_signal(signal.SIGINT)
    assert process.wait(timeout=60) == 0, (tmp_path / "log.txt").read_text()
    folder = tmp_path / "results/k"
    for name in (
        "3DBall.onnx",
        "configuration.yaml",
        "3DBall/checkpoint.pt",
        "run_logs/timers.json",
        "run_logs/training_status.json",
    ):
        assert (folder / name).is_file(), name
    status = json.loads((folder / "run_logs/training_status.json").read_text())["3DBall"]
    assert len(status["checkpoints"]) == 3
    assert status["final_checkpoint"]["steps"] == saved_step(tmp_path)
    kept = {int(path.stem.split("-")[1]) for path in (folder / "3DBall").glob("3DBall-*.pt")}
    assert kept == {record["steps"] for record in status["checkpoints"]}
    log = (tmp_path / "log.txt").read_text()
    assert "Stopped" in log
    assert "Traceback" not in log
