"""One behavior that learns on-policy: collects with its current policy, updates, and starts afresh."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from mlagents.algorithms.acting_loop import ActingLoop
from mlagents.algorithms.cloning import make_cloning
from mlagents.algorithms.optimizer import FlatAdam
from mlagents.algorithms.policy_weights import PolicyWeights
from mlagents.algorithms.ppo import (
    AutogradGradients,
    MinibatchGradients,
    PPOCoefficients,
    PPOLosses,
    ppo_update,
)
from mlagents.algorithms.ppo_experience import PPOExperience
from mlagents.algorithms.ppo_explicit import ExplicitGradients
from mlagents.algorithms.ppo_rewards import PPORewards
from mlagents.algorithms.ppo_settings import PPOSettings, ScheduleType
from mlagents.algorithms.schedules import linear_decay
from mlagents.algorithms.trainer import AddStat, FinishedEpisodes, UpdateJob
from mlagents.experience.image_column import ImageColumn, raw_rows
from mlagents.experience.store import RolloutStore, slack_rows
from mlagents.experience.targets import Targets, compute_targets
from mlagents.export.from_network import export_network
from mlagents.imitation.behavioral_cloning import BehavioralCloning
from mlagents.imitation.cloned_policy import ClonedPolicy
from mlagents.networks.actor_critic import ActorCritic
from mlagents.networks.factory import make_acting_policy, make_actor_critic
from mlagents.networks.flat_parameters import FlatParameters
from mlagents.networks.general_actor_critic import GeneralActorCritic
from mlagents.networks.observations import ObservationEncoder
from mlagents.sampling.checks import check_experience
from mlagents.sampling.collector import Collector
from mlagents.sampling.worker import StepBatch
from mlagents.settings.behavior import BehaviorSettings
from mlagents.settings.errors import TrainerError
from mlagents.state_tree import to_arrays
from mlagents_envs.base_env import ActionTuple, BehaviorSpec
from mlagents_envs.exception import UnityObservationException
from mlagents_envs.logging_util import get_logger

_LOGGER = get_logger(__name__)
LEARNING_RATE_FLOOR = 1e-10
EPSILON_FLOOR = 0.1
BETA_FLOOR = 1e-5


class PPOResult(NamedTuple):
    """What an update came to.

    Attributes:
        store: the experience that it learned from.
        rows: int64 ``[C]``, the rows that it learned from.
        stats: by tag.
        skipped: gradient steps not taken because the gradient was NaN or infinite.
    """

    store: RolloutStore
    rows: NDArray[np.int64]
    stats: dict[str, float]
    skipped: int


class PPOTrainer:
    """Everything that one behavior trained with PPO consists of.

    Args:
        behavior: name of the behavior, without team.
        spec: its observations and actions.
        settings: how to train it; its hyperparameters are :class:`PPOSettings`.
        seed: seed of weights, exploration and shuffles.
        device: where to learn; acting always happens on the CPU.
        learning: False to only act, for ever.

    Raises:
        TrainerError: the behavior has no actions, or observations that no network here takes.

    Attributes:
        behavior: name of the behavior.
        spec: its observations and actions.
        settings: how it is trained.
        rewards: reward signals.
        network: actor and critic that learn.
        acting: the copy that acts.
        step: agent-steps whose outcome is known, the unit of ``max_steps``.
        updates: iterations of the update so far.
    """

    def __init__(
        self,
        behavior: str,
        spec: BehaviorSpec,
        settings: BehaviorSettings,
        *,
        seed: int,
        device: str = "cpu",
        learning: bool = True,
    ) -> None:
        assert isinstance(settings.hyperparameters, PPOSettings)
        if not spec.action_spec.continuous_size and not spec.action_spec.discrete_size:
            raise TrainerError(f"The behavior {behavior} has no actions, so there is nothing to learn.")
        self.behavior = behavior
        self.spec = spec
        self.settings = settings
        self.hyperparameters: PPOSettings = settings.hyperparameters
        self.step = 0
        self.updates = 0
        self._last_update_step = 0
        self._device = torch.device(device)
        self._learning = learning
        self._seed = seed
        self._rng = np.random.default_rng(np.random.SeedSequence([seed, *behavior.encode()]))
        self.rewards = PPORewards(
            behavior, spec, settings.reward_signals, self._device, seed, learning=learning
        )
        self.encoder = ObservationEncoder(
            behavior, spec.observation_specs, normalize=settings.network_settings.normalize
        )
        self.network = self._make_network().to(self._device)
        self.flat = FlatParameters(self.network)
        self.optimizer = FlatAdam(self.flat.values, self.flat.gradients, self.hyperparameters.max_grad_norm)
        self._weights = PolicyWeights(self.network, self.encoder, self.rewards.names)
        self._gradients = self._make_gradients()
        self.acting = make_acting_policy(
            self._make_network(),
            self.encoder,
            self._rng,
            deterministic=settings.network_settings.deterministic,
        )
        self.acting.load_weights(self.flat)
        self._cloning = self._make_cloning() if learning else None
        self._start_collecting()

    def _make_network(self) -> ActorCritic | GeneralActorCritic:
        return make_actor_critic(
            self.encoder,
            self.spec,
            self.settings.network_settings,
            len(self.rewards.names),
            torch.Generator().manual_seed(self._seed),
            self.hyperparameters.shared_critic,
        )

    def _make_gradients(self) -> MinibatchGradients:
        if isinstance(self.network, ActorCritic) and self._device.type == "cpu":
            return ExplicitGradients(self.network, self.hyperparameters)
        return AutogradGradients(self.network, self.flat, self.hyperparameters)

    def _make_cloning(self) -> BehavioralCloning | None:
        return make_cloning(
            self.behavior,
            self.spec,
            self.settings,
            ClonedPolicy.of_actor_critic(self.network),
            self.encoder,
            learning_rate=self.hyperparameters.learning_rate,
            batch_size=self.hyperparameters.batch_size,
            device=self._device,
            seed=self._seed,
        )

    def _make_store(self) -> RolloutStore:
        memory = self.settings.network_settings.memory
        return RolloutStore(
            self.spec,
            self.hyperparameters.buffer_size + slack_rows(self.spec),
            memory_size=self.network.actor_memory_size,
            critic_memory_size=self.network.critic_memory_size,
            keeps_all_ends=bool(self.rewards.learned),
            sequence_length=1 if memory is None else memory.sequence_length,
        )

    def _start_collecting(self) -> None:
        self._spare: RolloutStore | None = None
        collector = Collector(self._make_store(), self.settings.time_horizon)
        self.loop = ActingLoop(self.behavior, self.spec, collector, self.acting)

    # -- collecting ------------------------------------------------------------------------------------

    @property
    def collector(self) -> Collector:
        """Follows the agents."""
        return self.loop.collector

    @property
    def store(self) -> RolloutStore:
        """The experience of this iteration."""
        store = self.loop.collector.store
        assert isinstance(store, RolloutStore)
        return store

    @property
    def is_training(self) -> bool:
        """Whether the behavior still learns."""
        return self._learning and self.step < self.settings.max_steps

    def learns_at(self, step: int) -> bool:
        """Whether experience up to ``step`` is learned from."""
        return self._learning and step <= self.settings.max_steps

    def observe(self, batch: StepBatch) -> None:
        """Take in what the agents of one worker reported; those that ask for decisions now wait."""
        completed = self.loop.observe(batch)
        if self.is_training or not self._learning:
            self.step += completed

    def act(self) -> list[tuple[int, str, ActionTuple]]:
        """Choose actions for all agents that wait, in one forward pass; see :meth:`ActingLoop.act`."""
        return self.loop.act(self.step)

    def reset_worker(self, worker: int) -> None:
        """Forget running episodes of a worker whose environment was reset."""
        self.loop.reset_worker(worker)

    def take_episodes(self) -> FinishedEpisodes:
        """Episodes that ended since the last call."""
        returns, lengths = self.collector.take_finished()
        return FinishedEpisodes(returns, lengths, self.rewards.take_finished(returns))

    def drop_broken_experience(self) -> None:
        """Forget what was collected since the last update if any of it is NaN or infinite.

        For saving after a failure: a run resumed with such experience would fail again.
        """
        try:
            check_experience(self.behavior, self.spec, self.store, self.collector.slots)
        except UnityObservationException:
            self._start_collecting()

    # -- learning --------------------------------------------------------------------------------------

    def is_update_due(self) -> bool:
        """Whether enough experience is there; at ``max_steps`` for the last time."""
        if not self._learning or self._last_update_step >= self.settings.max_steps:
            return False
        return self.store.has_ready(self.hyperparameters.buffer_size)

    def forget(self) -> None:
        """Empty the store without learning, once it is full: for behaviors that only act."""
        if self.store.has_ready(self.hyperparameters.buffer_size):
            self.loop.keep_unready()

    def update(self, add_stat: AddStat) -> None:
        """Learn from all rows that are ready, refresh the acting policy, and empty the store.

        Args:
            add_stat: receives the statistics of the update, by tag.

        Raises:
            UnityObservationException: a reward or an observation is NaN or infinite; nothing has changed.
        """
        job = self._prepare_update()
        job.run()
        job.finish(add_stat)
        self.loop.keep_unready()

    def begin_update(self) -> UpdateJob[PPOResult]:
        """Leave the store to an update beside collection, and go on with another one.

        Rows that cannot be learned from yet move to the other store. The policy acts with the weights before
        the update until it is finished, so that what it learned is at most one update behind.

        Raises:
            UnityObservationException: a reward or an observation is NaN or infinite; nothing has changed.
        """
        job = self._prepare_update()
        spare, self._spare = self._spare, None
        self.loop.move_unready(spare if spare is not None else self._make_store())
        return job

    def _prepare_update(self) -> UpdateJob[PPOResult]:
        check_experience(self.behavior, self.spec, self.store, self.collector.slots)
        self._last_update_step = self.step
        return UpdateJob(partial(self._learn_from, self.store, self.step), self._adopt)

    def _learn_from(self, store: RolloutStore, step: int) -> PPOResult:
        """The work of an update: uses nothing that collecting changes."""
        skipped_before = self.optimizer.num_skipped
        streams = self.rewards.streams(store)
        experience = PPOExperience(store, self.encoder, self.network, len(streams), self._device)
        targets = compute_targets(
            store, streams, experience.values, experience.final_values, self.hyperparameters.lambd
        )
        rate, coefficients = self.scheduled(step)
        losses = self._learn(experience, targets, rate, coefficients)
        cloned = self._cloning.update(step) if self._cloning else {}
        means = experience.values[targets.rows].mean(axis=0, dtype=np.float64)
        stats = {
            **losses.as_stats(),
            **cloned,
            "Policy/Learning Rate": rate,
            "Policy/Epsilon": coefficients.epsilon,
            "Policy/Beta": coefficients.beta,
        }
        for name, mean in zip(self.rewards.names, means.tolist(), strict=True):
            stats[f"Policy/{name.capitalize()} Value Estimate"] = mean
        return PPOResult(store, targets.rows, stats, self.optimizer.num_skipped - skipped_before)

    def _adopt(self, result: PPOResult, add_stat: AddStat) -> None:
        """The end of an update, between two steps of collecting."""
        self._fold(result.store, result.rows)
        self.acting.load_weights(self.flat)
        self._report_skipped(result.skipped)
        self.updates += 1
        for tag, value in {**result.stats, **self.rewards.finish()}.items():
            add_stat(tag, value)
        if result.store is not self.store:
            self._spare = result.store

    def _learn(
        self, experience: PPOExperience, targets: Targets, rate: float, coefficients: PPOCoefficients
    ) -> PPOLosses:
        places: Tensor | None = None
        if not self.network.actor_memory_size:
            batch = experience.batch(targets)
        else:
            batch, places = experience.sequence_batch(targets)

        def teach_signals(units: Tensor) -> None:
            if places is None:
                self.rewards.learn(units)
            else:
                rows = places[units].flatten()
                self.rewards.learn(rows[rows >= 0])

        return ppo_update(
            batch,
            self._gradients,
            self.optimizer,
            self.hyperparameters,
            coefficients,
            rate,
            self._rng,
            teach_signals if self.rewards.learned else None,
        )

    def _fold(self, store: RolloutStore, rows: NDArray[np.int64]) -> None:
        """Let the statistics of vector observations learn from rows."""
        if self.encoder.normalizers:
            nothing = rows[:0]
            columns = store.observations
            self.encoder.fold(
                [raw_rows(each, nothing if isinstance(each, ImageColumn) else rows) for each in columns]
            )

    def scheduled(self, step: int | None = None) -> tuple[float, PPOCoefficients]:
        """Learning rate and loss coefficients at a step, the current one if None."""
        hyper = self.hyperparameters
        step = self.step if step is None else step

        def value(initial: float, floor: float, schedule: ScheduleType) -> float:
            if schedule is ScheduleType.CONSTANT:
                return initial
            return linear_decay(initial, floor, step, self.settings.max_steps)

        return (
            value(hyper.learning_rate, LEARNING_RATE_FLOOR, hyper.learning_rate_schedule),
            PPOCoefficients(
                epsilon=value(hyper.epsilon, EPSILON_FLOOR, hyper.epsilon_schedule),
                beta=value(hyper.beta, BETA_FLOOR, hyper.beta_schedule),
            ),
        )

    def _report_skipped(self, skipped: int) -> None:
        if skipped:
            _LOGGER.warning(
                "%s: %d gradient steps were skipped because their gradients were NaN or infinite.",
                self.behavior,
                skipped,
            )

    # -- state -----------------------------------------------------------------------------------------

    def get_state(self) -> dict[str, Any]:
        """Everything that the future of this behavior depends on, experience in progress included.

        The top level has the names of the original's checkpoints; what only we keep is under ``Training``.
        Arrays and tensors are those in use: write or copy them before the trainer goes on.
        """
        return {
            **self.get_weights(),
            **self.rewards.get_modules(),
            "Optimizer:value_optimizer": self.optimizer.get_state(),
            "global_step": {"_GlobalSteps__global_step": torch.tensor([self.step])},
            "Training": {
                "updates": self.updates,
                "last_update_step": self._last_update_step,
                "rng": self._rng.bit_generator.state,
                "collecting": self.loop.get_state(),
                "rewards": self.rewards.get_state(),
                "cloning": self._cloning.get_state() if self._cloning else None,
            },
        }

    def set_state(self, state: dict[str, Any]) -> None:
        """Continue from a state returned by :meth:`get_state`."""
        self.set_weights(state)
        self.optimizer.set_state(state["Optimizer:value_optimizer"])
        self.step = int(state["global_step"]["_GlobalSteps__global_step"])
        training = state["Training"]
        self.updates = int(training["updates"])
        self._last_update_step = int(training["last_update_step"])
        self._rng.bit_generator.state = training["rng"]
        self.loop.set_state(to_arrays(training["collecting"]))
        if self._learning:
            self.rewards.set_state(state, training["rewards"])
        if self._cloning and training["cloning"]:
            self._cloning.set_state(training["cloning"])

    def get_weights(self) -> dict[str, Any]:
        """What the policy and its critic consist of: weights and normalisers."""
        return self._weights.get()

    def set_weights(self, state: dict[str, Any]) -> None:
        """Take over weights and normalisers from a state returned by :meth:`get_weights`."""
        self._weights.set(state)
        self.acting.load_weights(self.flat)

    def take_over_weights(self, state: dict[str, Any]) -> dict[str, Exception]:
        """Take over those weights and normalisers of a state that fit.

        Returns:
            For each part that does not fit, and stays as it is, why.
        """
        misfits = {**self._weights.take_over(state), **self.rewards.take_over(state)}
        self.acting.load_weights(self.flat)
        return misfits

    def export(self, path: Path) -> None:
        """Write the policy as an ONNX model.

        Raises:
            ExportError: whatever prevented it, and nothing else.
        """
        export_network(self.network, self.encoder, path)
