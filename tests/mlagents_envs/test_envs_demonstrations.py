from __future__ import annotations

import struct
from pathlib import Path

import numpy as np
import pytest
from google.protobuf.internal.encoder import _VarintBytes  # type: ignore[attr-defined]
from google.protobuf.message import Message
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mlagents_envs.base_env import ActionSpec
from mlagents_envs.communicator_objects.agent_info_action_pair_pb2 import AgentInfoActionPairProto
from mlagents_envs.communicator_objects.brain_parameters_pb2 import BrainParametersProto
from mlagents_envs.communicator_objects.demonstration_meta_pb2 import DemonstrationMetaProto
from mlagents_envs.demonstrations import (
    DemonstrationError,
    action_alignment,
    find_demonstrations,
    read_demonstration,
)


def framed(message: Message) -> bytes:
    data = message.SerializeToString()
    return bytes(_VarintBytes(len(data))) + data


def pair(step: int, action: list[float] | None = None, done: bool = False) -> AgentInfoActionPairProto:
    record = AgentInfoActionPairProto()
    record.agent_info.observations.add(shape=[2], name="vector").float_data.data.extend([step, -step])
    record.agent_info.reward = 0.5 * step
    record.agent_info.done = done
    record.agent_info.max_step_reached = done and step % 2 == 0
    record.agent_info.id = 7
    record.action_info.continuous_actions.extend([0.25, step] if action is None else action)
    return record


def brain() -> BrainParametersProto:
    return BrainParametersProto(brain_name="Ball?team=0", action_spec={"num_continuous_actions": 2})


def demo_bytes(
    records: list[AgentInfoActionPairProto],
    behavior: BrainParametersProto | None = None,
    number_steps: int | None = None,
    api_version: int = 1,
    closed: bool = True,
) -> bytes:
    meta = DemonstrationMetaProto(
        api_version=api_version,
        demonstration_name="Made",
        number_steps=len(records) if number_steps is None else number_steps,
        number_episodes=2,
        mean_reward=1.5,
    )
    head = framed(meta).ljust(33, b"\0")
    body = head + framed(behavior or brain()) + b"".join(framed(record) for record in records)
    return body + meta.SerializeToString() if closed else body


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
    assert len(read_demonstration(path)) == 2


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
        (b"", 0, "truncated or no demonstration"),
        (b"This is a plain text file about demonstrations.", 0, "no demonstration"),
        (b"\x89PNG\r\n\x1a\n" + bytes(100), 0, "no demonstration"),
        (b"\xff" * 100, 0, "no valid length"),
        (WHOLE[:20], 33, "truncated or no demonstration"),
        (WHOLE[:40], 33, "truncated or no demonstration"),
        (WHOLE[: SECOND_RECORD + 5], SECOND_RECORD, "record 1 of 2"),
        (WHOLE[:SECOND_RECORD], SECOND_RECORD, "record 1 of 2"),
        (demo_bytes([pair(0)], api_version=2), 0, "version 2"),
        (demo_bytes([], number_steps=0, closed=False), FIRST_RECORD, "no records"),
        (demo_bytes([pair(0), pair(1)], number_steps=0, closed=False)[:-3], SECOND_RECORD, "unclosed"),
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


def episode(length: int, lagged: bool, last_action: bool = True) -> list[AgentInfoActionPairProto]:
    """Actions 1, 2, 3, …, stored with the observation they belong to or one record later."""
    actions = [[0.0, float(step + (not lagged))] for step in range(length)]
    records = [pair(step, actions[step], done=step == length - 1) for step in range(length)]
    if not last_action:
        del records[-1].action_info.continuous_actions[:]
    return records


@pytest.mark.parametrize("lagged", [False, True])
def test_zeros_after_the_end_of_an_episode_mean_lagged(path: Path, lagged: bool) -> None:
    path.write_bytes(demo_bytes([record for _ in range(4) for record in episode(5, lagged)]))
    assert action_alignment(read_demonstration(path)) == ("lagged" if lagged else "aligned")


def test_an_absent_last_action_means_aligned(path: Path) -> None:
    path.write_bytes(demo_bytes(episode(5, lagged=True) + episode(5, lagged=True, last_action=False)))
    assert action_alignment(read_demonstration(path)) == "aligned"


