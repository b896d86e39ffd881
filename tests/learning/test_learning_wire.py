"""3DBall as a game in a process of its own learns as it does inside the trainer's."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

CONFIG = Path(__file__).resolve().parents[2] / "config" / "ppo" / "3DBall.yaml"
TARGET = 95.0
STEPS = 300_000
EPISODES = 100


@pytest.mark.learning
def test_mean_training_return_of_95_over_the_wire(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    build = [sys.executable, "-m", "mlagents_sdk.cli.envs", "build", "3DBall", "builds/3DBall.x86_64"]
    subprocess.run(build, cwd=tmp_path, check=True, capture_output=True)
    learn = [sys.executable, "-m", "mlagents.cli.learn", str(CONFIG), "--env=builds/3DBall.x86_64"]
    options = ["--run-id=wire", "--num-envs=1", "--base-port=6505", "--seed=1", "--torch-device=cpu"]
    done = subprocess.run(
        [*learn, *options], cwd=tmp_path, check=False, capture_output=True, text=True, timeout=900
    )
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]

    line = r"Step: (\d+)\. Time Elapsed: ([\d.]+) s\. Mean Reward: ([-\d.]+)\."
    curve = [(int(step), float(time), float(mean)) for step, time, mean in re.findall(line, done.stdout)]
    reached = next(((step, time) for step, time, mean in curve if mean >= TARGET), None)
    with capsys.disabled():
        print(f"\n95 reached at (step, seconds) {reached}; {curve[-1]} in the end")
    assert reached is not None, curve
    assert reached[0] <= STEPS

    model = tmp_path / "results" / "wire" / "3DBall.onnx"
    evaluate = [sys.executable, "-m", "mlagents.cli.evaluate", str(model), "--env=builds/3DBall.x86_64"]
    done = subprocess.run(
        [*evaluate, f"--episodes={EPISODES}", "--deterministic", "--json"],
        cwd=tmp_path,
        check=False,
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    evaluation = json.loads(done.stdout.splitlines()[-1])
    assert evaluation["mean_return"] >= TARGET
