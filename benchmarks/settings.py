"""What is trained: settings in the form of a trainer configuration, the same for either side.

Fixed here rather than read from `config/`, so that tuning a config never moves the benchmark.
"""

from __future__ import annotations

from typing import Any

BEHAVIOR = "Synthetic"

NEVER = 1_000_000_000
"""In agent-steps; far beyond what a benchmark reaches."""

BALANCE_BALL_PPO: dict[str, Any] = {
    "batch_size": 64,
    "buffer_size": 12000,
    "learning_rate": 3.0e-4,
    "beta": 0.001,
    "epsilon": 0.2,
    "lambd": 0.99,
    "num_epoch": 3,
    "learning_rate_schedule": "linear",
}
BALANCE_BALL_SAC: dict[str, Any] = {
    "batch_size": 64,
    "buffer_size": 200000,
    "learning_rate": 3.0e-4,
    "learning_rate_schedule": "constant",
    "buffer_init_steps": 0,
    "init_entcoef": 0.5,
    "steps_per_update": 10.0,
    "reward_signal_steps_per_update": 10.0,
    "tau": 0.005,
}
VISUAL_BALANCE_BALL: dict[str, Any] = {
    **BALANCE_BALL_PPO,
    "batch_size": 64,
    "buffer_size": 2560,
    "beta": 0.005,
    "lambd": 0.95,
}
WORKLOADS: dict[str, tuple[str, dict[str, Any], dict[str, Any]]] = {
    "ppo": ("ppo", BALANCE_BALL_PPO, {}),
    "sac": ("sac", BALANCE_BALL_SAC, {"hidden_units": 64}),
    "images": ("ppo", VISUAL_BALANCE_BALL, {"normalize": False}),
    # one pass in large minibatches: what an update takes must not hide what collecting takes
    "environment-bound": (
        "ppo",
        {**BALANCE_BALL_PPO, "num_epoch": 1, "batch_size": 2000, "buffer_size": 20000},
        {},
    ),
    "update-bound": ("ppo", {**BALANCE_BALL_PPO, "num_epoch": 8}, {}),
}
"""Trainer type, hyperparameters, and what is special about the networks, by name."""


def trainer_settings(workload: str, *, threaded: bool = False) -> dict[str, Any]:
    """One behavior's section of a trainer configuration, as it would stand in YAML.

    Training does not end, and no checkpoint is written while the clock runs.

    Args:
        workload: one of :data:`WORKLOADS`.
        threaded: whether updates run beside collection.
    """
    trainer_type, hyperparameters, network = WORKLOADS[workload]
    return {
        "trainer_type": trainer_type,
        "hyperparameters": hyperparameters,
        "network_settings": {
            "normalize": True,
            "hidden_units": 128,
            "num_layers": 2,
            "vis_encode_type": "simple",
            **network,
        },
        "reward_signals": {"extrinsic": {"gamma": 0.99, "strength": 1.0}},
        "keep_checkpoints": 5,
        "max_steps": NEVER,
        "checkpoint_interval": NEVER,
        "time_horizon": 64 if workload == "images" else 1000,
        "summary_freq": 12000,
        "threaded": threaded,
    }
