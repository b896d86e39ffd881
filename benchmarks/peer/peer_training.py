"""The peer's PPO or SAC on the synthetic environment, in one process and without its wire.

Assembled from the peer's public classes in the way its own controller assembles them, and driven in the
same order: step the environment, sort the steps into trajectories, advance the trainer. Left out, in
the peer's favour: TensorBoard and console writers, curriculum, checkpoints.

Runs with the peer's interpreter: ``python -m benchmarks.peer.peer_training --agents 12``.
"""

from __future__ import annotations

import logging
import tempfile
import time
from argparse import Namespace
from typing import Any

import cattr
import numpy as np
import torch
from mlagents.plugins.trainer_type import register_trainer_plugins
from mlagents.trainers.agent_processor import AgentManager
from mlagents.trainers.behavior_id_utils import BehaviorIdentifiers
from mlagents.trainers.ppo.trainer import PPOTrainer
from mlagents.trainers.sac.trainer import SACTrainer
from mlagents.trainers.settings import TrainerSettings
from mlagents.trainers.simple_env_manager import SimpleEnvManager

from benchmarks.contestants import serve
from benchmarks.rounds import Round, Stopwatch
from benchmarks.settings import BEHAVIOR, trainer_settings
from benchmarks.synthetic_env import make_synthetic
from mlagents_envs.side_channel.environment_parameters_channel import EnvironmentParametersChannel

TRAINERS = {"ppo": PPOTrainer, "sac": SACTrainer}


class TimedPolicy:
    """Adds up the time that a policy takes to choose actions.

    Args:
        policy: the peer's policy, whose `get_action` is replaced by one that is timed.
    """

    def __init__(self, policy: Any) -> None:  # noqa: ANN401
        self.seconds = 0.0
        self._get_action = policy.get_action
        policy.get_action = self._timed_get_action

    def _timed_get_action(self, *arguments: Any) -> Any:  # noqa: ANN401
        start = time.perf_counter()
        action = self._get_action(*arguments)
        self.seconds += time.perf_counter() - start
        return action


class PeerTraining:
    """The peer's trainer, its agent manager and its environment manager around the environment.

    Args:
        options: number of agents, seed of the environment and the trainer, and what to train.
        artifacts: folder that the peer may write to.
    """

    def __init__(self, options: Namespace, artifacts: str) -> None:
        seed = options.seed
        np.random.seed(seed)
        torch.manual_seed(seed)
        register_trainer_plugins()  # before it, the settings know no trainer type
        section = trainer_settings(options.workload)
        settings = cattr.structure(section, TrainerSettings)
        self._env = make_synthetic(options)
        behavior_id = next(iter(self._env.behavior_specs))
        parsed_id = BehaviorIdentifiers.from_name_behavior_id(behavior_id)
        self._trainer = TRAINERS[section["trainer_type"]](
            BEHAVIOR,
            reward_buff_cap=1,
            trainer_settings=settings,
            training=True,
            load=False,
            seed=seed,
            artifact_path=artifacts,
        )
        policy = self._trainer.create_policy(parsed_id, self._env.behavior_specs[behavior_id])
        self._trainer.add_policy(parsed_id, policy)
        self._policy_clock = TimedPolicy(policy)
        self._agent_manager = AgentManager(
            policy, behavior_id, self._trainer.stats_reporter, settings.time_horizon, threaded=False
        )
        self._trainer.publish_policy_queue(self._agent_manager.policy_queue)
        self._trainer.subscribe_trajectory_queue(self._agent_manager.trajectory_queue)
        self._env_manager = SimpleEnvManager(self._env, EnvironmentParametersChannel())
        self._env_manager.set_agent_manager(behavior_id, self._agent_manager)
        self._env_manager.set_policy(behavior_id, policy)
        self._env_manager.reset()

    def cycle(self) -> Round:
        """Collect and learn until the trainer has published updated weights."""
        env, trainer, manager, policy_clock = self._env, self._trainer, self._env_manager, self._policy_clock
        collected, learned = env.agent_steps, trainer.get_step
        environment, inference = env.seconds, policy_clock.seconds
        collecting = updating = 0.0
        updated = False
        while not updated:
            start = time.perf_counter()
            manager.process_steps(manager.get_steps())
            middle = time.perf_counter()
            trainer.advance()
            updated = not self._agent_manager.policy_queue.empty()
            collecting += middle - start
            updating += time.perf_counter() - middle
        environment, inference = env.seconds - environment, policy_clock.seconds - inference
        seconds = {
            "environment": environment,
            "inference": inference,
            "update": updating,
            "other": collecting - environment - inference,
        }
        return Round(env.agent_steps - collected, trainer.get_step - learned, 1, seconds)


def train(options: Namespace, stopwatch: Stopwatch) -> None:
    """Train on the synthetic environment until the stopwatch ends it."""
    logging.disable(logging.INFO)
    if options.workload != "images":  # where the peer's own choice counts, half of the cores
        torch.set_num_threads(1)
    with tempfile.TemporaryDirectory(prefix="peer-training-") as artifacts:
        training = PeerTraining(options, artifacts)
        while True:
            stopwatch.finish_cycle(training.cycle())


if __name__ == "__main__":
    serve(train)
