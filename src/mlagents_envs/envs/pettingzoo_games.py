"""PettingZoo environments as games that report who asks for a decision and whose episode ended."""

from __future__ import annotations

import difflib
import importlib
import pkgutil
import re
from collections.abc import Callable, Hashable, Mapping
from types import ModuleType
from typing import Any, NamedTuple, Protocol

import numpy as np
import pettingzoo  # type: ignore[import-untyped]

from mlagents_envs.exception import UnityEnvironmentException

FAMILIES = ("atari", "butterfly", "classic", "sisl")
"""Packages of PettingZoo itself, each with an extra of that name."""

MAX_EMPTY_EPISODES = 100
"""Episodes in a row without any decision after which a game is given up."""

Agent = Hashable


class Report(NamedTuple):
    """What one agent has to say.

    Attributes:
        agent: its name in the game.
        observation: an element of its observation space.
        reward: reward since its last report.
        info: whatever the game adds.
        ended: True at the end of its episode, False where it asks for a decision.
        interrupted: whether the end was cut by a time limit.
    """

    agent: Agent
    observation: Any
    reward: float
    info: Mapping[str, Any]
    ended: bool = False
    interrupted: bool = False


class Game(Protocol):
    """One copy of a PettingZoo environment; begins anew by itself when everybody is out."""

    env: Any

    def begin(self) -> list[Report]:
        """Start an episode."""

    def step(self, actions: Mapping[Agent, Any]) -> list[Report]:
        """Act for those who asked, and run until somebody asks again.

        Ends of episodes come before decisions of the next.
        """


class ParallelGame:
    """A game in which everybody acts at once.

    Args:
        env: a PettingZoo ``ParallelEnv``.
        rng: source of the seed of every reset.
    """

    def __init__(self, env: Any, rng: np.random.Generator) -> None:  # noqa: ANN401  # PettingZoo is untyped
        self.env = env
        self._rng = rng

    def begin(self) -> list[Report]:
        """Start an episode.

        Raises:
            UnityEnvironmentException: there is nobody in the game.
        """
        observations, infos = self.env.reset(seed=_draw_seed(self._rng))
        if not self.env.agents:
            raise UnityEnvironmentException(f"The PettingZoo environment {self.env} starts without agents.")
        return [Report(a, observations[a], 0.0, infos.get(a, {})) for a in self.env.agents]

    def step(self, actions: Mapping[Agent, Any]) -> list[Report]:
        """Act for everybody."""
        observations, rewards, terminations, truncations, infos = self.env.step(dict(actions))
        alive = set(self.env.agents)
        ended, asking = [], []
        for agent, observation in observations.items():
            report = Report(agent, observation, float(rewards.get(agent, 0.0)), infos.get(agent, {}))
            terminated = bool(terminations.get(agent, False))
            if terminated or truncations.get(agent, False):
                ended.append(report._replace(ended=True, interrupted=not terminated))
            elif agent in alive:
                asking.append(report)
        return ended + (asking or self.begin())


class TurnGame:
    """A game in which agents act one after the other.

    Args:
        env: a PettingZoo ``AECEnv``.
        rng: source of the seed of every reset.
    """

    def __init__(self, env: Any, rng: np.random.Generator) -> None:  # noqa: ANN401  # PettingZoo is untyped
        self.env = env
        self._rng = rng

    def begin(self) -> list[Report]:
        """Start an episode and run to the first decision."""
        self.env.reset(seed=_draw_seed(self._rng))
        return self._run_to_decision()

    def step(self, actions: Mapping[Agent, Any]) -> list[Report]:
        """Act for the agent whose turn it is."""
        self.env.step(actions[self.env.agent_selection])
        return self._run_to_decision()

    def _run_to_decision(self) -> list[Report]:
        reports: list[Report] = []
        for _ in range(MAX_EMPTY_EPISODES):
            while self.env.agents:
                agent = self.env.agent_selection
                observation, reward, terminated, truncated, info = self.env.last()
                report = Report(agent, observation, float(reward), info)
                if not (terminated or truncated):
                    return [*reports, report]
                reports.append(report._replace(ended=True, interrupted=not terminated))
                self.env.step(None)
            self.env.reset(seed=_draw_seed(self._rng))
        raise UnityEnvironmentException(
            f"The PettingZoo environment {self.env} ended {MAX_EMPTY_EPISODES} episodes without a decision."
        )


