"""What a training run asks of whatever learns a behavior."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Generic, NamedTuple, Protocol, TypeVar, runtime_checkable

from mlagents.sampling.worker import StepBatch
from mlagents.settings.behavior import BehaviorSettings
from mlagents_envs.base_env import ActionTuple, BehaviorSpec

AddStat = Callable[[str, float], None]
"""Takes a statistic by tag and value."""

Learned = TypeVar("Learned")
"""What the working half of an update hands to the other half."""


class FinishedEpisodes(NamedTuple):
    """Episodes that ended, in order.

    Attributes:
        returns: undiscounted sums of the rewards of the environment.
        lengths: numbers of decisions.
        rewards: per reward signal, sums of its rewards times its strength. Signals that are computed at the
            update come later than the returns.
    """

    returns: list[float]
    lengths: list[int]
    rewards: dict[str, list[float]]


class BehaviorTrainer(Protocol):
    """Collects experience of one behavior, learns from it, and acts.

    A run calls, per environment step: :meth:`update` where :meth:`is_update_due`, :meth:`act`, and then
    :meth:`observe` for each worker that answered.
    """

    @property
    def behavior(self) -> str:
        """Name of the behavior, without team."""

    @property
    def spec(self) -> BehaviorSpec:
        """Its observations and actions."""

    @property
    def settings(self) -> BehaviorSettings:
        """How it is trained."""

    @property
    def step(self) -> int:
        """Agent-steps whose outcome is known, the unit of ``max_steps``."""

    @property
    def updates(self) -> int:
        """Updates so far."""

    @property
    def is_training(self) -> bool:
        """Whether the behavior still learns."""

    def learns_at(self, step: int) -> bool:
        """Whether experience up to ``step`` is learned from."""

    def observe(self, batch: StepBatch) -> None:
        """Take in what the agents of one worker reported; those that ask for decisions now wait."""

    def act(self) -> list[tuple[int, str, ActionTuple]]:
        """Worker, behavior id and actions in environment units for each batch of agents that waits."""

    def reset_worker(self, worker: int) -> None:
        """Forget running episodes of a worker whose environment was reset."""

    def is_update_due(self) -> bool:
        """Whether enough experience is there to learn from."""

    def update(self, add_stat: AddStat) -> None:
        """Learn, and act from now on with what was learned.

        Raises:
            UnityObservationException: a reward or an observation is NaN or infinite; nothing has changed.
        """

    def forget(self) -> None:
        """Make room without learning, where that is necessary: for behaviors that only act."""

    def drop_broken_experience(self) -> None:
        """Forget experience that is NaN or infinite, so that what is saved now can be resumed."""

    def take_episodes(self) -> FinishedEpisodes:
        """Episodes that ended since the last call."""

    def get_state(self) -> dict[str, Any]:
        """Everything that the future of this behavior depends on, experience in progress included.

        The top level has the names of the original's checkpoints; what only we keep is under ``Training``,
        a dict that the run adds keys of its own to. Experience that is large may be under ``Replay``, which
        numbered checkpoints leave out; :meth:`set_state` must do without it then. Arrays and tensors are
        those in use: write or copy them before the trainer goes on.
        """

    def set_state(self, state: dict[str, Any]) -> None:
        """Continue from a state returned by :meth:`get_state`."""

    def take_over_weights(self, state: dict[str, Any]) -> Mapping[str, Exception]:
        """Take over those weights and normalisers of a state that fit.

        Returns:
            For each part that does not fit, and stays as it is, why.
        """

    def export(self, path: Path) -> None:
        """Write the policy as an ONNX model.

        Raises:
            ExportError: whatever prevented it, and nothing else.
        """


class UpdateJob(Generic[Learned]):
    """An update in two halves: the work, and what collecting sees of it.

    Args:
        learn: the work. It may run in another thread, so it touches nothing that collecting touches.
        adopt: lets the policy that acts, and the statistics, have the result.
    """

    def __init__(self, learn: Callable[[], Learned], adopt: Callable[[Learned, AddStat], None]) -> None:
        self._learn = learn
        self._adopt = adopt
        self._learned: list[Learned] = []

    def run(self) -> None:
        """Do the work, in any thread."""
        self._learned.append(self._learn())

    def finish(self, add_stat: AddStat) -> None:
        """Act from now on with what was learned; in the thread that collects, after :meth:`run`."""
        self._adopt(self._learned.pop(), add_stat)


@runtime_checkable
class LearnsBeside(Protocol):
    """A trainer whose updates can run in a thread of their own while it collects.

    Others are always updated in line, by :meth:`BehaviorTrainer.update`.
    """

    def begin_update(self) -> UpdateJob[Any]:
        """Take aside what the update that is due learns from; the trainer then goes on collecting.

        Until the job is finished, the run begins no other one, and asks for no state, weights or export.

        Raises:
            UnityObservationException: a reward or an observation is NaN or infinite; nothing has changed.
        """


class TrainerFactory(Protocol):
    """Makes the trainer of one behavior."""

    def __call__(
        self,
        behavior: str,
        spec: BehaviorSpec,
        settings: BehaviorSettings,
        *,
        seed: int,
        device: str = "cpu",
        learning: bool = True,
    ) -> BehaviorTrainer:
        """Make it.

        Args:
            behavior: name of the behavior, without team.
            spec: its observations and actions.
            settings: how to train it.
            seed: seed of weights, exploration and shuffles.
            device: where to learn.
            learning: False to only act, for ever.

        Raises:
            TrainerError: the behavior cannot be trained this way; the message says why.
        """
