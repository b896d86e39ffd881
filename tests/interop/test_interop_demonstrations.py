"""The original's loader reads demonstrations that we recorded."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

import numpy as np

from mlagents_envs.base_env import (
    ActionSpec,
    BehaviorSpec,
    DimensionProperty,
    ObservationSpec,
    ObservationType,
)
from mlagents_envs.demonstrations import DemonstrationWriter, demonstration_record, read_demonstration
from mlagents_sdk.cli.envs import main

HERE = Path(__file__).resolve().parent


def read_by_the_original(peer_python: Path, demo: Path, out: Path) -> dict[str, Any]:
    subprocess.run([peer_python, HERE / "peer_reads_demo.py", demo, out], check=True, timeout=120)
    return dict(np.load(out))


def test_it_reads_images_and_hybrid_actions(peer_python: Path, tmp_path: Path) -> None:
    moves = DimensionProperty.TRANSLATIONAL_EQUIVARIANCE
    specs = [
        ObservationSpec(
            (channels, 6, 8),
            (DimensionProperty.NONE, moves, moves),
            ObservationType.DEFAULT,
            f"image{channels}",
        )
        for channels in (1, 3, 5)
    ]
    specs.append(ObservationSpec((4,), (DimensionProperty.NONE,), ObservationType.GOAL_SIGNAL, "goal"))
    spec = BehaviorSpec(specs, ActionSpec(2, (3, 2)))
    rng = np.random.default_rng(0)
    path = tmp_path / "made.demo"
    with DemonstrationWriter(path, "Test?team=0", spec.action_spec) as writer:
        for step in range(9):
            observations = [
                (rng.integers(0, 256, observation.shape) / np.float32(255)).astype(np.float32)
                for observation in specs
            ]
            writer.write(
                demonstration_record(
                    spec,
                    observations,
                    reward=0.5 * step,
                    done=step % 4 == 3,
                    actions=(rng.uniform(-1, 1, 2).tolist(), [step % 3, step % 2]),
                )
            )
    ours = read_demonstration(path)
    theirs = read_by_the_original(peer_python, path, tmp_path / "seen.npz")
    assert theirs["expected"] == theirs["records"] == 9
    assert theirs["continuous_size"] == 2
    assert theirs["branches"].tolist() == [3, 2]
    assert str(theirs["shapes"]) == str([observation.shape for observation in specs])
    np.testing.assert_array_equal(theirs["reward"], ours.reward)
    np.testing.assert_array_equal(theirs["done"], ours.done)
    np.testing.assert_array_equal(theirs["continuous"].astype(np.float32), ours.continuous_actions)
    np.testing.assert_array_equal(theirs["discrete"], ours.discrete_actions)
    for index in range(4):
        np.testing.assert_allclose(theirs[f"obs_{index}"], ours.obs[index], atol=1e-6)


def test_it_learns_from_what_the_command_records(peer_python: Path, tmp_path: Path) -> None:
    path = tmp_path / "3DBall.demo"
    assert main(["record", "3DBall", "--episodes", "1", "--num-areas", "2", "--out", str(path)]) == 0
    ours = read_demonstration(path)
    theirs = read_by_the_original(peer_python, path, tmp_path / "seen.npz")
    assert theirs["records"] == len(ours) > 100
    np.testing.assert_array_equal(theirs["obs_0"], ours.obs[0])
    # Its experience pairs observation i with action i, as they were recorded.
    np.testing.assert_array_equal(theirs["buffer_obs_0"], ours.obs[0][:-1])
    np.testing.assert_array_equal(theirs["buffer_continuous"], ours.continuous_actions[:-1])
    np.testing.assert_array_equal(theirs["buffer_done"].astype(bool), ours.done[1:])
