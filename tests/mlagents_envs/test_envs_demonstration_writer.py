from __future__ import annotations

import errno
import os
import resource
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mlagents_envs.base_env import (
    ActionSpec,
    BehaviorSpec,
    DimensionProperty,
    ObservationSpec,
    ObservationType,
)
from mlagents_envs.communicator_objects.agent_info_action_pair_pb2 import AgentInfoActionPairProto
from mlagents_envs.communicator_objects.brain_parameters_pb2 import BrainParametersProto
from mlagents_envs.communicator_objects.demonstration_meta_pb2 import DemonstrationMetaProto
from mlagents_envs.communicator_objects.observation_pb2 import PNG
from mlagents_envs.communicator_objects.space_type_pb2 import SpaceTypeProto
from mlagents_envs.demonstration_format import header, reduced_name
from mlagents_envs.demonstrations import (
    DemonstrationError,
    DemonstrationWriter,
    demonstration_record,
    find_alignment,
    free_path,
    read_demonstration,
    transitions,
)
from mlagents_envs.exception import UnityObservationException


def vector(
    size: int, name: str = "vector", kind: ObservationType = ObservationType.DEFAULT
) -> ObservationSpec:
    return ObservationSpec((size,), (DimensionProperty.NONE,), kind, name)


def image(channels: int) -> ObservationSpec:
    moves = DimensionProperty.TRANSLATIONAL_EQUIVARIANCE
    return ObservationSpec(
        (channels, 5, 4), (DimensionProperty.NONE, moves, moves), ObservationType.DEFAULT, "image"
    )


HYBRID = ActionSpec(2, (3, 2))
SPEC = BehaviorSpec([image(3), vector(2), vector(3, "goal", ObservationType.GOAL_SIGNAL)], HYBRID)


def record(step: int, done: bool = False, spec: BehaviorSpec = SPEC) -> AgentInfoActionPairProto:
    rng = np.random.default_rng(step)
    observations = [
        (rng.integers(0, 256, observation.shape) / np.float32(255)).astype(np.float32)
        if len(observation.shape) == 3
        else rng.normal(size=observation.shape).astype(np.float32)
        for observation in spec.observation_specs
    ]
    return demonstration_record(
        spec,
        observations,
        reward=0.5 * step,
        done=done,
        interrupted=done and step % 2 == 1,
        agent_id=7,
        group_id=2,
        group_reward=0.25,
        mask=[step == 1, False, False, False, step == 1],
        actions=([0.5, -step], [step % 3, step % 2]),
    )


def write(path: Path, ends: list[bool]) -> DemonstrationWriter:
    with DemonstrationWriter(path, "Test?team=1", HYBRID) as writer:
        for step, done in enumerate(ends):
            writer.write(record(step, done))
    return writer


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "folder" / "Made by us.demo"


def test_what_was_written_is_read_back(path: Path) -> None:
    write(path, [False, False, True, False, True])
    demo = read_demonstration(path)
    assert demo.behavior_name == "Test?team=1"
    assert demo.behavior_spec == SPEC
    assert demo.is_closed
    meta = demo.metadata
    assert (meta.api_version, meta.demonstration_name) == (1, "Made by us")
    assert (meta.number_steps, meta.number_episodes, meta.mean_reward) == (5, 2, 2.5)
    for step in range(5):
        rng = np.random.default_rng(step)
        pixels = rng.integers(0, 256, (3, 5, 4)) / np.float32(255)
        np.testing.assert_array_equal(demo.obs[0][step], pixels.astype(np.float32))
        np.testing.assert_array_equal(demo.obs[1][step], rng.normal(size=2).astype(np.float32))
    assert demo.reward.tolist() == [0.0, 0.5, 1.0, 1.5, 2.0]
    assert demo.done.tolist() == [False, False, True, False, True]
    assert demo.interrupted.tolist() == [False] * 5
    assert (demo.agent_id == 7).all()
    assert (demo.group_id == 2).all()
    assert (demo.group_reward == 0.25).all()
    assert demo.continuous_actions.tolist() == [[0.5, -step] for step in range(5)]
    assert demo.discrete_actions.tolist() == [[step % 3, step % 2] for step in range(5)]
    assert demo.action_mask is not None
    assert np.concatenate(demo.action_mask, axis=1).tolist()[:2] == [[False] * 5, [True, *[False] * 3, True]]


def test_the_recording_says_how_its_actions_lie(path: Path) -> None:
    write(path, [False, False, True, False, False, True])
    demo = read_demonstration(path)
    finding = find_alignment(demo)
    assert finding.alignment == "aligned"
    assert finding.reason == "the recorder says so"
    assert not finding.done_opens_episode
    rows = transitions(demo, finding)
    assert rows.observed.tolist() == rows.acted.tolist() == [0, 1, 3, 4]


