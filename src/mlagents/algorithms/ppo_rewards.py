"""The reward signals of an on-policy trainer: what rows earn, and how signals learn beside the policy."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

import numpy as np
import torch
from numba import njit
from numpy.typing import NDArray
from torch import Tensor

from mlagents.experience.image_column import decode_levels
from mlagents.experience.store import RolloutStore
from mlagents.experience.targets import RewardStream
from mlagents.networks.action_kernels import ACTION_LIMIT
from mlagents.rewards.extrinsic import ExtrinsicSettings, extrinsic_reward
from mlagents.rewards.registry import make_signal
from mlagents.rewards.signal import RewardSignal
from mlagents.rewards.transitions import TransitionBatch
from mlagents.settings.base import Settings
from mlagents.state_tree import to_arrays, to_tensors
from mlagents_envs.base_env import BehaviorSpec

_PIECE_BYTES = 512 << 20
"""Most memory that transitions may take as float32 at a time."""
_NO_ROW = -1
EXTRINSIC = "extrinsic"


class Piece(NamedTuple):
    """Consecutive transitions.

    Attributes:
        places: which of all transitions they are.
        batch: the transitions, B of them.
        next_index: int64 ``[B]``, which of them follows in the same episode, or -1.
    """

    places: slice
    batch: TransitionBatch
    next_index: Tensor


class StoredTransitions:
    """Transitions of rows of a store, on the learner's device, with images as bytes.

    Args:
        store: the experience; it must keep all ends.
        rows: int64 ``[C]``, which of its rows; their outcome must be known.
        device: where the tensors go.
        with_next: whether anybody reads the next observations; else they are the current ones again.
    """

    def __init__(
        self, store: RolloutStore, rows: NDArray[np.int64], device: torch.device, *, with_next: bool
    ) -> None:
        self._with_next = with_next
        used = store.num_rows
        following, final = store.next_row[rows], store.bootstrap_row[rows]
        observations = zip(
            store.raw_observations(slice(0, used)), store.raw_final_observations(), strict=True
        )
        self._observations = [_joined(column, finals, device) for column, finals in observations]
        self._current = torch.from_numpy(rows).to(device)
        self._next = torch.from_numpy(np.where(following != _NO_ROW, following, used + final)).to(device)
        actions = np.clip(store.continuous_actions[rows], -ACTION_LIMIT, ACTION_LIMIT) / ACTION_LIMIT
        self._continuous = torch.from_numpy(actions.astype(np.float32)).to(device)
        self._discrete = torch.from_numpy(store.discrete_actions[rows].astype(np.int64)).to(device)
        self._done = torch.from_numpy(store.done[rows]).to(device)
        place = np.full(used + 1, _NO_ROW, dtype=np.int64)  # the last one is for "no row"
        place[rows] = np.arange(len(rows))
        self._next_place = torch.from_numpy(place[following])

    def __len__(self) -> int:
        return len(self._done)

    @property
    def _piece_size(self) -> int:
        floats = sum(column[0].numel() for column in self._observations)
        return max(1, _PIECE_BYTES // (8 * max(1, floats)))

    @property
    def is_one_piece(self) -> bool:
        """Whether :meth:`pieces` gives all transitions at once."""
        return len(self) <= self._piece_size

    def select(self, index: Tensor | slice) -> TransitionBatch:
        """Transitions by their places among these rows."""
        current = self._observed(self._current[index])
        return TransitionBatch(
            observations=current,
            next_observations=self._observed(self._next[index]) if self._with_next else current,
            continuous_actions=self._continuous[index],
            discrete_actions=self._discrete[index],
            done=self._done[index],
        )

    def _observed(self, rows: Tensor) -> tuple[Tensor, ...]:
        return tuple(decode_levels(column[rows]) for column in self._observations)

    def pieces(self) -> Iterator[Piece]:
        """All transitions in order of time: one piece, but several where images would fill the memory."""
        size = self._piece_size
        for begin in range(0, len(self), size):
            end = min(begin + size, len(self))
            following = self._next_place[begin:end] - begin
            inside = (following >= 0) & (following < end - begin)
            yield Piece(
                slice(begin, end),
                self.select(slice(begin, end)),
                following.where(inside, torch.tensor(_NO_ROW)),
            )


def _joined(column: NDArray[Any], finals: NDArray[Any], device: torch.device) -> Tensor:
    """Observations followed by final observations, as bytes where both are."""
    parts = [torch.from_numpy(np.ascontiguousarray(part)) for part in (column, finals)]
    if parts[0].dtype != parts[1].dtype:
        parts = [decode_levels(part) for part in parts]
    return torch.cat(parts).to(device)


class PPORewards:
    """Rewards of all signals of one behavior.

    With the reward of the environment alone, nothing is computed that is not needed.

    Args:
        behavior: name of the behavior, for messages.
        spec: its observations and actions.
        settings: settings of the signals by name, in the order of the value heads.
        device: where signals learn.
        seed: seed of their networks and draws.
        learning: False where nothing will ever be learned; then no signal is made.

    Raises:
        TrainerError: a signal refuses the behavior.

    Attributes:
        names: all signals, in order.
        learned: signals that learn, by name.
    """

    def __init__(
        self,
        behavior: str,
        spec: BehaviorSpec,
        settings: Mapping[str, Settings],
        device: torch.device,
        seed: int,
        *,
        learning: bool = True,
    ) -> None:
        self.names = list(settings)
        self.learned: dict[str, RewardSignal] = {}
        self._extrinsic: ExtrinsicSettings | None = None
        for name, each in settings.items():
            if isinstance(each, ExtrinsicSettings):
                self._extrinsic = each
            elif learning:
                self.learned[name] = make_signal(name, each, spec, behavior, device, seed)
        self._device = device
        self._transitions: StoredTransitions | None = None
        self._stats: dict[str, list[float]] = {}
        self._sums = np.zeros((0, len(self.learned)), dtype=np.float64)
        self._finished: dict[str, list[float]] = {name: [] for name in self.learned}
        self._ended: list[NDArray[np.float64]] = []

    def streams(self, store: RolloutStore) -> list[RewardStream]:
        """Scaled rewards of all rows in use, one stream per signal."""
        used = store.num_rows
        learned = self._learned_rewards(store) if self.learned else {}
        streams = []
        for name in self.names:
            if name in learned:
                signal = self.learned[name]
                streams.append(RewardStream(learned[name], signal.gamma, signal.ignores_done))
            else:
                assert self._extrinsic is not None
                rewards = extrinsic_reward(store.rewards[:used], self._extrinsic)
                streams.append(RewardStream(rewards, self._extrinsic.gamma))
        return streams

    def _learned_rewards(self, store: RolloutStore) -> dict[str, NDArray[np.float32]]:
        used = store.num_rows
        ready = store.ready()
        rows = np.flatnonzero(ready)
        with_next = any(signal.uses_next_observations for signal in self.learned.values())
        self._transitions = transitions = StoredTransitions(store, rows, self._device, with_next=with_next)
        rewards = {name: np.zeros(used, dtype=np.float32) for name in self.learned}
        kept = list(transitions.pieces()) if transitions.is_one_piece else None
        for piece in kept or transitions.pieces():
            for signal in self.learned.values():
                signal.begin_iteration(piece.batch, piece.next_index)
        for piece in kept or transitions.pieces():
            for name, signal in self.learned.items():
                reward = signal.evaluate(piece.batch).cpu().numpy()
                rewards[name][rows[piece.places]] = reward * np.float32(signal.strength)
        self._follow_episodes(store, ready, np.stack(list(rewards.values()), axis=1))
        return rewards

    def learn(self, index: Tensor) -> None:
        """Update every signal that learns on rows, given by their places among those that are ready."""
        if self._transitions is None:
            return
        batch = self._transitions.select(index)
        for signal in self.learned.values():
            for tag, value in signal.update(batch).items():
                self._stats.setdefault(tag, []).append(value)

    def finish(self) -> dict[str, float]:
        """End an update: forget its transitions, and publish the sums of the episodes that ended in them.

        Until then, an update shows in none of the statistics, so that it may run in another thread.

        Returns:
            Means of what the signals said since the last call.
        """
        self._transitions = None
        for sums in self._ended:
            for column, values in enumerate(self._finished.values()):
                values += sums[:, column].tolist()
        self._ended = []
        taken, self._stats = self._stats, {}
        return {tag: float(np.mean(values)) for tag, values in taken.items()}

    # -- episodes --------------------------------------------------------------------------------------

    def _follow_episodes(
        self, store: RolloutStore, ready: NDArray[np.bool_], rewards: NDArray[np.float32]
    ) -> None:
        used = store.num_rows
        slots = int(store.agent_slot[:used].max(initial=-1)) + 1
        if slots > len(self._sums):
            more = np.zeros((slots - len(self._sums), len(self.learned)))
            self._sums = np.concatenate([self._sums, more])
        finished = np.empty((used, len(self.learned)), dtype=np.float64)
        count = _sum_episodes(
            rewards,
            ready,
            store.begins[:used],
            store.next_row[:used],
            store.agent_slot[:used],
            self._sums,
            finished,
        )
        self._ended.append(finished[:count])

    def take_finished(self, returns: list[float]) -> dict[str, list[float]]:
        """Sums of scaled rewards over episodes, by signal.

        Args:
            returns: sums of the rewards of the environment, over the episodes that ended since the last call.

        Returns:
            For the reward of the environment, those times its strength; for signals that learn, the sums over
            the episodes that ended in the experience that was learned from since the last call.
        """
        taken, self._finished = self._finished, {name: [] for name in self.learned}
        if self._extrinsic is not None:
            strength = self._extrinsic.strength
            taken[EXTRINSIC] = [strength * value for value in returns]
        return taken

    # -- state -----------------------------------------------------------------------------------------

    def get_modules(self) -> dict[str, Any]:
        """Weights of the signals by the names of the original's checkpoints."""
        return {
            name: weights
            for signal in self.learned.values()
            for name, weights in signal.get_state()["modules"].items()
        }

    def get_state(self) -> dict[str, Any]:
        """Everything else that the future of the signals depends on, and the sums of running episodes."""
        return {
            "signals": {name: signal.get_state()["training"] for name, signal in self.learned.items()},
            "sums": self._sums,
            "finished": self._finished,
        }

    def take_over(self, modules: dict[str, Any]) -> dict[str, Exception]:
        """Take over those weights of signals that fit.

        Args:
            modules: weights by the names of the original's checkpoints, among others.

        Returns:
            For each signal whose weights do not fit, and stay as they are, why.
        """
        misfits: dict[str, Exception] = {}
        for name, signal in self.learned.items():
            mine = copy.deepcopy(to_tensors(signal.get_state()))  # what does not fit may be set in part
            try:
                theirs = {key: modules[key] for key in mine["modules"]}
                signal.set_state({**mine, "modules": theirs})
            except (KeyError, RuntimeError, ValueError, TypeError, AttributeError) as error:
                misfits[f"network of {name}"] = error
                signal.set_state(mine)
        return misfits

    def set_state(self, modules: dict[str, Any], state: dict[str, Any]) -> None:
        """Continue from what :meth:`get_modules` and :meth:`get_state` returned.

        Args:
            modules: weights by the names of the original's checkpoints, among others.
            state: the rest.

        Raises:
            ValueError: the state is of other signals.
        """
        if set(state["signals"]) != set(self.learned):
            raise ValueError(
                f"its learned reward signals are {', '.join(sorted(state['signals'])) or 'none'}"
            )
        for name, signal in self.learned.items():
            mine = {key: modules[key] for key in signal.get_state()["modules"]}
            signal.set_state({"modules": mine, "training": state["signals"][name]})
        self._sums = np.array(to_arrays(state["sums"]), dtype=np.float64)
        self._finished = {name: list(state["finished"][name]) for name in self.learned}


@njit(cache=True)
def _sum_episodes(
    rewards: NDArray[np.float32],
    ready: NDArray[np.bool_],
    begins: NDArray[np.bool_],
    next_row: NDArray[np.int64],
    agent_slot: NDArray[np.int32],
    sums: NDArray[np.float64],
    finished: NDArray[np.float64],
) -> int:
    """Add rewards ``[R, S]`` to the agents' running sums ``[slots, S]``; note the sums of ended episodes.

    Returns:
        How many episodes ended; their sums are the first rows of ``finished`` ``[R, S]``.
    """
    count = 0
    for row in range(rewards.shape[0]):
        slot = agent_slot[row]
        if slot < 0:
            continue
        if begins[row]:
            sums[slot] = 0.0
        if ready[row]:
            sums[slot] += rewards[row]
            if next_row[row] < 0:
                finished[count] = sums[slot]
                count += 1
    return count
