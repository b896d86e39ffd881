from __future__ import annotations

import struct
from pathlib import Path

import numpy as np
import pytest
from demo_files import demo_bytes, framed, pair
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mlagents_envs.base_env import ActionSpec
from mlagents_envs.communicator_objects.agent_info_action_pair_pb2 import AgentInfoActionPairProto
from mlagents_envs.communicator_objects.brain_parameters_pb2 import BrainParametersProto
from mlagents_envs.demonstrations import (
    DemonstrationError,
    episode_returns,
    find_demonstrations,
    read_demonstration,
)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "made.demo"


def test_records_become_rows(path: Path) -> None:
    path.write_bytes(demo_bytes([pair(0), pair(1), pair(2, done=True), pair(3, done=True)]))
    demo = read_demonstration(path)
    assert len(demo) == 4
    assert demo.path == path
    assert demo.behavior_name == "Ball?team=0"
    assert demo.behavior_spec.action_spec == ActionSpec(2, ())
    assert demo.metadata.number_episodes == 2
    assert demo.metadata.mean_reward == 1.5
    (vector,) = demo.obs
    assert vector.dtype == np.float32
    np.testing.assert_array_equal(vector, [[0, 0], [1, -1], [2, -2], [3, -3]])
    np.testing.assert_array_equal(demo.reward, [0, 0.5, 1, 1.5])
    np.testing.assert_array_equal(demo.done, [False, False, True, True])
    np.testing.assert_array_equal(demo.interrupted, [False, False, True, False])
    np.testing.assert_array_equal(demo.agent_id, [7] * 4)
    np.testing.assert_array_equal(demo.continuous_actions, [[0.25, 0], [0.25, 1], [0.25, 2], [0.25, 3]])
    assert demo.discrete_actions.shape == (4, 0)
    assert demo.discrete_actions.dtype == np.int32
    assert demo.has_action.all()
    assert demo.action_mask is None


def hybrid_pair(mask: list[bool]) -> AgentInfoActionPairProto:
    record = pair(1, action=[0.5])
    record.action_info.discrete_actions.extend([2, 0])
    record.agent_info.action_mask.extend(mask)
    return record


HYBRID = BrainParametersProto(
    action_spec={"num_continuous_actions": 1, "num_discrete_actions": 2, "discrete_branch_sizes": [3, 2]}
)


def test_hybrid_actions_and_masks(path: Path) -> None:
    masks = [[True, False, False, False, True], [], [False, False]]  # the last has a wrong length
    path.write_bytes(demo_bytes([hybrid_pair(mask) for mask in masks], HYBRID))
    demo = read_demonstration(path)
    np.testing.assert_array_equal(demo.continuous_actions, [[0.5]] * 3)
    np.testing.assert_array_equal(demo.discrete_actions, [[2, 0]] * 3)
    assert demo.action_mask is not None
    first, second = demo.action_mask
    np.testing.assert_array_equal(first, [[True, False, False], [False] * 3, [False] * 3])
    np.testing.assert_array_equal(second, [[False, True], [False] * 2, [False] * 2])


def test_actions_of_early_recorders(path: Path) -> None:
    behavior = BrainParametersProto(vector_action_size_deprecated=[3, 2])  # discrete
    records = [pair(0, action=[]), pair(1, action=[])]
    records[0].action_info.vector_actions_deprecated.extend([2.0, 1.0])
    path.write_bytes(demo_bytes(records, behavior))
    demo = read_demonstration(path)
    np.testing.assert_array_equal(demo.discrete_actions, [[2, 1], [0, 0]])
    np.testing.assert_array_equal(demo.has_action, [True, False])


def test_an_unclosed_file_is_read_to_its_end(path: Path) -> None:
    path.write_bytes(demo_bytes([pair(0), pair(1)], number_steps=0, closed=False))
    demo = read_demonstration(path)
    assert len(demo) == 2
    assert not demo.is_closed


