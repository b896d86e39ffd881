"""How fast a registered environment steps with nobody learning: the ceiling of any training on it.

Runs with our interpreter: ``python -m benchmarks.environment_only --environment 3DBall --agents 12``.
"""

from __future__ import annotations

import time
from argparse import Namespace

import numpy as np

from benchmarks.contestants import serve
from benchmarks.rounds import Round, Stopwatch, no_seconds
from mlagents_envs.base_env import ActionTuple
from mlagents_envs.registry import EnvironmentOptions, make_environment

STEPS_PER_CYCLE = 500
ACTION_BATCHES = 64
"""Batches of random continuous actions prepared in advance, so that drawing them costs nothing."""


def train(options: Namespace, stopwatch: Stopwatch) -> None:
    """Step the environment with random continuous actions until the stopwatch ends it.

    An agent-step is one decision of one agent, as in training.
    """
    env = make_environment(
        options.environment, EnvironmentOptions(seed=options.seed, num_areas=options.agents)
    )
    env.reset()
    behavior, spec = next(iter(env.behavior_specs.items()))
    size = spec.action_spec.continuous_size
    rng = np.random.default_rng(options.seed)
    prepared = rng.uniform(-1.0, 1.0, (ACTION_BATCHES, options.agents, size)).astype(np.float32)
    while True:
        taken = 0
        start = time.perf_counter()
        for step in range(STEPS_PER_CYCLE):
            decisions, _ = env.get_steps(behavior)
            count = len(decisions)
            env.set_actions(behavior, ActionTuple(prepared[step % ACTION_BATCHES, :count]))
            env.step()
            taken += count
        seconds = {**no_seconds(), "environment": time.perf_counter() - start}
        stopwatch.finish_cycle(Round(taken, taken, 1, seconds))


if __name__ == "__main__":
    serve(train)
