"""A training run: owns the environment, the behaviors that learn in it, and everything that is saved."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch

from mlagents.algorithms.ppo_trainer import PPOTrainer
from mlagents.monitoring.gauges import GaugeWriter
from mlagents.monitoring.phase_clock import ENVIRONMENT, INFERENCE, OTHER, UPDATE, PhaseClock
from mlagents.monitoring.stats import DEFAULT_HUB, StatsHub, StatsPropertyType, StatsWriter
from mlagents.run.behavior_run import BehaviorRun
from mlagents.run.environment import RunChannels
from mlagents.run.persistence import Persistence
from mlagents.run.results_folder import ResultsFolder
from mlagents.run.stop_signals import StopSignals
from mlagents.sampling.worker import InlineWorker, StepBatch
from mlagents.settings import RunOptions, TrainerConfigError
from mlagents_envs.base_env import ActionTuple, BaseEnv
from mlagents_envs.capabilities import SavesState
from mlagents_envs.logging_util import get_logger
from mlagents_envs.timers import TimerStack

_LOGGER = get_logger(__name__)
RECOVERY_INTERVAL = 30.0
"""Seconds between savings of the latest state; what a killed run loses at most."""


@dataclass(frozen=True, slots=True)
class RunResult:
    """What a run came to.

    Attributes:
        steps: agent-steps by behavior.
        mean_return: mean return of the last 100 episodes at most by behavior, None without episodes.
        interrupted: True when the run was stopped before all behaviors had finished.
        seconds: wall time of the loop.
    """

    steps: dict[str, int]
    mean_return: dict[str, float | None]
    interrupted: bool
    seconds: float


class TrainingRun:
    """Trains every behavior of one environment.

    Args:
        options: everything that the run is told.
        environment: environment to use instead of the one that the options name.
        writers: receive the statistics, beside the gauges of ``timers.json``.
        clock: measures where wall time goes; a new one if None.
        on_begin: called once with the run when the behaviors are known and the loop begins.
        on_step: called after every environment step with the run; for progress displays.

    Attributes:
        behaviors: the behaviors seen so far, by name.
        clock: where wall time went.
        folder: the results folder.
        seed: the seed in use, also when the options leave it to chance.
    """

    def __init__(
        self,
        options: RunOptions,
        *,
        environment: BaseEnv | None = None,
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
        self._routes: dict[str, BehaviorRun] = {}
        self._last_save = time.monotonic()
        self._stopping = False

    # -- public ----------------------------------------------------------------------------------------

    def stop(self) -> None:
        """Ask the run to stop after the present step, saving everything; callable from any thread."""
        self._stopping = True

    def run(self) -> RunResult:
        """Train until every behavior has done its steps, or until stopped.

        Whatever ends the run, what was learned is saved.

        Raises:
            TrainerError: the results folder or a checkpoint does not allow the run.
            TrainerConfigError: the configuration does not fit the environment.
            UnityException: the environment failed.
        """
        self.folder.prepare(self.options.checkpoint_settings)
        self._persistence = Persistence(self.folder, resuming=self.options.checkpoint_settings.resume)
        threads = torch.get_num_threads()
        torch.set_num_threads(1)  # the matrices are small: a second thread costs more than it helps
        started = time.perf_counter()
        try:
            self._train()
        finally:
            torch.set_num_threads(threads)
            self._hub.close()
        return RunResult(
            steps={name: behavior.trainer.step for name, behavior in self.behaviors.items()},
            mean_return={name: behavior.mean_return for name, behavior in self.behaviors.items()},
            interrupted=self._stopping,
            seconds=time.perf_counter() - started,
        )

    @property
    def is_learning(self) -> bool:
        """Whether this run learns, rather than only acting."""
        return not self.options.checkpoint_settings.inference

    # -- the loop --------------------------------------------------------------------------------------

    def _train(self) -> None:
        self._channels = RunChannels(self.options, self.seed)
        environment = self._environment or self._channels.build_environment(self.options, self.seed)
        self._worker = InlineWorker(environment)
        try:
            with StopSignals() as signals:
                self._begin()
                if self._on_begin is not None:
                    self._on_begin(self)
                self._loop(signals)
            self._finish()
        except BaseException:
            self._rescue()
            raise
        finally:
            self._worker.close()
            self._write_logs()

    def _begin(self) -> None:
        """Reset the environment, or put it back to where a resumed run stopped."""
        if self.options.checkpoint_settings.resume and self._continue_exactly():
            return
        self._worker.reset()
        batches = self._worker.receive()
        for batch in batches:
            self._route(batch.behavior_id).trainer.reset_worker(batch.worker)
        self._observe(batches)
        if self.is_learning:
            self._save_latest()

    def _continue_exactly(self) -> bool:
        """Restore the environment to the moment of the last saving; False where that is not possible."""
        environment = self._worker.env
        save_id, state = self._persistence.load_environment()
        if state is None or not isinstance(environment, SavesState):
            return False
        try:
            environment.set_state(state)
        except Exception as error:  # another number of areas, another version: whatever the environment says
            _LOGGER.warning("The environment is reset, because its saved state does not fit: %s", error)
            return False
        for behavior_id in environment.behavior_specs:
            self._route(behavior_id)
        return all(behavior.save_id == save_id for behavior in self.behaviors.values())

    def _loop(self, signals: StopSignals) -> None:
        clock, worker = self.clock, self._worker
        while True:
            self._learn()
            self._housekeeping()
            self._stopping = self._stopping or signals.requested
            if self._stopping or self._is_done():
                return
            clock.switch(INFERENCE)
            actions = self._act()
            clock.switch(ENVIRONMENT)
            worker.submit(actions)
            batches = worker.receive()
            clock.switch(OTHER)
            self._observe(batches)

    def _observe(self, batches: list[StepBatch]) -> None:
        for batch in batches:
            behavior = self._routes.get(batch.behavior_id) or self._route(batch.behavior_id)
            behavior.trainer.observe(batch)
        if self._channels.stats.stats:
            self._take_environment_stats()

    def _act(self) -> dict[str, ActionTuple]:
        return {
            behavior_id: action
            for behavior in self.behaviors.values()
            for _, behavior_id, action in behavior.trainer.act()
        }

    def _learn(self) -> None:
        for behavior in self.behaviors.values():
            previous = self.clock.switch(UPDATE)
            updated = behavior.update_if_due()
            self.clock.switch(previous)
            if updated and time.monotonic() - self._last_save > RECOVERY_INTERVAL:
                self._save_latest()

    def _housekeeping(self) -> None:
        for behavior in self.behaviors.values():
            behavior.summarize_if_due()
            if self.is_learning and behavior.is_checkpoint_due():
                behavior.save_numbered()
                self._save_latest()
        if self._on_step is not None:
            self._on_step(self)

    def _is_done(self) -> bool:
        """Whether nobody learns any more; a run that only acts goes on until stopped."""
        if not self.is_learning or not self.behaviors:
            return False
        return not any(behavior.trainer.is_training for behavior in self.behaviors.values())

    def _take_environment_stats(self) -> None:
        for key, values in self._channels.stats.get_and_reset_stats().items():
            for value, aggregation in values:
                for behavior in self.behaviors.values():
                    behavior.reporter.add_stat(key, value, aggregation)

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
        self.options = self.options.with_behaviors([name])
        trainer = PPOTrainer(
            name,
            self._worker.behavior_specs()[behavior_id],
            settings,
            seed=self.seed,
            device=self._device,
            learning=self.is_learning,
        )
        behavior = BehaviorRun(trainer, self._hub.reporter(name), self.folder)
        if self.options.checkpoint_settings.resume:
            behavior.restore(self._persistence.load_behavior(name))
            behavior.keeper.restore(self._persistence.status.get(name, {}))
            _LOGGER.info("Resuming %s at step %d.", name, trainer.step)
        else:
            initial = self.folder.initial_checkpoint(self.options.checkpoint_settings, settings, name)
            if initial is not None:
                behavior.initialize(initial)
        self._hub.add_property(name, StatsPropertyType.HYPERPARAMETERS, settings.model_dump(mode="json"))
        return behavior

    # -- saving ----------------------------------------------------------------------------------------

    def _save_latest(self) -> None:
        self._persistence.save_latest(self.behaviors, self._worker.env)
        self._last_save = time.monotonic()

    def _finish(self) -> None:
        if self.is_learning:
            for behavior in self.behaviors.values():
                behavior.save_final()
            self._save_latest()

    def _rescue(self) -> None:
        """Save what was learned although something failed; failing again must not hide the first error."""
        if not self.is_learning or not self.behaviors:
            return
        try:
            for behavior in self.behaviors.values():
                behavior.trainer.drop_broken_experience()
                behavior.save_final()
            self._persistence.save_latest(self.behaviors, None)
            _LOGGER.info("What was learned is saved in %s; continue with --resume.", self.folder.root)
        except Exception as error:
            _LOGGER.error("What was learned could not be saved in %s: %s", self.folder.root, error)

    def _write_logs(self) -> None:
        self.clock.pour_into(self.timers.get_root())
        try:
            self._persistence.write_logs(self.options, self.behaviors, self.timers)
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
