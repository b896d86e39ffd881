"""A trainer plugin in one file: an evolution strategy (Salimans et al., arXiv:1703.03864).

Every trial (an episode, or ``time_horizon`` decisions of it) is played by a disturbed copy of the policy.
When all copies have played, the policy moves towards those that did well: no gradients, no critic.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch.func import functional_call, vmap
from torch.nn.utils import parameters_to_vector, vector_to_parameters

from mlagents.algorithms.episodic_trainer import AgentKey, EpisodicTrainer
from mlagents.algorithms.trainer import AddStat
from mlagents.export.from_network import export_network
from mlagents.networks.actor_critic import ActorCritic
from mlagents.networks.factory import make_actor_critic
from mlagents.networks.observations import ObservationEncoder
from mlagents.settings.base import Settings
from mlagents.settings.behavior import BehaviorSettings
from mlagents.settings.errors import TrainerError
from mlagents.settings.types import PositiveFloat, PositiveInt32
from mlagents_envs.base_env import ActionTuple, BehaviorSpec, DecisionSteps


class EvolutionSettings(Settings):
    """Hyperparameters of the evolution strategy."""

    population: PositiveInt32 = 40
    """Trials per update, in pairs of opposite disturbances; rounded up to an even number."""
    sigma: PositiveFloat = 0.1
    """Standard deviation of the disturbances."""
    learning_rate: PositiveFloat = 0.1
    """How far the policy moves, relative to the estimated gradient."""


class EvolutionStrategy(EpisodicTrainer):
    """Learns one behavior from vector observations."""

    def __init__(
        self, behavior: str, spec: BehaviorSpec, settings: BehaviorSettings, *, seed: int, **run: Any
    ) -> None:
        super().__init__(behavior, spec, settings, seed=seed, **run)
        self.hyper: Any = settings.hyperparameters
        self.encoder = ObservationEncoder(behavior, spec.observation_specs, normalize=False)
        generator = torch.Generator().manual_seed(seed)
        network = make_actor_critic(self.encoder, spec, settings.network_settings, 1, generator)
        if not isinstance(network, ActorCritic):
            raise TrainerError(f"The behavior {behavior}: evolution takes vectors, and has no memory.")
        self.network = network
        self._begin_generation()

    def _begin_generation(self) -> None:
        """Draw disturbances ``[n, P]``; trials that are under way belong to no candidate any more."""
        self._mean = parameters_to_vector(self.network.actor.parameters()).detach().clone()
        pairs = -(-self.hyper.population // 2) if self.learning else 0
        half = self.rng.standard_normal((pairs, len(self._mean)), dtype=np.float32)
        self._noise = torch.from_numpy(np.concatenate([half, -half]))
        self._fitness = np.full(2 * pairs, np.nan)
        self._trials: dict[AgentKey, list[float]] = {}  # candidate, reward so far, decisions so far

    def _trial(self, agent: AgentKey) -> list[float]:
        """The trial of an agent; a new one plays a candidate that nobody plays, if any is left to judge."""
        if agent not in self._trials:
            taken = {trial[0] for trial in self._trials.values()}
            open_ones = [each for each in np.flatnonzero(np.isnan(self._fitness)) if each not in taken]
            self._trials[agent] = [open_ones[0] if open_ones else -1, 0.0, 0]
        return self._trials[agent]

    def choose(self, agents: Sequence[AgentKey], steps: DecisionSteps) -> ActionTuple:
        """The most likely actions, by the weights of the candidate that each agent plays."""
        inputs = torch.from_numpy(self.encoder.encode(steps.obs)[0])
        weights = self._mean.repeat(len(agents), 1)
        candidates = np.array([self._trial(agent)[0] for agent in agents], dtype=np.int64)
        plays = candidates >= 0
        weights[plays] += self.hyper.sigma * self._noise[candidates[plays]]
        with torch.no_grad():
            outputs = vmap(self._forward)(weights, inputs).numpy()
        spec = self.spec.action_spec
        ends = np.cumsum([spec.continuous_size, *spec.discrete_branches])[:-1]
        means, *logits = np.split(outputs, ends, axis=1)
        masks = steps.action_mask or [np.zeros(each.shape, dtype=np.bool_) for each in logits]
        choices = [np.where(mask, -np.inf, each).argmax(1) for each, mask in zip(logits, masks, strict=True)]
        discrete = np.stack(choices, axis=1) if choices else None
        return ActionTuple(np.clip(means, -3, 3) / 3, discrete)  # as exported models do

    def _forward(self, weights: torch.Tensor, x: torch.Tensor) -> torch.Tensor:
        """Outputs ``[A + K]`` for one observation ``[I]`` and one vector of weights ``[P]``."""
        shapes = {name: each.shape for name, each in self.network.actor.named_parameters()}
        parts = weights.split([shape.numel() for shape in shapes.values()])
        named = {name: part.view(shapes[name]) for name, part in zip(shapes, parts, strict=True)}
        outputs: torch.Tensor = functional_call(self.network.actor, named, (x,))
        return outputs

    def on_reward(self, agent: AgentKey, reward: float, ended: bool) -> None:
        """Add to the trial of the agent, and judge its candidate when the trial is over."""
        trial = self._trials.get(agent)
        if trial is None:  # the action was of the generation before
            return
        trial[1] += reward
        trial[2] += 1
        if ended or trial[2] >= self.settings.time_horizon:
            if trial[0] >= 0:
                self._fitness[int(trial[0])] = trial[1]
            del self._trials[agent]

    def on_lost(self, agent: AgentKey) -> None:
        """Forget the trial of an agent."""
        self._trials.pop(agent, None)

    def is_update_due(self) -> bool:
        """Whether all candidates are judged."""
        return self.is_training and not np.isnan(self._fitness).any()

    def update(self, add_stat: AddStat) -> None:
        """Move the policy along the disturbances, weighted by rank; draw new ones."""
        ranks = self._fitness.argsort().argsort() / (len(self._fitness) - 1) - 0.5
        gradient = torch.from_numpy(ranks.astype(np.float32)) @ self._noise / (len(ranks) * self.hyper.sigma)
        vector_to_parameters(
            self._mean + self.hyper.learning_rate * gradient, self.network.actor.parameters()
        )
        add_stat("Policy/Best Candidate", float(self._fitness.max()))
        self.updates += 1
        self._begin_generation()

    def get_weights(self) -> dict[str, Any]:
        """The undisturbed policy."""
        return {"actor": self.network.actor.state_dict()}

    def set_weights(self, weights: dict[str, Any]) -> None:
        """Go on with a policy of :meth:`get_weights`."""
        self.network.actor.load_state_dict(weights["actor"])
        self._begin_generation()

    def export(self, path: Path) -> None:
        """Write the undisturbed policy as an ONNX model."""
        export_network(self.network, self.encoder, path)


def trainers() -> tuple[dict[str, Any], dict[str, Any]]:
    """The entry point of the group ``mlagents.trainer_type``."""
    return {"evolution": EvolutionStrategy}, {"evolution": EvolutionSettings}
