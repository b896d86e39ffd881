"""Games that give a new id to every episode: nothing grows with the number of episodes."""

from __future__ import annotations

import io

import numpy as np
import pytest
import torch
from trainer_helpers import behavior_spec, decision_steps, step_batch, terminal_steps

from mlagents.experience.replay import ReplayStore
from mlagents.experience.store import RolloutStore
from mlagents.sampling.collector import Collector
from mlagents.state_tree import to_tensors

AGENTS = 100
LENGTH = 3


def play(collector: Collector, episodes: int) -> None:
    """A hundred agents at a time, three decisions per episode, ids that never come back."""
    batch = []
    for number in range(episodes // AGENTS):
        newcomers = range(number * AGENTS, (number + 1) * AGENTS)
        previous = [] if number == 0 else [agent - AGENTS for agent in newcomers]
        ends = terminal_steps(previous, [0.0] * len(previous), [4.0] * len(previous))
        batch.append(step_batch(decision_steps(newcomers, [1.0] * AGENTS), ends))
        batch += [step_batch(decision_steps(newcomers, [1.0] * AGENTS, [2.0] * AGENTS))] * (LENGTH - 1)
        for each in batch:
            collector.observe(each)
            if isinstance(collector.store, RolloutStore) and collector.store.num_complete >= 2000:
                collector.keep_unready()
        batch = []


def size_of(collector: Collector) -> int:
    content = io.BytesIO()
    state = collector.get_state()
    state.pop("store")
    state["finished_returns"] = state["finished_lengths"] = []
    torch.save(to_tensors(state), content)
    return content.tell()


@pytest.mark.parametrize("kind", ["rollout", "replay"])
def test_slots_and_checkpoints_stay_small_over_100_000_episodes(kind: str) -> None:
    spec = behavior_spec()
    store = RolloutStore(spec, 4000) if kind == "rollout" else ReplayStore(spec, 4000)
    collector = Collector(store, 1000)
    play(collector, 100_000)
    assert collector.episodes == 100_000 - AGENTS
    returns, lengths = collector.take_finished()
    assert set(lengths) == {LENGTH}
    assert set(returns) == {4.0 + 2.0 * (LENGTH - 1)}, "no episode got a reward of another one"
    # a hundred agents are there, and those of the last hundred steps were kept in case they come back
    assert collector.slots.num_slots < 10_000
    assert len(collector.open_row) == collector.slots.num_slots
    assert size_of(collector) < 500_000


def test_agents_that_come_back_after_long_go_on_as_new_ones_without_disturbing_others() -> None:
    collector = Collector(RolloutStore(behavior_spec(), 100), 1000)
    collector._sweep_at = 4
    collector.observe(step_batch(decision_steps([1, 2], [0.0, 0.0])))
    collector.observe(step_batch(decision_steps([2], [0.0], [0.5]), terminal_steps([1], [0.0], [1.0])))
    for _ in range(200):
        collector.observe(step_batch(decision_steps([2], [0.0], [0.0])))
        if collector.store.num_rows > 50:
            collector.keep_unready()
    collector.observe(step_batch(decision_steps([2, 3, 4], [0.0] * 3, [0.0] * 3)))  # 3 and 4 are new: a sweep
    assert collector.slots.num_used == 3
    mine = collector.slots.lookup("Ball?team=0", 0, "decision", np.array([2, 1, 3, 4], dtype=np.int32))
    assert len(set(mine.tolist())) == 4
    collector.observe(step_batch(decision_steps([1], [0.0]), terminal_steps([2], [0.0], [0.25])))
    assert collector.take_finished() == ([1.0, 0.75], [1, 203])
