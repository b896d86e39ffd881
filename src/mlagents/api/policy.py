"""A trained policy that plays anywhere: arrays in, actions out."""

from __future__ import annotations

import tempfile
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, Literal, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mlagents_envs.base_env import ActionTuple, DecisionSteps, TerminalSteps
from mlagents_envs.exception import UnityPolicyException
from mlagents_envs.inference import OnnxPolicy


class Policy:
    """Plays a model that was exported or saved during training; made by :meth:`load`.

    What a recurrent model remembers is kept here, one memory per agent. An agent is a row of the batch, or
    whatever ``agents`` names; call :meth:`reset` when an episode is over.

    Args:
        model: plays the model.
        path: file that it came from.

    Attributes:
        path: file that the policy came from.
        observation_shapes: shape of each observation without batch axis; None for an axis of any size.
        continuous_size: number of continuous actions, each in [-1, 1].
        discrete_branches: number of choices of each discrete branch.
        memory_size: numbers that are remembered per agent, 0 without memory.
    """

    def __init__(self, model: OnnxPolicy, path: Path) -> None:
        self.path = path
        self._model = model
        self.observation_shapes = model.observation_shapes
        self.continuous_size = model.continuous_size
        self.discrete_branches = model.discrete_branches
        self.memory_size = model.memory_size

    @classmethod
    def load(
        cls,
        path: str | Path,
        *,
        deterministic: bool = False,
        seed: int = 0,
        device: Literal["cpu", "cuda"] = "cpu",
    ) -> Self:
        """Read a policy from a file.

        Args:
            path: an exported model (``.onnx``), of this toolkit or of the original; or a checkpoint of
                this one (``.pt``), which is exported on the fly, so that both play alike.
            deterministic: take the most likely actions instead of sampled ones.
            seed: seed of the sampling.
            device: "cpu", or "cuda" for an NVIDIA GPU (needs onnxruntime-gpu).

        Raises:
            ValueError: the seed is out of range, or the name of the file ends in neither suffix.
            UnityPolicyException: the file is missing, or no model that can be played.
            UnityTrainerException: the checkpoint is missing or damaged, does not describe its behavior, or
                its trainer is not installed, such as that of a plugin.
            ExportError: the policy of the checkpoint cannot be exported.
        """
        path = Path(path)
        if path.suffix == ".onnx":
            return cls(OnnxPolicy(path, deterministic, seed, device), path)
        if path.suffix != ".pt":
            raise ValueError(f"{path} is neither an .onnx model nor a .pt checkpoint, going by its name.")
        from mlagents.run.saved_policy import export_checkpoint  # PyTorch, only where needed

        with tempfile.TemporaryDirectory() as folder:
            model = Path(folder) / f"{path.stem}.onnx"
            export_checkpoint(path, model)
            return cls(OnnxPolicy(model, deterministic, seed, device), path)

    def act(
        self,
        observations: ArrayLike | Sequence[ArrayLike],
        *,
        action_masks: Sequence[ArrayLike] | None = None,
        agents: Sequence[int] | None = None,
        deterministic: bool | None = None,
    ) -> ActionTuple:
        """Choose actions for one agent or for a batch of ``n``.

        Args:
            observations: one array per observation, ``[n, *shape]`` for a batch, ``[*shape]`` for one agent;
                a bare array where there is only one observation. Values as the environment gave them in
                training; images are ``(channels, height, width)`` between 0 and 1.
            action_masks: per discrete branch, bool ``[n, choices]`` (``[choices]`` for one agent), True where
                a choice is forbidden; None allows all.
            agents: ids of the agents, ``[n]``, by which memories are kept; row numbers if None.
            deterministic: whether to take the most likely actions this time; None means as loaded.

        Returns:
            Actions with one row per agent (one row for one agent): ``continuous`` float32 ``[n, c]`` in
            [-1, 1], ``discrete`` int32 ``[n, d]``.

        Raises:
            UnityPolicyException: an observation or a mask has another shape than the model expects, or
                the model gave NaN or infinite actions.
        """
        columns, is_batch = self._columns(observations)
        n = len(columns[0])
        ids = (
            np.arange(n, dtype=np.int32) if agents is None else np.asarray(agents, dtype=np.int32).reshape(-1)
        )
        if len(ids) != n:
            raise UnityPolicyException(f"There are {n} observations, but {len(ids)} agents.")
        zeros = np.zeros(n, dtype=np.float32)
        masks = self._masks(action_masks, n, is_batch=is_batch)
        steps = DecisionSteps(columns, zeros, ids, masks, np.zeros(n, dtype=np.int32), zeros)
        return self._model.act(steps, deterministic=deterministic)

    def act_on(
        self,
        decision_steps: DecisionSteps,
        terminal_steps: TerminalSteps | None = None,
        *,
        deterministic: bool | None = None,
    ) -> ActionTuple:
        """Choose actions for the agents of a ``BaseEnv``, whose ids and masks are in the steps.

        Args:
            decision_steps: the ``n`` agents that ask for a decision.
            terminal_steps: agents whose episode ended, so that their memory is dropped.
            deterministic: as in :meth:`act`.

        Returns:
            Actions in the order of ``decision_steps``, ready for ``env.set_actions``.

        Raises:
            UnityPolicyException: as :meth:`act`.
        """
        return self._model.act(decision_steps, terminal_steps, deterministic=deterministic)

    def reset(self, agents: Iterable[int] | None = None) -> None:
        """Forget what agents remember, because their episode is over; all agents if None."""
        if agents is None:
            self._model.reset()
        else:
            self._model.forget([int(agent) for agent in agents])

    def _columns(
        self, observations: ArrayLike | Sequence[ArrayLike]
    ) -> tuple[list[NDArray[np.float32]], bool]:
        """One array ``[n, *shape]`` per observation, and whether they came as a batch."""
        shapes = self.observation_shapes
        given: list[Any]
        if len(shapes) == 1 and not _is_list_of_one(observations, len(shapes[0])):
            given = [observations]
        else:
            given = list(observations)  # type: ignore[arg-type]  # a list of arrays by its documentation
        if len(given) != len(shapes):
            raise UnityPolicyException(
                f"The policy {self.path} wants a list of {len(shapes)} observations of the shapes {shapes}, "
                f"not of {len(given)}."
            )
        columns = [np.asarray(each, dtype=np.float32) for each in given]
        is_batch = columns[0].ndim == len(shapes[0]) + 1
        if not is_batch:
            columns = [column[None] for column in columns]
        for index, (column, shape) in enumerate(zip(columns, shapes, strict=True)):
            if len(column) != len(columns[0]) or not _fits(column.shape[1:], shape):
                was = column.shape if is_batch else column.shape[1:]
                raise UnityPolicyException(
                    f"The policy {self.path}: observation {index} has the shape {was}; it must be {shape}, "
                    "or that with the number of agents in front, the same for all observations."
                )
        return columns, is_batch

    def _masks(
        self, action_masks: Sequence[ArrayLike] | None, n: int, *, is_batch: bool
    ) -> list[NDArray[np.bool_]] | None:
        if action_masks is None or not self.discrete_branches:
            return None
        masks = [np.asarray(mask, dtype=np.bool_) for mask in action_masks]
        if not is_batch:
            masks = [mask[None] for mask in masks]
        wanted = [(n, size) for size in self.discrete_branches]
        if [mask.shape for mask in masks] != wanted:
            raise UnityPolicyException(
                f"The policy {self.path}: the action masks have the shapes {[mask.shape for mask in masks]}; "
                f"they must be {wanted}."
            )
        return masks


def _is_list_of_one(observations: object, rank: int) -> bool:
    """Whether this is a list with the only observation, rather than that observation itself."""
    if not isinstance(observations, list | tuple) or len(observations) != 1:
        return False
    return np.ndim(observations[0]) >= rank


def _fits(shape: tuple[int, ...], wanted: tuple[int | None, ...]) -> bool:
    return len(shape) == len(wanted) and all(
        size is None or size == actual for actual, size in zip(shape, wanted, strict=True)
    )
