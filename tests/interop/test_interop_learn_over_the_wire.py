"""Our ``mlagents-learn`` trains a game that it starts and talks to over the wire."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import yaml

CONFIG = Path(__file__).resolve().parents[2] / "config" / "ppo" / "3DBall.yaml"


def learn(environment: str, run_id: str, folder: Path) -> list[tuple[str, ...]]:
    """Step, mean and deviation of the returns of each summary."""
    command = [sys.executable, "-m", "mlagents.cli.learn", "config.yaml", f"--env={environment}"]
    options = [f"--run-id={run_id}", "--base-port=6305", "--num-envs=1", "--seed=1", "--torch-device=cpu"]
    done = subprocess.run(
        [*command, *options], cwd=folder, capture_output=True, text=True, timeout=300, check=False
    )
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    assert (folder / "results" / run_id / "3DBall.onnx").is_file()
    line = r"Step: (\d+)\. .*Mean Reward: ([-\d.]+)\. Std of Reward: ([-\d.]+)\."
    return re.findall(line, done.stdout)


def test_it_learns_from_a_build_exactly_as_in_process(built_3dball: Path, tmp_path: Path) -> None:
    settings = yaml.safe_load(CONFIG.read_text())
    settings["behaviors"]["3DBall"].update(max_steps=20_000, summary_freq=5000)
    settings["behaviors"]["3DBall"]["hyperparameters"]["buffer_size"] = 2000
    (tmp_path / "config.yaml").write_text(yaml.safe_dump(settings))
    curve = learn(str(built_3dball), "wire", tmp_path)
    assert len(curve) == 4
    assert float(curve[-1][1]) > float(curve[0][1])
    assert curve == learn("3DBall", "inline", tmp_path)
