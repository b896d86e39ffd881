"""Refuses experience with NaN or infinite values, naming who it came from."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from mlagents.experience.replay import ReplayStore
from mlagents.experience.store import RolloutStore
from mlagents.sampling.slots import SlotTable, describe_agent
from mlagents.sampling.step_checks import check_shapes
from mlagents.sampling.worker import StepBatch
from mlagents_envs.base_env import BehaviorSpec
from mlagents_envs.exception import UnityObservationException


def check_observations(
    behavior: str,
    spec: BehaviorSpec,
    store: RolloutStore | ReplayStore,
    slots: SlotTable,
    rows: slice | NDArray[np.int64],
) -> None:
    """Check that the observations of ``rows`` are finite.

    Args:
        behavior: name for the message.
        spec: names of the sensors.
        store: the experience.
        slots: names of the agents.
        rows: which rows to look at.

    Raises:
        UnityObservationException: names behavior, agent, sensor and index of the first that is not.
    """
    for sensor, column in zip(spec.observation_specs, store.raw_observations(rows), strict=True):
        bad = _places_not_finite(column)
        if len(bad):
            row, *index = bad[0].tolist()
            agent = slots.describe(int(store.agent_slot[rows][row]))
            raise _observation_error("An observation", behavior, agent, sensor.name, index)


def check_experience(behavior: str, spec: BehaviorSpec, store: RolloutStore, slots: SlotTable) -> None:
    """Check that everything an update would learn from is finite: rewards, observations, final ones.

    Acting finds NaN at once, but not what comes without a decision (rewards, the final observations of
    interrupted episodes), nor infinity, which normalisation clamps to a plausible number.

    Args:
        behavior: name for the message.
        spec: names of the sensors.
        store: the experience.
        slots: names of the agents.

    Raises:
        UnityObservationException: names behavior and agent, for observations also sensor and index.
    """
    used = store.num_rows
    bad_rows = np.flatnonzero(~np.isfinite(store.rewards[:used]) & store.complete[:used])
    if len(bad_rows):
        agent = slots.describe(int(store.agent_slot[bad_rows[0]]))
        raise _reward_error(behavior, agent)
    check_observations(behavior, spec, store, slots, slice(0, used))
    for sensor, column in zip(spec.observation_specs, store.raw_final_observations(), strict=True):
        bad = _places_not_finite(column)
        if len(bad):
            number, *index = bad[0].tolist()
            row = np.flatnonzero(store.bootstrap_row[:used] == number)[0]
            agent = slots.describe(int(store.agent_slot[row]))
            raise _observation_error("A final observation", behavior, agent, sensor.name, index)


def check_batch(behavior: str, spec: BehaviorSpec, batch: StepBatch) -> None:
    """Check that everything agents reported is finite and of its shape, before any of it is kept.

    Args:
        behavior: name for the message.
        spec: names of the sensors.
        batch: what they reported.

    Raises:
        UnityObservationException: names behavior and agent, for observations also sensor and index.
    """
    check_shapes(behavior, spec, batch)
    for what, steps in (("A final observation", batch.terminal), ("An observation", batch.decision)):
        if not len(steps.agent_id):
            continue
        rewards = steps.reward + steps.group_reward
        if not np.isfinite(rewards).all():
            agent = _agent_of(batch, steps.agent_id, int(np.argmin(np.isfinite(rewards))))
            raise _reward_error(behavior, agent)
        for sensor, column in zip(spec.observation_specs, steps.obs, strict=True):
            if not np.isfinite(column).all():
                row, *index = _places_not_finite(column)[0].tolist()
                agent = _agent_of(batch, steps.agent_id, row)
                raise _observation_error(what, behavior, agent, sensor.name, index)


def _agent_of(batch: StepBatch, agent_id: NDArray[np.int32], row: int) -> str:
    return describe_agent(int(agent_id[row]), batch.behavior_id, batch.worker)


def _places_not_finite(column: NDArray[Any]) -> NDArray[np.int64]:
    """Row and index of each number that is NaN or infinite, int64 ``[n, dimensions]``."""
    if column.dtype == np.uint8:  # an image that is kept as bytes
        return np.empty((0, column.ndim), dtype=np.int64)
    return np.argwhere(~np.isfinite(column))


def _reward_error(behavior: str, agent: str) -> UnityObservationException:
    return UnityObservationException(
        f"A reward of the behavior {behavior} is NaN or infinite: {agent}. "
        "Check what the environment adds to its reward."
    )


def _observation_error(
    what: str, behavior: str, agent: str, sensor: str, index: list[int]
) -> UnityObservationException:
    place = index[0] if len(index) == 1 else index
    return UnityObservationException(
        f"{what} of the behavior {behavior} is NaN or infinite: {agent}, sensor '{sensor}', index {place}. "
        "Check the sensor and the physics behind it."
    )
