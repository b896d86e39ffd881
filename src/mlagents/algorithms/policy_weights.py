"""Weights and normalisers of an actor and its critic, as the parts of a checkpoint."""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from typing import Any

import torch

from mlagents.algorithms.original_checkpoint import PADDING_NORM, OriginalCheckpoint, is_original
from mlagents.networks.actor_critic import ActorCritic
from mlagents.networks.general_actor_critic import GeneralActorCritic
from mlagents.networks.observations import ObservationEncoder
from mlagents.state_tree import to_arrays, to_tensors
from mlagents_envs.logging_util import get_logger

_LOGGER = get_logger(__name__)
_PARTS = {
    "actor": ("Policy", "actor"),
    "spread of the actions": ("Policy", "log_sigma"),
    "normalizer": ("Policy", "normalizers"),
    "critic": ("Optimizer:critic",),
}
_CRITIC = "critic."
_ACTOR = "actor."
_LOG_SIGMA = "log_sigma"


class PolicyWeights:
    """Reads and writes what a policy and its critic consist of.

    Args:
        network: actor and critic.
        encoder: its normalisers.
        streams: reward streams of the critic, in order; needed to read the original's checkpoints.
    """

    def __init__(
        self,
        network: ActorCritic | GeneralActorCritic,
        encoder: ObservationEncoder,
        streams: Sequence[str] = (),
    ) -> None:
        self._network = network
        self._encoder = encoder
        self._streams = list(streams)

    def get(self) -> dict[str, Any]:
        """Weights and normalisers; the top level has the names of the original's checkpoints."""
        state = self._network.state_dict()
        return {
            "Policy": {
                "actor": _below(state, _ACTOR),
                "log_sigma": state[_LOG_SIGMA],
                "normalizers": self._encoder.get_state(),
            },
            "Optimizer:critic": _below(state, _CRITIC),
        }

    def set(self, state: dict[str, Any]) -> None:
        """Take over weights and normalisers from a state returned by :meth:`get`.

        Raises:
            RuntimeError: weights are missing or have another shape.
            ValueError: the state was written by the original, which no run can go on from.
        """
        if is_original(state):
            raise ValueError(
                "the original toolkit wrote it; start anew from its weights by --initialize-from"
            )
        policy = state["Policy"]
        self._network.load_state_dict(
            {
                **{_ACTOR + key: value for key, value in policy["actor"].items()},
                **{_CRITIC + key: value for key, value in state["Optimizer:critic"].items()},
                _LOG_SIGMA: policy["log_sigma"],
            }
        )
        self._encoder.set_state(to_arrays(policy["normalizers"]))

    def take_over(self, state: dict[str, Any]) -> dict[str, Exception]:
        """Take over those parts of a state that fit; the original may have written it.

        Returns:
            For each part that does not fit, and stays as it is, why.
        """
        misfits: dict[str, Exception] = {}
        mine = copy.deepcopy(to_tensors(self.get()))  # a part that does not fit may have been set in part
        theirs = self._parts_of_original(state) if is_original(state) else {}
        for part, path in _PARTS.items():
            try:
                branch = theirs[part]() if theirs else _at(state, path)
                self.set(_replaced(mine, path, branch))
            except (KeyError, RuntimeError, ValueError, TypeError, AttributeError, IndexError) as error:
                misfits[part] = error
                self.set(mine)
            mine = copy.deepcopy(to_tensors(self.get()))
        if theirs and "critic" not in misfits:
            misfits |= self._unknown_streams(state)
        return misfits

    def _parts_of_original(self, state: dict[str, Any]) -> dict[str, Callable[[], Any]]:
        """How to get each part from a checkpoint of the original."""
        original = OriginalCheckpoint(state, self._network, self._encoder, self._streams)
        if original.has_other_padding():
            _LOGGER.warning(
                "%s: to the original, entities of a norm below %g were padding; set padding_norm to that for "
                "the same policy.",
                self._encoder.behavior,
                PADDING_NORM,
            )
        parts = (original.actor, original.log_sigma, original.normalizers, original.critic)
        return dict(zip(_PARTS, parts, strict=True))

    def _unknown_streams(self, state: dict[str, Any]) -> dict[str, Exception]:
        original = OriginalCheckpoint(state, self._network, self._encoder, self._streams)
        return {
            f"value of the reward signal {stream}": KeyError(stream) for stream in original.unknown_streams()
        }


def _below(state: dict[str, torch.Tensor], prefix: str) -> dict[str, torch.Tensor]:
    """Entries whose names begin with a prefix, without it."""
    return {key.removeprefix(prefix): value for key, value in state.items() if key.startswith(prefix)}


def _at(tree: dict[str, Any], path: tuple[str, ...]) -> Any:  # noqa: ANN401
    """The branch of a tree at ``path``."""
    for key in path:
        tree = tree[key]
    return tree


def _replaced(tree: dict[str, Any], path: tuple[str, ...], branch: Any) -> dict[str, Any]:  # noqa: ANN401
    """A tree with another branch at ``path``."""
    key, *rest = path
    return {**tree, key: branch if not rest else _replaced(tree[key], tuple(rest), branch)}
