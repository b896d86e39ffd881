"""Basic, 3DBallHard and RollerBall, with the settings that ship, learn what their benchmarks ask for."""

from __future__ import annotations

from collections import deque
from pathlib import Path

import pytest

from mlagents.monitoring.stats import StatsSummary, StatsWriter
from mlagents.run.training_run import TrainingRun
from mlagents.settings import RunOptions
from mlagents.settings.loading import load_run_options
from mlagents_envs.registry.options import EnvironmentFactory, EnvironmentOptions
from mlagents_examples import balance_ball_hard, basic, roller_ball

CONFIGS = Path(__file__).resolve().parents[2] / "config" / "ppo"
EPISODES = 100
FACTORIES: dict[str, EnvironmentFactory] = {
    "Basic": basic.make_environment,
    "3DBallHard": balance_ball_hard.make_environment,
    "RollerBall": roller_ball.make_environment,
}


class _RecentReturns(StatsWriter):
    """Keeps the returns of the last episodes and tells when their mean first reached the target."""

    def __init__(self, target: float) -> None:
        self.reached_at: int | None = None
        self.mean = float("nan")
        self._target = target
        self._returns: deque[float] = deque(maxlen=EPISODES)

    def write_stats(self, category: str, values: dict[str, StatsSummary], step: int) -> None:
        if "Environment/Cumulative Reward" not in values:
            return
        self._returns.extend(values["Environment/Cumulative Reward"].full_dist.tolist())
        self.mean = sum(self._returns) / len(self._returns)
        if self.reached_at is None and len(self._returns) == EPISODES and self.mean >= self._target:
            self.reached_at = step


def _options(name: str, seed: int, results: Path) -> RunOptions:
    options = load_run_options(str(CONFIGS / f"{name}.yaml"))
    return options.model_copy(
        update={
            "env_settings": options.env_settings.model_copy(update={"seed": seed}),
            "checkpoint_settings": options.checkpoint_settings.model_copy(
                update={"results_dir": str(results), "run_id": name}
            ),
        }
    )


@pytest.mark.learning
@pytest.mark.parametrize("seed", [1, 2, 3])
@pytest.mark.parametrize(
    ("name", "target"), [("Basic", 0.95 * 0.93), ("3DBallHard", 0.95 * 100.0), ("RollerBall", 0.95)]
)
def test_mean_return_of_100_episodes(
    tmp_path: Path, name: str, target: float, seed: int, capsys: pytest.CaptureFixture[str]
) -> None:
    options = _options(name, seed, tmp_path)
    returns = _RecentReturns(target)
    run = TrainingRun(
        options,
        environment=FACTORIES[name](EnvironmentOptions(seed=seed)),
        writers=[returns],
        on_step=lambda run: run.stop() if returns.reached_at is not None else None,
    )
    result = run.run()
    with capsys.disabled():
        print(
            f"\n{name}, seed {seed}: {returns.mean:.3f} at step {returns.reached_at}, {result.seconds:.1f} s"
        )
    assert returns.reached_at is not None, f"mean return {returns.mean} after {result.steps}"
    assert returns.reached_at <= options.behavior(name).max_steps
    assert (tmp_path / name / f"{name}.onnx").is_file()
