"""One behavior that learns on-policy: collects with its current policy, updates, and starts afresh."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from mlagents.algorithms.optimizer import FlatAdam
from mlagents.algorithms.ppo import (
    AutogradGradients,
    MinibatchGradients,
    PPOBatch,
    PPOCoefficients,
    PPOLosses,
    ppo_update,
)
from mlagents.algorithms.ppo_explicit import ExplicitGradients
from mlagents.algorithms.ppo_settings import PPOSettings, ScheduleType
from mlagents.algorithms.schedules import linear_decay
from mlagents.experience.store import RolloutStore
from mlagents.experience.targets import RewardStream, Targets, compute_targets
from mlagents.networks.acting import ActingPolicy, ActionColumns, NonFiniteActionError
from mlagents.networks.actor_critic import ActorCritic
from mlagents.networks.flat_parameters import FlatParameters
from mlagents.networks.observations import ObservationEncoder
from mlagents.rewards.extrinsic import ExtrinsicSettings, extrinsic_reward
from mlagents.sampling.checks import check_experience, check_observations
from mlagents.sampling.collector import Collector
from mlagents.sampling.worker import StepBatch
from mlagents.settings import BehaviorSettings, TrainerError
from mlagents.state_tree import to_arrays, to_tensors
from mlagents_envs.base_env import ActionTuple, BehaviorSpec
from mlagents_envs.exception import UnityObservationException
from mlagents_envs.logging_util import get_logger

_LOGGER = get_logger(__name__)
LEARNING_RATE_FLOOR = 1e-10
EPSILON_FLOOR = 0.1
BETA_FLOOR = 1e-5
_VALUE_CHUNK = 4096
_PARTS = {
    "actor": ("Policy", "actor"),
    "spread of the actions": ("Policy", "log_sigma"),
    "normalizer": ("Policy", "normalizers"),
    "critic": ("Optimizer:critic",),
}
AddStat = Callable[[str, float], None]


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
        signals: reward signals by name.
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
        self.signals: dict[str, ExtrinsicSettings] = {}
        for name, signal in settings.reward_signals.items():
            assert isinstance(signal, ExtrinsicSettings), f"no reward signal is made for {name}"
            self.signals[name] = signal
        self.step = 0
        self.updates = 0
        self._last_update_step = 0
        self._device = torch.device(device)
        self._learning = learning
        self._rng = np.random.default_rng(np.random.SeedSequence([seed, *behavior.encode()]))
        network_settings = settings.network_settings
        self.encoder = ObservationEncoder(
            behavior, spec.observation_specs, normalize=network_settings.normalize
        )
        self._seed = seed
        self.network = self._make_network().to(self._device)
        self.flat = FlatParameters(self.network)
        self.optimizer = FlatAdam(self.flat.values, self.flat.gradients, self.hyperparameters.max_grad_norm)
        self._gradients: MinibatchGradients = (
            ExplicitGradients(self.network, self.hyperparameters)
            if self._device.type == "cpu"
            else AutogradGradients(self.network, self.flat, self.hyperparameters)
        )
        self.acting = ActingPolicy(
            self._make_network(),
            self.encoder,
            self._rng,
            deterministic=network_settings.deterministic,
        )
        self.acting.load_weights(self.flat)
        self._start_collecting()

    def _start_collecting(self) -> None:
        self.store = RolloutStore(self.spec, self.hyperparameters.buffer_size + 4096)
        self.collector = Collector(self.store, self.settings.time_horizon)
        self._waiting: list[tuple[int, str, int]] = []

    def _make_network(self) -> ActorCritic:
        network = self.settings.network_settings
        return ActorCritic(
            self.encoder.size,
            self.spec.action_spec,
            network.hidden_units,
            network.num_layers,
            len(self.signals),
            torch.Generator().manual_seed(self._seed),
        )

    # -- collecting ------------------------------------------------------------------------------------

    @property
    def is_training(self) -> bool:
        """Whether the behavior still learns."""
        return self._learning and self.step < self.settings.max_steps

    def observe(self, batch: StepBatch) -> None:
        """Take in what the agents of one worker reported; those that ask for decisions now wait."""
        before = self.store.num_complete
        first = self.collector.observe(batch)
        count = len(batch.decision)
        if count:
            self._waiting.append((batch.worker, batch.behavior_id, count))
            if batch.decision.action_mask is not None:
                self._store_masks(first, batch.decision.action_mask)
        if self.is_training or not self._learning:
            self.step += self.store.num_complete - before

    def _store_masks(self, first: int, masks: list[NDArray[np.bool_]]) -> None:
        begin = 0
        for mask in masks:
            end = begin + mask.shape[1]
            rows = slice(first, first + len(mask))
            np.logical_not(mask, out=self.store.allowed_actions[rows, begin:end])
            begin = end

    def act(self) -> list[tuple[int, str, ActionTuple]]:
        """Choose actions for all agents that wait, in one forward pass.

        Returns:
            Worker, behavior id and actions in environment units, for each batch observed since the last
            call that had agents asking for decisions.
        """
        if not self._waiting:
            return []
        store = self.store
        total = sum(count for _, _, count in self._waiting)
        rows = slice(store.num_rows - total, store.num_rows)
        columns = ActionColumns(
            store.continuous_actions[rows],
            store.discrete_actions[rows],
            store.log_probs[rows],
            store.allowed_actions[rows],
        )
        try:
            actions = self.acting.act([column[rows] for column in store.observations], columns)
        except NonFiniteActionError:
            check_observations(self.behavior, self.spec, store, self.collector.slots, rows)
            raise TrainerError(
                f"The policy of the behavior {self.behavior} gives NaN or infinite actions at step "
                f"{self.step}, although its observations are finite. Lower learning_rate, or set normalize."
            ) from None
        waiting, self._waiting = self._waiting, []
        if len(waiting) == 1:
            return [(waiting[0][0], waiting[0][1], actions)]
        answers = []
        begin = 0
        for worker, behavior_id, count in waiting:
            end = begin + count
            part = ActionTuple(actions.continuous[begin:end], actions.discrete[begin:end])
            answers.append((worker, behavior_id, part))
            begin = end
        return answers

    def reset_worker(self, worker: int) -> None:
        """Forget running episodes of a worker whose environment was reset."""
        self._waiting = [entry for entry in self._waiting if entry[0] != worker]
        self.collector.reset_worker(worker)

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
        full = self.store.num_complete >= self.hyperparameters.buffer_size
        return full and self._learning and self._last_update_step < self.settings.max_steps

    def forget(self) -> None:
        """Empty the store without learning, once it is full: for behaviors that only act."""
        if self.store.num_complete >= self.hyperparameters.buffer_size:
            self.collector.keep_incomplete()

    def update(self, add_stat: AddStat) -> None:
        """Learn from all complete rows, refresh the acting policy, and empty the store.

        Args:
            add_stat: receives the statistics of the update, by tag.

        Raises:
            UnityObservationException: a reward or an observation is NaN or infinite; nothing has changed.
        """
        store, used = self.store, self.store.num_rows
        check_experience(self.behavior, self.spec, store, self.collector.slots)
        skipped_before = self.optimizer.num_skipped
        inputs = torch.from_numpy(self.encoder.encode([column[:used] for column in store.observations]))
        inputs = inputs.to(self._device)
        values = self._values(inputs)
        finals = [column[: store.num_bootstrap] for column in store.bootstrap_observations]
        bootstrap_values = self._values(torch.from_numpy(self.encoder.encode(finals)).to(self._device))
        streams = self._reward_streams()
        targets = compute_targets(store, streams, values, bootstrap_values, self.hyperparameters.lambd)
        rate, coefficients = self.scheduled()
        losses = ppo_update(
            self._batch(inputs, values, targets),
            self._gradients,
            self.optimizer,
            self.hyperparameters,
            coefficients,
            rate,
            self._rng,
        )
        self.encoder.fold([column[targets.rows] for column in store.observations])
        self.acting.load_weights(self.flat)
        skipped = self.optimizer.num_skipped - skipped_before
        if skipped:
            _LOGGER.warning(
                "%s: %d gradient steps were skipped because their gradients were NaN or infinite.",
                self.behavior,
                skipped,
            )
        self.updates += 1
        self._last_update_step = self.step
        self._report(add_stat, losses, values[targets.rows], rate, coefficients)
        self.collector.keep_incomplete()

    def scheduled(self) -> tuple[float, PPOCoefficients]:
        """Learning rate and loss coefficients at the current step."""
        hyper = self.hyperparameters

        def value(initial: float, floor: float, schedule: ScheduleType) -> float:
            if schedule is ScheduleType.CONSTANT:
                return initial
            return linear_decay(initial, floor, self.step, self.settings.max_steps)

        return (
            value(hyper.learning_rate, LEARNING_RATE_FLOOR, hyper.learning_rate_schedule),
            PPOCoefficients(
                epsilon=value(hyper.epsilon, EPSILON_FLOOR, hyper.epsilon_schedule),
                beta=value(hyper.beta, BETA_FLOOR, hyper.beta_schedule),
            ),
        )

    def _values(self, inputs: torch.Tensor) -> NDArray[np.float32]:
        """Value estimates float32 ``[R, S]`` of inputs ``[R, I]``, in chunks that fit the cache."""
        if not len(inputs):
            return np.zeros((0, len(self.signals)), dtype=np.float32)
        with torch.no_grad():
            chunks = [self.network.critic(chunk) for chunk in torch.split(inputs, _VALUE_CHUNK)]
        values: NDArray[np.float32] = torch.cat(chunks).cpu().numpy()
        return values

    def _reward_streams(self) -> list[RewardStream]:
        rewards = self.store.rewards[: self.store.num_rows]
        return [
            RewardStream(extrinsic_reward(rewards, signal), signal.gamma) for signal in self.signals.values()
        ]

    def _batch(self, inputs: torch.Tensor, values: NDArray[np.float32], targets: Targets) -> PPOBatch:
        rows, store = targets.rows, self.store

        def tensor(column: NDArray[Any]) -> torch.Tensor:
            return torch.from_numpy(column).to(self._device)

        return PPOBatch(
            inputs=inputs[tensor(rows)],
            continuous_actions=tensor(store.continuous_actions[rows]),
            discrete_actions=tensor(store.discrete_actions[rows]),
            allowed_actions=tensor(store.allowed_actions[rows]),
            old_log_probs=tensor(store.log_probs[rows]),
            advantages=tensor(targets.advantages),
            returns=tensor(targets.returns),
            old_values=tensor(values[rows]),
        )

    def _report(
        self,
        add_stat: AddStat,
        losses: PPOLosses,
        values: NDArray[np.float32],
        rate: float,
        coefficients: PPOCoefficients,
    ) -> None:
        add_stat("Losses/Policy Loss", abs(losses.policy))
        add_stat("Losses/Value Loss", losses.value)
        add_stat("Policy/Entropy", losses.entropy)
        add_stat("Policy/Learning Rate", rate)
        add_stat("Policy/Epsilon", coefficients.epsilon)
        add_stat("Policy/Beta", coefficients.beta)
        add_stat("Policy/Approximate KL", losses.approximate_kl)
        add_stat("Policy/Clip Fraction", losses.clip_fraction)
        for index, signal in enumerate(self.signals):
            add_stat(f"Policy/{signal.capitalize()} Value Estimate", float(values[:, index].mean()))

    # -- state -----------------------------------------------------------------------------------------

    def get_state(self) -> dict[str, Any]:
        """Everything that the future of this behavior depends on, experience in progress included.

        The top level has the names of the original's checkpoints; what only we keep is under ``Training``.
        Arrays and tensors are those in use: write or copy them before the trainer goes on.
        """
        return {
            **self.get_weights(),
            "Optimizer:value_optimizer": self.optimizer.get_state(),
            "global_step": {"_GlobalSteps__global_step": torch.tensor([self.step])},
            "Training": {
                "updates": self.updates,
                "last_update_step": self._last_update_step,
                "rng": self._rng.bit_generator.state,
                "collector": self.collector.get_state(),
                "waiting": [list(entry) for entry in self._waiting],
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
        self.collector.set_state(to_arrays(training["collector"]))
        self._waiting = [(int(worker), str(name), int(count)) for worker, name, count in training["waiting"]]

    def get_weights(self) -> dict[str, Any]:
        """What the policy and its critic consist of: weights and normalisers."""
        return {
            "Policy": {
                "actor": self.network.actor.state_dict(),
                "log_sigma": self.network.log_sigma.detach(),
                "normalizers": self.encoder.get_state(),
            },
            "Optimizer:critic": self.network.critic.state_dict(),
        }

    def learns_at(self, step: int) -> bool:
        """Whether experience up to ``step`` is learned from."""
        return self._learning and step <= self.settings.max_steps

    def take_over_weights(self, state: dict[str, Any]) -> dict[str, Exception]:
        """Take over those weights and normalisers of a state that fit.

        Returns:
            For each part that does not fit, and stays as it is, why.
        """
        misfits: dict[str, Exception] = {}
        mine = to_tensors(self.get_weights())
        for part, path in _PARTS.items():
            try:
                self.set_weights(_replaced(mine, path, _at(state, path)))
            except (KeyError, RuntimeError, ValueError, TypeError, AttributeError, IndexError) as error:
                misfits[part] = error
                self.set_weights(mine)
            mine = to_tensors(self.get_weights())
        return misfits

    def set_weights(self, state: dict[str, Any]) -> None:
        """Take over weights and normalisers from a state returned by :meth:`get_weights`."""
        policy = state["Policy"]
        self.network.actor.load_state_dict(policy["actor"])
        self.network.critic.load_state_dict(state["Optimizer:critic"])
        with torch.no_grad():
            self.network.log_sigma.copy_(policy["log_sigma"])
        self.encoder.set_state(to_arrays(policy["normalizers"]))
        self.acting.load_weights(self.flat)


def _at(tree: dict[str, Any], path: tuple[str, ...]) -> Any:  # noqa: ANN401
    """The branch of a tree at ``path``."""
    for key in path:
        tree = tree[key]
    return tree


def _replaced(tree: dict[str, Any], path: tuple[str, ...], branch: Any) -> dict[str, Any]:  # noqa: ANN401
    """A tree with another branch at ``path``."""
    key, *rest = path
    return {**tree, key: branch if not rest else _replaced(tree[key], tuple(rest), branch)}
