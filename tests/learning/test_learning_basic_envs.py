"""PPO with the settings that ship learns what the benchmarks of the single-agent environments ask for."""

from __future__ import annotations

from pathlib import Path

import pytest
from learning_helpers import load, train_until


@pytest.mark.learning
@pytest.mark.parametrize("seed", [1, 2, 3])
@pytest.mark.parametrize(
    ("env", "behavior", "target"),
    [
        ("Basic", "Basic", 0.95 * 0.93),
        ("3DBallHard", "3DBallHard", 0.95 * 100.0),
        ("RollerBall", "RollerBall", 0.95),
        ("PushBlock", "PushBlock", 0.95 * 4.5),
        ("WallJump", "SmallWallJump", 0.95 * 0.8),
    ],
)
def test_mean_return_of_100_episodes(
    tmp_path: Path, env: str, behavior: str, target: float, seed: int, capsys: pytest.CaptureFixture[str]
) -> None:
    options = load(f"ppo/{env}.yaml", env, seed, tmp_path)
    outcome = train_until(options, behavior, target)
    with capsys.disabled():
        print(
            f"\n{behavior}, seed {seed}: {outcome.mean:.3f} at step {outcome.reached_at}, "
            f"{outcome.seconds:.1f} s"
        )
    assert outcome.reached_at is not None, f"mean return {outcome.mean}"
    assert outcome.reached_at <= options.behavior(behavior).max_steps
    assert outcome.run.folder.final_model(behavior).is_file()
