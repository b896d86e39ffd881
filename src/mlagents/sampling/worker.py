"""Environment workers: where an environment runs is invisible above this module."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, NamedTuple, Protocol

from mlagents.settings.errors import EnvironmentFailure
from mlagents_envs.base_env import ActionTuple, BaseEnv, BehaviorSpec, DecisionSteps, TerminalSteps
from mlagents_envs.capabilities import SavesState
from mlagents_envs.exception import UnityException


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
    """An environment that may run in this process, in another, or on another machine.

    Every method raises what the environment raises on purpose (``UnityException``), and
    ``EnvironmentFailure`` for anything else that its code raises.
    """

    @property
    def index(self) -> int:
        """Index of the worker."""

    def reset(self) -> None:
        """Reset the environment; the first observations wait to be received."""

    def submit(self, actions: Mapping[str, ActionTuple]) -> None:
        """Start a step with actions by behavior id; agents without actions get zeros."""

    def receive(self) -> list[StepBatch]:
        """Wait for the running step to end and return what happened, one batch per behavior."""

    def behavior_specs(self) -> Mapping[str, BehaviorSpec]:
        """Specs of the behaviors announced so far, by behavior id."""

    def get_state(self) -> dict[str, Any] | None:
        """State of the environment between two steps, None where it cannot be saved."""

    def set_state(self, state: dict[str, Any]) -> bool:
        """Continue from a state of :meth:`get_state`; False where the environment cannot."""

    def close(self) -> None:
        """Release the environment."""


class InlineWorker:
    """A worker in this process and thread: the environment runs when its step is received.

    Args:
        env: the environment; owned by the worker from now on.
        name: what the environment is called in messages.
        index: index of the worker.
    """

    def __init__(self, env: BaseEnv, name: str, index: int = 0) -> None:
        self._env = env
        self._name = name
        self._index = index
        self._step_due = False

    @property
    def index(self) -> int:
        """Index of the worker."""
        return self._index

    def reset(self) -> None:
        """Reset the environment; the first observations wait to be received."""
        with blaming(self._name, "reset"):
            self._env.reset()
        self._step_due = False

    def submit(self, actions: Mapping[str, ActionTuple]) -> None:
        """Hand over the actions; the step itself happens in :meth:`receive`."""
        for behavior_id, action in actions.items():
            self._env.set_actions(behavior_id, action)
        self._step_due = True

    def receive(self) -> list[StepBatch]:
        """Run the step that is due, if any, and collect the steps of all behaviors."""
        env = self._env
        with blaming(self._name, "step"):
            if self._step_due:
                self._step_due = False
                env.step()
            return [
                StepBatch(self._index, behavior_id, *env.get_steps(behavior_id))
                for behavior_id in env.behavior_specs
            ]

    def behavior_specs(self) -> Mapping[str, BehaviorSpec]:
        """Specs of the behaviors announced so far, by behavior id."""
        return self._env.behavior_specs

    def get_state(self) -> dict[str, Any] | None:
        """State of the environment between two steps, None where it cannot be saved."""
        return self._env.get_state() if isinstance(self._env, SavesState) else None

    def set_state(self, state: dict[str, Any]) -> bool:
        """Continue from a state of :meth:`get_state`; False where the environment cannot."""
        if not isinstance(self._env, SavesState):
            return False
        with blaming(self._name, "restore its state"):
            self._env.set_state(state)
        return True

    def close(self) -> None:
        """Close the environment."""
        self._env.close()


@contextmanager
def blaming(environment: str, doing: str) -> Iterator[None]:
    """Attribute what the environment's code raises to it, unless it was raised on purpose.

    Raises:
        EnvironmentFailure: with the exception as its cause.
    """
    try:
        yield
    except (UnityException, EnvironmentFailure):
        raise
    except Exception as error:
        raise EnvironmentFailure(environment, doing, error) from error
