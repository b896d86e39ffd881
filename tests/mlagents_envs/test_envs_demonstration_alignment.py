from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from demo_files import demo_bytes, pair

from mlagents_envs.communicator_objects.agent_info_action_pair_pb2 import AgentInfoActionPairProto
from mlagents_envs.demonstrations import (
    action_alignment,
    find_alignment,
    judge_alignment,
    observed_evidence,
    read_demonstration,
    transitions,
)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "made.demo"


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


RECORDED = {
    # name: alignment, evidence that decides, whether an end shows the next episode, decisions to learn from
    "Expert3DBall": ("aligned", "last record has no action", True, 548),
    "ExpertBasic": ("aligned", "last record has no action", True, 72),
    "ExpertGrid": ("lagged", "after the ends of episodes are zero", False, 39),
    "ExpertPush": ("lagged", "next record's action explains", False, 2462),
    "ExpertPyramid": ("lagged", "after the ends of episodes are zero", False, 1741),
    "Recent3DBall": ("lagged", "after the ends of episodes are zero", False, 2122),
    "VisualPng": ("aligned", "last record has no action", True, 37),
}


@pytest.mark.parametrize("name", RECORDED)
def test_recordings_of_the_original(name: str, shared_data: Path) -> None:
    alignment, reason, opens, decisions = RECORDED[name]
    demo = read_demonstration(shared_data / "demos" / f"{name}.demo")
    finding = judge_alignment(demo)
    assert finding.alignment == alignment
    assert reason in finding.reason
    assert finding.is_certain
    assert finding.done_opens_episode is opens
    assert len(transitions(demo, finding).observed) == decisions


@pytest.mark.parametrize(
    ("name", "sign"), [("Expert3DBall", -1), ("ExpertPush", 1), ("ExpertPyramid", 1), ("Recent3DBall", 1)]
)
def test_observations_alone_tell_the_alignment(name: str, sign: int, shared_data: Path) -> None:
    demo = read_demonstration(shared_data / "demos" / f"{name}.demo")
    assert sign * observed_evidence(demo) > 3.0


def test_the_recorded_basic_moves_by_the_action_of_the_same_record(shared_data: Path) -> None:
    """Every move goes right, and so does every action but the missing last one."""
    demo = read_demonstration(shared_data / "demos" / "ExpertBasic.demo")
    rows = transitions(demo, judge_alignment(demo))
    place = demo.obs[0].argmax(axis=1)
    moves = place[rows.observed + 1] - place[rows.observed]
    inside = ~demo.done[rows.observed + 1]
    assert (moves[inside] == 1).all()
    assert (demo.discrete_actions[rows.acted, 0] == 2).all()


def wandering(lagged: bool, seed: int = 3) -> list[AgentInfoActionPairProto]:
    """A place that moves by random actions, recorded either way, without any other mark."""
    rng = np.random.default_rng(seed)
    actions = rng.normal(size=(120, 2))
    places = np.cumsum(actions, axis=0) + 0.3 * rng.normal(size=(120, 2))
    records = []
    for step in range(1, 119):
        # The action `step` leads from place `step - 1` to place `step`.
        record = pair(step, actions[step if lagged else step + 1].tolist(), done=step % 20 == 0)
        record.agent_info.observations[0].float_data.data[:] = places[step].tolist()
        records.append(record)
    return records


@pytest.mark.parametrize("lagged", [False, True])
def test_the_action_that_explains_the_change_is_the_one(path: Path, lagged: bool) -> None:
    path.write_bytes(demo_bytes(wandering(lagged)))
    demo = read_demonstration(path)
    finding = judge_alignment(demo)
    assert finding.alignment == ("lagged" if lagged else "aligned")
    assert "standard errors" in finding.reason
    assert abs(observed_evidence(demo)) > 5.0


def test_actions_that_do_nothing_are_no_evidence(path: Path) -> None:
    rng = np.random.default_rng(0)
    records = wandering(lagged=False)
    for record in records:
        record.agent_info.observations[0].float_data.data[:] = rng.normal(size=2).tolist()
    path.write_bytes(demo_bytes(records))
    demo = read_demonstration(path)
    assert abs(observed_evidence(demo)) < 3.0
    finding = judge_alignment(demo)
    assert (finding.alignment, finding.is_certain) == ("aligned", False)


def test_constant_observations_are_no_evidence(path: Path) -> None:
    records = wandering(lagged=True)
    for record in records:
        record.agent_info.observations[0].float_data.data[:] = [1.0, 2.0]
    path.write_bytes(demo_bytes(records))
    assert observed_evidence(read_demonstration(path)) == 0.0


@pytest.fixture
def logged(capsys: pytest.CaptureFixture[str]) -> Iterator[Callable[[], str]]:
    """Gives what was logged since the last call."""
    logger = logging.getLogger("mlagents_envs.demonstration_alignment")
    level = logger.level
    logger.setLevel(logging.INFO)
    yield lambda: capsys.readouterr().out
    logger.setLevel(level)


def test_the_choice_of_the_user_outweighs_everything(path: Path, logged: Callable[[], str]) -> None:
    path.write_bytes(demo_bytes(wandering(lagged=True)))
    demo = read_demonstration(path)
    assert action_alignment(demo) == "lagged"
    assert "made.demo: a record's action is taken as the one before its observation" in logged()
    assert find_alignment(demo, "aligned").alignment == "aligned"
    assert "the one taken on its observation, because this was asked for" in logged()
    assert judge_alignment(demo, "aligned").is_certain
    assert logged() == ""
    with pytest.raises(ValueError, match=r"'shifted' is unknown.*'auto', 'aligned' or 'lagged'"):
        action_alignment(demo, "shifted")  # type: ignore[arg-type]


def test_decisions_of_lagged_files_never_begin_at_an_end(path: Path) -> None:
    path.write_bytes(demo_bytes([record for _ in range(2) for record in episode(4, lagged=True)]))
    demo = read_demonstration(path)
    rows = transitions(demo, judge_alignment(demo))
    assert rows.observed.tolist() == [0, 1, 2, 4, 5, 6]
    assert rows.acted.tolist() == [1, 2, 3, 5, 6, 7]
    assert demo.continuous_actions[rows.acted, 1].tolist() == [1, 2, 3, 1, 2, 3]


def test_decisions_of_early_files_begin_at_ends_too(path: Path) -> None:
    records = episode(4, lagged=False) + episode(3, lagged=False, last_action=False)
    path.write_bytes(demo_bytes(records))
    demo = read_demonstration(path)
    rows = transitions(demo, judge_alignment(demo))
    assert rows.observed.tolist() == rows.acted.tolist() == [0, 1, 2, 3, 4, 5]


def test_decisions_never_reach_from_one_agent_to_another(path: Path) -> None:
    records = episode(3, lagged=False) + episode(3, lagged=False, last_action=False)
    for record in records[3:]:
        record.agent_info.id = 8
    path.write_bytes(demo_bytes(records))
    demo = read_demonstration(path)
    finding = judge_alignment(demo)
    assert not finding.done_opens_episode
    assert transitions(demo, finding).observed.tolist() == [0, 1, 3, 4]
