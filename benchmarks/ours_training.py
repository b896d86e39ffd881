"""Our side: a whole training run, with its TensorBoard files and recovery checkpoints.

Runs with our interpreter: ``python -m benchmarks.ours_training --agents 12``.
"""

from __future__ import annotations

import logging
import os
import tempfile
from argparse import Namespace

from benchmarks.contestants import serve
from benchmarks.rounds import PHASES, Round, Stopwatch
from benchmarks.settings import BEHAVIOR, trainer_settings
from benchmarks.synthetic_env import make_synthetic
from mlagents.monitoring.tensorboard import TensorboardWriter
from mlagents.run.training_run import TrainingRun
from mlagents.settings import RunOptions, build_run_options

SYNTHETIC = "synthetic"
NANOSECONDS = 1e-9
RUN_ID = "benchmark"
SHORTEST_CYCLE = 500
"""Agent-steps. SAC updates after every step, and taking note of it must cost nothing."""


class CycleMeter:
    """Turns the counters of a run into cycles; called by the run after every environment step.

    Args:
        behavior: name of the behavior that learns.
        stopwatch: takes the cycles.
    """

    def __init__(self, behavior: str, stopwatch: Stopwatch) -> None:
        self._behavior = behavior
        self._stopwatch = stopwatch
        self._updates = 0
        self._steps = 0
        self._times: tuple[int, ...] | None = None

    def __call__(self, run: TrainingRun) -> None:
        """Finish a cycle if the step was followed by an update."""
        if self._times is None:
            self._times = run.clock.times()
        trainer = run.behaviors[self._behavior].trainer
        if trainer.updates == self._updates or trainer.step < self._steps + SHORTEST_CYCLE:
            return
        if self._stopwatch.is_round_over:
            run.settle()  # nothing may go on while others are measured
        now = run.clock.times()
        spent = [(end - begin) * NANOSECONDS for begin, end in zip(self._times, now, strict=True)]
        # An update takes every agent-step whose outcome is known, so as many are learned from as are taken.
        steps = trainer.step - self._steps
        self._stopwatch.finish_cycle(Round(steps, steps, 1, dict(zip(PHASES, spent, strict=True))))
        self._updates, self._steps, self._times = trainer.updates, trainer.step, run.clock.times()


def run_options(options: Namespace, behavior: str, results: str) -> RunOptions:
    """Options of the training run."""
    return build_run_options(
        {
            "behaviors": {behavior: trainer_settings(options.workload, threaded=options.threaded)},
            "env_settings": {
                "env_path": None if options.environment == SYNTHETIC else options.environment,
                "num_areas": None if options.environment == SYNTHETIC else options.agents,
                "num_envs": options.num_envs,
                "seed": options.seed,
            },
            "checkpoint_settings": {"results_dir": results, "run_id": RUN_ID},
            "torch_settings": {"device": "cpu"},
        }
    )


def train(options: Namespace, stopwatch: Stopwatch) -> None:
    """Train until the stopwatch ends it: on the synthetic environment, or on a registered one."""
    logging.disable(logging.INFO)
    synthetic = options.environment == SYNTHETIC
    behavior = BEHAVIOR if synthetic else options.environment
    with tempfile.TemporaryDirectory(prefix="ours-training-") as results:
        run = TrainingRun(
            run_options(options, behavior, results),
            writers=[TensorboardWriter(os.path.join(results, RUN_ID))],
            environment=make_synthetic(options) if synthetic else None,
            on_step=CycleMeter(behavior, stopwatch),
        )
        run.run()


if __name__ == "__main__":
    serve(train)
