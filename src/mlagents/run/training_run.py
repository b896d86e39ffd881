"""A training run: owns the environment, the behaviors that learn in it, and everything that is saved."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass

import numpy as np
import torch

from mlagents.algorithms.registry import make_trainer
from mlagents.curriculum.lessons import Lessons
from mlagents.monitoring.gauges import GaugeWriter
from mlagents.monitoring.phase_clock import ENVIRONMENT, INFERENCE, OTHER, PhaseClock
from mlagents.monitoring.stats import DEFAULT_HUB, StatsHub, StatsPropertyType, StatsWriter
from mlagents.run.behavior_run import BehaviorRun
from mlagents.run.channels import RunChannels
from mlagents.run.environment import make_pool
from mlagents.run.learner import Learner
from mlagents.run.persistence import Persistence, RunState
from mlagents.run.results_folder import ResultsFolder
from mlagents.run.stop_signals import StopSignals
from mlagents.run.torch_threads import single_threaded_torch
from mlagents.sampling.pool import WorkerPool
from mlagents.sampling.worker import StepBatch
from mlagents.settings import RunOptions, TrainerConfigError
from mlagents.settings.errors import EnvironmentFailure
from mlagents.settings.memory import explaining_memory, network_and_buffer_bytes
from mlagents_envs.base_env import ActionTuple, BaseEnv
from mlagents_envs.exception import UnityException
from mlagents_envs.logging_util import get_logger
from mlagents_envs.registry import EnvironmentFactory
from mlagents_envs.timers import TimerStack, hierarchical_timer

_LOGGER = get_logger(__name__)
RECOVERY_INTERVAL = 30.0
"""Seconds between savings of the latest state: about what a killed run loses at most."""
SAVING_SHARE = 0.05
"""Part of the time that such savings may take: large states, such as a replay, are saved less often."""


@dataclass(frozen=True, slots=True)
class RunResult:
    """What a run came to.

    Attributes:
        steps: agent-steps by behavior.
        new_steps: those of them that were taken since this run began, where it was resumed.
        mean_return: mean return of the last 100 episodes at most by behavior, None without episodes.
        interrupted: True when the run was stopped before all behaviors had finished.
        seconds: wall time of the loop.
    """

    steps: dict[str, int]
    new_steps: dict[str, int]
    mean_return: dict[str, float | None]
    interrupted: bool
    seconds: float


class TrainingRun:
    """Trains every behavior of one environment.

    Args:
        options: everything that the run is told.
        environment: environment to use instead of the one that the options name, or what builds it.
        writers: receive the statistics, beside the gauges of ``timers.json``.
        clock: measures where wall time goes; a new one if None.
        on_begin: called once with the run when the behaviors are known and the loop begins.
        on_step: called after every environment step with the run; for progress displays.

    Attributes:
        behaviors: the behaviors seen so far, by name.
        clock: where wall time went.
        folder: the results folder.
        seed: the seed in use, also when the options leave it to chance.
        lessons: environment parameters, and the lesson that each is in; from the start of :meth:`run` on.
    """

    def __init__(
        self,
        options: RunOptions,
        *,
        environment: BaseEnv | EnvironmentFactory | None = None,
        writers: Sequence[StatsWriter] = (),
        clock: PhaseClock | None = None,
        on_begin: Callable[[TrainingRun], None] | None = None,
        on_step: Callable[[TrainingRun], None] | None = None,
    ) -> None:
        self.options = options
        checkpoint = options.checkpoint_settings
        self.folder = ResultsFolder(checkpoint.results_dir, checkpoint.run_id)
        configured = options.env_settings.seed
        self.seed = int(np.random.default_rng().integers(0, 10_000)) if configured == -1 else configured
        self.behaviors: dict[str, BehaviorRun] = {}
        self.clock = clock or PhaseClock()
        self.timers = TimerStack()
        self._device = _choose_device(options.torch_settings.device)
        self._environment = environment
        self._on_begin = on_begin
        self._on_step = on_step
        self._hub = StatsHub(plugins=DEFAULT_HUB)
        for writer in (*writers, GaugeWriter(self.timers)):
            self._hub.add_writer(writer)
        self._learner = Learner(self.clock, learning=self.is_learning, num_threads=torch.get_num_threads())
        self._routes: dict[str, BehaviorRun] = {}
        self._last_save = time.monotonic()
        self._saving_seconds = 0.0
        self._stopping = False
        self._began = False

    # -- public ----------------------------------------------------------------------------------------

    def stop(self) -> None:
        """Ask the run to stop after the present step, saving everything; callable from any thread."""
        self._stopping = True

    def settle(self) -> None:
        """Let updates and steps that are under way come to their ends; for calls between two steps only."""
        self._learner.settle()
        if not self._pool.is_idle:
            batches, answered = self._pool.receive()
            self._observe(batches)
            self._answered += answered

    def run(self) -> RunResult:
        """Train until every behavior has done its steps, or until stopped.

        Whatever ends the run, what was learned is saved.

        Raises:
            TrainerError: the results folder or a checkpoint does not allow the run.
            TrainerConfigError: the configuration does not fit the environment.
            UnityException: the environment failed.
        """
        self.folder.prepare(self.options.checkpoint_settings)
        started = time.perf_counter()
        try:
            with single_threaded_torch():
                self._prepare()
                self._train()
        finally:
            self._learner.close()
            self._hub.close()
            self.folder.release(began=self._began)
        return RunResult(
            steps={name: behavior.trainer.step for name, behavior in self.behaviors.items()},
            new_steps={name: b.trainer.step - b.first_step for name, b in self.behaviors.items()},
            mean_return={name: behavior.mean_return for name, behavior in self.behaviors.items()},
            interrupted=self._stopping,
            seconds=time.perf_counter() - started,
        )

    def _prepare(self) -> None:
        checkpoint, configured = self.options.checkpoint_settings, self.options.env_settings.seed
        self._persistence = Persistence(self.folder, resuming=checkpoint.resume)
        self._saved = self._persistence.load_run_state() if checkpoint.resume else None
        if self._saved is not None and configured == -1:  # the seed that chance chose belongs to the run
            self.seed = self._saved.seed
        self.lessons = Lessons(self.options.with_sampler_seeds(self.seed).environment_parameters or {})
        self.lessons.set_state(self._persistence.saved_lessons(self._saved))
        channels = self._saved.channels if self._saved is not None else None
        self._channels = RunChannels(self.options.engine_settings, self.lessons, channels)

    @property
    def is_learning(self) -> bool:
        """Whether this run learns, rather than only acting."""
        return not self.options.checkpoint_settings.inference

    # -- the loop --------------------------------------------------------------------------------------

    def _train(self) -> None:
        with hierarchical_timer("run_training.setup", self.timers):
            self._pool: WorkerPool = make_pool(
                self.options, self.seed, self._channels, self.folder, self._forget_worker, self._environment
            )
        try:
            with StopSignals() as signals:
                self._begin()
                self._began = True
                if self._on_begin is not None:
                    self._on_begin(self)
                self._loop(signals)
            self._finish()
        except BaseException:
            self._rescue()
            raise
        finally:
            self._pool.close()
            if self._began:
                self._write_logs()

    def _begin(self) -> None:
        """Reset the environment, or put it back to where a resumed run stopped."""
        if self.options.checkpoint_settings.resume and self._continue_exactly():
            return
        self._reset()
        if self.is_learning:
            self._save_latest()

    def _reset(self) -> None:
        """Reset all environments; running episodes are forgotten."""
        batches = self._pool.reset()
        for batch in batches:  # a behavior that is resumed comes with episodes that are over now
            self._route(batch.behavior_id)
        for index in range(len(self._pool.workers)):
            self._forget_worker(index)
        self._observe(batches)
        self._answered = list(range(len(self._pool.workers)))

    def _forget_worker(self, index: int) -> None:
        """Forget the running episodes of an environment."""
        for behavior in self.behaviors.values():
            behavior.trainer.reset_worker(index)

    def _continue_exactly(self) -> bool:
        """Restore the environment to the moment of the last saving; False where that is not possible."""
        saved = self._saved
        if saved is None or saved.environment is None:
            return False
        try:
            if not self._pool.set_state(saved.environment):
                return False
        except (UnityException, EnvironmentFailure) as error:  # another number of areas, another version
            _LOGGER.warning("The environment is reset, because its saved state does not fit: %s", error)
            return False
        if saved.parameters == self._channels.definitions:
            self._channels.continue_from(saved.channels or {})
        for behavior_id in self._pool.behavior_specs():
            self._route(behavior_id)
        self._answered = list(range(len(self._pool.workers)))
        return all(behavior.save_id == saved.save_id for behavior in self.behaviors.values())

    def _loop(self, signals: StopSignals) -> None:
        clock, pool = self.clock, self._pool
        while True:
            self._learner.learn(self.behaviors.values())
            self._housekeeping()
            self._stopping = self._stopping or signals.requested
            if self._stopping or self._is_done():
                return
            clock.switch(INFERENCE)
            actions = self._act()
            clock.switch(ENVIRONMENT)
            pool.submit(actions, self._answered)
            batches, self._answered = pool.receive(everyone=not self._is_threaded)
            clock.switch(OTHER)
            self._observe(batches)
            if not self.lessons.is_over:
                self._teach()

    def _teach(self) -> None:
        """Begin the next lessons where the present ones are passed."""
        for behavior in self.behaviors.values():
            self.lessons.add_returns(behavior.name, behavior.collect_episodes())
        change = self.lessons.advance(self.behaviors)
        for name in change.parameters:
            self._channels.send_parameter(name)
        if change.must_reset:
            self._reset()

    def _observe(self, batches: list[StepBatch]) -> None:
        for batch in batches:
            behavior = self._routes.get(batch.behavior_id) or self._route(batch.behavior_id)
            behavior.trainer.observe(batch)
        self._channels.redraw(batches)
        for key, value, aggregation in self._channels.take_stats():
            for behavior in self.behaviors.values():
                behavior.reporter.add_stat(key, value, aggregation)

    def _act(self) -> dict[int, dict[str, ActionTuple]]:
        """Actions by worker and behavior id."""
        actions: dict[int, dict[str, ActionTuple]] = {}
        for behavior in self.behaviors.values():
            for worker, behavior_id, action in behavior.trainer.act():
                actions.setdefault(worker, {})[behavior_id] = action
        return actions

    def _housekeeping(self) -> None:
        for behavior in self.behaviors.values():
            behavior.summarize_if_due()
            if self.is_learning and behavior.is_best_due:
                self._save_best_or_go_on(behavior)
            if self.is_learning and behavior.is_checkpoint_due():
                self._save_or_go_on(behavior)
        pause = max(RECOVERY_INTERVAL, self._saving_seconds / SAVING_SHARE)
        if self.is_learning and time.monotonic() - self._last_save > pause:
            self._save_or_go_on(None)
        if self._on_step is not None:
            self._on_step(self)

    def _save_or_go_on(self, behavior: BehaviorRun | None) -> None:
        """Save the latest state, and a numbered checkpoint of ``behavior``; a full disk ends no run."""
        self.settle()
        try:
            self._save_latest()
            if behavior is not None:
                behavior.save_numbered()
        except OSError as error:
            self._last_save = time.monotonic()
            if behavior is not None:
                behavior.skip_checkpoint()
            _LOGGER.error(
                "A checkpoint could not be written to %s (%s). Training goes on; make room for the next one.",
                self.folder.root,
                error.strerror or error,
            )

    def _save_best_or_go_on(self, behavior: BehaviorRun) -> None:
        self._learner.settle()
        try:
            behavior.save_best()
        except OSError as error:
            _LOGGER.error("The best state of %s could not be written: %s.", behavior.name, error.strerror)

    @property
    def _is_threaded(self) -> bool:
        """Whether updates run beside collection; then nobody waits for the slowest environment either."""
        return any(self._learner.runs_beside(behavior) for behavior in self.behaviors.values())

    def _is_done(self) -> bool:
        """Whether nobody learns any more, or all do well enough; runs that only act go on until stopped."""
        if not self.is_learning or not self.behaviors:
            return False
        return self._is_goal_reached() or not any(b.trainer.is_training for b in self.behaviors.values())

    def _is_goal_reached(self) -> bool:
        goal = self.options.checkpoint_settings.stop_at_reward
        if goal is None or not self.lessons.is_over:
            return False
        return all(behavior.has_reached(goal) for behavior in self.behaviors.values())

    # -- behaviors -------------------------------------------------------------------------------------

    def _route(self, behavior_id: str) -> BehaviorRun:
        """The behavior that acts for ``name?team=n``; made when its name is first seen."""
        name = behavior_id.split("?", 1)[0]
        behavior = self.behaviors.get(name)
        if behavior is None:
            behavior = self.behaviors[name] = self._make_behavior(name, behavior_id)
        self._routes[behavior_id] = behavior
        return behavior

    def _make_behavior(self, name: str, behavior_id: str) -> BehaviorRun:
        self.folder.check_behavior_name(name)
        settings = self.options.behavior(name)
        spec = self._pool.behavior_specs()[behavior_id]
        with explaining_memory(name, network_and_buffer_bytes(settings, spec, device=self._device)):
            trainer = make_trainer(
                name, spec, settings, seed=self.seed, device=self._device, learning=self.is_learning
            )
        behavior = BehaviorRun(trainer, self._hub.reporter(name), self.folder, self.lessons.numbers)
        if self._persistence.knows(name):
            behavior.restore(self._persistence.load_behavior(name))
            behavior.keeper.restore(self._persistence.status.get(name, {}))
            _LOGGER.info("Resuming %s at step %d.", name, trainer.step)
        elif self.options.checkpoint_settings.resume:
            _LOGGER.warning("%s is new to the run that is resumed; it starts at step 0.", name)
        else:
            initial = self.folder.initial_checkpoint(self.options.checkpoint_settings, settings, name)
            if initial is not None:
                behavior.initialize(initial)
                settings = settings.model_copy(update={"init_path": str(initial)})
        self.options = self.options.model_copy(
            update={"behaviors": {**self.options.behaviors, name: settings}}
        )
        self._hub.add_property(name, StatsPropertyType.HYPERPARAMETERS, settings.model_dump(mode="json"))
        return behavior

    # -- saving ----------------------------------------------------------------------------------------

    def _save_latest(self, *, with_environment: bool = True) -> None:
        began = time.monotonic()
        environment = self._pool.get_state() if with_environment else None
        self._persistence.save_latest(
            self.behaviors,
            RunState(
                self.seed,
                self._channels.definitions,
                self.lessons.get_state(),
                environment,
                channels=self._channels.get_state(),
            ),
        )
        self._last_save = time.monotonic()
        self._saving_seconds = self._last_save - began

    def _finish(self) -> None:
        self.settle()
        if self.is_learning:
            for behavior in self.behaviors.values():
                behavior.save_final()
            self._save_latest()

    def _rescue(self) -> None:
        """Save what was learned although something failed; failing again must not hide the first error."""
        if not self.is_learning or not self.behaviors:
            return
        with suppress(Exception):  # of an update: what it left is saved
            self._learner.settle()
        try:
            for behavior in self.behaviors.values():
                behavior.trainer.drop_broken_experience()
                behavior.save_final()
            self._save_latest(with_environment=False)
            _LOGGER.info("What was learned is saved in %s; continue with --resume.", self.folder.root)
        except Exception as error:
            _LOGGER.error("What was learned could not be saved in %s: %s", self.folder.root, error)

    def _write_logs(self) -> None:
        self.clock.pour_into(self.timers.get_root())
        try:
            options = self.options.with_sampler_seeds(self.seed)
            self._persistence.write_logs(options, self.behaviors, self.lessons.numbers, self.timers)
        except OSError as error:
            _LOGGER.error("The logs in %s could not be written: %s", self.folder.logs, error)


def _choose_device(device: str | None) -> str:
    """The device to learn on: the one asked for, else CUDA where there is one.

    Raises:
        TrainerConfigError: the device does not exist here.
    """
    if device is None:
        return "cuda" if torch.cuda.is_available() else "cpu"
    try:
        torch.zeros(1, device=device)
    except (RuntimeError, AssertionError, NotImplementedError) as error:
        raise TrainerConfigError(
            f"The device '{device}' cannot be used ({str(error).splitlines()[0][:100]}). "
            "Use --torch-device cpu, or install a build of PyTorch that supports it."
        ) from error
    return device
