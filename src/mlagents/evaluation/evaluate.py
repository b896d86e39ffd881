"""Plays episodes and collects their returns, without bias towards short ones."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from mlagents.evaluation.players import Player
from mlagents_envs.base_env import BaseEnv, DecisionSteps, TerminalSteps

MakePlayer = Callable[[str], Player]


@dataclass(frozen=True, slots=True)
class Score:
    """How one behavior did.

    Attributes:
        behavior: name of the behavior, without team.
        episodes: number of episodes counted.
        mean_return: mean of the undiscounted returns.
        std_return: their standard deviation, of the population.
        min_return: the worst.
        max_return: the best.
        mean_length: mean number of decisions per episode.
    """

    behavior: str
    episodes: int
    mean_return: float
    std_return: float
    min_return: float
    max_return: float
    mean_length: float

    def as_json(self) -> dict[str, Any]:
        """The score under the names of its attributes."""
        return asdict(self)


class _Episodes:
    """Follows the episodes of one behavior.

    With several agents, the first episodes to *end* would be the short ones. So the first ``wanted``
    episodes to *begin* are counted, and all of them are waited for.
    """

    def __init__(self, wanted: int) -> None:
        self._wanted = wanted
        self._begun = 0
        self._running: dict[tuple[str, int], list[float]] = {}  # counted ones: return, length
        self.returns: list[float] = []
        self.lengths: list[int] = []

    @property
    def done(self) -> bool:
        return len(self.returns) >= self._wanted

    def observe(self, behavior_id: str, decision: DecisionSteps, terminal: TerminalSteps) -> None:
        rewards = (terminal.reward + terminal.group_reward).tolist()
        for agent, reward in zip(terminal.agent_id.tolist(), rewards, strict=True):
            episode = self._running.pop((behavior_id, agent), None)
            if episode is not None:
                self.returns.append(episode[0] + reward)
                self.lengths.append(int(episode[1]))
        rewards = (decision.reward + decision.group_reward).tolist()
        for agent, reward in zip(decision.agent_id.tolist(), rewards, strict=True):
            key = behavior_id, agent
            episode = self._running.get(key)
            if episode is not None:
                episode[0] += reward
                episode[1] += 1
            elif self._begun < self._wanted:
                self._begun += 1
                self._running[key] = [0.0, 1.0]

    def score(self, behavior: str) -> Score:
        returns = np.array(self.returns)
        return Score(
            behavior=behavior,
            episodes=len(returns),
            mean_return=float(returns.mean()),
            std_return=float(returns.std()),
            min_return=float(returns.min()),
            max_return=float(returns.max()),
            mean_length=float(np.mean(self.lengths)),
        )


def evaluate(
    env: BaseEnv,
    make_player: MakePlayer,
    episodes: int,
    *,
    counted: str | None = None,
    on_episodes: Callable[[Mapping[str, int]], None] | None = None,
) -> list[Score]:
    """Play until every counted behavior has had its episodes.

    Args:
        env: the environment; it is reset first and stays open.
        make_player: gives the player of a behavior id (with team) when it is first seen.
        episodes: number of episodes per behavior.
        counted: name of the only behavior to count; None counts all.
        on_episodes: called after every step with the episodes finished by behavior.

    Returns:
        One score per counted behavior, in the order of their appearance.
    """
    env.reset()
    players: dict[str, Player] = {}
    tallies: dict[str, _Episodes] = {}
    while True:
        for behavior_id in env.behavior_specs:
            name = behavior_id.split("?", 1)[0]
            decision, terminal = env.get_steps(behavior_id)
            if behavior_id not in players:
                players[behavior_id] = make_player(behavior_id)
                if counted in (None, name):
                    tallies.setdefault(name, _Episodes(episodes))
            if name in tallies:
                tallies[name].observe(behavior_id, decision, terminal)
            if len(decision) or len(terminal):
                env.set_actions(behavior_id, players[behavior_id].act(decision, terminal))
        if on_episodes is not None:
            on_episodes({name: len(tally.returns) for name, tally in tallies.items()})
        if tallies and all(tally.done for tally in tallies.values()):
            return [tally.score(name) for name, tally in tallies.items()]
        env.step()
