"""Refuses steps that do not have the shape that the behavior declared, naming what differs."""

from __future__ import annotations

import numpy as np

from mlagents.sampling.slots import describe_agent
from mlagents.sampling.worker import StepBatch
from mlagents_envs.base_env import BehaviorSpec, DecisionSteps, TerminalSteps
from mlagents_envs.exception import UnityObservationException


def check_shapes(behavior: str, spec: BehaviorSpec, batch: StepBatch) -> None:
    """Check that everything agents reported has one row per agent, of the declared shape.

    Without it, NumPy would stretch a short column over all agents, or fail without saying whose it was.

    Args:
        behavior: name for the message.
        spec: what was declared.
        batch: what they reported.

    Raises:
        UnityObservationException: names behavior, environment, and sensor or column.
    """
    for steps in (batch.decision, batch.terminal):
        count = len(steps.agent_id)
        if not count:
            continue
        sensors = spec.observation_specs
        if len(steps.obs) != len(sensors):
            raise _error(behavior, batch, "the list of observations", (len(sensors),), (len(steps.obs),))
        for sensor, column in zip(sensors, steps.obs, strict=True):
            if np.shape(column) != (count, *sensor.shape):
                wanted = (count, *sensor.shape)
                raise _error(behavior, batch, f"sensor '{sensor.name}'", wanted, np.shape(column))
        for name in ("reward", "group_id", "group_reward"):
            given = np.shape(getattr(steps, name))
            if given != (count,):
                raise _error(behavior, batch, name, (count,), given)
        _check_others(behavior, spec, batch, steps)


def _check_others(
    behavior: str, spec: BehaviorSpec, batch: StepBatch, steps: DecisionSteps | TerminalSteps
) -> None:
    count = len(steps.agent_id)
    if isinstance(steps, TerminalSteps):
        if np.shape(steps.interrupted) != (count,):
            raise _error(behavior, batch, "interrupted", (count,), np.shape(steps.interrupted))
    elif steps.action_mask is not None:
        wanted = [(count, size) for size in spec.action_spec.discrete_branches]
        given = [np.shape(mask) for mask in steps.action_mask]
        if given != wanted:
            raise _error(behavior, batch, "the action mask", wanted, given)


def branch_without_actions(batch: StepBatch) -> tuple[int, str] | None:
    """The first branch of which all actions are masked, and for which agent; None where there is none."""
    for branch, mask in enumerate(batch.decision.action_mask or ()):
        stuck = np.asarray(mask.all(axis=1))
        if stuck.any():
            agent = int(batch.decision.agent_id[int(stuck.argmax())])
            return branch, describe_agent(agent, batch.behavior_id, batch.worker)
    return None


def _error(
    behavior: str, batch: StepBatch, what: str, declared: object, given: object
) -> UnityObservationException:
    return UnityObservationException(
        f"Environment {batch.worker} does not report the behavior {behavior} as it was declared: {what} must "
        f"have the shape {declared}, but has {given}. Sizes must stay the same; declare the largest, and "
        "fill up with zeros."
    )
