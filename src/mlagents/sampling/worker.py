"""Environment workers: where an environment runs is invisible above this module."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple, Protocol

from mlagents_envs.base_env import ActionTuple, BaseEnv, BehaviorSpec, DecisionSteps, TerminalSteps


class StepBatch(NamedTuple):
    """What the agents of one behavior in one worker reported in one environment step.

    Attributes:
        worker: index of the worker.
        behavior_id: name of the behavior with its team, such as ``3DBall?team=0``.
        decision: agents that ask for a decision.
        terminal: agents whose episode ended.
    """

    worker: int
    behavior_id: str
    decision: DecisionSteps
    terminal: TerminalSteps


class EnvironmentWorker(Protocol):
    """An environment that may run in this process, in another, or on another machine."""

    def reset(self) -> None:
        """Reset the environment; the first observations wait to be received."""

    def submit(self, actions: Mapping[str, ActionTuple]) -> None:
        """Start a step with actions by behavior id; agents without actions get zeros."""

    def receive(self) -> list[StepBatch]:
        """Wait for the running step to end and return what happened, one batch per behavior."""

    def behavior_specs(self) -> Mapping[str, BehaviorSpec]:
        """Specs of the behaviors announced so far, by behavior id."""

    def close(self) -> None:
        """Release the environment."""


class InlineWorker:
    """A worker in this process and thread: the environment runs when its step is received.

    Args:
        env: the environment; owned by the worker from now on.
        index: index of the worker.
    """

    def __init__(self, env: BaseEnv, index: int = 0) -> None:
        self.env = env
        self.index = index
        self._step_due = False

    def reset(self) -> None:
        """Reset the environment; the first observations wait to be received."""
        self.env.reset()
        self._step_due = False

    def submit(self, actions: Mapping[str, ActionTuple]) -> None:
        """Hand over the actions; the step itself happens in :meth:`receive`."""
        for behavior_id, action in actions.items():
            self.env.set_actions(behavior_id, action)
        self._step_due = True

    def receive(self) -> list[StepBatch]:
        """Run the step that is due, if any, and collect the steps of all behaviors."""
        env = self.env
        if self._step_due:
            self._step_due = False
            env.step()
        return [
            StepBatch(self.index, behavior_id, *env.get_steps(behavior_id))
            for behavior_id in env.behavior_specs
        ]

    def behavior_specs(self) -> Mapping[str, BehaviorSpec]:
        """Specs of the behaviors announced so far, by behavior id."""
        return self.env.behavior_specs

    def close(self) -> None:
        """Close the environment."""
        self.env.close()
