"""Plays episodes and collects their returns, without bias towards short ones."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mlagents.evaluation.players import Player
from mlagents.sampling.worker import blaming
from mlagents.settings.errors import TrainerError
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

    def to_json(self) -> str:
        """:meth:`as_json` as text on one line.

        Raises:
            TrainerError: a number is NaN or infinite, which JSON cannot say.
        """
        values = self.as_json()
        try:
            return json.dumps(values, allow_nan=False)
        except ValueError:
            bad = ", ".join(f"{k} is {v}" for k, v in values.items() if v != v or v in (np.inf, -np.inf))
            raise TrainerError(
                f"The score of the behavior {self.behavior} cannot be written as JSON: {bad}. Check the "
                "rewards of the environment."
            ) from None


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
        rewards = _rewards(behavior_id, terminal)
        for agent, reward in zip(terminal.agent_id.tolist(), rewards, strict=True):
            episode = self._running.pop((behavior_id, agent), None)
            if episode is not None:
                self.returns.append(episode[0] + reward)
                self.lengths.append(int(episode[1]))
        rewards = _rewards(behavior_id, decision)
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


def _rewards(behavior_id: str, steps: DecisionSteps | TerminalSteps) -> list[float]:
    """Individual plus group reward of each agent, summed in double precision.

    Raises:
        TrainerError: names behavior and agent of the first that is NaN or infinite.
    """
    rewards: NDArray[np.float64] = steps.reward.astype(np.float64) + steps.group_reward
    bad = np.flatnonzero(~np.isfinite(rewards))
    if len(bad):
        raise TrainerError(
            f"A reward of the behavior {behavior_id} is {rewards[bad[0]]}: agent {steps.agent_id[bad[0]]}. "
            "Check what the environment adds to its reward."
        )
    values: list[float] = rewards.tolist()
    return values


def evaluate(
    env: BaseEnv,
    make_player: MakePlayer,
    episodes: int,
    *,
    counted: str | None = None,
    on_episodes: Callable[[Mapping[str, int]], None] | None = None,
    environment: str = "",
) -> list[Score]:
    """Play until every counted behavior has had its episodes.

    Args:
        env: the environment; it is reset first and stays open.
        make_player: gives the player of a behavior id (with team) when it is first seen.
        episodes: number of episodes per behavior.
        counted: name of the only behavior to count; None counts all.
        on_episodes: called after every step with the episodes finished by behavior.
        environment: what the environment is called in messages; the name of its class if empty.

    Returns:
        One score per counted behavior, in the order of their appearance.

    Raises:
        TrainerError: a reward is NaN or infinite.
        EnvironmentFailure: the environment's own code raised an exception.
    """
    environment = environment or type(env).__name__
    with blaming(environment, "reset"):
        env.reset()
    players: dict[str, Player] = {}
    tallies: dict[str, _Episodes] = {}
    while True:
        with blaming(environment, "report its steps"):
            batches = [(behavior_id, *env.get_steps(behavior_id)) for behavior_id in env.behavior_specs]
        for behavior_id, decision, terminal in batches:
            name = behavior_id.split("?", 1)[0]
            if behavior_id not in players:
                players[behavior_id] = make_player(behavior_id)
                if counted in (None, name):
                    tallies.setdefault(name, _Episodes(episodes))
            if name in tallies:
                tallies[name].observe(behavior_id, decision, terminal)
            if len(decision) or len(terminal):
                actions = players[behavior_id].act(decision, terminal)
                with blaming(environment, "take actions"):
                    env.set_actions(behavior_id, actions)
        if on_episodes is not None:
            on_episodes({name: len(tally.returns) for name, tally in tallies.items()})
        if tallies and all(tally.done for tally in tallies.values()):
            return [tally.score(name) for name, tally in tallies.items()]
        with blaming(environment, "step"):
            env.step()