def make_game(maker: Callable[..., Any], keywords: dict[str, Any], rng: np.random.Generator) -> Game:
    """Build one copy of a game.

    Args:
        maker: builds a ``ParallelEnv`` or an ``AECEnv``.
        keywords: its arguments.
        rng: source of the seeds of its resets.

    Raises:
        UnityEnvironmentException: the arguments are wrong, or the result is neither.
    """
    try:
        env = maker(**keywords)
    except (TypeError, ValueError, ImportError) as error:
        given = f" with {keywords}" if keywords else ""
        raise UnityEnvironmentException(
            f"The PettingZoo environment {maker.__module__} cannot be made{given}: "
            f"{type(error).__name__}: {error}"
        ) from error
    if isinstance(env, pettingzoo.ParallelEnv):
        return ParallelGame(env, rng)
    if isinstance(env, pettingzoo.AECEnv):
        return TurnGame(env, rng)
    raise UnityEnvironmentException(
        f"{maker.__module__} made a {type(env).__name__}, which is no PettingZoo environment."
    )


def find_maker(name: str) -> Callable[..., Any]:
    """The function that builds the environment of a name.

    Args:
        name: a module with ``parallel_env`` or ``env``, or a function or class in a module; modules of
            PettingZoo itself need no ``pettingzoo.`` before them: ``butterfly.pistonball_v6``.

    Raises:
        UnityEnvironmentException: there is none, or a package that it needs is missing.
    """
    dotted = name.replace("/", ".")
    for candidate in (f"pettingzoo.{dotted}", dotted):
        module = _import(candidate, name)
        if module is not None:
            for attribute in ("parallel_env", "env"):
                maker = getattr(module, attribute, None)
                if callable(maker):
                    return maker  # type: ignore[no-any-return]
            raise UnityEnvironmentException(f"The module {candidate} has neither parallel_env nor env.")
        parent, _, attribute = candidate.rpartition(".")
        maker = getattr(_import(parent, name), attribute, None) if parent else None
        if callable(maker):
            return maker  # type: ignore[no-any-return]
    known = _known_modules()
    near = difflib.get_close_matches(dotted, known, n=4, cutoff=0.5)
    raise UnityEnvironmentException(
        f"There is no PettingZoo environment {name!r}. "
        + (f"Near ones are: {', '.join(near)}. " if near else "")
        + "Give a module such as butterfly.pistonball_v6 or my_package.my_environment."
    )


def _import(module: str, name: str) -> ModuleType | None:
    """A module, or None where it does not exist.

    Raises:
        UnityEnvironmentException: it exists, but what it needs does not.
    """
    try:
        return importlib.import_module(module)
    except ImportError as error:
        missing = getattr(error, "name", None) or ""
        if isinstance(error, ModuleNotFoundError) and f"{module}.".startswith(f"{missing}."):
            return None
        family = name.replace("/", ".").split(".")[0]
        hint = f' Install it with: pip install "pettingzoo[{family}]"' if family in FAMILIES else ""
        raise UnityEnvironmentException(
            f"The PettingZoo environment {name!r} needs what is not installed: {error}.{hint}"
        ) from error


def _known_modules() -> list[str]:
    """Modules of PettingZoo itself that hold an environment; none of them is imported."""
    found = []
    for family in FAMILIES:
        for path in pettingzoo.__path__:
            for module in pkgutil.iter_modules([f"{path}/{family}"]):
                if re.search(r"_v\d+$", module.name):
                    found.append(f"{family}.{module.name}")  # noqa: PERF401  # three levels read better so
    return found


def _draw_seed(rng: np.random.Generator) -> int:
    """A seed for a reset: games differ in what a reset without one means."""
    return int(rng.integers(2**31))
