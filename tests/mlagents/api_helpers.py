"""Small runs through the Python interface."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from mlagents import TrainedRun, train


def small_options(**behavior: object) -> dict[str, Any]:
    """Options of a run of 3000 steps of whatever behavior there is."""
    return {
        "default_settings": {
            "trainer_type": "ppo",
            "hyperparameters": {"batch_size": 64, "buffer_size": 256},
            "network_settings": {"hidden_units": 16, "num_layers": 1},
            "max_steps": 3000,
            "summary_freq": 1000,
            "checkpoint_interval": 1000,
            **behavior,
        }
    }


def small_run(
    folder: Path,
    env: object,
    behavior: dict[str, Any] | None = None,
    run_id: str = "run",
    **arguments: object,
) -> TrainedRun:
    """Train quietly with :func:`small_options`."""
    arguments = {"seed": 1, "quiet": True, **arguments}
    return train(small_options(**(behavior or {})), env, results_dir=folder, run_id=run_id, **arguments)
