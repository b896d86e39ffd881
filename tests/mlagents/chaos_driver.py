"""A run with two environments that obey orders to misbehave; started by the drill as a program of its own.

Usage: ``python chaos_driver.py RESULTS CONTROL [--resume] [--threaded] [--max-steps N]``. CONTROL is a
folder: a file ``junk-1``, ``hang-0`` ... makes the environment of that number do so once. The driver writes
there: ``step``, the names of its shared memory (``segments``), and at the end ``outcome.json``.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from chaos_env import ObedientEnv
from test_run_threaded import Auditor

from mlagents.run.training_run import TrainingRun
from mlagents.sampling import process_worker
from mlagents.sampling.worker import StepBatch
from mlagents.settings import RunOptions
from mlagents_envs.registry import EnvironmentOptions


class Counter:
    """Counts decisions whose outcome became known, from what the environments say alone."""

    def __init__(self, run: TrainingRun, control: Path) -> None:
        self.completed = 0
        self._open: dict[int, set[int]] = {0: set(), 1: set()}
        self._run = run
        self._control = control
        self._auditor = Auditor()
        self.restarts = -2  # both are reset at the beginning
        observe, forget = run._observe, run._forget_worker

        def watched_observe(batches: list[StepBatch]) -> None:
            for batch in batches:
                self._count(batch)
            observe(batches)

        def watched_forget(index: int) -> None:
            self.restarts += 1
            self._open[index].clear()
            forget(index)

        run._observe = watched_observe  # type: ignore[method-assign]
        run._forget_worker = watched_forget  # type: ignore[method-assign]
        run._on_begin = self._begin
        run._on_step = lambda r: self._control.joinpath("step").write_text(
            str(r.behaviors["Telling"].trainer.step)
        )

    def _count(self, batch: StepBatch) -> None:
        waiting = self._open[batch.worker]
        ended, asking = batch.terminal.agent_id.tolist(), batch.decision.agent_id.tolist()
        known = sum(agent in waiting for agent in ended)
        waiting -= set(ended)
        known += sum(agent in waiting for agent in asking)
        waiting |= set(asking)
        behavior = self._run.behaviors.get("Telling")
        if behavior is None or behavior.trainer.is_training:
            self.completed += known

    def _begin(self, run: TrainingRun) -> None:
        trainer: Any = run.behaviors["Telling"].trainer
        self._auditor.watch(trainer)
        collector = trainer.collector
        for (_, worker), slots in collector.slots._slots.items():  # where a resumed run goes on
            self._open[worker] = {agent for agent, slot in slots.items() if collector.open_row[slot] >= 0}

    def outcome(self) -> dict[str, Any]:
        behavior = self._run.behaviors["Telling"]
        return {
            "first": behavior.first_step,
            "step": behavior.trainer.step,
            "counted": self.completed,
            "restarts": self.restarts,
            "learned": len(self._auditor.learned),
        }


def note_segments(control: Path) -> None:
    """Write down the name of every block of shared memory."""
    inner = process_worker.SharedMemory

    def make(*args: Any, **kwargs: Any) -> Any:  # noqa: ANN401
        memory = inner(*args, **kwargs)
        with (control / "segments").open("a") as file:
            file.write(memory.name + "\n")
        return memory

    process_worker.SharedMemory = make  # type: ignore[misc,assignment]


def options(results: Path, arguments: argparse.Namespace) -> RunOptions:
    return RunOptions(
        behaviors={
            "Telling": {
                "trainer_type": "ppo",
                "hyperparameters": {"batch_size": 32, "buffer_size": 200, "num_epoch": 1},
                "network_settings": {"hidden_units": 8, "num_layers": 1},
                "max_steps": arguments.max_steps,
                "summary_freq": 1000,
                "checkpoint_interval": 500,
                "keep_checkpoints": 3,
                "time_horizon": 16,
                "threaded": arguments.threaded,
            }
        },
        env_settings={
            "num_envs": 2,
            "seed": 1,
            "timeout_wait": arguments.timeout,
            "max_lifetime_restarts": -1,
            "restarts_rate_limit_n": -1,
        },
        checkpoint_settings={"run_id": "r", "results_dir": str(results), "resume": arguments.resume},
    )


def main(words: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("results", type=Path)
    parser.add_argument("control", type=Path)
    parser.add_argument("--resume", action="store_true")
    parser.add_argument("--threaded", action="store_true")
    parser.add_argument("--max-steps", type=int, default=10**9)
    parser.add_argument("--timeout", type=int, default=5)
    arguments = parser.parse_args(words)
    control = arguments.control

    def factory(options: EnvironmentOptions) -> ObedientEnv:
        return ObedientEnv(options.worker_id, control, 5)

    note_segments(control)
    run = TrainingRun(options(arguments.results, arguments), environment=factory)
    counter = Counter(run, control)
    run.run()
    (control / "outcome.json").write_text(json.dumps(counter.outcome()))


if __name__ == "__main__":
    main()
