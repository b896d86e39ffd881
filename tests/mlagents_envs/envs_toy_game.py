"""A small environment whose every number can be predicted, for the tests of views."""

from __future__ import annotations

import numpy as np

from mlagents_envs.base_env import (
    ActionSpec,
    ActionTuple,
    BaseEnv,
    BehaviorMapping,
    BehaviorSpec,
    DecisionSteps,
    DimensionProperty,
    ObservationSpec,
    ObservationType,
    TerminalSteps,
)


def observation_spec(shape: tuple[int, ...], name: str) -> ObservationSpec:
    return ObservationSpec(shape, (DimensionProperty.NONE,) * len(shape), ObservationType.DEFAULT, name)


class ToyGame(BaseEnv):
    """Agents count their decisions; every element of an observation is ``noise + agent + t / 100``, of
    an image only what is behind the point.

    ``noise`` is drawn once per episode. The reward of a decision is 1 + t + the first action. Agent ``i``
    is done after ``length + i`` decisions; odd agents are interrupted. With masks, choice ``t % size`` of
    every branch is forbidden.

    Args:
        action_spec: the actions.
        agents: number of agents per behavior.
        observations: shapes.
        length: decisions of an episode of agent 0.
        masks: whether there are masks; ``strict`` refuses forbidden choices.
        strict: see there.
        late: ends are reported in a step of their own, in which nobody asks.
        turns: agents ask one after the other instead of all at once.
        new_ids: agents get a new id for every episode.
        behaviors: their names.
        seed: of the noise.
    """

    def __init__(
        self,
        action_spec: ActionSpec,
        *,
        agents: int = 3,
        observations: tuple[tuple[int, ...], ...] = ((3,),),
        length: int = 5,
        masks: bool = True,
        strict: bool = False,
        late: bool = False,
        turns: bool = False,
        new_ids: bool = False,
        behaviors: tuple[str, ...] = ("Toy?team=0",),
        seed: int = 0,
    ) -> None:
        self.action_spec = action_spec
        self.n, self.length = agents, length
        self.masks, self.strict = masks and action_spec.discrete_size > 0, strict
        self.late, self.turns, self.new_ids = late, turns, new_ids
        specs = [observation_spec(shape, f"sensor{i}") for i, shape in enumerate(observations)]
        self.spec = BehaviorSpec(specs, action_spec)
        self.behaviors = behaviors
        self.seed = seed
        self.rng = np.random.default_rng(seed)
        self.resets = self.steps = 0
        self.closed = False
        self.received: list[ActionTuple] = []
        self._steps = {
            name: (DecisionSteps.empty(self.spec), TerminalSteps.empty(self.spec)) for name in behaviors
        }
        self._actions: dict[str, ActionTuple] = {}

    @property
    def behavior_specs(self) -> BehaviorMapping:
        return BehaviorMapping(dict.fromkeys(self.behaviors, self.spec))

    def reset(self) -> None:
        self.resets += 1
        self.t = {name: np.zeros(self.n, dtype=np.int64) for name in self.behaviors}
        self.ids = {name: np.arange(self.n, dtype=np.int32) for name in self.behaviors}
        self.noise = {name: self.rng.uniform(0.1, 0.9, self.n) for name in self.behaviors}
        self.tick = 0
        self._waiting = False
        for name in self.behaviors:
            self._steps[name] = self._decisions(name, np.zeros(self.n)), TerminalSteps.empty(self.spec)

    def step(self) -> None:
        self.steps += 1
        if self._waiting:
            self._waiting = False
            for name in self.behaviors:
                rewards = self._rewards[name]
                self._steps[name] = self._decisions(name, rewards), TerminalSteps.empty(self.spec)
            return
        self.tick += 1
        self._rewards = {}
        for name in self.behaviors:
            asked, _ = self._steps[name]
            rows = np.searchsorted(np.sort(self.ids[name]), asked.agent_id)
            rows = np.argsort(self.ids[name])[rows]
            given = self._actions.pop(name, self.action_spec.empty_action(len(asked)))
            self._check(asked, given)
            self.received.append(given)
            first = given.continuous[:, 0] if self.action_spec.continuous_size else given.discrete[:, 0]
            t = self.t[name]
            t[rows] += 1
            rewards = np.zeros(self.n)
            rewards[rows] = 1.0 + t[rows] + first
            done = t >= self.length + np.arange(self.n)
            terminal = self._terminals(name, rewards, done)
            rewards = np.where(done, 0.0, rewards)
            t[done] = 0
            self.noise[name][done] = self.rng.uniform(0.1, 0.9, int(done.sum()))
            if self.new_ids:
                self.ids[name] = np.where(done, self.ids[name] + 100, self.ids[name]).astype(np.int32)
            self._rewards[name] = rewards
            if self.late and done.any():
                self._waiting = True
                self._steps[name] = DecisionSteps.empty(self.spec), terminal
            else:
                self._steps[name] = self._decisions(name, rewards), terminal

    def _check(self, asked: DecisionSteps, given: ActionTuple) -> None:
        if self.strict and asked.action_mask is not None:
            for branch, mask in enumerate(asked.action_mask):
                assert not mask[np.arange(len(asked)), given.discrete[:, branch]].any(), "forbidden choice"

    def columns(self, name: str) -> list[np.ndarray]:
        values = self.noise[name] + np.arange(self.n) + self.t[name] / 100.0
        return [
            np.broadcast_to(
                (values % 1.0 if len(s.shape) == 3 else values).reshape(self.n, *(1,) * len(s.shape)),
                (self.n, *s.shape),
            ).astype(np.float32)
            for s in self.spec.observation_specs
        ]

    def _decisions(self, name: str, rewards: np.ndarray) -> DecisionSteps:
        rows = np.array([self.tick % self.n]) if self.turns else np.arange(self.n)
        masks = None
        if self.masks:
            masks = [
                np.arange(size)[None] == (self.t[name][rows] % size)[:, None]
                for size in self.action_spec.discrete_branches
            ]
        return DecisionSteps(
            [column[rows] for column in self.columns(name)],
            rewards[rows].astype(np.float32),
            self.ids[name][rows],
            masks,
            np.ones(len(rows), dtype=np.int32),
            np.full(len(rows), 0.5, dtype=np.float32),
        )

    def _terminals(self, name: str, rewards: np.ndarray, done: np.ndarray) -> TerminalSteps:
        rows = np.flatnonzero(done)
        return TerminalSteps(
            [column[rows] for column in self.columns(name)],
            rewards[rows].astype(np.float32),
            rows % 2 == 1,
            self.ids[name][rows],
            np.ones(len(rows), dtype=np.int32),
            np.full(len(rows), 0.25, dtype=np.float32),
        )

    def get_steps(self, behavior_name: str) -> tuple[DecisionSteps, TerminalSteps]:
        return self._steps[behavior_name]

    def set_actions(self, behavior_name: str, action: ActionTuple) -> None:
        asked, _ = self._steps[behavior_name]
        self._actions[behavior_name] = self.action_spec._validate_action(action, len(asked), behavior_name)

    def set_action_for_agent(self, behavior_name: str, agent_id: int, action: ActionTuple) -> None:
        asked, _ = self._steps[behavior_name]
        row = asked.agent_id_to_index[agent_id]
        given = self._actions.setdefault(behavior_name, self.action_spec.empty_action(len(asked)))
        given.continuous[row], given.discrete[row] = action.continuous[0], action.discrete[0]

    def close(self) -> None:
        self.closed = True


CONTINUOUS = ActionSpec.create_continuous(2)
DISCRETE = ActionSpec.create_discrete((4,))
BRANCHED = ActionSpec.create_discrete((3, 2))
HYBRID = ActionSpec.create_hybrid(2, (3, 2))
