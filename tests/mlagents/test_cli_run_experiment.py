"""``mlagents-run-experiment``."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from mlagents.cli.run_experiment import load_experiment, main
from mlagents.settings.errors import TrainerConfigWarning

OPTIONS = {
    "behaviors": {
        "Basic": {
            "trainer_type": "ppo",
            "hyperparameters": {"batch_size": 16, "buffer_size": 64},
            "max_steps": 200,
            "summary_freq": 100,
        }
    },
    "env_settings": {"env_path": "Basic", "seed": 3},
    "checkpoint_settings": {"run_id": "all-in-one"},
    "comment": "not a setting",
}


def test_trains_as_the_file_says(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "experiment.json"
    options = {**OPTIONS, "checkpoint_settings": {"run_id": "all-in-one", "results_dir": str(tmp_path)}}
    path.write_text(json.dumps(options))
    assert main([str(path)]) == 0
    captured = capsys.readouterr()
    assert "comment: unknown key (ignored)" in captured.err
    assert (tmp_path / "all-in-one" / "Basic.onnx").is_file()
    assert main([str(tmp_path / "all-in-one" / "configuration.yaml")]) == 1  # the run exists already
    assert "--force" in capsys.readouterr().err


def test_unknown_keys_below_the_top_are_errors(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "experiment.yaml"
    path.write_text("behaviors: {A: {trainer_type: ppo, max_step: 3}}")
    assert main([str(path)]) == 1
    assert "did you mean 'max_steps'?" in capsys.readouterr().err
    path.write_text("debug: true\nthing: 1")
    with pytest.warns(TrainerConfigWarning, match="thing: unknown key"):
        assert load_experiment(str(path)).debug is True
