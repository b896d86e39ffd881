"""Evaluation counts the episodes it was asked for, without preferring short ones."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np
import pytest
from numpy.testing import assert_array_equal
from trainer_helpers import behavior_spec, decision_steps, terminal_steps

from mlagents.evaluation.evaluate import Score, evaluate
from mlagents.evaluation.players import HeuristicPlayer, RandomPlayer, stand_in
from mlagents_envs.base_env import (
    ActionSpec,
    ActionTuple,
    BaseEnv,
    BehaviorMapping,
    DecisionSteps,
    TerminalSteps,
)

SPEC = behavior_spec(ActionSpec.create_hybrid(2, (3,)))


class ScriptedEnv(BaseEnv):
    """Agents whose n-th episode has a known length and return.

    Episodes of ``length`` decisions are rewarded with 1 after the first of them and with ``length * 10``
    at their end, both as group reward where ``grouped``.

    Args:
        lengths: per behavior id and agent, episode lengths, repeated for ever.
        late: behavior ids that appear with the third step only.
        stagger: agents with an odd id begin one step later.
    """

    def __init__(
        self,
        lengths: Mapping[str, Sequence[Sequence[int]]],
        late: Sequence[str] = (),
        stagger: bool = False,
        grouped: bool = False,
    ) -> None:
        self.lengths = lengths
        self.late = late
        self.stagger = stagger
        self.grouped = grouped
        self.resets = self.steps = 0
        self.sent: dict[str, list[int]] = {name: [] for name in lengths}

    @property
    def behavior_specs(self) -> BehaviorMapping:
        visible = [name for name in self.lengths if name not in self.late or self.steps >= 3]
        return BehaviorMapping(dict.fromkeys(visible, SPEC))

    def reset(self) -> None:
        self.resets += 1
        self.steps = 0
        self._episode = {name: [0] * len(agents) for name, agents in self.lengths.items()}
        self._age = {name: [0] * len(agents) for name, agents in self.lengths.items()}
        self._now = {name: self._begin(name) for name in self.lengths}

    def _begin(self, name: str) -> tuple[DecisionSteps, TerminalSteps]:
        agents = [a for a in range(len(self.lengths[name])) if not (self.stagger and a % 2)]
        return decision_steps(agents, [0.0] * len(agents), [5.0] * len(agents)), terminal_steps()

    def step(self) -> None:
        self.steps += 1
        self._now = {name: self._advance(name) for name in self.behavior_specs}

    def _advance(self, name: str) -> tuple[DecisionSteps, TerminalSteps]:
        deciding, rewards, ended, final_rewards = [], [], [], []
        if self.steps == 3 and name in self.late:
            return self._begin(name)
        for agent, lengths in enumerate(self.lengths[name]):
            deciding.append(agent)
            if self.stagger and agent % 2 and self.steps == 1:
                rewards.append(5.0)  # before the first decision; belongs to nobody
                continue
            self._age[name][agent] += 1
            length = lengths[self._episode[name][agent] % len(lengths)]
            if self._age[name][agent] < length:
                rewards.append(1.0 if self._age[name][agent] == 1 else 0.0)
                continue
            self._age[name][agent] = 0
            self._episode[name][agent] += 1
            ended.append(agent)
            final_rewards.append(10.0 * length + (1.0 if length == 1 else 0.0))
            rewards.append(5.0)  # likewise
        zeros = [0.0] * len(ended)
        observations = [float(self.steps)] * len(deciding)
        if self.grouped:
            return (
                decision_steps(deciding, observations, group_rewards=rewards),
                terminal_steps(ended, zeros, group_rewards=final_rewards),
            )
        return (
            decision_steps(deciding, observations, rewards),
            terminal_steps(ended, zeros, final_rewards),
        )

    def get_steps(self, behavior_name: str) -> tuple[DecisionSteps, TerminalSteps]:
        return self._now[behavior_name]

    def set_actions(self, behavior_name: str, action: ActionTuple) -> None:
        SPEC.action_spec._validate_action(action, len(self._now[behavior_name][0]), behavior_name)
        self.sent[behavior_name].append(len(action.continuous))

    def set_action_for_agent(self, behavior_name: str, agent_id: int, action: ActionTuple) -> None:
        raise NotImplementedError

    def close(self) -> None:
        raise AssertionError("evaluation must leave the environment open")


def play(env: BaseEnv, episodes: int, **options: object) -> list[Score]:
    def make_player(behavior_id: str) -> RandomPlayer:
        return RandomPlayer(SPEC, np.random.default_rng(0))

    return evaluate(env, make_player, episodes, **options)


def returns(*lengths: int) -> list[float]:
    """Returns of episodes in which every length earns 1 and ten times itself."""
    return [1.0 + 10.0 * length for length in lengths]


def check(score: Score, behavior: str, *lengths: int) -> None:
    expected = np.array(returns(*lengths))
    assert score == Score(
        behavior=behavior,
        episodes=len(lengths),
        mean_return=pytest.approx(expected.mean()),
        std_return=pytest.approx(expected.std()),
        min_return=pytest.approx(expected.min()),
        max_return=pytest.approx(expected.max()),
        mean_length=pytest.approx(np.mean(lengths)),
    )


@pytest.mark.parametrize("grouped", [False, True])
def test_one_agent_plays_exactly_the_episodes_asked_for(grouped: bool) -> None:
    env = ScriptedEnv({"Ball?team=0": [[3, 1, 2]]}, grouped=grouped)
    (score,) = play(env, 5)
    check(score, "Ball", 3, 1, 2, 3, 1)
    assert env.steps == 3 + 1 + 2 + 3 + 1
    assert env.resets == 1


def test_short_episodes_are_not_preferred() -> None:
    # the first two episodes to end would both be of the quick agent
    (score,) = play(ScriptedEnv({"Ball": [[1], [10]]}), 2)
    check(score, "Ball", 1, 10)
    # counted in the order in which they begin: both agents, then the quick one again and again
    (score,) = play(ScriptedEnv({"Ball": [[1], [10]]}), 4)
    check(score, "Ball", 1, 10, 1, 1)


def test_fewer_episodes_than_agents() -> None:
    (score,) = play(ScriptedEnv({"Ball": [[4], [2], [7], [1]]}), 2)
    check(score, "Ball", 4, 2)


def test_episode_that_was_not_counted_frees_its_agent_for_nothing() -> None:
    # agent 1 begins third and is never counted, however often it ends while agent 0 goes on
    (score,) = play(ScriptedEnv({"Ball": [[9], [1]]}), 1)
    check(score, "Ball", 9)


def test_agents_that_decide_at_different_times() -> None:
    (score,) = play(ScriptedEnv({"Ball": [[2], [3]]}, stagger=True), 3)
    check(score, "Ball", 2, 3, 2)


def test_behaviors_are_scored_apart_and_all_waited_for() -> None:
    env = ScriptedEnv({"Ball?team=0": [[2]], "Cube?team=0": [[5, 6]]})
    scores = play(env, 2)
    check(scores[0], "Ball", 2, 2)
    check(scores[1], "Cube", 5, 6)
    assert env.steps == 11
    assert env.sent["Ball?team=0"] == [1] * 12  # the others go on acting meanwhile


def test_teams_of_a_behavior_share_its_score() -> None:
    (score,) = play(ScriptedEnv({"Ball?team=0": [[3]], "Ball?team=1": [[1]]}), 3)
    check(score, "Ball", 3, 1, 1)


def test_only_the_counted_behavior_is_waited_for() -> None:
    env = ScriptedEnv({"Ball?team=0": [[2]], "Cube?team=0": [[500]]})
    (score,) = play(env, 2, counted="Ball")
    check(score, "Ball", 2, 2)
    assert env.sent["Cube?team=0"] == [1] * 5


def test_counted_behavior_may_appear_late() -> None:
    env = ScriptedEnv({"Ball": [[1]], "Cube": [[2]]}, late=["Cube"])
    (score,) = play(env, 3, counted="Cube")
    check(score, "Cube", 2, 2, 2)


def test_progress_is_told_after_every_step() -> None:
    seen: list[dict[str, int]] = []
    play(ScriptedEnv({"Ball": [[2, 1]]}), 3, on_episodes=lambda counts: seen.append(dict(counts)))
    assert [counts["Ball"] for counts in seen] == [0, 0, 1, 2, 2, 3]


def test_player_is_made_once_and_sees_both_kinds_of_steps() -> None:
    made: list[str] = []
    seen: list[tuple[int, int]] = []

    class Recorder:
        description = "recorder"

        def act(self, decision: DecisionSteps, terminal: TerminalSteps) -> ActionTuple:
            seen.append((len(decision), len(terminal)))
            return SPEC.action_spec.empty_action(len(decision))

    def make(behavior_id: str) -> Recorder:
        made.append(behavior_id)
        return Recorder()

    evaluate(ScriptedEnv({"Ball?team=0": [[2]]}), make, 2)
    assert made == ["Ball?team=0"]
    assert seen == [(1, 0), (1, 0), (1, 1), (1, 0), (1, 1)]


def test_score_as_json_has_the_documented_keys() -> None:
    (score,) = play(ScriptedEnv({"Ball": [[2]]}), 1)
    assert score.as_json() == {
        "behavior": "Ball",
        "episodes": 1,
        "mean_return": 21.0,
        "std_return": 0.0,
        "min_return": 21.0,
        "max_return": 21.0,
        "mean_length": 2.0,
    }


class HeuristicEnv(ScriptedEnv):
    """Has a heuristic for one of its behaviors."""

    def has_heuristic(self, behavior_name: str) -> bool:
        return behavior_name == "Ball"

    def heuristic_actions(self, behavior_name: str) -> ActionTuple:
        return ActionTuple(np.full((1, 2), 0.25), np.full((1, 1), 2))


@pytest.mark.parametrize(
    ("env_class", "name", "player"),
    [
        (HeuristicEnv, "Ball", HeuristicPlayer),
        (HeuristicEnv, "Cube", RandomPlayer),
        (ScriptedEnv, "Ball", RandomPlayer),
    ],
)
def test_who_stands_in_for_a_model(
    env_class: Callable[..., ScriptedEnv], name: str, player: type[object]
) -> None:
    env = env_class({"Ball": [[1]], "Cube": [[1]]})
    chosen = stand_in(env, name, SPEC, np.random.default_rng(0))
    assert type(chosen) is player
    env.reset()
    action = chosen.act(*env.get_steps(name))
    SPEC.action_spec._validate_action(action, 1, name)
    if player is HeuristicPlayer:
        assert_array_equal(action.continuous, [[0.25, 0.25]])
        assert_array_equal(action.discrete, [[2]])


def test_random_player_is_reproducible_and_covers_its_range() -> None:
    steps = decision_steps(range(500), [0.0] * 500), terminal_steps()
    first, second = (RandomPlayer(SPEC, np.random.default_rng(4)).act(*steps) for _ in range(2))
    assert_array_equal(first.continuous, second.continuous)
    assert_array_equal(first.discrete, second.discrete)
    assert -1.0 <= first.continuous.min() < -0.95
    assert 0.95 < first.continuous.max() <= 1.0
    assert_array_equal(np.unique(first.discrete), [0, 1, 2])
