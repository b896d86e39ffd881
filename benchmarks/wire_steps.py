"""A side of the wire benchmark: its ``UnityEnvironment`` steps a game with nobody learning.

Runs with either interpreter, each with the ``mlagents_envs`` of its own:
``python -m benchmarks.wire_steps --environment LAUNCHER --agents 12``.
"""

from __future__ import annotations

import contextlib
import logging
import os
import socket
import time
from argparse import Namespace

import numpy as np

from benchmarks.contestants import serve
from benchmarks.rounds import Round, Stopwatch, no_seconds
from mlagents_envs.base_env import ActionTuple
from mlagents_envs.environment import UnityEnvironment

STEPS_PER_CYCLE = 50
ACTION_BATCHES = 64
"""Batches of random actions prepared in advance, so that drawing them costs nothing."""


def free_port() -> int:
    """A port that nobody uses; the two sides are connected at the same time."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def stay_on_one_core() -> None:
    """Keep this process, and the game that it starts, on the last core that it may use.

    Trainer and game wait for each other all the time: on two cores they would be no faster, and what a
    core takes to wake up would be measured too.
    """
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})


def train(options: Namespace, stopwatch: Stopwatch) -> None:
    """Step the game until the stopwatch ends it; an agent-step is one decision of one agent."""
    logging.disable(logging.INFO)
    stay_on_one_core()
    with contextlib.closing(UnityEnvironment(options.environment, base_port=free_port())) as env:
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
