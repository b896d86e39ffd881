"""Refuses experience with NaN or infinite values, naming who it came from."""

from __future__ import annotations

import numpy as np

from mlagents.experience.store import RolloutStore
from mlagents.sampling.slots import SlotTable
from mlagents_envs.base_env import BehaviorSpec
from mlagents_envs.exception import UnityObservationException


def check_observations(
    behavior: str, spec: BehaviorSpec, store: RolloutStore, slots: SlotTable, rows: slice
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
    for sensor, column in zip(spec.observation_specs, store.observations, strict=True):
        bad = np.argwhere(~np.isfinite(column[rows]))
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
        raise UnityObservationException(
            f"A reward of the behavior {behavior} is NaN or infinite: {agent}. "
            "Check what the environment adds to its reward."
        )
    check_observations(behavior, spec, store, slots, slice(0, used))
    for sensor, column in zip(spec.observation_specs, store.bootstrap_observations, strict=True):
        bad = np.argwhere(~np.isfinite(column[: store.num_bootstrap]))
        if len(bad):
            number, *index = bad[0].tolist()
            row = np.flatnonzero(store.bootstrap_row[:used] == number)[0]
            agent = slots.describe(int(store.agent_slot[row]))
            raise _observation_error("A final observation", behavior, agent, sensor.name, index)


def _observation_error(
    what: str, behavior: str, agent: str, sensor: str, index: list[int]
) -> UnityObservationException:
    place = index[0] if len(index) == 1 else index
    return UnityObservationException(
        f"{what} of the behavior {behavior} is NaN or infinite: {agent}, sensor '{sensor}', index {place}. "
        "Check the sensor and the physics behind it."
    )
