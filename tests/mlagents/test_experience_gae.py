"""Advantages and returns, against numbers worked by hand and against a loop over single trajectories."""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose
from numpy.typing import NDArray
from trainer_helpers import behavior_spec, few_examples

from mlagents.experience.gae import gae_scan
from mlagents.experience.store import RolloutStore
from mlagents.experience.targets import RewardStream, compute_targets


@dataclass
class Rows:
    """Linked rows under construction; by default one row after the other, without links."""

    rewards: list[float]
    values: list[float]
    bootstrap_values: list[float] = field(default_factory=list)
    next_row: dict[int, int] = field(default_factory=dict)
    bootstrap_row: dict[int, int] = field(default_factory=dict)
    cut: set[int] = field(default_factory=set)
    incomplete: set[int] = field(default_factory=set)

    def advantages(self, gamma: float, lambd: float) -> NDArray[np.float32]:
        count = len(self.rewards)
        out = np.full(count, np.nan, dtype=np.float32)
        gae_scan(
            np.array(self.rewards, dtype=np.float32),
            np.array(self.values, dtype=np.float32),
            np.array(self.bootstrap_values, dtype=np.float32),
            np.array([self.next_row.get(row, -1) for row in range(count)], dtype=np.int64),
            np.array([self.bootstrap_row.get(row, -1) for row in range(count)], dtype=np.int64),
            np.array([row in self.cut for row in range(count)]),
            np.array([row not in self.incomplete for row in range(count)]),
            gamma,
            lambd,
            out,
        )
        return out


def chain(**changes: object) -> Rows:
    """One agent, three rows: r = 1, 2, 3 and V = 0.5, 1, 2."""
    return Rows([1.0, 2.0, 3.0], [0.5, 1.0, 2.0], next_row={0: 1, 1: 2}, **changes)


# gamma = 0.9, lambda = 0.5, so a trace decays by 0.45 per step.
#   delta_0 = 1 + 0.9 * 1 - 0.5 = 1.4        delta_1 = 2 + 0.9 * 2 - 1 = 2.8
HAND_WORKED = {
    # delta_2 = 3 - 2 = 1; A_1 = 2.8 + 0.45 * 1; A_0 = 1.4 + 0.45 * 3.25
    "terminal": (chain(), [2.8625, 3.25, 1.0]),
    # the final observation is worth 4: delta_2 = 3 + 0.9 * 4 - 2 = 4.6; A_1 = 2.8 + 0.45 * 4.6
    "interrupted": (chain(bootstrap_values=[7.0, 4.0], bootstrap_row={2: 1}), [3.5915, 4.87, 4.6]),
    # the reward of row 2 is not known yet: it only lends its value to row 1
    "incomplete": (chain(incomplete={2}), [2.66, 2.8, 0.0]),
    # the segment ends after row 0: its advantage takes V of row 1, but not A of row 1
    "horizon": (chain(cut={0}), [1.4, 3.25, 1.0]),
}


@pytest.mark.parametrize("ending", HAND_WORKED)
def test_three_steps_worked_by_hand(ending: str) -> None:
    rows, expected = HAND_WORKED[ending]
    assert_allclose(rows.advantages(0.9, 0.5), expected, rtol=1e-6)


def test_lambda_zero_gives_one_step_errors() -> None:
    assert_allclose(chain().advantages(0.9, 0.0), [1.4, 2.8, 1.0], rtol=1e-6)


def test_lambda_one_gives_monte_carlo_returns_minus_values() -> None:
    # returns: 3, 2 + 0.9 * 3 = 4.7, 1 + 0.9 * 4.7 = 5.23
    assert_allclose(chain().advantages(0.9, 1.0), [5.23 - 0.5, 4.7 - 1.0, 3.0 - 2.0], rtol=1e-6)


@st.composite
def interleaved_trajectories(draw: st.DrawFn) -> tuple[Rows, list[tuple[list[int], float]]]:
    """Rows of several agents in a random order, and their segments as (rows, value beyond the last)."""
    endings = st.sampled_from(["terminal", "interrupted"])
    episodes = st.lists(st.tuples(st.integers(1, 7), endings), max_size=3)
    agents = draw(st.lists(st.tuples(episodes, st.integers(0, 5)), min_size=1, max_size=4))
    horizon = draw(st.integers(1, 8))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    lengths = [sum(length for length, _ in finished) + running for finished, running in agents]
    owner = rng.permutation(np.repeat(np.arange(len(agents)), lengths))
    rows = Rows(rng.normal(size=len(owner)).tolist(), rng.normal(size=len(owner)).tolist())
    segments: list[tuple[list[int], float]] = []
    for agent, (finished, running) in enumerate(agents):
        mine = np.flatnonzero(owner == agent).tolist()
        for length, ending in [*finished, (running, "running")]:
            episode, mine = mine[:length], mine[length:]
            if not episode:
                continue
            rows.next_row.update(pairwise(episode))
            last_value = 0.0
            if ending == "interrupted":
                last_value = float(rng.normal())
                rows.bootstrap_row[episode[-1]] = len(rows.bootstrap_values)
                rows.bootstrap_values.append(last_value)
            if ending == "running":
                newest = episode.pop()
                rows.incomplete.add(newest)
                last_value = rows.values[newest]
            while len(episode) > horizon or (ending == "running" and len(episode) == horizon):
                segment, rest = episode[:horizon], episode[horizon:]
                rows.cut.add(segment[-1])
                segments.append((segment, rows.values[rest[0]] if rest else last_value))
                episode = rest
            if episode:
                segments.append((episode, last_value))
    return rows, segments


