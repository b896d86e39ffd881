"""What both sides train with: the PPO settings of 3DBall, and the same two changes for either.

Fixed here rather than read from `config/`, so that tuning a config never moves the benchmark.
"""

from __future__ import annotations

from typing import Any

BEHAVIOR = "Synthetic"

NEVER = 1_000_000_000
"""In agent-steps; far beyond what a benchmark reaches."""


def trainer_settings() -> dict[str, Any]:
    """One behavior's section of a trainer configuration, as it would stand in YAML.

    3DBall's own, except that training does not end and no checkpoint is written while the clock runs.
    """
    return {
        "trainer_type": "ppo",
        "hyperparameters": {
            "batch_size": 64,
            "buffer_size": 12000,
            "learning_rate": 3.0e-4,
            "beta": 0.001,
            "epsilon": 0.2,
            "lambd": 0.99,
            "num_epoch": 3,
            "learning_rate_schedule": "linear",
        },
        "network_settings": {
            "normalize": True,
            "hidden_units": 128,
            "num_layers": 2,
            "vis_encode_type": "simple",
        },
        "reward_signals": {"extrinsic": {"gamma": 0.99, "strength": 1.0}},
        "keep_checkpoints": 5,
        "max_steps": NEVER,
        "checkpoint_interval": NEVER,
        "time_horizon": 1000,
        "summary_freq": 12000,
    }
