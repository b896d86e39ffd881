"""Small builders shared by the tests of experience, networks, algorithms and sampling."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from hypothesis import settings
from numpy.typing import NDArray

from mlagents.sampling.worker import StepBatch
from mlagents.settings import BehaviorSettings
from mlagents_envs.base_env import (
    ActionSpec,
    BehaviorSpec,
    DecisionSteps,
    DimensionProperty,
    ObservationSpec,
    ObservationType,
    TerminalSteps,
)

few_examples = settings(max_examples=40, deadline=None, derandomize=True, database=None)
"""Enough variety to find a broken index, and the same cases in every run."""

ACTION_SPECS = {
    "continuous": ActionSpec.create_continuous(2),
    "discrete": ActionSpec.create_discrete((3, 2)),
    "hybrid": ActionSpec.create_hybrid(2, (2, 4)),
}
_NONE, _SHIFT = DimensionProperty.NONE, DimensionProperty.TRANSLATIONAL_EQUIVARIANCE
PROPERTIES = {1: (_NONE,), 2: (DimensionProperty.VARIABLE_SIZE, _NONE), 3: (_NONE, _SHIFT, _SHIFT)}
"""Of vectors, lists of entities, and images."""


def observation_spec(shape: int | tuple[int, ...], name: str = "sensor") -> ObservationSpec:
    shape = (shape,) if isinstance(shape, int) else shape
    properties = PROPERTIES[len(shape)]
    return ObservationSpec(shape, properties, ObservationType.DEFAULT, name)


def behavior_spec(
    actions: ActionSpec | None = None, sizes: Sequence[int | tuple[int, ...]] = (1,)
) -> BehaviorSpec:
    names = ["first", "second", "third"]
    specs = [observation_spec(size, name) for size, name in zip(sizes, names, strict=False)]
    return BehaviorSpec(specs, actions or ActionSpec.create_continuous(1))


def behavior_settings(
    hyperparameters: dict[str, Any] | None = None, network: dict[str, Any] | None = None, **other: object
) -> BehaviorSettings:
    small = {"batch_size": 16, "buffer_size": 32, "learning_rate_schedule": "constant"}
    return BehaviorSettings(
        trainer_type="ppo",
        hyperparameters={**small, **(hyperparameters or {})},
        network_settings={"hidden_units": 8, "num_layers": 1, **(network or {})},
        **other,
    )


def _column(values: Sequence[float] | None, count: int, dtype: type) -> NDArray[Any]:
    return np.zeros(count, dtype=dtype) if values is None else np.array(values, dtype=dtype)


def decision_steps(
    agents: Sequence[int],
    observations: Sequence[float] | list[NDArray[np.float32]],
    rewards: Sequence[float] | None = None,
    group_rewards: Sequence[float] | None = None,
    groups: Sequence[int] | None = None,
    masks: list[NDArray[np.bool_]] | None = None,
) -> DecisionSteps:
    """Steps of agents; numbers as observations stand for one sensor of size 1."""
    count = len(agents)
    return DecisionSteps(
        _observations(observations, count),
        _column(rewards, count, np.float32),
        np.array(agents, dtype=np.int32),
        masks,
        _column(groups, count, np.int32),
        _column(group_rewards, count, np.float32),
    )


def terminal_steps(
    agents: Sequence[int] = (),
    observations: Sequence[float] | list[NDArray[np.float32]] = (),
    rewards: Sequence[float] | None = None,
    interrupted: Sequence[bool] | None = None,
    group_rewards: Sequence[float] | None = None,
) -> TerminalSteps:
    count = len(agents)
    return TerminalSteps(
        _observations(observations, count),
        _column(rewards, count, np.float32),
        _column(interrupted, count, np.bool_),
        np.array(agents, dtype=np.int32),
        np.zeros(count, dtype=np.int32),
        _column(group_rewards, count, np.float32),
    )


def _observations(
    observations: Sequence[float] | list[NDArray[np.float32]], count: int
) -> list[NDArray[np.float32]]:
    if len(observations) and isinstance(observations[0], np.ndarray):
        return list(observations)
    return [np.array(observations, dtype=np.float32).reshape(count, 1)]


def step_batch(
    decision: DecisionSteps | None = None,
    terminal: TerminalSteps | None = None,
    worker: int = 0,
    behavior_id: str = "Ball?team=0",
) -> StepBatch:
    return StepBatch(worker, behavior_id, decision or decision_steps([], []), terminal or terminal_steps())
