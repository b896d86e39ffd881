"""The worker in this process: when the environment steps, and what comes back."""

from __future__ import annotations

from unittest.mock import MagicMock

import pytest
from trainer_helpers import behavior_spec, decision_steps, terminal_steps

from mlagents.sampling.worker import InlineWorker
from mlagents_envs.base_env import ActionTuple, BaseEnv


@pytest.fixture
def env() -> MagicMock:
    env = MagicMock(spec=BaseEnv)
    env.behavior_specs = {"A?team=0": behavior_spec(), "B": behavior_spec()}
    env.get_steps.side_effect = lambda name: (
        decision_steps([1] if name == "B" else [2, 3], [0.0] * (1 if name == "B" else 2)),
        terminal_steps(),
    )
    return env


def test_observations_after_a_reset_come_without_a_step(env: MagicMock) -> None:
    worker = InlineWorker(env, "toy", index=3)
    worker.reset()
    batches = worker.receive()
    env.reset.assert_called_once()
    env.step.assert_not_called()
    assert [(batch.worker, batch.behavior_id) for batch in batches] == [(3, "A?team=0"), (3, "B")]
    assert [batch.decision.agent_id.tolist() for batch in batches] == [[2, 3], [1]]


def test_each_submission_is_one_step_taken_when_received(env: MagicMock) -> None:
    worker = InlineWorker(env, "toy")
    actions = {"B": MagicMock(spec=ActionTuple)}
    worker.submit(actions)
    env.step.assert_not_called()
    env.set_actions.assert_called_once_with("B", actions["B"])
    worker.receive()
    worker.receive()
    assert env.step.call_count == 1
    worker.submit({})  # nobody asked for a decision; time goes on all the same
    worker.receive()
    assert env.step.call_count == 2


def test_reset_cancels_a_step_that_was_submitted(env: MagicMock) -> None:
    worker = InlineWorker(env, "toy")
    worker.submit({})
    worker.reset()
    worker.receive()
    env.step.assert_not_called()
