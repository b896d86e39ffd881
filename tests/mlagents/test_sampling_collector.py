"""The collector: which reward goes to which row, and how rows are linked."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal
from trainer_helpers import behavior_spec, decision_steps, few_examples, step_batch, terminal_steps

from mlagents.experience.store import RolloutStore
from mlagents.sampling.collector import Collector


def make_collector(time_horizon: int = 100, capacity: int = 32) -> Collector:
    return Collector(RolloutStore(behavior_spec(), capacity), time_horizon)


def follow(collector: Collector, agents: list[int], first_observation: float, **columns: object) -> int:
    """Agents ask for a decision; their observations are consecutive numbers."""
    observations = first_observation + np.arange(len(agents))
    return collector.observe(step_batch(decision_steps(agents, observations.tolist(), **columns)))


def end(collector: Collector, agents: list[int], **columns: object) -> int:
    observations = columns.pop("observations", [0.0] * len(agents))
    return collector.observe(step_batch(None, terminal_steps(agents, observations, **columns)))


def scripted() -> Collector:
    """Six steps of agents 10, 20 and 30, who decide at their own pace.

    Rows (their observations are their numbers): 10 owns 0, 2 | 5, 7; 20 owns 1, 3, 6; 30 owns 4.
    """
    collector = make_collector()
    assert follow(collector, [10, 20], 0) == 0
    assert follow(collector, [10], 2, rewards=[0.1]) == 2  # 20 takes its time
    # 30 appears late; what it earned before its first decision belongs to nothing
    assert follow(collector, [20, 30], 3, rewards=[0.2, 9.0], group_rewards=[0.05, 0.0]) == 3
    # 10 ends one episode and begins the next within one step, with its own reward for each
    assert (
        collector.observe(
            step_batch(
                decision_steps([10, 20], [5, 6], rewards=[7.0, 0.3]),
                terminal_steps([10], [50], rewards=[1.0]),
            )
        )
        == 5
    )
    # 20 is interrupted, in a batch where another row comes first; 40 ends before it ever decided
    collector.observe(
        step_batch(
            decision_steps([10], [7], rewards=[0.5]),
            terminal_steps(
                [40, 30, 20],
                [80, 81, 82],
                rewards=[3.0, -1.0, 0.4],
                interrupted=[True, False, True],
                group_rewards=[0.0, 0.0, 0.1],
            ),
        )
    )
    return collector


def test_rewards_belong_to_the_decision_before_them() -> None:
    store = scripted().store
    assert store.num_rows == 8
    assert_array_equal(store.observations[0][:8, 0], np.arange(8))
    #          row:             0    1     2    3    4     5    6     7 (still open)
    assert_allclose(store.rewards[:7], [0.1, 0.25, 1.0, 0.3, -1.0, 0.5, 0.5], rtol=1e-6)
    assert_array_equal(store.complete[:8], [True] * 7 + [False])
    assert store.num_complete == 7


def test_links_follow_agents_and_stop_at_episode_ends() -> None:
    store = scripted().store
    assert_array_equal(store.next_row[:8], [2, 3, -1, 6, -1, 7, -1, -1])
    assert_array_equal(store.bootstrap_row[:8], [-1, -1, -1, -1, -1, -1, 0, -1])
    # only the final observation of the interrupted agent that had decided is kept
    assert store.num_bootstrap == 1
    assert store.bootstrap_observations[0][0, 0] == 82.0
    assert not store.trace_cut[:8].any()
    slots = store.agent_slot[:8]
    assert slots[0] == slots[2] == slots[5] == slots[7]
    assert slots[1] == slots[3] == slots[6]
    assert len({slots[0], slots[1], slots[4]}) == 3
    # each observed batch is a step of its own
    assert_array_equal(np.diff(store.tick[[0, 2, 3, 5, 7]]), [1, 1, 1, 1])


def test_episode_returns_and_lengths_count_all_decisions() -> None:
    collector = scripted()
    returns, lengths = collector.take_finished()
    # 10: 0.1 + 1 after two decisions; then 30: -1 after one, and 20: 0.25 + 0.3 + 0.5 after three
    assert_allclose(returns, [1.1, -1.0, 1.05], rtol=1e-6)
    assert lengths == [2, 1, 3]
    assert collector.episodes == 3
    assert collector.take_finished() == ([], [])
    # the running episode of 10 has 0.5 so far, and one decision more to come
    end(collector, [10], rewards=[2.0])
    assert collector.take_finished() == ([2.5], [2])


def test_columns_of_a_batch_may_come_in_any_order() -> None:
    collector = make_collector()
    follow(collector, [1, 2, 3], 0)
    follow(collector, [3, 1, 2], 3, rewards=[0.3, 0.1, 0.2])
    end(collector, [2, 3, 1], rewards=[2.0, 3.0, 1.0])
    assert_allclose(collector.store.rewards[:6], [0.1, 0.2, 0.3, 3.0, 1.0, 2.0], rtol=1e-6)
    assert_array_equal(collector.store.next_row[:6], [4, 5, 3, -1, -1, -1])


def test_group_of_the_agent_is_stored() -> None:
    collector = make_collector()
    follow(collector, [1, 2], 0, groups=[6, 0])
    assert_array_equal(collector.store.group_id[:2], [6, 0])


def test_time_horizon_cuts_every_nth_decision_of_an_episode() -> None:
    collector = make_collector(time_horizon=3)
    for step in range(9):
        follow(collector, [1], step)
        if step == 6:
            end(collector, [1])  # after 7 decisions; the horizon starts anew with the next episode
    for step in range(9, 12):
        follow(collector, [1], step)
    # rows 0-6 | 7-11: cut after the third and sixth decision, then after the third one (row 9)
    assert np.flatnonzero(collector.store.trace_cut[:12]).tolist() == [2, 5, 9]
    assert collector.store.next_row[2] == 3


def test_episode_that_ends_at_the_horizon_is_not_cut() -> None:
    collector = make_collector(time_horizon=2)
    follow(collector, [1], 0)
    follow(collector, [1], 1)
    end(collector, [1])
    assert not collector.store.trace_cut[:2].any()


def test_horizon_is_counted_per_agent() -> None:
    collector = make_collector(time_horizon=2)
    follow(collector, [1], 0)
    follow(collector, [1, 2], 1)
    follow(collector, [1, 2], 3)
    follow(collector, [2, 1], 5)
    # agent 1 owns 0, 1, 3, 6 and agent 2 owns 2, 4, 5
    assert np.flatnonzero(collector.store.trace_cut[:7]).tolist() == [1, 4]


def test_update_starts_new_segments_but_not_new_episodes() -> None:
    collector = make_collector(time_horizon=3)
    follow(collector, [1, 2], 0)
    follow(collector, [1], 2, rewards=[0.5])
    follow(collector, [1], 3, rewards=[0.5])
    collector.keep_unready()  # row 1 (agent 2) and row 3 (agent 1) move to 0 and 1
    store = collector.store
    assert_array_equal(store.observations[0][:2, 0], [1, 3])
    for step in range(4, 8):
        follow(collector, [1, 2], 10 * step, rewards=[1.0, 2.0])
    # agent 1 owns 1, 2, 4, 6, 8 and agent 2 owns 0, 3, 5, 7, 9; segments begin at the moved rows
    assert_array_equal(store.next_row[:10], [3, 2, 4, 5, 6, 7, 8, 9, -1, -1])
    assert np.flatnonzero(store.trace_cut[:10]).tolist() == [4, 5]
    assert_allclose(store.rewards[:2], [2.0, 1.0])
    end(collector, [1], rewards=[0.25])
    assert collector.take_finished() == ([0.5 + 0.5 + 4 * 1.0 + 0.25], [7])


def test_reset_worker_forgets_its_running_episodes_only() -> None:
    collector = make_collector(time_horizon=3)
    for worker in (0, 1):
        collector.observe(step_batch(decision_steps([1, 2], [0, 0]), worker=worker))
        collector.observe(step_batch(decision_steps([1], [0], rewards=[5.0]), worker=worker))
    collector.reset_worker(0)
    for worker in (0, 1):
        collector.observe(step_batch(decision_steps([1, 2], [8, 9], rewards=[0.5, 0.25]), worker=worker))
        collector.observe(step_batch(None, terminal_steps([1, 2], [0, 0], rewards=[1.0, 2.0]), worker=worker))
    # rows: worker 0 has 0, 1, 2 before its reset and 6, 7 after; worker 1 has 3, 4, 5, 8, 9
    store = collector.store
    assert_array_equal(store.next_row[:10], [2, -1, -1, 5, 9, 8, -1, -1, -1, -1])
    assert_array_equal(store.complete[:10], [1, 0, 0, 1, 1, 1, 1, 1, 1, 1])
    assert_array_equal(np.flatnonzero(store.agent_slot[:10] < 0), [1, 2])
    returns, lengths = collector.take_finished()
    assert_allclose(returns, [1.0, 2.0, 6.5, 2.25])
    assert lengths == [1, 1, 3, 2]
    assert not store.trace_cut[:10].any()
    collector.keep_unready()
    assert store.num_rows == 0


def test_reset_of_an_unknown_worker_does_nothing() -> None:
    collector = make_collector()
    follow(collector, [1], 0)
    collector.reset_worker(3)
    assert collector.store.agent_slot[0] == 0


def test_state_round_trip_continues_identically() -> None:
    collector = scripted()
    other = make_collector(capacity=2)
    other.set_state(collector.get_state())
    for each in (collector, other):
        follow(each, [20, 10, 50], 20, rewards=[0.0, 0.7, 0.0])
        end(each, [10], rewards=[1.0], interrupted=[True], observations=[33.0])
    mine, theirs = collector.store.get_state(), other.store.get_state()
    for name in RolloutStore._ROW_COLUMNS:
        assert_array_equal(theirs[name], mine[name], err_msg=name)
    assert_array_equal(theirs["bootstrap_observations"][0], mine["bootstrap_observations"][0])
    assert other.take_finished() == collector.take_finished()
    assert other.episodes == collector.episodes == 4


@dataclass
class Naive:
    """Follows single agents with dictionaries; every observation is a number that appears once."""

    horizon: int
    rewards: dict[float, float] = field(default_factory=dict)
    following: dict[float, float | None] = field(default_factory=dict)
    final: dict[float, float] = field(default_factory=dict)
    cut: set[float] = field(default_factory=set)
    finished: list[tuple[float, int]] = field(default_factory=list)
    open: dict[int, float] = field(default_factory=dict)
    episode: dict[int, list[float]] = field(default_factory=dict)
    segment: dict[int, int] = field(default_factory=dict)

    def terminal(self, agent: int, reward: float, interrupted: bool, observation: float) -> None:
        if agent not in self.open:
            return
        row = self.open.pop(agent)
        self.rewards[row], self.following[row] = reward, None
        if interrupted:
            self.final[row] = observation
        earned = [*self.episode.pop(agent), reward]
        self.segment[agent] = 0
        self.finished.append((sum(earned), len(earned)))

    def decision(self, agent: int, reward: float, observation: float) -> None:
        if agent in self.open:
            row = self.open[agent]
            self.rewards[row], self.following[row] = reward, observation
            self.episode[agent].append(reward)
            self.segment[agent] = self.segment.get(agent, 0) + 1
            if self.segment[agent] == self.horizon:
                self.cut.add(row)
                self.segment[agent] = 0
        else:
            self.episode[agent] = []
        self.open[agent] = observation


@few_examples
@given(st.integers(0, 2**32 - 1), st.integers(1, 6))
def test_random_play_equals_following_single_agents(seed: int, horizon: int) -> None:
    rng = np.random.default_rng(seed)
    collector, naive = make_collector(horizon, capacity=4), Naive(horizon)
    counter = 0
    for _ in range(40):
        ended = rng.permutation(6)[: rng.integers(0, 4)].tolist()
        deciding = rng.permutation(6)[: rng.integers(0, 7)].tolist()
        numbers = np.arange(counter, counter + len(ended) + len(deciding), dtype=np.float64)
        counter += len(numbers)
        rewards = rng.integers(-8, 9, len(numbers)) / 4
        group = rng.integers(-8, 9, len(numbers)) / 4
        interrupted = rng.random(len(ended)) < 0.5
        first = len(ended)
        collector.observe(
            step_batch(
                decision_steps(deciding, numbers[first:], rewards[first:], group[first:]),
                terminal_steps(ended, numbers[:first], rewards[:first], interrupted, group[:first]),
            )
        )
        earned = rewards + group
        for index, agent in enumerate(ended):
            naive.terminal(agent, earned[index], bool(interrupted[index]), numbers[index])
        for index, agent in enumerate(deciding, start=first):
            naive.decision(agent, earned[index], numbers[index])
        if rng.random() < 0.1:
            compare(collector.store, naive)
            collector.keep_unready()
            naive.rewards.clear()
            naive.segment.clear()
    compare(collector.store, naive)
    returns, lengths = collector.take_finished()
    assert sorted(zip(returns, lengths, strict=True)) == sorted(naive.finished)


def compare(store: RolloutStore, naive: Naive) -> None:
    number = store.observations[0][:, 0]
    complete = np.flatnonzero(store.complete[: store.num_rows])
    assert store.num_complete == len(complete)
    assert {float(number[row]): float(store.rewards[row]) for row in complete} == naive.rewards
    for row in complete:
        key = float(number[row])
        following = store.next_row[row]
        assert (None if following < 0 else float(number[following])) == naive.following[key]
        where = store.bootstrap_row[row]
        final = None if where < 0 else float(store.bootstrap_observations[0][where, 0])
        assert final == naive.final.get(key)
        assert bool(store.trace_cut[row]) == (key in naive.cut)
    incomplete = number[: store.num_rows][~store.complete[: store.num_rows]]
    assert sorted(incomplete.tolist()) == sorted(naive.open.values())
