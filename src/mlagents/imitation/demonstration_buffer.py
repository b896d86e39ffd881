"""Demonstrations as columns: what the expert saw and did, one row per decision."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from mlagents.experience.image_column import ObservationColumn, make_column
from mlagents.imitation.alignment import DemonstrationAlignment
from mlagents.imitation.demonstration_specs import match_observations
from mlagents.rewards.transitions import TransitionBatch
from mlagents.settings.errors import TrainerError
from mlagents_envs.base_env import BehaviorSpec
from mlagents_envs.demonstrations import (
    Demonstration,
    DemonstrationError,
    Transitions,
    find_alignment,
    find_demonstrations,
    read_demonstration,
    transitions,
)
from mlagents_envs.logging_util import get_logger

_LOGGER = get_logger(__name__)
_NO_ROW = -1


@dataclass(frozen=True, slots=True, eq=False)
class DemonstrationBuffer:
    """N decisions of experts, in order of time, file by file.

    Attributes:
        observations: float32 ``[N, *shape]`` per observation, images kept as bytes.
        continuous_actions: float32 ``[N, A]`` in environment units, clipped to -1 to 1.
        discrete_actions: int64 ``[N, D]``, one index per branch.
        allowed_actions: bool ``[N, K]``, False where a discrete action was forbidden.
        done: bool ``[N]``, True where the episode really ended after the decision.
        starts: bool ``[N]``, True where a row does not continue the row before: at the start of an episode,
            of a file, and after a gap.
    """

    observations: list[ObservationColumn]
    continuous_actions: NDArray[np.float32]
    discrete_actions: NDArray[np.int64]
    allowed_actions: NDArray[np.bool_]
    done: NDArray[np.bool_]
    starts: NDArray[np.bool_]

    def __len__(self) -> int:
        return len(self.done)

    def transitions(self, rows: NDArray[np.int64], device: torch.device) -> TransitionBatch:
        """Rows int64 ``[B]`` as reward signals see them; next observations are left out."""
        return TransitionBatch(
            observations=tuple(torch.from_numpy(column[rows]).to(device) for column in self.observations),
            next_observations=(),
            continuous_actions=torch.from_numpy(self.continuous_actions[rows]).to(device),
            discrete_actions=torch.from_numpy(self.discrete_actions[rows]).to(device),
            done=torch.from_numpy(self.done[rows]).to(device),
        )

    def sequences(self, length: int) -> NDArray[np.int64]:
        """Consecutive rows of one episode each, int64 ``[Q, length]``; -1 after the last row of an episode.

        Episodes are cut from their starts, so that all sequences of an episode but its last are full.
        """
        begins = np.flatnonzero(self.starts)
        sizes = np.diff(np.append(begins, len(self)))
        place = np.arange(len(self)) - np.repeat(begins, sizes)
        sequence = np.cumsum(place % length == 0) - 1
        result = np.full((int(sequence[-1]) + 1, length), _NO_ROW, dtype=np.int64)
        result[sequence, place % length] = np.arange(len(self))
        return result


def load_demonstrations(
    path: str | Path,
    behavior: str,
    spec: BehaviorSpec,
    alignment: DemonstrationAlignment = DemonstrationAlignment.AUTO,
) -> DemonstrationBuffer:
    """Read a demonstration file, or all of a folder.

    Args:
        path: a ``.demo`` file, or a folder with such files.
        behavior: name of the behavior that learns, for messages.
        spec: its observations and actions, which the files must have too.
        alignment: to which observation a recorded action belongs.

    Raises:
        DemonstrationError: a file is missing, empty, truncated, damaged or something else.
        TrainerError: a file was recorded with other actions or observations, or holds no decision.
    """
    try:
        parts = [_read(file, behavior, spec, alignment) for file in find_demonstrations(path)]
    except DemonstrationError as error:
        raise DemonstrationError(
            f"{error} It is a demo_path of the behavior {behavior}: correct the path, or record it again."
        ) from error
    buffer = _joined(parts, spec)
    _LOGGER.info(
        "%s: %d decisions of %d episodes from %s.", behavior, len(buffer), int(buffer.starts.sum()), path
    )
    return buffer


def _read(
    file: Path, behavior: str, spec: BehaviorSpec, alignment: DemonstrationAlignment
) -> DemonstrationBuffer:
    demo = read_demonstration(file)
    order = match_observations(demo, behavior, spec)
    rows = transitions(demo, find_alignment(demo, alignment.value))
    if not len(rows.observed):
        raise TrainerError(
            f"The demonstration {file} of the behavior {behavior} holds no complete decision, only "
            f"{len(demo)} records; record a longer one."
        )
    return _columns(demo, rows, order, spec)


def _columns(
    demo: Demonstration, rows: Transitions, order: Sequence[int], spec: BehaviorSpec
) -> DemonstrationBuffer:
    observed, acted = rows
    count = len(observed)
    columns = []
    for index, observation in zip(order, spec.observation_specs, strict=True):
        column = make_column(count, tuple(observation.shape))
        if index >= 0:
            column[:] = demo.obs[index][observed]
        columns.append(column)
    beyond = np.abs(demo.continuous_actions[acted]).max(initial=0.0)
    if beyond > 1.0:
        _LOGGER.info("%s: continuous actions up to %.3g are clipped to 1.", demo.path.name, beyond)
    discrete = demo.discrete_actions[acted].astype(np.int64)
    starts = np.ones(count, dtype=np.bool_)
    starts[1:] = (np.diff(observed) != 1) | demo.done[observed[1:]]
    return DemonstrationBuffer(
        observations=columns,
        continuous_actions=np.clip(demo.continuous_actions[acted], -1.0, 1.0),
        discrete_actions=discrete,
        allowed_actions=_allowed(demo, observed, discrete),
        done=demo.done[observed + 1] & ~demo.interrupted[observed + 1],
        starts=starts,
    )


def _allowed(
    demo: Demonstration, observed: NDArray[np.intp], discrete: NDArray[np.int64]
) -> NDArray[np.bool_]:
    """Allowed actions ``[n, K]``; what the expert did counts as allowed, whatever the mask says."""
    branches = demo.behavior_spec.action_spec.discrete_branches
    allowed = np.ones((len(observed), sum(branches)), dtype=np.bool_)
    if demo.action_mask is not None:
        allowed = ~np.concatenate([mask[observed] for mask in demo.action_mask], axis=1)
    begin = 0
    for branch, size in enumerate(branches):
        allowed[np.arange(len(observed)), begin + discrete[:, branch]] = True
        begin += size
    return allowed


def _joined(parts: list[DemonstrationBuffer], spec: BehaviorSpec) -> DemonstrationBuffer:
    """All files as one; every file starts anew."""
    total = sum(map(len, parts))
    columns = []
    for index, observation in enumerate(spec.observation_specs):
        column = make_column(total, tuple(observation.shape))
        begin = 0
        for part in parts:
            column[begin : begin + len(part)] = part.observations[index][:]
            begin += len(part)
        columns.append(column)
    return DemonstrationBuffer(
        observations=columns,
        continuous_actions=np.concatenate([part.continuous_actions for part in parts]),
        discrete_actions=np.concatenate([part.discrete_actions for part in parts]),
        allowed_actions=np.concatenate([part.allowed_actions for part in parts]),
        done=np.concatenate([part.done for part in parts]),
        starts=np.concatenate([part.starts for part in parts]),
    )
