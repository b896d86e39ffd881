"""One behavior that learns off-policy: remembers what it did, and learns from it while it goes on."""

from __future__ import annotations

import threading
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch

from mlagents.algorithms.acting_loop import ActingLoop
from mlagents.algorithms.sac_cadence import Cadence
from mlagents.algorithms.sac_cloning import make_cloning
from mlagents.algorithms.sac_experience import SACExperience
from mlagents.algorithms.sac_explicit import ExplicitSACGradients
from mlagents.algorithms.sac_gradients import AutogradSACGradients, SACGradients, SACLosses
from mlagents.algorithms.sac_networks import SACNetworks
from mlagents.algorithms.sac_settings import SACSettings
from mlagents.algorithms.schedules import linear_decay
from mlagents.algorithms.trainer import AddStat, FinishedEpisodes, UpdateJob
from mlagents.experience.replay import ReplayStore
from mlagents.experience.replay_state import without_experience
from mlagents.experience.store import slack_rows
from mlagents.export.from_network import export_network
from mlagents.networks.observations import ObservationEncoder
from mlagents.networks.squashed_acting import SquashedActingPolicy
from mlagents.rewards.signal_set import SignalSet
from mlagents.sampling.checks import check_batch
from mlagents.sampling.collector import Collector
from mlagents.sampling.worker import StepBatch
from mlagents.settings.behavior import BehaviorSettings
from mlagents.settings.errors import TrainerError
from mlagents.settings.types import ScheduleType
from mlagents.state_tree import to_arrays
from mlagents_envs.base_env import ActionTuple, BehaviorSpec
from mlagents_envs.logging_util import get_logger

_LOGGER = get_logger(__name__)
LEARNING_RATE_FLOOR = 1e-10
REPLAY = "Replay"


class SACResult(NamedTuple):
    """What the updates owed at one time came to.

    Attributes:
        losses: means; None where only reward signals were updated.
        cloned: statistics of imitation.
        rate: learning rate of the policy.
        skipped: gradient steps not taken because the gradient was NaN or infinite.
    """

    losses: SACLosses | None
    cloned: dict[str, float]
    rate: float
    skipped: int


