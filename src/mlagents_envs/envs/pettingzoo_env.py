"""A PettingZoo environment as an environment to train in: ``--env=pettingzoo:butterfly.pistonball_v6``.

Any module with ``parallel_env`` or ``env`` will do, and any function or class in a module that makes a
parallel or AEC environment. Several copies run side by side: as many as ``num_areas`` says,
:data:`DEFAULT_COPIES` if it says nothing; each starts its next episode when all its agents are out.

The behavior of an agent is its name without the number at its end: ``piston`` for ``piston_3``, unless
agents of that name differ in their spaces; then each has a behavior of its own. Arguments behind
``--env-args`` have the form ``key=value`` and go to the maker of the environment, but for two:

``teams``
    ``none`` (all agents are on team 0), ``index`` (the first possible agent is on team 0, the second on
    team 1 and so on: for games against each other, with self-play), or a map such as
    ``teams={player_0: 0, player_1: 1}``.
``groups``
    ``none``, ``all`` (all agents of one copy are one group, for cooperative trainers) or ``team`` (the
    agents of a team are).

:mod:`mlagents_envs.envs.space_mapping` says what becomes of the spaces. Action masks, in the observation or
in the info, are passed on for agents with one discrete action.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

import numpy as np
from gymnasium.vector.utils import iterate
from numpy.typing import NDArray

from mlagents_envs.base_env import (
    ActionTuple,
    AgentId,
    BaseEnv,
    BehaviorMapping,
    BehaviorName,
    BehaviorSpec,
    DecisionSteps,
    TerminalSteps,
)
from mlagents_envs.envs.environment_arguments import parse_arguments, warn_of_parameters
from mlagents_envs.envs.pettingzoo_behavior import PettingZooBehavior
from mlagents_envs.envs.pettingzoo_games import Agent, Game, Report, find_maker, make_game
from mlagents_envs.exception import UnityActionException, UnityEnvironmentException
from mlagents_envs.registry.options import EnvironmentOptions

DEFAULT_COPIES = 8
"""Copies side by side when nobody asks for a number."""


def make_pettingzoo_environment(name: str, options: EnvironmentOptions) -> PettingZooEnv:
    """Build copies of a PettingZoo environment.

    Args:
        name: what :func:`~mlagents_envs.envs.pettingzoo_games.find_maker` understands.
        options: seed, number of copies, arguments and rendering are used.

    Raises:
        UnityEnvironmentException: no such environment, a package is missing, an argument is wrong, or a
            space cannot be mapped.
    """
    owner = f"pettingzoo:{name}"
    keywords = parse_arguments(options.environment_args, owner)
    warn_of_parameters(options, owner)
    teams, groups = keywords.pop("teams", "none"), keywords.pop("groups", "none")
    maker = find_maker(name)
    streams = np.random.SeedSequence(options.seed).spawn(options.num_areas or DEFAULT_COPIES)
    games = []
    for copy, stream in enumerate(streams):
        window = {"render_mode": "human"} if options.rendering and copy == 0 else {}
        games.append(make_game(maker, {**window, **keywords}, np.random.default_rng(stream)))
    return PettingZooEnv(games, teams=teams, groups=groups)


@dataclass(frozen=True, slots=True)
class _Identity:
    """Who an agent of one copy is for the trainer."""

    behavior: BehaviorName
    agent_id: AgentId
    group_id: int


class PettingZooEnv(BaseEnv):
    """Copies of one PettingZoo environment, whose agents share behaviors by name.

    Args:
        games: the copies; owned by the environment from now on.
        teams: which team an agent is on, see the module.
        groups: which agents form a group, see the module.

    Raises:
        UnityEnvironmentException: a space cannot be mapped, or teams or groups are not understood.
    """

    def __init__(
        self, games: list[Game], *, teams: str | dict[str, int] = "none", groups: str = "none"
    ) -> None:
        self._games = games
        self._possible = list(getattr(games[0].env, "possible_agents", ()))
        self._teams = _read_teams(teams, self._possible)
        if groups not in ("none", "all", "team"):
            raise UnityEnvironmentException(f"groups is {groups!r}; it may be none, all or team.")
        self._groups = groups
        self._kinds: dict[BehaviorName, PettingZooBehavior] = {}
        self._specs: dict[BehaviorName, BehaviorSpec] = {}
        self._identities: dict[tuple[int, Agent], _Identity] = {}
        self._group_ids: dict[tuple[int, int], int] = {}
        self._steps: dict[BehaviorName, tuple[DecisionSteps, TerminalSteps]] = {}
        self._asking: dict[BehaviorName, list[tuple[int, Agent]]] = {}
        self._given: dict[BehaviorName, ActionTuple] = {}
        self._begun = self._closed = False
        self._own_behavior = self._differing_types()
        for agent in self._possible:
            self._identify(0, agent)

    @property
    def behavior_specs(self) -> BehaviorMapping:
        """Behaviors of the agents seen so far, and of all possible ones where the game tells them."""
        return BehaviorMapping(self._specs)

    def reset(self) -> None:
        """Begin new episodes everywhere.

        Raises:
            UnityEnvironmentException: the environment is closed, or nobody is in the game.
        """
        self._check_open()
        self._begun = True
        self._take([(copy, report) for copy, game in enumerate(self._games) for report in game.begin()])

    def step(self) -> None:
        """Carry out the actions set so far, zeros for the rest.

        Raises:
            UnityEnvironmentException: the environment is closed.
        """
        self._check_open()
        if not self._begun:
            self.reset()
            return
        actions: list[dict[Agent, Any]] = [{} for _ in self._games]
        for name, asking in self._asking.items():
            kind = self._kinds[name]
            given = self._given.get(name) or kind.spec.action_spec.empty_action(len(asking))
            batch = kind.actions.batch(given.continuous, given.discrete)
            single = iterate(kind.batched_actions, batch)
            for (copy, agent), action in zip(asking, single, strict=True):
                actions[copy][agent] = action
        reports = []
        for copy, game in enumerate(self._games):
            reports += [(copy, report) for report in game.step(actions[copy])]
        self._take(reports)

    def close(self) -> None:
        """Close all copies; without effect when repeated."""
        if not self._closed:
            self._closed = True
            for game in self._games:
                game.env.close()

    def set_actions(self, behavior_name: BehaviorName, action: ActionTuple) -> None:
        """Set the actions of all agents of a behavior that asked; see :class:`BaseEnv`.

        Raises:
            UnityActionException: unknown behavior or wrong shape.
        """
        n = len(self._asking.get(behavior_name, ()))
        self._given[behavior_name] = self._spec(behavior_name).action_spec._validate_action(
            action, n, behavior_name
        )

    def set_action_for_agent(
        self, behavior_name: BehaviorName, agent_id: AgentId, action: ActionTuple
    ) -> None:
        """Set the action of one agent, arrays of one row; others keep theirs, or zeros.

        Raises:
            UnityActionException: unknown behavior or wrong shape.
            IndexError: the agent did not ask for a decision.
        """
        spec = self._spec(behavior_name).action_spec
        ids = [self._identities[key].agent_id for key in self._asking.get(behavior_name, ())]
        if agent_id not in ids:
            raise IndexError(f"Agent {agent_id} of behavior {behavior_name} did not ask for a decision.")
        spec._validate_action(action, 1, behavior_name)
        old = self._given.get(behavior_name) or spec.empty_action(len(ids))
        new = ActionTuple(old.continuous.copy(), old.discrete.copy())
        row = ids.index(agent_id)
        new.continuous[row], new.discrete[row] = action.continuous[0], action.discrete[0]
        self._given[behavior_name] = new

    def get_steps(self, behavior_name: BehaviorName) -> tuple[DecisionSteps, TerminalSteps]:
        """Steps of a behavior since the last ``step`` or ``reset``.

        Raises:
            UnityActionException: unknown behavior.
        """
        spec = self._spec(behavior_name)
        return self._steps.get(behavior_name) or (DecisionSteps.empty(spec), TerminalSteps.empty(spec))

    # -- reports to columns --------------------------------------------------------------------------------

    def _take(self, reports: list[tuple[int, Report]]) -> None:
        """Sort reports into the columns of their behaviors."""
        self._given.clear()
        asking: dict[BehaviorName, list[tuple[int, Report]]] = {}
        ended: dict[BehaviorName, list[tuple[int, Report]]] = {}
        for copy, report in reports:
            identity = self._identify(copy, report.agent)
            (ended if report.ended else asking).setdefault(identity.behavior, []).append((copy, report))
        self._asking = {
            name: [(copy, report.agent) for copy, report in rows] for name, rows in asking.items()
        }
        self._steps = {
            name: (self._decisions(name, asking.get(name, [])), self._terminals(name, ended.get(name, [])))
            for name in {**asking, **ended}
        }

    def _decisions(self, name: BehaviorName, rows: list[tuple[int, Report]]) -> DecisionSteps:
        kind = self._kinds[name]
        if not rows:
            return DecisionSteps.empty(kind.spec)
        reports = [report for _, report in rows]
        agent_id, group_id = self._ids(rows)
        return DecisionSteps(
            kind.columns(reports),
            np.array([report.reward for report in reports], dtype=np.float32),
            agent_id,
            kind.masks(reports),
            group_id,
            np.zeros(len(rows), dtype=np.float32),
        )

    def _terminals(self, name: BehaviorName, rows: list[tuple[int, Report]]) -> TerminalSteps:
        kind = self._kinds[name]
        if not rows:
            return TerminalSteps.empty(kind.spec)
        reports = [report for _, report in rows]
        agent_id, group_id = self._ids(rows)
        return TerminalSteps(
            kind.columns(reports),
            np.array([report.reward for report in reports], dtype=np.float32),
            np.array([report.interrupted for report in reports], dtype=np.bool_),
            agent_id,
            group_id,
            np.zeros(len(rows), dtype=np.float32),
        )

    def _ids(self, rows: list[tuple[int, Report]]) -> tuple[NDArray[np.int32], NDArray[np.int32]]:
        identities = [self._identities[copy, report.agent] for copy, report in rows]
        return (
            np.array([identity.agent_id for identity in identities], dtype=np.int32),
            np.array([identity.group_id for identity in identities], dtype=np.int32),
        )

    # -- who is who ----------------------------------------------------------------------------------------

    def _identify(self, copy: int, agent: Agent) -> _Identity:
        """Who an agent is; the same over all episodes of a copy."""
        identity = self._identities.get((copy, agent))
        if identity is None:
            team = self._teams.get(str(agent), 0)
            behavior = self._behavior_of(self._games[copy].env, agent, team)
            identity = _Identity(behavior, len(self._identities), self._group_of(copy, team))
            self._identities[copy, agent] = identity
        return identity

    def _behavior_of(self, env: Any, agent: Agent, team: int) -> BehaviorName:  # noqa: ANN401
        """Name of the behavior of an agent, announced if it is new."""
        wanted = env.observation_space(agent), env.action_space(agent)
        kind_name = _agent_type(agent)
        if kind_name in self._own_behavior:
            kind_name = _file_name(agent)
        for name in (kind_name, _file_name(agent)):
            behavior = f"{name}?team={team}"
            kind = self._kinds.get(behavior)
            if kind is None:
                kind = self._kinds[behavior] = PettingZooBehavior(name, *wanted)
                self._specs[behavior] = kind.spec
            if kind.spaces == wanted:
                return behavior
        raise UnityEnvironmentException(f"The spaces of the agent {agent} have changed from copy to copy.")

    def _group_of(self, copy: int, team: int) -> int:
        """Group of an agent, 0 for none."""
        if self._groups == "none":
            return 0
        key = copy, (team if self._groups == "team" else 0)
        return self._group_ids.setdefault(key, len(self._group_ids) + 1)

    def _differing_types(self) -> set[str]:
        """Types whose agents do not all have the same spaces."""
        env = self._games[0].env
        known: dict[str, Any] = {}
        differing = set()
        for agent in self._possible:
            found = env.observation_space(agent), env.action_space(agent)
            if known.setdefault(_agent_type(agent), found) != found:
                differing.add(_agent_type(agent))
        return differing

    def _spec(self, behavior_name: BehaviorName) -> BehaviorSpec:
        spec = self._specs.get(behavior_name)
        if spec is None:
            raise UnityActionException(
                f"There is no behavior {behavior_name}; known are {', '.join(self._specs) or 'none yet'}."
            )
        return spec

    def _check_open(self) -> None:
        if self._closed:
            raise UnityEnvironmentException("The environment is closed; make a new one.")


def _agent_type(agent: Agent) -> str:
    """Name of an agent without the number at its end, fit for a file name."""
    return re.sub(r"[_-]?\d+$", "", _file_name(agent)) or "agent"


def _file_name(agent: Agent) -> str:
    return re.sub(r'[/\\:*?"<>|\0]', "_", str(agent)) or "agent"


def _read_teams(teams: str | dict[str, int], possible: list[Agent]) -> dict[str, int]:
    """Team of each agent by name; agents that are not named are on team 0.

    Raises:
        UnityEnvironmentException: not understood, or an agent does not exist.
    """
    if teams == "none":
        return {}
    if teams == "index":
        return {str(agent): index for index, agent in enumerate(possible)}
    names = [str(agent) for agent in possible]
    if isinstance(teams, dict) and all(isinstance(team, int) and team >= 0 for team in teams.values()):
        unknown = [str(agent) for agent in teams if names and str(agent) not in names]
        if not unknown:
            return {str(agent): team for agent, team in teams.items()}
        raise UnityEnvironmentException(
            f"teams names {', '.join(unknown)}, but the agents are {', '.join(names)}."
        )
    raise UnityEnvironmentException(
        f"teams is {teams!r}; it may be none, index, or a map such as {{player_0: 0, player_1: 1}}."
    )
