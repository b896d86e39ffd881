"""Small tasks that need memory, sight, goals or attention. Right answers earn 1, others -1."""

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

_NONE, _SHIFT = DimensionProperty.NONE, DimensionProperty.TRANSLATIONAL_EQUIVARIANCE
SIDE = 20
MOST_ENTITIES = 5


def _vector(size: int, name: str, kind: ObservationType = ObservationType.DEFAULT) -> ObservationSpec:
    return ObservationSpec((size,), (_NONE,), kind, name)


OBSERVATIONS = {
    # the cue is shown at the first step only
    "memory": [_vector(3, "cue")],
    # the brighter half of an image
    "image": [ObservationSpec((1, SIDE, SIDE), (_NONE, _SHIFT, _SHIFT), ObservationType.DEFAULT, "camera")],
    # a sign, which the goal says to follow or to reverse
    "goal": [_vector(1, "sign"), _vector(2, "task", ObservationType.GOAL_SIGNAL)],
    # whether the entity with the largest key, of those that are there, has a positive value
    "entities": [
        ObservationSpec(
            (MOST_ENTITIES, 3), (DimensionProperty.VARIABLE_SIZE, _NONE), ObservationType.DEFAULT, "others"
        )
    ],
}
LENGTH = {"memory": 6, "image": 1, "goal": 1, "entities": 1}


class ChoiceEnv(BaseEnv):
    """Agents choose 0 or 1 at the last step of each episode; every agent begins anew at once.

    Able to save its state.

    Args:
        kind: which task.
        num_agents: agents.
        seed: seed of the tasks.
        interrupts: report every other episode's end as an interruption.
    """

    def __init__(self, kind: str, num_agents: int = 32, seed: int = 0, *, interrupts: bool = False) -> None:
        self._kind = kind
        self._n = num_agents
        self._rng = np.random.default_rng(seed)
        self._interrupts = interrupts
        self._spec = BehaviorSpec(OBSERVATIONS[kind], ActionSpec.create_discrete((2,)))
        self._ids = np.arange(num_agents, dtype=np.int32)
        self._time = self._ids.astype(np.int64) % LENGTH[kind]
        self._answer = np.zeros(num_agents, dtype=np.int64)
        self._obs = [np.zeros((num_agents, *o.shape), dtype=np.float32) for o in self._spec.observation_specs]
        self._choice = np.zeros(num_agents, dtype=np.int64)
        self._episodes = 0
        self._terminal = TerminalSteps.empty(self._spec)

    @property
    def behavior_specs(self) -> BehaviorMapping:
        return BehaviorMapping({"Task?team=0": self._spec})

    def reset(self) -> None:
        self._time[:] = 0
        self._begin(self._ids)
        self._terminal = TerminalSteps.empty(self._spec)

    def step(self) -> None:
        self._time += 1
        ended = np.flatnonzero(self._time == LENGTH[self._kind])
        earned = np.where(self._choice[ended] == self._answer[ended], 1.0, -1.0).astype(np.float32)
        zeros = np.zeros(len(ended), dtype=np.float32)
        self._episodes += 1
        interrupted = np.full(len(ended), self._interrupts and self._episodes % 2 == 0)
        finals = [column[ended].copy() for column in self._obs]
        self._terminal = TerminalSteps(
            finals, earned, interrupted, self._ids[ended], zeros.astype(np.int32), zeros
        )
        if self._kind == "memory":
            self._obs[0][:, :2] = 0.0
            self._obs[0][:, 2] = self._time == LENGTH[self._kind] - 1
        self._time[ended] = 0
        self._begin(ended)

    def _begin(self, which: np.ndarray) -> None:
        count, rng = len(which), self._rng
        answer = self._answer[which] = rng.integers(0, 2, count)
        rows = np.arange(count)
        match self._kind:
            case "memory":
                self._obs[0][which] = 0.0
                self._obs[0][which, answer] = 1.0
            case "image":
                pixels = rng.integers(0, 120, (count, 1, SIDE, SIDE))
                half = np.arange(SIDE) // (SIDE // 2) == answer[:, None]
                pixels = pixels + 60 * half[:, None, None, :]
                self._obs[0][which] = pixels.astype(np.float32) / np.float32(255)
            case "goal":
                task = rng.integers(0, 2, count)
                sign = np.where(answer == task, 1.0, -1.0)
                self._obs[0][which, 0] = sign * rng.uniform(0.2, 1.0, count)
                goal = np.zeros((count, 2), dtype=np.float32)
                goal[rows, task] = 1.0
                self._obs[1][which] = goal
            case "entities":
                present = np.arange(MOST_ENTITIES) < rng.integers(1, MOST_ENTITIES + 1, count)[:, None]
                keys = rng.uniform(0.1, 1.0, present.shape) * present
                values = rng.choice([-1.0, 1.0], present.shape) * present
                values[rows, keys.argmax(axis=1)] = 2.0 * answer - 1.0
                self._obs[0][which] = np.stack([present, keys, values], axis=2)

    def get_steps(self, behavior_name: str) -> tuple[DecisionSteps, TerminalSteps]:
        zeros = np.zeros(self._n, dtype=np.float32)
        columns = [column.copy() for column in self._obs]
        decision = DecisionSteps(columns, zeros, self._ids, None, zeros.astype(np.int32), zeros)
        return decision, self._terminal

    def set_actions(self, behavior_name: str, action: ActionTuple) -> None:
        self._choice = action.discrete[:, 0].astype(np.int64)

    def set_action_for_agent(self, behavior_name: str, agent_id: int, action: ActionTuple) -> None:
        raise NotImplementedError

    def close(self) -> None:
        """Nothing to release."""

    def get_state(self) -> dict[str, Any]:
        terminal = self._terminal
        return {
            "rng": self._rng.bit_generator.state,
            "time": self._time,
            "answer": self._answer,
            "obs": self._obs,
            "episodes": self._episodes,
            "finals": terminal.obs,
            "terminal": [terminal.reward, terminal.interrupted, terminal.agent_id, terminal.group_id],
        }

    def set_state(self, state: dict[str, Any]) -> None:
        self._rng.bit_generator.state = state["rng"]
        self._time, self._answer = np.array(state["time"]), np.array(state["answer"])
        self._obs = [np.array(column) for column in state["obs"]]
        self._episodes = int(state["episodes"])
        reward, interrupted, agent_id, group_id = state["terminal"]
        self._terminal = TerminalSteps(
            list(state["finals"]), reward, interrupted, agent_id, group_id, np.zeros_like(reward)
        )
