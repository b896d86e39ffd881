"""Measures what a run with two environments does to the memory."""

from __future__ import annotations

from pathlib import Path

from mlagents.monitoring.tensorboard import TensorboardWriter
from mlagents.run.training_run import TrainingRun
from mlagents.sampling.process_worker import ProcessWorker
from mlagents.settings import RunOptions


def resident_bytes(pid: int | str) -> int:
    """Resident memory of a process."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) * 1024
    raise LookupError(pid)


def growth_over(
    folder: Path,
    *,
    steps: int,
    warm_up: int,
    threaded: bool,
    areas: int = 24,
    checkpoint_interval: int = 50_000,
) -> float:
    """Train 3DBall with two environments; how much resident memory of all processes grew, relative.

    Args:
        folder: where results go.
        steps: agent-steps in all.
        warm_up: agent-steps after which memory is first looked at.
        threaded: whether updates run beside collection.
        areas: of each environment.
        checkpoint_interval: agent-steps.
    """
    run = TrainingRun(
        RunOptions(
            behaviors={
                "3DBall": {
                    "trainer_type": "ppo",
                    "hyperparameters": {"batch_size": 500, "buffer_size": 6000, "num_epoch": 1},
                    "network_settings": {"normalize": True, "hidden_units": 32},
                    "max_steps": steps,
                    "summary_freq": 10_000,
                    "checkpoint_interval": checkpoint_interval,
                    "keep_checkpoints": 3,
                    "threaded": threaded,
                }
            },
            env_settings={"env_path": "3DBall", "num_envs": 2, "num_areas": areas, "seed": 1},
            checkpoint_settings={"run_id": "r", "results_dir": str(folder)},
        ),
        writers=[TensorboardWriter(str(folder / "r"))],
    )
    seen: list[int] = []
    marks = [warm_up]

    def look(running: TrainingRun) -> None:
        step = running.behaviors["3DBall"].trainer.step
        if step >= marks[0] or step >= steps:
            marks[0] += max(1, (steps - warm_up) // 20)
            workers = [worker for worker in running._pool.workers if isinstance(worker, ProcessWorker)]
            assert len(workers) == 2
            seen.append(sum(resident_bytes(worker.pid or 0) for worker in workers) + resident_bytes("self"))

    run._on_step = look
    run.run()
    assert len(seen) > 10
    return max(seen[-3:]) / seen[0] - 1.0
