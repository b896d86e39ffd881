"""The networks of the soft actor-critic with everything that moves them, and their state."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from mlagents.algorithms.optimizer import FlatAdam
from mlagents.algorithms.sac_settings import SACSettings
from mlagents.networks.flat_parameters import FlatParameters
from mlagents.networks.observations import ObservationEncoder
from mlagents.networks.settings import NetworkSettings
from mlagents.networks.soft_critic import TwinCritic
from mlagents.networks.squashed_actor import SquashedActor
from mlagents_envs.base_env import ActionSpec


class SACNetworks:
    """Policy, twin critics, their targets, and the temperatures, with their optimisers.

    Gradients are written by others to ``flat_actor.gradients``, ``flat_critic.gradients`` and
    ``alpha_gradient``; :meth:`step` then moves everything.

    Args:
        encoder: what turns observations into the networks' inputs.
        action_spec: actions of the behavior.
        network: shape of policy and critics.
        settings: hyperparameters.
        num_streams: reward streams, S.
        seed: seed of the initial weights.
        device: where to learn.

    Raises:
        UnsupportedObservationError: no network can be made for the observations.

    Attributes:
        is_flat: whether all networks are multilayer perceptrons.
        actor: the policy.
        critic: both critics.
        target: slow copies of the critics.
        log_alpha: float32 ``[T]`` on the CPU: logarithms of the temperatures, that of the continuous actions
            first if there are any, then one per branch.
        alpha_gradient: float32 ``[T]``.
    """

    def __init__(
        self,
        encoder: ObservationEncoder,
        action_spec: ActionSpec,
        network: NetworkSettings,
        settings: SACSettings,
        num_streams: int,
        seed: int,
        device: torch.device,
    ) -> None:
        self.is_flat = encoder.is_flat and network.memory is None
        if not self.is_flat:
            encoder.check(network)
        self._make_arguments = (encoder.input_specs, action_spec, network)
        self._num_streams = num_streams
        self._seed = seed
        self._tau = settings.tau
        self.actor = self.make_actor().to(device)
        self.critic = self.make_critic().to(device)
        self.target = self.make_critic().to(device).requires_grad_(False)
        self.flat_actor = FlatParameters(self.actor)
        self.flat_critic = FlatParameters(self.critic)
        self.flat_target = FlatParameters(self.target)
        num_temperatures = (action_spec.continuous_size > 0) + action_spec.discrete_size
        self.log_alpha = torch.full((num_temperatures,), math.log(settings.init_entcoef))
        self.alpha_gradient = torch.zeros(num_temperatures)
        norm = settings.max_grad_norm
        self.actor_optimizer = FlatAdam(self.flat_actor.values, self.flat_actor.gradients, norm)
        self.critic_optimizer = FlatAdam(self.flat_critic.values, self.flat_critic.gradients, norm)
        self.alpha_optimizer = FlatAdam(self.log_alpha, self.alpha_gradient, 0.0)

    def _generator(self, salt: int) -> torch.Generator:
        (seed,) = np.random.SeedSequence([self._seed, salt]).generate_state(1)
        return torch.Generator().manual_seed(int(seed))

    def make_actor(self) -> SquashedActor:
        """A policy as it is at the beginning, on the CPU."""
        return SquashedActor(*self._make_arguments, self._generator(0), flat=self.is_flat)

    def make_critic(self) -> TwinCritic:
        """Critics as they are at the beginning, on the CPU."""
        return TwinCritic(*self._make_arguments, self._num_streams, self._generator(1), flat=self.is_flat)

    @property
    def num_skipped(self) -> int:
        """Gradient steps not taken because the gradient was NaN or infinite."""
        optimizers = (self.actor_optimizer, self.critic_optimizer, self.alpha_optimizer)
        return sum(optimizer.num_skipped for optimizer in optimizers)

    @property
    def alpha(self) -> NDArray[np.float32]:
        """Temperatures, float32 ``[T]``."""
        alpha: NDArray[np.float32] = np.exp(self.log_alpha.numpy())
        return alpha

    def step(self, learning_rate: float, critic_rate: float) -> None:
        """Move policy, critics and temperatures down their gradients, and the targets after the critics.

        ``target <- tau * critic + (1 - tau) * target`` (Polyak averaging; arXiv 1812.05905, algorithm 1).
        """
        self.critic_optimizer.step(critic_rate)
        self.actor_optimizer.step(learning_rate)
        self.alpha_optimizer.step(critic_rate)
        self.flat_target.values.lerp_(self.flat_critic.values, self._tau)

    # -- state -----------------------------------------------------------------------------------------

    def get_state(self) -> dict[str, Any]:
        """Weights, temperatures and optimisers; the top level has the names of the original's checkpoints."""
        return {
            "Policy": {"actor": self.actor.state_dict()},
            "Optimizer:q_network": self.critic.state_dict(),
            "Optimizer:target_network": self.target.state_dict(),
            "Optimizer:policy_optimizer": self.actor_optimizer.get_state(),
            "Optimizer:value_optimizer": self.critic_optimizer.get_state(),
            "Optimizer:entropy_optimizer": {
                "log_alpha": self.log_alpha,
                "adam": self.alpha_optimizer.get_state(),
            },
        }

    def set_state(self, state: dict[str, Any]) -> None:
        """Continue from a state returned by :meth:`get_state`.

        Raises:
            KeyError: something is missing.
            RuntimeError: something has another shape.
        """
        self.actor.load_state_dict(state["Policy"]["actor"])
        self.critic.load_state_dict(state["Optimizer:q_network"])
        self.target.load_state_dict(state["Optimizer:target_network"])
        self.actor_optimizer.set_state(state["Optimizer:policy_optimizer"])
        self.critic_optimizer.set_state(state["Optimizer:value_optimizer"])
        self.log_alpha.copy_(state["Optimizer:entropy_optimizer"]["log_alpha"])
        self.alpha_optimizer.set_state(state["Optimizer:entropy_optimizer"]["adam"])

    def take_over(self, state: dict[str, Any]) -> dict[str, Exception]:
        """Take over those weights and temperatures of a state that fit; optimisers stay fresh.

        Returns:
            For each part that does not fit, and stays as it is, why.
        """

        def take_actor() -> None:
            self.actor.load_state_dict(state["Policy"]["actor"])

        def take_critics() -> None:
            self.critic.load_state_dict(state["Optimizer:q_network"])
            self.target.load_state_dict(state["Optimizer:target_network"])

        def take_temperatures() -> None:
            theirs = state["Optimizer:entropy_optimizer"]["log_alpha"]
            if theirs.shape != self.log_alpha.shape:
                raise ValueError(f"it has {len(theirs)} temperatures instead of {len(self.log_alpha)}")
            self.log_alpha.copy_(theirs)

        misfits: dict[str, Exception] = {}
        for part, take in (
            ("actor", take_actor),
            ("critic", take_critics),
            ("entropy coefficient", take_temperatures),
        ):
            mine = [values.clone() for values in self._vectors]
            try:
                take()
            except (KeyError, RuntimeError, ValueError, TypeError, AttributeError) as error:
                misfits[part] = error
                for values, before in zip(self._vectors, mine, strict=True):  # some layers may have fitted
                    values.copy_(before)
        return misfits

    @property
    def _vectors(self) -> tuple[Tensor, ...]:
        """Everything that is learned."""
        return (self.flat_actor.values, self.flat_critic.values, self.flat_target.values, self.log_alpha)
