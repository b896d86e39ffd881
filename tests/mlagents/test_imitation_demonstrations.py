"""Demonstrations as columns: which action belongs to which observation, what is refused, and how."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from imitation_helpers import CPU, image_spec, record, spec_of, write_recording
from numpy.testing import assert_array_equal

from mlagents.experience.image_column import ImageColumn
from mlagents.imitation.alignment import DemonstrationAlignment
from mlagents.imitation.demonstration_buffer import DemonstrationBuffer, load_demonstrations
from mlagents.settings import TrainerError
from mlagents_envs.base_env import ActionSpec, BehaviorSpec
from mlagents_envs.demonstrations import DemonstrationError, demonstration_record, read_demonstration
from mlagents_envs.exception import UnityException

MOVE = spec_of(1, actions=ActionSpec.create_discrete((9,)))


def act(number: int) -> tuple[list[float], list[int]]:
    return [], [number]


def load(path: Path, spec: BehaviorSpec = MOVE, **other: DemonstrationAlignment) -> DemonstrationBuffer:
    return load_demonstrations(path, "Ball", spec, **other)


def pairs(buffer: DemonstrationBuffer) -> list[tuple[float, int]]:
    return list(
        zip(buffer.observations[0][:, 0].tolist(), buffer.discrete_actions[:, 0].tolist(), strict=True)
    )


def lagged_records() -> list:
    """Two episodes: at 1, 2 the actions 5, 6 were chosen; at 4, 5 the actions 7, 8. 3, 6 are last looks."""
    return [
        record(MOVE, 1, actions=act(0), agent_id=1),
        record(MOVE, 2, actions=act(5), agent_id=1),
        record(MOVE, 3, actions=act(6), agent_id=1, done=True),
        record(MOVE, 4, actions=act(0), agent_id=2),
        record(MOVE, 5, actions=act(7), agent_id=2),
        record(MOVE, 6, actions=act(8), agent_id=2, done=True, interrupted=True),
        record(MOVE, 7, actions=act(0), agent_id=3),
    ]


def test_lagged_actions_move_to_the_observation_they_were_chosen_on(tmp_path: Path) -> None:
    buffer = load(write_recording(tmp_path / "a.demo", MOVE, lagged_records()))
    assert pairs(buffer) == [(1, 5), (2, 6), (4, 7), (5, 8)]
    assert buffer.done.tolist() == [False, True, False, False]  # the second episode was cut by a time limit
    assert buffer.starts.tolist() == [True, False, True, False]


def test_our_own_recordings_are_aligned_and_their_last_looks_left_out(tmp_path: Path) -> None:
    records = [
        record(MOVE, 1, actions=act(5)),
        record(MOVE, 2, actions=act(6)),
        record(MOVE, 3, done=True),
        record(MOVE, 4, actions=act(7)),
        record(MOVE, 5, done=True),
    ]
    buffer = load(write_recording(tmp_path / "a.demo", MOVE, records, ours=True))
    assert pairs(buffer) == [(1, 5), (2, 6), (4, 7)]
    assert buffer.done.tolist() == [False, True, True]
    assert buffer.starts.tolist() == [True, False, True]


def test_early_recordings_show_the_next_episode_where_one_ends(tmp_path: Path) -> None:
    records = [
        record(MOVE, 1, actions=act(5)),
        record(MOVE, 2, actions=act(6)),
        record(MOVE, 4, actions=act(7), done=True),
        record(MOVE, 5, actions=act(8)),
        record(MOVE, 6),
    ]
    buffer = load(write_recording(tmp_path / "a.demo", MOVE, records))
    assert pairs(buffer) == [(1, 5), (2, 6), (4, 7), (5, 8)]
    assert buffer.done.tolist() == [False, True, False, False]
    assert buffer.starts.tolist() == [True, False, True, False]


def test_the_setting_decides_where_it_is_not_auto(tmp_path: Path) -> None:
    path = write_recording(tmp_path / "a.demo", MOVE, lagged_records())
    aligned = load(path, alignment=DemonstrationAlignment.ALIGNED)
    assert (2, 5) in pairs(aligned)
    assert (2, 6) in pairs(load(path, alignment=DemonstrationAlignment.LAGGED))


def test_files_of_a_folder_are_joined_without_a_transition_between_them(tmp_path: Path) -> None:
    for name, first in (("b", 10), ("a", 0)):
        records = [record(MOVE, first + k, actions=act(k + 1)) for k in range(3)]
        records.append(record(MOVE, first + 3, done=first == 0))
        write_recording(tmp_path / f"{name}.demo", MOVE, records, ours=True)
    buffer = load(tmp_path)
    assert pairs(buffer) == [(0, 1), (1, 2), (2, 3), (10, 1), (11, 2), (12, 3)]
    assert buffer.starts.tolist() == [True, False, False, True, False, False]
    assert_array_equal(buffer.sequences(2), [[0, 1], [2, -1], [3, 4], [5, -1]])
    assert_array_equal(buffer.sequences(1)[:, 0], np.arange(6))
    assert_array_equal(buffer.sequences(4), [[0, 1, 2, -1], [3, 4, 5, -1]])


def test_actions_are_in_environment_units_and_within_what_a_policy_can_do(tmp_path: Path) -> None:
    spec = spec_of(1, actions=ActionSpec.create_continuous(2))
    records = [record(spec, 1, actions=([0.25, -4.0], [])), record(spec, 2, done=True)]
    buffer = load(write_recording(tmp_path / "a.demo", spec, records, ours=True), spec)
    assert buffer.continuous_actions.tolist() == [[0.25, -1.0]]
    batch = buffer.transitions(np.array([0]), CPU)
    assert torch.equal(batch.continuous_actions, torch.tensor([[0.25, -1.0]]))
    assert batch.next_observations == ()


def test_masks_are_those_of_the_observation_and_what_the_expert_did_was_allowed(tmp_path: Path) -> None:
    spec = spec_of(1, actions=ActionSpec.create_discrete((3, 2)))
    forbidden = [True, True, False, False, True]
    records = [
        record(spec, 1, actions=([], [1, 0]), mask=forbidden),
        record(spec, 2, actions=([], [2, 1])),
        record(spec, 3, done=True),
    ]
    buffer = load(write_recording(tmp_path / "a.demo", spec, records, ours=True), spec)
    assert buffer.allowed_actions.tolist() == [[False, True, True, True, False], [True] * 5]


def test_images_are_kept_as_bytes_without_loss(tmp_path: Path) -> None:
    spec = BehaviorSpec([image_spec(6, 5)], ActionSpec.create_discrete((9,)))
    image = np.random.default_rng(0).integers(0, 256, (3, 6, 5)).astype(np.float32) / np.float32(255)
    records = [demonstration_record(spec, [image], actions=act(1)), record(spec, 0, done=True)]
    buffer = load(write_recording(tmp_path / "a.demo", spec, records, ours=True), spec)
    assert isinstance(buffer.observations[0], ImageColumn)
    assert buffer.observations[0].data.dtype == np.uint8
    assert_array_equal(buffer.transitions(np.array([0]), CPU).observations[0][0], image)


# Specs


def renamed(spec: BehaviorSpec, *names: str) -> BehaviorSpec:
    specs = [each._replace(name=name) for each, name in zip(spec.observation_specs, names, strict=True)]
    return BehaviorSpec(specs, spec.action_spec)


def two_records(spec: BehaviorSpec) -> list:
    first, second = (np.full(each.shape, k, np.float32) for k, each in enumerate(spec.observation_specs))
    continuous, discrete = spec.action_spec.continuous_size, spec.action_spec.discrete_size
    actions = [0.0] * continuous, [0] * discrete
    return [demonstration_record(spec, [first, second], actions=actions), record(spec, 9, done=True)]


def test_observations_are_found_by_their_names(tmp_path: Path) -> None:
    recorded = renamed(spec_of(2, 2), "legs", "arms")
    path = write_recording(tmp_path / "a.demo", recorded, two_records(recorded), ours=True)
    buffer = load(path, renamed(spec_of(2, 2), "arms", "legs"))
    assert [column[0].tolist() for column in buffer.observations] == [[1, 1], [0, 0]]


@pytest.mark.parametrize("names", [("", ""), ("ray", "ray"), ("head", "tail")])
def test_observations_without_telling_names_are_taken_in_order(
    tmp_path: Path, names: tuple[str, str]
) -> None:
    recorded = renamed(spec_of(2, 2), *names)
    path = write_recording(tmp_path / "a.demo", recorded, two_records(recorded), ours=True)
    buffer = load(path, renamed(spec_of(2, 2), "arms", "legs"))
    assert [column[0].tolist() for column in buffer.observations] == [[0, 0], [1, 1]]


def test_empty_observations_of_early_recorders_are_passed_over(tmp_path: Path) -> None:
    recorded = spec_of(0, 3)
    path = write_recording(tmp_path / "a.demo", recorded, two_records(recorded), ours=True)
    assert load(path, spec_of(3)).observations[0].tolist() == [[1, 1, 1]]


def test_other_actions_are_refused_with_both_sides(tmp_path: Path) -> None:
    path = write_recording(tmp_path / "a.demo", MOVE, lagged_records())
    with pytest.raises(TrainerError) as caught:
        load(path, spec_of(1, actions=ActionSpec.create_discrete((9, 2))))
    message = str(caught.value)
    assert "a.demo does not fit the behavior Ball" in message
    assert "(Continuous: 0, Discrete: (9,))" in message
    assert "(Continuous: 0, Discrete: (9, 2))" in message
    assert len(message.splitlines()) == 1


@pytest.mark.parametrize(
    ("recorded", "wanted", "texts"),
    [
        ((2, 3), (3, 2), ("a (2), b (3), but", "has a (3), b (2)")),
        ((2, 3), (2,), ("a (2), b (3), but", "has a (2)")),
        (((3, 4, 4), 3), ((3, 4, 5), 3), ("a (3x4x4), b (3), but", "has a (3x4x5), b (3)")),
    ],
)
def test_other_observations_are_refused_with_both_sides(
    tmp_path: Path, recorded: tuple, wanted: tuple, texts: tuple[str, str]
) -> None:
    spec = spec_of(*recorded)
    path = write_recording(tmp_path / "a.demo", spec, two_records(spec), ours=True)
    with pytest.raises(TrainerError) as caught:
        load(path, spec_of(*wanted))
    assert all(text in str(caught.value) for text in texts)
    assert len(str(caught.value).splitlines()) == 1


# Files that are none


def good_file(folder: Path) -> bytes:
    return write_recording(folder / "good.demo", MOVE, lagged_records()).read_bytes()


@pytest.mark.parametrize("problem", ["missing", "empty folder", "empty", "truncated", "not a demonstration"])
def test_broken_files_are_one_line_that_names_file_and_behavior(tmp_path: Path, problem: str) -> None:
    path = tmp_path / "broken.demo"
    data = good_file(tmp_path)
    match problem:
        case "empty folder":
            path.mkdir()
        case "empty":
            path.write_bytes(b"")
        case "truncated":
            path.write_bytes(data[: len(data) - 20])
        case "not a demonstration":
            path.write_bytes(b"\x89PNG\r\n\x1a\n" * 30)
    with pytest.raises(DemonstrationError) as caught:
        load(path)
    message = str(caught.value)
    assert "broken.demo" in message
    assert "behavior Ball" in message
    assert len(message.splitlines()) == 1


def test_a_file_without_any_decision_is_refused(tmp_path: Path) -> None:
    path = write_recording(tmp_path / "a.demo", MOVE, [record(MOVE, 1, actions=act(1))], ours=True)
    with pytest.raises((TrainerError, UnityException), match="holds no complete decision"):
        load(path)


# Recordings of others


@pytest.mark.parametrize(
    ("name", "decisions", "ends", "image"),
    [
        ("Expert3DBall", 548, 0, False),
        ("ExpertBasic", 72, 10, False),
        ("ExpertGrid", 39, 13, True),
        ("ExpertPush", 2462, 95, False),
        ("ExpertPyramid", 1741, 9, False),
        ("Recent3DBall", 2122, 0, False),
        ("VisualPng", 37, 0, True),
    ],
)
def test_recordings_of_others(shared_data: Path, name: str, decisions: int, ends: int, image: bool) -> None:
    path = shared_data / "demos" / f"{name}.demo"
    buffer = load(path, read_demonstration(path).behavior_spec)
    assert len(buffer) == decisions
    assert int(buffer.done.sum()) == ends
    assert isinstance(buffer.observations[0], ImageColumn) is image


def test_lagged_recording_of_3dball_gives_the_actions_that_turn_the_platform(shared_data: Path) -> None:
    path = shared_data / "demos" / "Recent3DBall.demo"
    buffer = load(path, read_demonstration(path).behavior_spec)
    inside = ~buffer.starts[1:]
    turned = np.diff(buffer.observations[0][:, 0])[inside]
    assert np.corrcoef(turned, buffer.continuous_actions[:-1, 0][inside])[0, 1] ** 2 > 0.9


def test_masked_actions_of_gridworld_were_never_chosen(shared_data: Path) -> None:
    path = shared_data / "demos" / "ExpertGrid.demo"
    demo = read_demonstration(path)
    buffer = load(path, demo.behavior_spec)
    assert not buffer.allowed_actions.all()
    assert int((~buffer.allowed_actions).sum()) <= int(sum(mask.sum() for mask in demo.action_mask or []))
    rows = np.arange(len(buffer))
    assert buffer.allowed_actions[rows, buffer.discrete_actions[:, 0]].all()