def test_the_layout_is_the_documented_one(path: Path) -> None:
    write(path, [False, True])
    data = path.read_bytes()
    head = DemonstrationMetaProto.FromString(data[1 : 1 + data[0]])
    assert (head.number_steps, head.number_episodes) == (2, 1)
    assert data[1 + data[0] : 33] == bytes(33 - 1 - data[0])
    behavior = BrainParametersProto.FromString(data[34 : 34 + data[33]])
    assert behavior.brain_name == "Test?team=1"
    assert not behavior.is_training
    assert behavior.action_spec.num_continuous_actions == 2
    assert list(behavior.action_spec.discrete_branch_sizes) == [3, 2]
    assert not behavior.vector_action_size_deprecated  # hybrids cannot be said there
    tail = head.SerializeToString()
    assert data.endswith(tail)
    at = 34 + data[33]
    for step, done in enumerate([False, True]):
        expected = record(step, done).SerializeToString()
        assert data[at] & 0x80  # a length of two bytes
        size = (data[at] & 0x7F) + (data[at + 1] << 7)
        assert data[at + 2 : at + 2 + size] == expected
        at += 2 + size
    assert at + len(tail) == len(data)


@pytest.mark.parametrize(
    ("actions", "sizes", "kind"),
    [(ActionSpec(2, ()), [2], "continuous"), (ActionSpec(0, (3, 2)), [3, 2], "discrete")],
)
def test_readers_of_the_first_version_find_the_actions(
    path: Path, actions: ActionSpec, sizes: list[int], kind: str
) -> None:
    DemonstrationWriter(path, "Test", actions).close()
    data = path.read_bytes()
    behavior = BrainParametersProto.FromString(data[34 : 34 + data[33]])
    assert list(behavior.vector_action_size_deprecated) == sizes
    assert behavior.vector_action_space_type_deprecated == SpaceTypeProto.Value(kind)


@settings(max_examples=100, deadline=None)
@given(
    name=st.text(alphabet="abcXYZ019 -", max_size=16),
    steps=st.integers(0, 2**31 - 1),
    episodes=st.integers(0, 2**31 - 1),
    mean=st.floats(width=32, allow_nan=False),
)
def test_the_header_always_fits(name: str, steps: int, episodes: int, mean: float) -> None:
    meta = DemonstrationMetaProto(
        api_version=1,
        demonstration_name=name,
        number_steps=steps,
        number_episodes=episodes,
        mean_reward=mean,
    )
    data = header(meta)
    assert len(data) == 33
    read = DemonstrationMetaProto.FromString(data[1 : 1 + data[0]])
    assert (read.number_steps, read.number_episodes, read.mean_reward) == (steps, episodes, mean)
    assert name.startswith(read.demonstration_name)
    if steps < 2**21 and episodes < 2**14:  # three and two bytes, for which the spec leaves room
        assert read.demonstration_name == name


def test_without_ends_the_mean_is_the_sum_and_not_a_division_by_zero(path: Path) -> None:
    writer = write(path, [False, False])
    assert (writer.number_episodes, writer.mean_reward) == (0, 0.5)
    assert read_demonstration(path).metadata.mean_reward == 0.5


def test_names_are_reduced() -> None:
    assert reduced_name("Expert_Push (2nd run) of today") == "ExpertPush 2nd r"
    assert reduced_name("äöü") == ""


def test_files_are_never_replaced(tmp_path: Path) -> None:
    first = tmp_path / "a.demo"
    assert free_path(first) == first
    first.write_bytes(b"precious")
    assert free_path(first) == tmp_path / "a_0.demo"
    (tmp_path / "a_0.demo").touch()
    assert free_path(first) == tmp_path / "a_1.demo"
    with pytest.raises(DemonstrationError, match=r"Cannot record to .*a\.demo: File exists"):
        DemonstrationWriter(first, "Test", HYBRID)
    assert first.read_bytes() == b"precious"


def test_closed_files_take_nothing_more(path: Path) -> None:
    writer = write(path, [True])
    writer.close()
    assert writer.is_closed
    with pytest.raises(DemonstrationError, match="is closed; begin another one"):
        writer.write(record(1))
    assert len(read_demonstration(path)) == 1


def test_an_open_file_can_be_read_after_every_record(path: Path) -> None:
    """What a killed recorder leaves."""
    writer = DemonstrationWriter(path, "Test", HYBRID)
    with pytest.raises(DemonstrationError, match="nothing was recorded"):
        read_demonstration(path)
    for step in range(3):
        writer.write(record(step))
        demo = read_demonstration(path)
        assert (len(demo), demo.metadata.number_steps, demo.is_closed) == (step + 1, 0, False)
        assert demo.stated_alignment == "aligned"
    writer.close()
    assert read_demonstration(path).is_closed


