"""What a recorded demonstration is, once it is read: metadata and columns."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from mlagents_envs.base_env import BehaviorSpec
from mlagents_envs.exception import UnityException
from mlagents_envs.near_names import near_names

Alignment = Literal["aligned", "lagged"]
"""Whether a record holds the action taken on its observation, or the one before it."""


class DemonstrationError(UnityException):
    """A demonstration file is missing, damaged, empty or something else altogether."""


@dataclass(frozen=True, slots=True)
class DemonstrationMetadata:
    """What a recorder notes about a file; the counts are its own and not checked.

    Attributes:
        api_version: version of the layout, 0 or 1.
        demonstration_name: name of the file when it was recorded.
        number_steps: records in the file, 0 when it was never closed.
        number_episodes: episodes in the file, as counted by the recorder.
        mean_reward: sum of rewards per episode, as counted by the recorder.
    """

    api_version: int
    demonstration_name: str
    number_steps: int
    number_episodes: int
    mean_reward: float


@dataclass(frozen=True, slots=True, eq=False)
class Demonstration:
    """A recording, one row per record, in the order of the file; ``T`` is the number of records.

    A row is stored as recorded: whether its action belongs to its observation or to the one before
    is told by :func:`mlagents_envs.demonstrations.find_alignment`.

    Attributes:
        path: where it was read from.
        metadata: notes of the recorder.
        behavior_name: name of the recorded behavior, such as ``3DBall?team=0``.
        behavior_spec: its observations (images channel-first) and actions.
        obs: one float32 array ``[T, *shape]`` per observation.
        reward: float32 ``[T]``, since the record before.
        done: bool ``[T]``, True where an episode ended.
        interrupted: bool ``[T]``, True where a time limit ended it.
        agent_id: int32 ``[T]``.
        group_id: int32 ``[T]``, 0 for no group.
        group_reward: float32 ``[T]``.
        continuous_actions: float32 ``[T, c]``.
        discrete_actions: int32 ``[T, d]``, one index per branch.
        has_action: bool ``[T]``, False where no action was recorded; the action columns hold zeros there.
        action_mask: one bool array ``[T, branch_size]`` per branch, True where the action was
            forbidden; None when no record has a mask.
        stated_alignment: what the recorder itself says about the actions; only ours says anything.
        is_closed: False for a recording that was cut off, by a crash for instance.
    """

    path: Path
    metadata: DemonstrationMetadata
    behavior_name: str
    behavior_spec: BehaviorSpec
    obs: list[NDArray[np.float32]]
    reward: NDArray[np.float32]
    done: NDArray[np.bool_]
    interrupted: NDArray[np.bool_]
    agent_id: NDArray[np.int32]
    group_id: NDArray[np.int32]
    group_reward: NDArray[np.float32]
    continuous_actions: NDArray[np.float32]
    discrete_actions: NDArray[np.int32]
    has_action: NDArray[np.bool_]
    action_mask: list[NDArray[np.bool_]] | None
    stated_alignment: Alignment | None = None
    is_closed: bool = True

    def __len__(self) -> int:
        return len(self.reward)


def find_demonstrations(path: str | Path) -> list[Path]:
    """The file itself, or all ``.demo`` files directly in a directory, sorted by name.

    Raises:
        DemonstrationError: nothing is at ``path``, or the directory has no such file.
    """
    path = Path(path)
    if path.is_file():
        return [path]
    if not path.is_dir():
        near = near_names(path.name, [each.name for each in path.parent.glob("*.demo")])
        hint = f" Did you mean {path.parent / near[0]}?" if near else ""
        place = "" if path.is_absolute() else f" (looked in {Path.cwd()})"
        raise DemonstrationError(f"There is no demonstration file or directory {path}{place}.{hint}")
    files = sorted(path.glob("*.demo"))
    if not files:
        raise DemonstrationError(
            f"The directory {path} has no .demo files; those in folders below it are not read."
        )
    return files


def episode_returns(demo: Demonstration) -> NDArray[np.float64]:
    """Undiscounted return of each complete episode, individual plus group rewards, ``[episodes]``.

    An episode reaches from the record after the end of the one before to the record where it ended.
    """
    rewards = demo.reward.astype(np.float64) + demo.group_reward
    totals = np.concatenate([[0.0], np.cumsum(rewards)])
    ends = np.flatnonzero(demo.done) + 1
    starts = np.concatenate([[0], ends[:-1]])[: len(ends)]
    returns: NDArray[np.float64] = totals[ends] - totals[starts]
    return returns
