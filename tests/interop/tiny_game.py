"""A game of several behaviors with random observations of all kinds; as a program it plays for a trainer.

Agents earn what their first continuous action is, so that there is something to learn.
"""

from __future__ import annotations

import argparse
import sys
from typing import Any

import numpy as np
from numpy.typing import NDArray

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

NONE = DimensionProperty.NONE
SHIFT = DimensionProperty.TRANSLATIONAL_EQUIVARIANCE
VARIABLE = DimensionProperty.VARIABLE_SIZE
PROPERTIES = {1: (NONE,), 2: (VARIABLE, NONE), 3: (NONE, SHIFT, SHIFT)}
ACTIONS = ActionSpec(2, (3, 2))
NUM_AGENTS = 4
GOAL_CHOICES = 3


def observation(*shape: int, goal: bool = False) -> ObservationSpec:
    kind = ObservationType.GOAL_SIGNAL if goal else ObservationType.DEFAULT
    name = f"{'goal' if goal else 'sensor'}{len(shape)}{shape[0]}"
    return ObservationSpec(shape, PROPERTIES[len(shape)], kind, name)


MEMORY = {"memory_size": 8, "sequence_length": 4}
BEHAVIORS: dict[str, tuple[list[ObservationSpec], dict[str, Any]]] = {
    "Flat": ([observation(4), observation(2)], {"normalize": True}),
    "Shared": ([observation(5)], {"num_layers": 1}),
    "Recurrent": ([observation(3)], {"memory": MEMORY, "normalize": True}),
    "Plain": ([observation(3, 4, 5)], {"vis_encode_type": "fully_connected"}),
    "Match3": ([observation(2), observation(3, 6, 5)], {"vis_encode_type": "match3"}),
    "Simple": ([observation(3, 20, 24), observation(2)], {"memory": MEMORY}),
    "Nature": ([observation(1, 36, 40)], {"vis_encode_type": "nature_cnn"}),
    "Resnet": ([observation(2, 15, 18)], {"vis_encode_type": "resnet"}),
    "Entities": ([observation(4, 3), observation(2), observation(3, 5)], {"normalize": True}),
    "Crowd": ([observation(4, 3)], {}),
    "Goal": ([observation(GOAL_CHOICES, goal=True), observation(4)], {"normalize": True, "num_layers": 1}),
    "Everything": (
        [observation(3, 20, 20), observation(4, 3), observation(4), observation(GOAL_CHOICES, goal=True)],
        {"normalize": True, "num_layers": 3, "memory": MEMORY},
    ),
}
"""Observations of each behavior, and the settings of its network."""


def random_observations(
    specs: list[ObservationSpec], count: int, rng: np.random.Generator
) -> list[NDArray[np.float32]]:
    """Observations ``[count, *shape]``: padded lists, images between 0 and 1, goals as one of a few."""
    columns = []
    for spec in specs:
        x = rng.normal(0.5, 2.0, (count, *spec.shape))
        if len(spec.shape) == 3:
            x = rng.random(x.shape) * rng.random((count, 1, 1, 1))  # some are dark
        if len(spec.shape) == 2:
            x[rng.random(x.shape[:2]) < 0.3] = 0.0
        if spec.observation_type is ObservationType.GOAL_SIGNAL:
            x = np.eye(spec.shape[0])[rng.integers(0, spec.shape[0], count)]
        columns.append(x.astype(np.float32))
    return columns


class TinyGame(BaseEnv):
    """All behaviors, a few agents each, whose episodes end at random."""

    def __init__(self, seed: int) -> None:
        self._rng = np.random.default_rng(seed)
        self._specs = {
            f"{name}?team=0": BehaviorSpec(specs, ACTIONS) for name, (specs, _) in BEHAVIORS.items()
        }
        self._rewards = {name: np.zeros(NUM_AGENTS, dtype=np.float32) for name in self._specs}
        self._steps: dict[str, tuple[DecisionSteps, TerminalSteps]] = {}

    @property
    def behavior_specs(self) -> BehaviorMapping:
        return BehaviorMapping(self._specs)

    def reset(self) -> None:
        for index, name in enumerate(self._specs):
            self._rewards[name][:] = 0.0
            self._steps[name] = self._decide(index, name), TerminalSteps.empty(self._specs[name])

    def step(self) -> None:
        for index, (name, spec) in enumerate(self._specs.items()):
            ended = np.flatnonzero(self._rng.random(NUM_AGENTS) < 0.1)
            observations = random_observations(list(spec.observation_specs), len(ended), self._rng)
            zeros = np.zeros(len(ended), dtype=np.float32)
            ids = self._ids(index)[ended]
            terminal = TerminalSteps(
                observations,
                self._rewards[name][ended],
                self._rng.random(len(ended)) < 0.5,
                ids,
                zeros.astype(np.int32),
                zeros,
            )
            self._rewards[name][ended] = 0.0
            self._steps[name] = self._decide(index, name), terminal

    def _ids(self, behavior: int) -> NDArray[np.int32]:
        return np.arange(behavior * NUM_AGENTS, (behavior + 1) * NUM_AGENTS, dtype=np.int32)

    def _decide(self, behavior: int, name: str) -> DecisionSteps:
        specs = list(self._specs[name].observation_specs)
        masks = [np.zeros((NUM_AGENTS, size), dtype=np.bool_) for size in ACTIONS.discrete_branches]
        masks[0][:, 1] = self._rng.random(NUM_AGENTS) < 0.3
        zeros = np.zeros(NUM_AGENTS, dtype=np.float32)
        return DecisionSteps(
            random_observations(specs, NUM_AGENTS, self._rng),
            self._rewards[name].copy(),
            self._ids(behavior),
            masks,
            zeros.astype(np.int32),
            zeros,
        )

    def get_steps(self, behavior_name: str) -> tuple[DecisionSteps, TerminalSteps]:
        return self._steps[behavior_name]

    def set_actions(self, behavior_name: str, action: ActionTuple) -> None:
        self._rewards[behavior_name][:] = action.continuous[:, 0]

    def set_action_for_agent(self, behavior_name: str, agent_id: int, action: ActionTuple) -> None:
        raise NotImplementedError

    def close(self) -> None:
        pass


def main() -> None:
    from mlagents_sdk import wire
    from mlagents_sdk.cli.player import add_player_arguments, with_known_case

    parser = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
    add_player_arguments(parser, timeout=30.0)
    arguments, _ = parser.parse_known_args(with_known_case(sys.argv[1:]))
    wire.serve(lambda options: TinyGame(options.seed), arguments.mlagents_port, timeout=arguments.timeout)


if __name__ == "__main__":
    main()
