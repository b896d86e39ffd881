"""Small vectorised environments for tests of the trainer."""

from __future__ import annotations

from typing import Any

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


def vector_spec(size: int, name: str = "state") -> ObservationSpec:
    return ObservationSpec((size,), (DimensionProperty.NONE,), ObservationType.DEFAULT, name)


class DriftEnv(BaseEnv):
    """Each agent drifts on a line and is rewarded for staying near the origin.

    The first continuous action pushes; the first discrete action, where there is one, pushes by half a
    unit left, not at all, or right, and the direction away from the origin is forbidden. Episodes end at
    random, some of them as interrupted. Deterministic, and able to save its state.
    """

    def __init__(
        self,
        num_agents: int = 6,
        action_spec: ActionSpec | None = None,
        seed: int = 0,
        behavior: str = "Drift?team=0",
    ) -> None:
        self.action_spec = action_spec or ActionSpec.create_continuous(1)
        self.behavior = behavior
        self._spec = BehaviorSpec([vector_spec(3)], self.action_spec)
        self._n = num_agents
        self._rng = np.random.default_rng(seed)
        self._ids = np.arange(num_agents, dtype=np.int32)
        self._position = np.zeros(num_agents)
        self._left = np.zeros(num_agents, dtype=np.int64)
        self._actions = self.action_spec.empty_action(num_agents)
        self._steps = DecisionSteps.empty(self._spec), TerminalSteps.empty(self._spec)
        self.closed = False

    @property
    def behavior_specs(self) -> BehaviorMapping:
        return BehaviorMapping({self.behavior: self._spec})

    def reset(self) -> None:
        self._begin(np.ones(self._n, dtype=bool))
        everyone = np.zeros(self._n, dtype=np.float32)
        self._steps = self._decisions(everyone), TerminalSteps.empty(self._spec)

    def step(self) -> None:
        push = np.zeros(self._n)
        if self.action_spec.continuous_size:
            push += 0.3 * self._actions.continuous[:, 0]
        if self.action_spec.discrete_size:
            push += 0.5 * (self._actions.discrete[:, 0] - 1)
        self._position += push + 0.1 * self._rng.standard_normal(self._n)
        rewards = (1.0 - np.abs(self._position)).astype(np.float32)
        self._left -= 1
        done = (self._left <= 0) | (np.abs(self._position) > 4.0)
        interrupted = done & (self._position > 0)
        ended = np.flatnonzero(done)
        terminal = TerminalSteps(
            [self._observations()[ended]],
            rewards[ended],
            interrupted[ended],
            self._ids[ended],
            np.zeros(len(ended), dtype=np.int32),
            np.zeros(len(ended), dtype=np.float32),
        )
        self._begin(done)
        rewards[done] = 0.0
        self._steps = self._decisions(rewards), terminal
        self._actions = self.action_spec.empty_action(self._n)

    def _begin(self, which: np.ndarray) -> None:
        count = int(which.sum())
        self._position[which] = self._rng.uniform(-2.0, 2.0, count)
        self._left[which] = self._rng.integers(5, 40, count)

    def _observations(self) -> np.ndarray:
        p = self._position
        return np.stack([p, np.sin(p), np.full(self._n, 0.5)], axis=1).astype(np.float32)

    def _decisions(self, rewards: np.ndarray) -> DecisionSteps:
        masks = None
        if self.action_spec.discrete_size:
            masks = [np.zeros((self._n, size), dtype=bool) for size in self.action_spec.discrete_branches]
            masks[0][:, 0] = self._position < 0.0
            masks[0][:, 2] = self._position > 0.0
        groups, group_rewards = np.zeros(self._n, dtype=np.int32), np.zeros(self._n, dtype=np.float32)
        return DecisionSteps([self._observations()], rewards, self._ids, masks, groups, group_rewards)

    def get_steps(self, behavior_name: str) -> tuple[DecisionSteps, TerminalSteps]:
        return self._steps

    def set_actions(self, behavior_name: str, action: ActionTuple) -> None:
        self._actions = self.action_spec._validate_action(action, self._n, behavior_name)

    def set_action_for_agent(self, behavior_name: str, agent_id: int, action: ActionTuple) -> None:
        raise NotImplementedError

    def close(self) -> None:
        self.closed = True


class SavableDriftEnv(DriftEnv):
    """A drift environment that saves its state."""

    def get_state(self) -> dict[str, Any]:
        decision, terminal = self._steps
        return {
            "rng": self._rng.bit_generator.state,
            "position": self._position,
            "left": self._left,
            "rewards": decision.reward,
            "terminal": [
                terminal.obs[0],
                terminal.reward,
                terminal.interrupted,
                terminal.agent_id,
                terminal.group_id,
                terminal.group_reward,
            ],
        }

    def set_state(self, state: dict[str, Any]) -> None:
        self._rng.bit_generator.state = state["rng"]
        self._position = np.array(state["position"])
        self._left = np.array(state["left"])
        obs, *rest = state["terminal"]
        self._steps = self._decisions(np.array(state["rewards"])), TerminalSteps([obs], *rest)