class SACTrainer:
    """Everything that one behavior trained with SAC consists of.

    Args:
        behavior: name of the behavior, without team.
        spec: its observations and actions.
        settings: how to train it; its hyperparameters are :class:`SACSettings`.
        seed: seed of weights, exploration and draws.
        device: where to learn; acting always happens on the CPU.
        learning: False to only act, for ever.

    Raises:
        TrainerError: the behavior has no actions, or observations that no network here takes.

    Attributes:
        behavior: name of the behavior.
        spec: its observations and actions.
        settings: how it is trained.
        networks: policy, critics and temperatures that learn.
        encoder: what turns observations into the networks' inputs.
        acting: the copy of the policy that acts.
        loop: collects and acts.
        store: the replay.
        experience: draws batches.
        step: agent-steps whose outcome is known, the unit of ``max_steps``.
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
        assert isinstance(settings.hyperparameters, SACSettings)
        if not spec.action_spec.continuous_size and not spec.action_spec.discrete_size:
            raise TrainerError(f"The behavior {behavior} has no actions, so there is nothing to learn.")
        self.behavior = behavior
        self.spec = spec
        self.settings = settings
        self.hyperparameters: SACSettings = settings.hyperparameters
        self.step = 0
        self._device = torch.device(device)
        self._learning = learning
        self._rng = np.random.default_rng(np.random.SeedSequence([seed, *behavior.encode()]))
        self._cadence = Cadence(self.hyperparameters)
        self._lock = threading.Lock()
        network = settings.network_settings
        self._signals = SignalSet(
            behavior, spec, settings.reward_signals, self._device, seed, learning=learning
        )
        self.encoder = ObservationEncoder(behavior, spec.observation_specs, normalize=network.normalize)
        self.networks = SACNetworks(
            self.encoder,
            spec.action_spec,
            network,
            self.hyperparameters,
            len(self._signals.names),
            seed,
            self._device,
        )
        self._gradients = self._make_gradients()
        self.acting = SquashedActingPolicy(
            self.networks.make_actor(),
            self.encoder,
            self._rng,
            deterministic=network.deterministic,
            copy_of_critic=self.networks.make_critic() if network.memory and learning else None,
        )
        self._refresh_acting()
        self._cloning = None
        if learning:
            actor = self.networks.actor
            self._cloning = make_cloning(behavior, spec, settings, actor, self.encoder, seed, self._device)
        self.store = self._make_store()
        self.loop = ActingLoop(behavior, spec, Collector(self.store, settings.time_horizon), self.acting)
        self.experience = SACExperience(
            self.store,
            spec,
            self.encoder,
            self.networks,
            self._signals,
            self.hyperparameters,
            network.memory.burn_in if network.memory else 0,
            self._rng,
            self._device,
        )

    def _make_gradients(self) -> SACGradients:
        networks, hyper, actions = self.networks, self.hyperparameters, self.spec.action_spec
        if networks.is_flat and self._device.type == "cpu":
            return ExplicitSACGradients(networks, hyper, actions, len(self._signals.names))
        return AutogradSACGradients(networks, hyper, actions)

    def _make_store(self) -> ReplayStore:
        memory, networks = self.settings.network_settings.memory, self.networks
        penalized = self.hyperparameters.entropy_penalty > 0.0
        return ReplayStore(
            self.spec,
            self.hyperparameters.buffer_size if self._learning else slack_rows(self.spec),
            memory_size=networks.actor.actor_memory_size,
            critic_memory_size=networks.critic.memory_size,
            keeps_all_ends=bool(self._signals.learned),
            sequence_length=1 if memory is None else memory.sequence_length,
            note_size=self.spec.action_spec.discrete_size if penalized else 0,
        )

    def _refresh_acting(self) -> None:
        self.acting.load_weights(self.networks.flat_actor, self.networks.flat_critic)

    # -- collecting ------------------------------------------------------------------------------------

    @property
    def updates(self) -> int:
        """Updates so far."""
        return self._cadence.updates

    @property
    def is_training(self) -> bool:
        """Whether the behavior still learns."""
        return self._learning and self.step < self.settings.max_steps

    def learns_at(self, step: int) -> bool:
        """Whether experience up to ``step`` is learned from."""
        return self._learning and step <= self.settings.max_steps

    def observe(self, batch: StepBatch) -> None:
        """Take in what the agents of one worker reported; those that ask for decisions now wait.

        Raises:
            UnityObservationException: a reward or an observation is NaN or infinite; nothing was kept.
        """
        check_batch(self.behavior, self.spec, batch)
        training = self.is_training
        with self._lock:
            completed = self.loop.observe(batch)
            if training and len(batch.decision.agent_id):
                self.encoder.fold(batch.decision.obs)
                newest = self.loop.waiting[-1]
                self.experience.rewards.note_rows(newest.first, newest.count)
        if training or not self._learning:
            self.step += completed
        if training:
            self._cadence.observe(self.step, self.store.num_stored)

    def act(self) -> list[tuple[int, str, ActionTuple]]:
        """Choose actions for all agents that wait, in one forward pass; see :meth:`ActingLoop.act`."""
        return self.loop.act(self.step)

    def reset_worker(self, worker: int) -> None:
        """Forget running episodes of a worker whose environment was reset."""
        with self._lock:
            self.loop.reset_worker(worker)

    def take_episodes(self) -> FinishedEpisodes:
        """Episodes that ended since the last call."""
        returns, lengths = self.loop.collector.take_finished()
        return FinishedEpisodes(returns, lengths, self.experience.rewards.take_finished(returns))

    def drop_broken_experience(self) -> None:
        """Nothing to do: broken experience is refused before it is kept."""

    def forget(self) -> None:
        """Nothing to do: the replay overwrites the oldest."""

    # -- learning --------------------------------------------------------------------------------------

    def is_update_due(self) -> bool:
        """Whether updates are owed for the steps taken, and enough is remembered for them."""
        if not self._learning:
            return False
        owed = self._cadence.owes_update or (self._signals.learned and self._cadence.owes_signal_update)
        return bool(owed) and self.experience.is_enough

    def update(self, add_stat: AddStat) -> None:
        """Make all updates that are owed, and refresh the acting policy.

        Args:
            add_stat: receives the statistics of the updates, by tag.
        """
        job = self._prepare_update(beside=False)
        job.run()
        job.finish(add_stat)

    def begin_update(self) -> UpdateJob[SACResult]:
        """Let all updates that are owed be made beside collection; see :class:`LearnsBeside`.

        Batches are drawn from the replay as it is then. Drawing and remembering take turns; nothing else
        of the replay is shared, as what agents wait on is not learned from.
        """
        self.experience.rewards.holds_back = True  # only one thread at a time may move the learned signals
        return self._prepare_update(beside=True)

    def _prepare_update(self, *, beside: bool) -> UpdateJob[SACResult]:
        owed, signals_owed = self._cadence.updates, self._cadence.signal_updates
        while self._cadence.owes_update:
            self._cadence.count_update()
        while self._signals.learned and self._cadence.owes_signal_update:
            self._cadence.count_signal_update()
        owed, signals_owed = self._cadence.updates - owed, self._cadence.signal_updates - signals_owed
        return UpdateJob(partial(self._learn, owed, signals_owed, self.step, beside=beside), self._adopt)

    def _learn(self, updates: int, signal_updates: int, step: int, *, beside: bool) -> SACResult:
        """The work of so many updates."""
        experience, (rate, critic_rate) = self.experience, self.learning_rates(step)
        skipped_before = self.networks.num_skipped
        cloned: dict[str, float] = {}
        for number in range(updates):
            with self._lock:
                if beside or number == 0:
                    experience.begin_update()
                batch = experience.draw()
            self._gradients.compute(batch)
            self.networks.step(rate, critic_rate)
            if self._cloning:
                cloned = self._cloning.update(step)
        losses = self._gradients.take_losses() if updates else None
        for _ in range(signal_updates):
            with self._lock:
                transitions = experience.transitions(experience.draw_rows())
            experience.rewards.learn(transitions)
        return SACResult(losses, cloned, rate, self.networks.num_skipped - skipped_before)

    def _adopt(self, result: SACResult, add_stat: AddStat) -> None:
        """The end of an update, between two steps of collecting."""
        self.experience.rewards.holds_back = False
        self._refresh_acting()
        self._report_skipped(result.skipped)
        stats = self._stats(result.losses) if result.losses else {}
        for tag, value in {**stats, **self.experience.rewards.take_stats(), **result.cloned}.items():
            add_stat(tag, value)
        add_stat("Policy/Learning Rate", result.rate)

    def _stats(self, losses: SACLosses) -> dict[str, float]:
        stats = {
            "Losses/Policy Loss": losses.policy,
            "Losses/Value Loss": 0.5 * (losses.q1 + losses.q2),
            "Losses/Q1 Loss": losses.q1,
            "Losses/Q2 Loss": losses.q2,
            "Policy/Entropy": losses.entropy,
        }
        for name, value in zip(self._signals.names, losses.values, strict=True):
            stats[f"Policy/{name.capitalize()} Value"] = value
        alpha = self.networks.alpha.tolist()
        if self.spec.action_spec.continuous_size:
            stats["Policy/Continuous Entropy Coeff"] = alpha.pop(0)
        if alpha:
            stats["Policy/Discrete Entropy Coeff"] = sum(alpha) / len(alpha)
        return stats

    def learning_rates(self, step: int | None = None) -> tuple[float, float]:
        """Learning rate of the policy, and of critics and temperatures, at a step; None: the present one."""
        hyper = self.hyperparameters
        step = self.step if step is None else step
        critic = hyper.learning_rate if hyper.critic_learning_rate is None else hyper.critic_learning_rate
        if hyper.learning_rate_schedule is ScheduleType.CONSTANT:
            return hyper.learning_rate, critic
        first, second = (
            linear_decay(initial, LEARNING_RATE_FLOOR, step, self.settings.max_steps)
            for initial in (hyper.learning_rate, critic)
        )
        return first, second

    def _report_skipped(self, skipped: int) -> None:
        if skipped:
            _LOGGER.warning(
                "%s: %d gradient steps were skipped because their gradients were NaN or infinite.",
                self.behavior,
                skipped,
            )

    # -- state -----------------------------------------------------------------------------------------

    def get_state(self) -> dict[str, Any]:
        """Everything that the future of this behavior depends on.

        The top level has the names of the original's checkpoints; what only we keep is under ``Training``,
        and the replay, if it is to be saved, under ``Replay``. Arrays and tensors are those in use: write or
        copy them before the trainer goes on.
        """
        state = self.networks.get_state()
        state["Policy"]["normalizers"] = self.encoder.get_state()
        collecting = self.loop.get_state()
        if self.hyperparameters.save_replay_buffer:
            state[REPLAY] = collecting
        return {
            **state,
            **self._signals.get_modules(),
            "global_step": {"_GlobalSteps__global_step": torch.tensor([self.step])},
            "Training": {
                "cadence": self._cadence.get_state(),
                "num_stored": self.store.num_stored,
                "rng": self._rng.bit_generator.state,
                "collecting": without_experience(collecting),
                "rewards": self.experience.rewards.get_state(),
                "cloning": self._cloning.get_state() if self._cloning else None,
            },
        }

    def set_state(self, state: dict[str, Any]) -> None:
        """Continue from a state returned by :meth:`get_state`, with or without its replay."""
        self.networks.set_state(state)
        self.encoder.set_state(to_arrays(state["Policy"]["normalizers"]))
        self._refresh_acting()
        self.step = int(state["global_step"]["_GlobalSteps__global_step"])
        training = state["Training"]
        self._rng.bit_generator.state = training["rng"]
        has_replay = REPLAY in state and self._learning
        self.loop.set_state(to_arrays(state[REPLAY] if has_replay else training["collecting"]))
        self._cadence.set_state(training["cadence"])
        if not has_replay:
            self._cadence.wait_for_refill(int(training["num_stored"]))
        if self._learning:
            self.experience.rewards.set_state(state, training["rewards"], with_rows=has_replay)
        if self._cloning and training["cloning"]:
            self._cloning.set_state(training["cloning"])

    def take_over_weights(self, state: dict[str, Any]) -> dict[str, Exception]:
        """Take over those weights and normalisers of a state that fit.

        Returns:
            For each part that does not fit, and stays as it is, why.
        """
        misfits = {**self.networks.take_over(state), **self._signals.take_over(state)}
        mine = self.encoder.get_state()
        try:
            self.encoder.set_state(to_arrays(state["Policy"]["normalizers"]))
        except (KeyError, ValueError, TypeError, AttributeError) as error:
            misfits["normalizer"] = error
            self.encoder.set_state(mine)
        self._refresh_acting()
        return misfits

    def export(self, path: Path) -> None:
        """Write the policy as an ONNX model.

        Raises:
            ExportError: whatever prevented it, and nothing else.
        """
        export_network(self.networks.actor, self.encoder, path)