def test_zeros_everywhere_mean_nothing(path: Path) -> None:
    records = [pair(step, [0.0, 0.0], done=step % 5 == 4) for step in range(20)]
    path.write_bytes(demo_bytes(records))
    assert action_alignment(read_demonstration(path)) == "aligned"


def test_frequent_zeros_need_more_than_half_at_the_starts(path: Path) -> None:
    """Three actions of four are zero anyway, so four starts of five are no evidence."""
    records = [pair(step, [0.0, float(step % 4 == 0)], done=step % 5 == 4) for step in range(80)]
    path.write_bytes(demo_bytes(records))
    assert action_alignment(read_demonstration(path)) == "aligned"


@pytest.mark.parametrize("lagged", [False, True])
def test_without_ends_of_episodes_the_first_record_decides(path: Path, lagged: bool) -> None:
    path.write_bytes(demo_bytes(episode(5, lagged)[:-1]))
    assert action_alignment(read_demonstration(path)) == ("lagged" if lagged else "aligned")


RECORDED = {
    # name: records, observation shapes, action spec, ends of episodes, alignment
    "Expert3DBall": (549, [(8,)], ActionSpec(2, ()), 0, "aligned"),
    "ExpertBasic": (73, [(20,)], ActionSpec(0, (3,)), 10, "aligned"),
    "ExpertGrid": (53, [(3, 64, 84)], ActionSpec(0, (5,)), 13, "lagged"),
    "ExpertPush": (2558, [(105,), (105,)], ActionSpec(0, (7,)), 95, "aligned"),
    "ExpertPyramid": (1751, [(56,), (56,), (56,), (4,)], ActionSpec(0, (5,)), 9, "lagged"),
    "Recent3DBall": (2144, [(8,)], ActionSpec(2, ()), 21, "lagged"),
    "VisualPng": (38, [(3, 84, 84), (0,)], ActionSpec(0, (3, 3, 3, 2)), 0, "aligned"),
}


@pytest.mark.parametrize("name", RECORDED)
def test_recorded_demonstrations(name: str, shared_data: Path) -> None:
    records, shapes, actions, ends, alignment = RECORDED[name]
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
    assert action_alignment(demo) == alignment


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


def test_the_recorded_alignment_is_the_one_that_physics_shows(shared_data: Path) -> None:
    """The platform's rotation (observations 0 and 1) follows the action that caused it."""
    for name, lag in (("Expert3DBall", 0), ("Recent3DBall", 1)):
        demo = read_demonstration(shared_data / "demos" / f"{name}.demo")
        turn = np.diff(demo.obs[0][:, :2], axis=0)
        rows = np.flatnonzero(~demo.done[:-1] & ~demo.done[1:])[:-1]
        for axis in range(2):
            correlations = []
            for shift in (0, 1):
                clipped = np.clip(demo.continuous_actions[rows + shift], -1, 1)
                table = np.corrcoef(np.column_stack([turn[rows, axis], clipped]).T)
                correlations.append(np.abs(table[0, 1:]).max())
            assert int(np.argmax(correlations)) == lag, (name, axis, correlations)


def test_the_recorded_pyramids_move_by_the_action_of_the_next_record(shared_data: Path) -> None:
    """How much of the change of the observations the discrete action explains."""
    demo = read_demonstration(shared_data / "demos" / "ExpertPyramid.demo")
    change = np.diff(np.concatenate(demo.obs, axis=1), axis=0)
    rows = np.flatnonzero(~demo.done[:-1] & ~demo.done[1:])
    explained = []
    for shift in (0, 1):
        action = demo.discrete_actions[rows + shift, 0]
        groups = [change[rows[action == choice]] for choice in range(5)]
        within = sum(((group - group.mean(axis=0)) ** 2).sum() for group in groups)
        explained.append(1 - within / ((change[rows] - change[rows].mean(axis=0)) ** 2).sum())
    assert explained[1] > 5 * explained[0]


def test_lengths_are_read_as_varints(path: Path) -> None:
    """A record longer than 127 bytes has a length of two bytes."""
    record = pair(0)
    record.agent_info.observations[0].name = "x" * 300
    path.write_bytes(demo_bytes([record, record]))
    assert struct.unpack("2B", framed(record)[:2])[0] >= 128
    assert read_demonstration(path).behavior_spec.observation_specs[0].name == "x" * 300
