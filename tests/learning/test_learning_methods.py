"""Every learning method beyond plain PPO, with the settings that ship, on the task that needs it."""

from __future__ import annotations

from pathlib import Path

import pytest
from learning_helpers import Outcome, load, train_until

pytestmark = pytest.mark.learning
SEEDS = [1, 2, 3]


def report(capsys: pytest.CaptureFixture[str], what: str, seed: int, outcome: Outcome) -> None:
    with capsys.disabled():
        print(
            f"\n{what}, seed {seed}: {outcome.mean:.3f} at step {outcome.reached_at}, {outcome.seconds:.0f} s"
        )
    assert outcome.reached_at is not None, f"mean return {outcome.mean}"


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize(
    ("config", "env", "target"),
    [
        ("sac/3DBall.yaml", "3DBall", 95.0),
        ("ppo/Hallway.yaml", "Hallway", 0.63),
        ("ppo/Pyramids.yaml", "Pyramids", 1.5),
        ("ppo/PyramidsRND.yaml", "Pyramids", 1.5),
        ("ppo/GridWorld.yaml", "GridWorld", 0.76),
        ("ppo/Visual3DBall.yaml", "Visual3DBall", 50.0),
    ],
)
def test_learns(
    tmp_path: Path, config: str, env: str, target: float, seed: int, capsys: pytest.CaptureFixture[str]
) -> None:
    report(capsys, config, seed, train_until(load(config, env, seed, tmp_path), env, target))


@pytest.mark.parametrize("seed", SEEDS)
def test_sorter_learns_its_first_lesson(
    tmp_path: Path, seed: int, capsys: pytest.CaptureFixture[str]
) -> None:
    options = load(
        "ppo/Sorter_curriculum.yaml", "Sorter", seed, tmp_path, {"environment_parameters": {"num_tiles": 2}}
    )
    report(capsys, "Sorter with two tiles", seed, train_until(options, "Sorter", 1.4))


@pytest.mark.parametrize("seed", SEEDS)
def test_push_block_imitates(
    tmp_path: Path, shared_data: Path, seed: int, capsys: pytest.CaptureFixture[str]
) -> None:
    demo = str(shared_data / "demos" / "ExpertPush.demo")
    place = "behaviors.PushBlock"
    changes = {
        f"{place}.reward_signals.gail.demo_path": demo,
        f"{place}.behavioral_cloning.demo_path": demo,
    }
    options = load("imitation/PushBlock.yaml", "PushBlock", seed, tmp_path, changes)
    report(capsys, "imitation/PushBlock.yaml", seed, train_until(options, "PushBlock", 3.5))


@pytest.mark.parametrize("seed", SEEDS)
def test_pyramids_with_demonstrations(
    tmp_path: Path, shared_data: Path, seed: int, capsys: pytest.CaptureFixture[str]
) -> None:
    demo = str(shared_data / "demos" / "ExpertPyramid.demo")
    place = "behaviors.Pyramids"
    changes = {
        f"{place}.reward_signals.gail.demo_path": demo,
        f"{place}.behavioral_cloning.demo_path": demo,
    }
    options = load("imitation/Pyramids.yaml", "Pyramids", seed, tmp_path, changes)
    report(capsys, "imitation/Pyramids.yaml", seed, train_until(options, "Pyramids", 1.5))