def test_an_unclosed_file_loses_only_its_incomplete_last_record(
    path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path.write_bytes(demo_bytes([pair(0), pair(1), pair(2)], number_steps=0, closed=False)[:-3])
    assert read_demonstration(path).obs[0][:, 0].tolist() == [0, 1]
    assert "its 2 whole records are used" in capsys.readouterr().out


def test_returns_reach_from_one_end_to_the_next(path: Path) -> None:
    records = [pair(step, done=step in (2, 3)) for step in range(5)]
    records[1].agent_info.group_reward = 0.25
    path.write_bytes(demo_bytes(records))
    demo = read_demonstration(path)
    assert demo.is_closed
    np.testing.assert_allclose(episode_returns(demo), [0 + 0.5 + 0.25 + 1.0, 1.5])


def test_what_follows_the_last_record_is_ignored(path: Path) -> None:
    path.write_bytes(demo_bytes([pair(0), pair(1)]) + b"more")
    assert len(read_demonstration(path)) == 2


def wrong_observations(step: int) -> AgentInfoActionPairProto:
    record = pair(step)
    record.agent_info.observations[0].shape[0] = 3
    return record


def nan_observation(step: int) -> AgentInfoActionPairProto:
    record = pair(step)
    record.agent_info.observations[0].float_data.data[1] = float("nan")
    return record


def no_observation(step: int) -> AgentInfoActionPairProto:
    record = pair(step)
    del record.agent_info.observations[:]
    return record


WHOLE = demo_bytes([pair(0), pair(1)])
FIRST_RECORD = len(demo_bytes([], closed=False))
SECOND_RECORD = len(demo_bytes([pair(0)], closed=False))
EMPTY_BEHAVIOR = 34  # a length of zero and nothing more


@pytest.mark.parametrize(
    ("data", "position", "problem"),
    [
        (b"", 0, "the file is empty"),
        (b"This is a plain text file about demonstrations.", 0, "no demonstration"),
        (b"\x89PNG\r\n\x1a\n" + bytes(100), 0, "no demonstration"),
        (b"\xff" * 100, 0, "no valid length"),
        (WHOLE[:20], 33, "truncated or no demonstration"),
        (WHOLE[:40], 33, "truncated or no demonstration"),
        (WHOLE[: SECOND_RECORD + 5], SECOND_RECORD, "record 1 of 2"),
        (WHOLE[:SECOND_RECORD], SECOND_RECORD, "record 1 of 2"),
        (demo_bytes([pair(0)], api_version=2), 0, "version 2"),
        (demo_bytes([], number_steps=0, closed=False), FIRST_RECORD, "no records"),
        (demo_bytes([pair(0)], number_steps=0, closed=False)[:-3], FIRST_RECORD, "unclosed"),
        (demo_bytes([pair(0), wrong_observations(1)]), SECOND_RECORD, r"\(3,\).*\(2,\)"),
        (demo_bytes([pair(0), nan_observation(1)]), SECOND_RECORD, "observation 0 'vector' holds NaN"),
        (demo_bytes([pair(0), no_observation(1)]), SECOND_RECORD, "0 observations instead of 1"),
        (demo_bytes([pair(0), pair(1, action=[1.0])]), SECOND_RECORD, "1 actions.*Continuous: 2"),
        (demo_bytes([pair(0), pair(1, action=[1.0, float("inf")])]), SECOND_RECORD, "not finite"),
        (demo_bytes([no_observation(0)]), FIRST_RECORD, "no observations"),
        (demo_bytes([pair(0)], BrainParametersProto()), EMPTY_BEHAVIOR, "no actions"),
    ],
    ids=range(18),
)
def test_damaged_files_are_refused_with_name_and_position(
    data: bytes, position: int, problem: str, path: Path
) -> None:
    path.write_bytes(data)
    with pytest.raises(DemonstrationError, match=problem) as caught:
        read_demonstration(path)
    message = str(caught.value)
    assert message.startswith(f"Demonstration {path}, byte ")
    found = int(message.split("byte ")[1].split(":")[0])
    assert found == position


def test_discrete_actions_outside_of_their_branch_are_refused(path: Path) -> None:
    record = hybrid_pair([])
    record.action_info.discrete_actions[1] = 2
    path.write_bytes(demo_bytes([record], HYBRID))
    with pytest.raises(DemonstrationError, match="outside of the branches"):
        read_demonstration(path)


def test_a_shape_that_is_too_large_is_refused_before_memory_is_taken(path: Path) -> None:
    record = pair(0)
    record.agent_info.observations[0].shape[:] = [2**30]
    path.write_bytes(demo_bytes([record]))
    with pytest.raises(DemonstrationError, match="needs 1073741824 numbers"):
        read_demonstration(path)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(DemonstrationError, match=r"nowhere\.demo"):
        read_demonstration(tmp_path / "nowhere.demo")
    with pytest.raises(DemonstrationError, match=f"Cannot read the demonstration {tmp_path}"):
        read_demonstration(tmp_path)


def test_directories_give_their_files_in_order(tmp_path: Path) -> None:
    with pytest.raises(DemonstrationError, match=r"has no \.demo files"):
        find_demonstrations(tmp_path)
    for name in ("b.demo", "a.demo", "c.txt"):
        (tmp_path / name).write_bytes(b"")
    assert find_demonstrations(tmp_path) == [tmp_path / "a.demo", tmp_path / "b.demo"]
    assert find_demonstrations(str(tmp_path / "c.txt")) == [tmp_path / "c.txt"]
    with pytest.raises(DemonstrationError, match="no demonstration file or directory"):
        find_demonstrations(tmp_path / "d")


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(position=st.integers(0, len(WHOLE) - 1), byte=st.integers(0, 255), cut=st.booleans())
def test_no_damage_gives_anything_but_a_demonstration_error(
    position: int, byte: int, cut: bool, path: Path
) -> None:
    data = WHOLE[:position] if cut else WHOLE[:position] + bytes([byte]) + WHOLE[position + 1 :]
    path.write_bytes(data)
    try:
        demo = read_demonstration(path)
    except DemonstrationError:
        return
    assert len(demo) >= 1


RECORDED = {
    # name: records, observation shapes, action spec, ends of episodes
    "Expert3DBall": (549, [(8,)], ActionSpec(2, ()), 0),
    "ExpertBasic": (73, [(20,)], ActionSpec(0, (3,)), 10),
    "ExpertGrid": (53, [(3, 64, 84)], ActionSpec(0, (5,)), 13),
    "ExpertPush": (2558, [(105,), (105,)], ActionSpec(0, (7,)), 95),
    "ExpertPyramid": (1751, [(56,), (56,), (56,), (4,)], ActionSpec(0, (5,)), 9),
    "Recent3DBall": (2144, [(8,)], ActionSpec(2, ()), 21),
    "VisualPng": (38, [(3, 84, 84), (0,)], ActionSpec(0, (3, 3, 3, 2)), 0),
}


@pytest.mark.parametrize("name", RECORDED)
def test_recorded_demonstrations(name: str, shared_data: Path) -> None:
    records, shapes, actions, ends = RECORDED[name]
    demo = read_demonstration(shared_data / "demos" / f"{name}.demo")
    assert len(demo) == demo.metadata.number_steps == records
    assert [column.shape for column in demo.obs] == [(records, *shape) for shape in shapes]
    assert demo.behavior_spec.action_spec == actions
    assert demo.continuous_actions.shape == (records, actions.continuous_size)
    assert demo.discrete_actions.shape == (records, actions.discrete_size)
    assert demo.done.sum() == ends
    total = demo.metadata.mean_reward * demo.metadata.number_episodes
    assert demo.reward.sum(dtype=np.float64) == pytest.approx(
        total, rel=1e-4
    )  # the recorder summed in float32


def test_recorded_images_are_upright_and_in_range(shared_data: Path) -> None:
    png = read_demonstration(shared_data / "demos" / "VisualPng.demo").obs[0]
    plain = read_demonstration(shared_data / "demos" / "ExpertGrid.demo").obs[0]
    for images in (png, plain):
        assert images.min() >= 0.0
        assert images.max() <= 1.0
        assert images.std() > 0.05
        # neighbouring pixels of a picture are alike; with the axes mixed up they would not be
        steps = [np.abs(np.diff(images, axis=axis)).mean() for axis in (2, 3)]
        assert max(steps) < 0.3 * images.std()


def test_lengths_are_read_as_varints(path: Path) -> None:
    """A record longer than 127 bytes has a length of two bytes."""
    record = pair(0)
    record.agent_info.observations[0].name = "x" * 300
    path.write_bytes(demo_bytes([record, record]))
    assert struct.unpack("2B", framed(record)[:2])[0] >= 128
    assert read_demonstration(path).behavior_spec.observation_specs[0].name == "x" * 300
