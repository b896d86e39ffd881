"""Runs one model for everybody who plays it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from mlagents_envs.base_env import BehaviorSpec, DecisionSteps
from mlagents_sdk.behavior import BehaviorParameters, InferenceDevice
from mlagents_sdk.columns import BehaviorColumns

if TYPE_CHECKING:
    from mlagents_envs.inference import OnnxPolicy


class ModelKey(NamedTuple):
    """What makes two users of a model share one runner.

    Attributes:
        path: file of the model, absolute.
        device: where it runs.
        deterministic: whether the most likely actions are taken.
    """

    path: Path
    device: InferenceDevice
    deterministic: bool

    @classmethod
    def of(cls, parameters: BehaviorParameters) -> ModelKey:
        """Key for the model of a behavior, which must have one."""
        assert parameters.model is not None
        device = parameters.inference_device
        if device is InferenceDevice.DEFAULT:
            device = InferenceDevice.CPU
        return cls(Path(parameters.model).absolute(), device, parameters.deterministic_inference)


class Decisions(NamedTuple):
    """Actions for the rows of one behavior, as plain Python numbers.

    Attributes:
        continuous: one list per row.
        discrete: one list per row.
    """

    continuous: list[list[float]]
    discrete: list[list[int]]


class ModelRunner:
    """One model, shared by the policies of all behaviors that play it.

    Behaviors submit their rows; the first that wants its decisions has all rows run in one batch.

    Args:
        key: the model and how it is played.
        seed: seed of the sampling inside the model.

    Raises:
        UnityPolicyException: the model cannot be loaded, or the device is not there.
    """

    def __init__(self, key: ModelKey, seed: int) -> None:
        from mlagents_envs.inference import MAX_SEED, OnnxPolicy  # slow to import, and most need no model

        device: Literal["cpu", "cuda"] = "cuda" if key.device is InferenceDevice.GPU else "cpu"
        self._model = OnnxPolicy(key.path, key.deterministic, seed % (MAX_SEED + 1), device)
        self._submitted: list[BehaviorColumns] = []
        self._decisions: dict[str, Decisions] = {}
        self._ended: list[int] = []

    @property
    def model(self) -> OnnxPolicy:
        """The model."""
        return self._model

    def check(self, spec: BehaviorSpec) -> None:
        """Compare the model with a behavior.

        Raises:
            UnityPolicyException: they do not fit.
        """
        self._model.check(spec)

    def submit(self, columns: BehaviorColumns) -> None:
        """Take the rows of a behavior that were handed over into the next batch."""
        self._submitted.append(columns)

    def decisions(self, behavior: str) -> Decisions:
        """Decisions for the rows that a behavior submitted last.

        Raises:
            UnityPolicyException: the model gave NaN or infinite actions.
        """
        if self._submitted:
            self._run()
        return self._decisions[behavior]

    def forget(self, agent_id: int, *, was_submitted: bool) -> None:
        """Drop the memory of an agent whose episode is over.

        Args:
            agent_id: the agent.
            was_submitted: a row of the episode waits for the next batch, which would bring the memory
                back.
        """
        self._model.forget([agent_id])
        if was_submitted:
            self._ended.append(agent_id)

    def get_state(self) -> dict[str, NDArray[Any]]:
        """Memories of all agents, for saving."""
        return self._model.get_memories()

    def set_state(self, state: dict[str, NDArray[Any]]) -> None:
        """Put back the memories of :meth:`get_state`."""
        self._model.set_memories(state)
        self._ended.clear()

    def _run(self) -> None:
        """Decide for all submitted rows in one pass through the model."""
        submitted, self._submitted = self._submitted, []
        parts = [columns.decisions.to_steps(columns.decisions.sealed) for columns in submitted]
        actions = self._model.act(parts[0] if len(parts) == 1 else _joined(parts))
        if self._ended:
            self._model.forget(self._ended)
            self._ended.clear()
        continuous, discrete = actions.continuous.tolist(), actions.discrete.tolist()
        start = 0
        for columns, steps in zip(submitted, parts, strict=True):
            rows = slice(start, start + len(steps))
            self._decisions[columns.name] = Decisions(continuous[rows], discrete[rows])
            start += len(steps)


def _joined(parts: list[DecisionSteps]) -> DecisionSteps:
    """Rows of several behaviors one after another; their specs are the same."""
    masks = [part.action_mask or [] for part in parts]
    return DecisionSteps(
        obs=[np.concatenate(columns) for columns in zip(*(part.obs for part in parts), strict=True)],
        reward=np.concatenate([part.reward for part in parts]),
        agent_id=np.concatenate([part.agent_id for part in parts]),
        action_mask=[np.concatenate(branch) for branch in zip(*masks, strict=True)] or None,
        group_id=np.concatenate([part.group_id for part in parts]),
        group_reward=np.concatenate([part.group_reward for part in parts]),
    )
