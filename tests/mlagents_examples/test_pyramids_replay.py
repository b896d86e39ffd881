"""Our Pyramids against a recording of the original."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from replay_pyramid_stacks import compare_stacks
from replay_pyramids import (
    OFF,
    WALL,
    Pose,
    Recording,
    Stage,
    Track,
    Walls,
    compare_rays,
    find_poses,
    find_switch,
    play_rows,
    read_recording,
    run_into_switch,
)

Replay = tuple[Recording, Stage, Track, dict[int, Pose]]


@pytest.fixture(scope="module")
def replay(shared_data: Path) -> Replay:
    recording, stage = read_recording(shared_data / "demos" / "ExpertPyramid.demo"), Stage()
    track = play_rows(recording, stage)
    return recording, stage, track, find_poses(recording, track, Walls())


def test_undisturbed_velocities_are_predicted_to_four_digits(replay: Replay) -> None:
    errors = replay[2].errors
    errors = errors[np.isfinite(errors)]
    assert len(errors) == 1729
    assert (errors < 1e-4).mean() > 0.82  # the others touched something
    assert np.median(errors) < 1e-5


def test_rays_at_three_heights_meet_the_same_walls(replay: Replay) -> None:
    recording, stage, _, poses = replay
    assert len(poses) > 1100
    rays = compare_rays(recording, stage, poses, WALL)
    assert len(rays.same) > 10_000
    assert rays.same.mean() > 0.999
    # The sizes of the walls are known to two digits.
    assert np.median(rays.error) < 0.005
    assert np.percentile(rays.error, 90) < 0.012


def test_rays_at_three_heights_meet_the_same_switch(replay: Replay) -> None:
    recording, stage, _, poses = replay
    found = 0
    for start, end in pairwise(recording.starts):
        touched = start + int(recording.switch[start:end].argmax())
        place = find_switch(recording, poses, start, touched)
        if place is None:
            continue
        found += 1
        stage.put_switch(place)
        before = {row: pose for row, pose in poses.items() if start <= row < touched}
        rays = compare_rays(recording, stage, before, OFF)
        stage.put_switch(None)
        assert len(rays.same) > 30
        assert rays.same.all()
        assert rays.error.max() < 1e-4
    assert found >= 8


def test_agents_run_through_the_switch_as_recorded(replay: Replay) -> None:
    recording, stage, _, poses = replay
    shares = []
    for start, end in pairwise(recording.starts):
        run = run_into_switch(recording, stage, poses, start, end, 2)
        if run is not None:
            recorded, played = run
            shares.append(np.abs(played - recorded).max() / np.abs(recorded).max())
    assert len(shares) >= 8
    assert np.median(shares) < 0.01
    assert sorted(shares)[-2] < 0.05  # once it hits an edge and gets stuck


def test_stone_pyramids_lie_as_recorded_after_their_fall(replay: Replay) -> None:
    recording, stage, _, poses = replay
    stacks = compare_stacks(recording, stage, poses, 8)
    assert sum(len(stack.rays.same) for stack in stacks) > 100
    for stack in stacks:
        assert max(map(abs, stack.origin)) < 11.91
        assert stack.rays.same.all()
        assert np.median(stack.rays.error) < 0.01
