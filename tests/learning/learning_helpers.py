"""What the learning tests share: train a shipped configuration until a behavior is good enough."""

from __future__ import annotations

from collections import deque
from pathlib import Path
from typing import Any, NamedTuple

from mlagents.monitoring.stats import StatsSummary, StatsWriter
from mlagents.run.training_run import TrainingRun
from mlagents.settings import RunOptions, build_run_options
from mlagents.settings.loading import read_configuration
from mlagents_envs.registry import make_environment
from mlagents_envs.registry.options import EnvironmentOptions

CONFIGS = Path(__file__).resolve().parents[2] / "config"
EPISODES = 100


class Outcome(NamedTuple):
    """How far a behavior came.

    Attributes:
        reached_at: step of the first summary at which the mean of the last 100 returns was good enough.
        mean: that mean, or the last one.
        seconds: wall time.
        run: the run.
    """

    reached_at: int | None
    mean: float
    seconds: float
    run: TrainingRun


class RecentReturns(StatsWriter):
    """Keeps the last returns of a behavior and tells when their mean first reached the target."""

    def __init__(self, behavior: str, target: float) -> None:
        self.reached_at: int | None = None
        self.mean = float("nan")
        self._behavior = behavior
        self._target = target
        self._returns: deque[float] = deque(maxlen=EPISODES)

    def write_stats(self, category: str, values: dict[str, StatsSummary], step: int) -> None:
        if category != self._behavior or "Environment/Cumulative Reward" not in values:
            return
        self._returns.extend(values["Environment/Cumulative Reward"].full_dist.tolist())
        self.mean = sum(self._returns) / len(self._returns)
        if self.reached_at is None and len(self._returns) == EPISODES and self.mean >= self._target:
            self.reached_at = step


def load(
    config: str, env: str, seed: int, results: Path, changes: dict[str, Any] | None = None
) -> RunOptions:
    """The options of a shipped configuration.

    Args:
        config: file below ``config``.
        env: environment to train in.
        seed: seed of the run.
        results: folder for its results.
        changes: values by path, such as ``behaviors.PushBlock.max_steps``.
    """
    path = str(CONFIGS / config)
    data: dict[str, Any] = read_configuration(path).data
    data["env_settings"] = {"env_path": env, "seed": seed}
    data["checkpoint_settings"] = {"run_id": f"{env}-{seed}", "results_dir": str(results)}
    for place, value in (changes or {}).items():
        *parents, last = place.split(".")
        target = data
        for key in parents:
            target = target[key]
        target[last] = value
    return build_run_options(data)


def train_until(options: RunOptions, behavior: str, target: float) -> Outcome:
    """Train until the mean return of 100 episodes reaches a target, or to the end."""
    returns = RecentReturns(behavior, target)

    def stop_when_good(run: TrainingRun) -> None:
        done = behavior in run.behaviors and not run.behaviors[behavior].trainer.is_training
        if returns.reached_at is not None or done:
            run.stop()

    env_path = options.env_settings.env_path
    assert env_path is not None

    def build(environment_options: EnvironmentOptions) -> Any:  # noqa: ANN401 - a BaseEnv
        return make_environment(env_path, environment_options)

    run = TrainingRun(options, environment=build, writers=[returns], on_step=stop_when_good)
    result = run.run()
    return Outcome(returns.reached_at, returns.mean, result.seconds, run)
