"""A base for trainers of plugins that judge whole episodes: it follows the agents, they choose and learn."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch

from mlagents.algorithms.trainer import AddStat, FinishedEpisodes
from mlagents.sampling.worker import StepBatch
from mlagents.settings.behavior import BehaviorSettings
from mlagents_envs.base_env import ActionTuple, BehaviorSpec, DecisionSteps


class AgentKey(NamedTuple):
    """Which agent: ids are unique within a behavior id of one environment."""

    worker: int
    behavior_id: str
    agent_id: int


class EpisodicTrainer(ABC):
    """A :class:`~mlagents.algorithms.trainer.BehaviorTrainer` without a store of experience.

    It counts steps, keeps the returns of episodes, and asks a subclass for actions. Its cost per agent and
    step is that of a few Python calls; trainers that need more speed implement the protocol themselves.

    Args:
        behavior: name of the behavior, without team.
        spec: its observations and actions.
        settings: how to train it.
        seed: seed of :attr:`rng`.
        device: where to learn; a subclass may leave it alone.
        learning: False to only act, for ever.

    Attributes:
        behavior: name of the behavior.
        spec: its observations and actions.
        settings: how it is trained.
        learning: whether it ever learns.
        rng: source of randomness; saved with the rest.
        step: agent-steps whose outcome is known.
        updates: updates so far; the subclass counts them.
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
        self.behavior = behavior
        self.spec = spec
        self.settings = settings
        self.learning = learning
        self.device = device
        self.rng = np.random.default_rng(np.random.SeedSequence([seed, *behavior.encode()]))
        self.step = 0
        self.updates = 0
        self._episodes: dict[AgentKey, tuple[float, int]] = {}
        self._waiting: list[tuple[int, str, DecisionSteps]] = []
        self._returns: list[float] = []
        self._lengths: list[int] = []

    # -- for subclasses --------------------------------------------------------------------------------

    @abstractmethod
    def choose(self, agents: Sequence[AgentKey], steps: DecisionSteps) -> ActionTuple:
        """Choose actions in environment units.

        Args:
            agents: the ``n`` agents that ask, in the order of the steps.
            steps: what they observe, and which actions are forbidden.

        Returns:
            Continuous actions in [-1, 1] ``[n, A]``, discrete ones ``[n, D]``.
        """

    @abstractmethod
    def on_reward(self, agent: AgentKey, reward: float, ended: bool) -> None:
        """Take the reward, group reward included, of the last action of an agent.

        Args:
            agent: which agent.
            reward: its reward.
            ended: whether its episode is over.
        """

    def on_lost(self, agent: AgentKey) -> None:  # noqa: B027  (optional)
        """Forget a running episode: its environment was reset."""

    @abstractmethod
    def is_update_due(self) -> bool:
        """Whether enough is known to learn from; asked before every environment step."""

    @abstractmethod
    def update(self, add_stat: AddStat) -> None:
        """Learn, and report statistics by tag."""

    @abstractmethod
    def get_weights(self) -> dict[str, Any]:
        """The policy as a tree of tensors, arrays and plain values."""

    @abstractmethod
    def set_weights(self, weights: dict[str, Any]) -> None:
        """Go on with a policy of :meth:`get_weights`.

        Raises:
            KeyError, RuntimeError, ValueError: it does not fit.
        """

    @abstractmethod
    def export(self, path: Path) -> None:
        """Write the policy as an ONNX model.

        Raises:
            ExportError: whatever prevented it, and nothing else.
        """

    # -- for the run -----------------------------------------------------------------------------------

    @property
    def is_training(self) -> bool:
        """Whether the behavior still learns."""
        return self.learning and self.step < self.settings.max_steps

    def learns_at(self, step: int) -> bool:
        """Whether experience up to ``step`` is learned from."""
        return self.learning and step <= self.settings.max_steps

    def observe(self, batch: StepBatch) -> None:
        """Take in what the agents of one worker reported; those that ask for decisions now wait."""
        counts = self.is_training or not self.learning
        for steps, ended in ((batch.terminal, True), (batch.decision, False)):
            rewards = (steps.reward + steps.group_reward).tolist()
            for agent_id, reward in zip(steps.agent_id.tolist(), rewards, strict=True):
                agent = AgentKey(batch.worker, batch.behavior_id, agent_id)
                episode = self._episodes.get(agent)
                if episode is None:
                    if not ended:
                        self._episodes[agent] = (0.0, 1)
                    continue
                self.step += counts
                self.on_reward(agent, reward, ended)
                if ended:
                    self._returns.append(episode[0] + reward)
                    self._lengths.append(episode[1])
                    del self._episodes[agent]
                else:
                    self._episodes[agent] = (episode[0] + reward, episode[1] + 1)
        if len(batch.decision):
            self._waiting.append((batch.worker, batch.behavior_id, batch.decision))

    def act(self) -> list[tuple[int, str, ActionTuple]]:
        """Worker, behavior id and actions for each batch of agents that waits."""
        waiting, self._waiting = self._waiting, []
        answers = []
        for worker, name, steps in waiting:
            agents = [AgentKey(worker, name, agent_id) for agent_id in steps.agent_id.tolist()]
            answers.append((worker, name, self.choose(agents, steps)))
        return answers

    def reset_worker(self, worker: int) -> None:
        """Forget running episodes of a worker whose environment was reset."""
        self._waiting = [batch for batch in self._waiting if batch[0] != worker]
        for agent in [agent for agent in self._episodes if agent.worker == worker]:
            del self._episodes[agent]
            self.on_lost(agent)

    def take_episodes(self) -> FinishedEpisodes:
        """Episodes that ended since the last call."""
        returns, self._returns = self._returns, []
        lengths, self._lengths = self._lengths, []
        return FinishedEpisodes(returns, lengths, {"extrinsic": list(returns)})

    def forget(self) -> None:  # noqa: B027
        """Nothing to do: nothing is stored."""

    def drop_broken_experience(self) -> None:  # noqa: B027
        """Nothing to do: nothing is stored."""

    def get_state(self) -> dict[str, Any]:
        """Policy, counters and random generator; running episodes are not part of it."""
        return {
            "Policy": self.get_weights(),
            "global_step": {"_GlobalSteps__global_step": torch.tensor([self.step])},
            "Training": {"updates": self.updates, "rng": self.rng.bit_generator.state},
        }

    def set_state(self, state: dict[str, Any]) -> None:
        """Continue from a state of :meth:`get_state`; agents begin new episodes."""
        self.step = int(state["global_step"]["_GlobalSteps__global_step"])
        self.updates = int(state["Training"]["updates"])
        self.rng.bit_generator.state = state["Training"]["rng"]
        self.set_weights(state["Policy"])

    def take_over_weights(self, state: dict[str, Any]) -> Mapping[str, Exception]:
        """Take over the policy of a state, if it fits.

        Returns:
            Why it does not fit, where it does not.
        """
        try:
            self.set_weights(state["Policy"])
        except (KeyError, RuntimeError, ValueError, TypeError) as error:
            return {"policy": error}
        return {}
