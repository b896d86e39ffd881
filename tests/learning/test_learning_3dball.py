"""3DBall, with the settings that ship, learns to balance for a whole episode."""

from __future__ import annotations

from pathlib import Path

import pytest

from mlagents.cli.evaluate import main as evaluate_main
from mlagents.monitoring.stats import StatsSummary, StatsWriter
from mlagents.run.training_run import TrainingRun
from mlagents.settings.loading import load_run_options

CONFIG = Path(__file__).resolve().parents[2] / "config" / "ppo" / "3DBall.yaml"
TARGET = 95.0
STEPS = 300_000


class _Returns(StatsWriter):
    def __init__(self) -> None:
        self.curve: list[tuple[int, float]] = []

    def write_stats(self, category: str, values: dict[str, StatsSummary], step: int) -> None:
        if "Environment/Cumulative Reward" in values:
            self.curve.append((step, values["Environment/Cumulative Reward"].mean))


@pytest.mark.learning
@pytest.mark.parametrize("seed", [1, 2, 3])
def test_mean_training_return_of_95_within_300k_steps(
    tmp_path: Path, seed: int, capsys: pytest.CaptureFixture[str]
) -> None:
    options = load_run_options(str(CONFIG))
    options = options.model_copy(
        update={
            "env_settings": options.env_settings.model_copy(update={"env_path": "3DBall", "seed": seed}),
            "checkpoint_settings": options.checkpoint_settings.model_copy(
                update={"results_dir": str(tmp_path), "run_id": "ball"}
            ),
        }
    )
    returns = _Returns()
    run = TrainingRun(options, writers=[returns])
    run._on_step = lambda r: r.stop() if r.behaviors["3DBall"].trainer.step >= STEPS else None
    run.run()
    reached = [step for step, mean in returns.curve if mean >= TARGET]
    with capsys.disabled():
        print(f"\nseed {seed}: 95 reached at step {reached[0] if reached else None}; curve {returns.curve}")
    assert reached
    assert reached[0] <= STEPS

    model = tmp_path / "ball" / "3DBall.onnx"
    assert evaluate_main([str(model), "--env=3DBall", "--episodes=100", "--deterministic", "--json"]) == 0
    mean = float(capsys.readouterr().out.split('"mean_return": ')[1].split(",")[0])
    assert mean >= TARGET