def test_a_full_disk_is_named_and_what_was_recorded_stays(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The disk takes half of the third record and no more."""
    writer = DemonstrationWriter(path, "Test", HYBRID)
    for step in range(2):
        writer.write(record(step, done=step == 1))
    real, written = os.write, []

    def fill(file: int, data: memoryview) -> int:
        if not written:
            written.append(real(file, data[:20]))
            return written[0]
        if len(data) > 33:  # the header replaces bytes that are there already
            raise OSError(errno.ENOSPC, "No space left on device")
        return real(file, data)

    monkeypatch.setattr(os, "write", fill)
    with pytest.raises(
        DemonstrationError, match=r"Made by us\.demo: No space left.*first 2 records are kept"
    ):
        writer.write(record(2))
    monkeypatch.undo()
    assert written == [20]
    demo = read_demonstration(path)
    assert len(demo) == demo.metadata.number_steps == 2
    assert demo.metadata.number_episodes == 1
    assert writer.is_closed


FILL = """
import resource, signal, sys
sys.path[:0] = [{tests!r}]
from test_envs_demonstration_writer import HYBRID, DemonstrationError, DemonstrationWriter, Path, record
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (2000, 2000))
try:
    with DemonstrationWriter(Path({path!r}), "Test", HYBRID) as writer:
        for step in range(1000):
            writer.write(record(step))
except DemonstrationError as error:
    print(error)
"""


@pytest.mark.skipif(not hasattr(signal, "SIGXFSZ"), reason="needs limits on the size of files")
def test_a_limit_of_the_operating_system_ends_a_recording_in_order(path: Path) -> None:
    """No fakes: the operating system refuses to let the file grow."""
    script = FILL.format(tests=str(Path(__file__).parent), path=str(path))
    result = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert "File too large" in result.stdout
    demo = read_demonstration(path)
    assert f"first {len(demo)} records are kept" in result.stdout
    assert demo.is_closed
    assert path.stat().st_size <= 2000
    assert resource.getrlimit(resource.RLIMIT_FSIZE)[0] != 2000


@pytest.mark.parametrize("channels", [1, 2, 3, 4, 7])
def test_images_of_whole_levels_are_compressed_without_loss(channels: int, path: Path) -> None:
    spec = BehaviorSpec([image(channels)], ActionSpec(1, ()))
    levels = np.random.default_rng(channels).integers(0, 256, (channels, 5, 4))
    values = (levels / np.float32(255)).astype(np.float32)
    pair = demonstration_record(spec, [values], actions=([0.0], []))
    assert pair.agent_info.observations[0].compression_type == PNG
    assert len(pair.agent_info.observations[0].compressed_channel_mapping) == 3 * -(-channels // 3)
    with DemonstrationWriter(path, "Test", spec.action_spec) as writer:
        writer.write(pair)
    np.testing.assert_array_equal(read_demonstration(path).obs[0][0], values)


@pytest.mark.parametrize("value", [0.1, 1.5, -1.0])
def test_images_that_would_lose_stay_floats(value: float, path: Path) -> None:
    spec = BehaviorSpec([image(3)], ActionSpec(1, ()))
    values = np.full((3, 5, 4), value, np.float32)
    pair = demonstration_record(spec, [values], actions=([0.0], []))
    assert pair.agent_info.observations[0].compression_type != PNG
    with DemonstrationWriter(path, "Test", spec.action_spec) as writer:
        writer.write(pair)
    np.testing.assert_array_equal(read_demonstration(path).obs[0][0], values)


def test_compression_may_be_demanded_or_forbidden() -> None:
    spec = BehaviorSpec([image(3)], ActionSpec(1, ()))
    tenth = np.full((3, 5, 4), 0.1, np.float32)
    forced = demonstration_record(spec, [tenth], compressed=[True]).agent_info.observations[0]
    assert forced.compression_type == PNG
    plain = demonstration_record(spec, [np.ones_like(tenth)], compressed=[False]).agent_info.observations[0]
    assert plain.compression_type != PNG
    with pytest.raises(UnityObservationException, match=r"Sensor image: its values range from 1\.5 to 1\.5"):
        demonstration_record(spec, [15 * tenth], compressed=[True])


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(ends=st.lists(st.booleans(), min_size=1, max_size=12))
def test_counts_are_true(ends: list[bool], path: Path) -> None:
    path.unlink(missing_ok=True)
    write(path, ends)
    meta = read_demonstration(path).metadata
    assert (meta.number_steps, meta.number_episodes) == (len(ends), sum(ends))
    total = sum(0.5 * step for step in range(len(ends)))
    assert meta.mean_reward == pytest.approx(total / max(sum(ends), 1))
