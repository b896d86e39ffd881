"""Recordings made in Unity, replayed in our physics."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from replay_recordings import EPISODES, push_table, replay_push, replay_pyramids

from mlagents_envs.demonstrations import read_demonstration


def test_whole_episodes_of_push_block_stay_within_centimetres(shared_data: Path) -> None:
    demo = read_demonstration(shared_data / "demos" / "ExpertPush.demo")
    errors = [replay_push(demo, episode) for episode in EPISODES]
    agrees, distance, pushed = (np.concatenate(column) for column in zip(*errors, strict=True))
    assert agrees.all()
    assert distance[~pushed].max() < 1e-3
    assert pushed.sum() > 100
    assert np.median(distance[pushed]) < 2e-4
    assert distance[pushed].max() < 2.5e-2
    assert "since it moves (108)" in push_table(errors)


def test_velocities_of_pyramids_agree_to_five_digits(shared_data: Path) -> None:
    errors = replay_pyramids(read_demonstration(shared_data / "demos" / "ExpertPyramid.demo"))
    assert len(errors) == 1732
    assert np.median(errors) < 5e-6
    assert (errors < 1e-4).mean() == pytest.approx(0.806, abs=0.01)  # the rest touched walls or stones