@few_examples
@given(interleaved_trajectories(), st.floats(0.0, 1.0), st.floats(0.0, 1.0))
def test_interleaved_agents_equal_a_loop_over_trajectories(
    case: tuple[Rows, list[tuple[list[int], float]]], gamma: float, lambd: float
) -> None:
    rows, segments = case
    expected = np.zeros(len(rows.rewards))
    for segment, last_value in segments:
        beyond = [*(rows.values[row] for row in segment[1:]), last_value]
        errors = [
            rows.rewards[row] + gamma * following - rows.values[row]
            for row, following in zip(segment, beyond, strict=True)
        ]
        for start, row in enumerate(segment):
            expected[row] = sum((gamma * lambd) ** k * error for k, error in enumerate(errors[start:]))
    assert_allclose(rows.advantages(gamma, lambd), expected, rtol=1e-4, atol=1e-5)


def two_agents_store(capacity: int = 8) -> RolloutStore:
    """Agent 0 owns rows 0 and 2 and ends; agent 1 owns rows 1 and 3, and 3 is incomplete."""
    store = RolloutStore(behavior_spec(), capacity)
    for tick in range(2):
        store.append([np.zeros((2, 1), np.float32)], np.array([0, 1]), np.zeros(2, np.int32), tick)
    store.next_row[0], store.next_row[1] = 2, 3
    store.complete[:3] = True
    store.num_complete = 3
    return store


REWARDS = np.array([1.0, 2.0, 3.0, 99.0], dtype=np.float32)
VALUES = np.array([[0.0, 1.0], [1.0, 0.0], [2.0, 2.0], [4.0, 1.0]], dtype=np.float32)
NO_BOOTSTRAP = np.zeros((0, 2), dtype=np.float32)
STREAMS = [RewardStream(REWARDS, 0.5), RewardStream(-REWARDS, 1.0)]
# lambda = 1. First stream, gamma 0.5: A_2 = 3 - 2 = 1; A_0 = 1 + 0.5 * 2 - 0 + 0.5 * 1 = 2.5;
# A_1 = 2 + 0.5 * 4 - 1 = 3. Second stream, gamma 1, rewards negated: A_2 = -3 - 2 = -5;
# A_0 = -1 + 2 - 1 - 5 = -5; A_1 = -2 + 1 - 0 = -1. Mean over streams: -1.25, 1, -2.
COMBINED = np.array([-1.25, 1.0, -2.0])


def test_targets_of_two_streams_worked_by_hand() -> None:
    targets = compute_targets(two_agents_store(), STREAMS, VALUES, NO_BOOTSTRAP, 1.0)
    assert targets.rows.tolist() == [0, 1, 2]
    # returns are advantages before normalisation plus values
    assert_allclose(targets.returns, [[2.5, -4.0], [4.0, -1.0], [3.0, -3.0]], rtol=1e-6)
    # mean -0.75, variance (0.25 + 3.0625 + 1.5625) / 3 = 1.625
    assert_allclose(targets.advantages, (COMBINED + 0.75) / np.sqrt(1.625), rtol=1e-5)
    assert targets.advantages.dtype == targets.returns.dtype == np.float32


def test_more_incomplete_rows_change_no_statistics() -> None:
    store = two_agents_store()
    store.append([np.zeros((2, 1), np.float32)], np.array([5, 6]), np.zeros(2, np.int32), 9)
    streams = [RewardStream(np.append(s.rewards, [50.0, -7.0]).astype(np.float32), s.gamma) for s in STREAMS]
    values = np.append(VALUES, [[9.0, -9.0], [8.0, 8.0]], axis=0).astype(np.float32)
    few = compute_targets(two_agents_store(), STREAMS, VALUES, NO_BOOTSTRAP, 1.0)
    more = compute_targets(store, streams, values, NO_BOOTSTRAP, 1.0)
    assert more.rows.tolist() == few.rows.tolist()
    assert_allclose(more.advantages, few.advantages, rtol=1e-6)
    assert_allclose(more.returns, few.returns, rtol=1e-6)


def test_streams_bootstrap_from_their_own_final_value() -> None:
    store = two_agents_store()
    store.add_bootstrap([np.zeros((1, 1), np.float32)], np.array([2]))
    targets = compute_targets(store, STREAMS, VALUES, np.array([[10.0, 20.0]], dtype=np.float32), 0.0)
    # row 2, lambda = 0: R = r + gamma V_final = 3 + 0.5 * 10 and -3 + 1 * 20
    assert_allclose(targets.returns[2], [8.0, 17.0], rtol=1e-6)


def test_equal_advantages_normalise_to_zero() -> None:
    store = two_agents_store()
    store.complete[:] = False
    store.complete[2] = True
    targets = compute_targets(store, STREAMS, VALUES, NO_BOOTSTRAP, 1.0)
    assert targets.advantages.tolist() == [0.0]
