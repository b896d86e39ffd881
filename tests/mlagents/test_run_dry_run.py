"""``mlagents-learn --dry-run``: says what the run then does, and leaves nothing behind."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml

from mlagents.cli.learn import main
from mlagents.run.training_run import TrainingRun
from mlagents.settings import build_run_options, load_run_options
from mlagents.settings.run_options import RunOptions

REPOSITORY = Path(__file__).parents[2]
PPO = """
behaviors:
  3DBall:
    trainer_type: ppo
    hyperparameters: {batch_size: 64, buffer_size: 640, num_epoch: 2, epsilon: 0.05, beta_schedule: constant}
    network_settings: {hidden_units: 16}
    max_steps: 3000
    summary_freq: 700
    checkpoint_interval: 1000
environment_parameters:
  scale: {sampler_type: uniform, sampler_parameters: {min_value: 0.5, max_value: 2}}
  mass:
    curriculum:
      - {name: light, value: 1.0, completion_criteria: {behavior: 3DBall, threshold: 9, min_lesson_length: 5}}
      - {name: heavy, value: 3.0}
"""


@pytest.fixture
def workplace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "ppo.yaml").write_text(PPO)
    return tmp_path


def dry_run(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    assert main([*arguments, "--dry-run"]) == 0
    return capsys.readouterr().out


def test_it_is_a_configuration_and_writes_nothing(
    workplace: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    text = dry_run(capsys, "ppo.yaml", "--env=3DBall", "--run-id=x", "--num-areas=3", "--seed=4")
    assert [path.name for path in workplace.iterdir()] == ["ppo.yaml"]
    data = yaml.safe_load(text)
    resolved = build_run_options(data)
    assert resolved == load_run_options("ppo.yaml").model_copy(
        update={
            "env_settings": resolved.env_settings,
            "checkpoint_settings": resolved.checkpoint_settings,
        }
    )
    assert data["env_settings"] | {"env_path": "3DBall", "num_areas": 3, "seed": 4} == data["env_settings"]


def test_what_it_says_is_what_happens(workplace: Path, capsys: pytest.CaptureFixture[str]) -> None:
    text = dry_run(capsys, "ppo.yaml", "--env=3DBall", "--run-id=x")
    assert "environment: 3DBall, in this process; 12 agents of 3DBall?team=0 after a reset" in text
    assert "observes: VectorSensor_size8 8; acts: 2 continuous" in text
    predicted = re.search(
        r"about (\d+) updates, one per 640 steps; each 2 passes over (\d+) minibatches of 64", text
    )
    assert predicted is not None
    memory = re.search(r"memory: at least ([\d.]+) MB", text)
    assert memory is not None
    assert 0.05 < float(memory[1]) < 5
    run = TrainingRun(
        RunOptions(
            **yaml.safe_load(PPO),
            env_settings={"env_path": "3DBall", "seed": 1},
            checkpoint_settings={"run_id": "x"},
        )
    )
    result = run.run()
    assert abs(run.behaviors["3DBall"].trainer.updates - int(predicted[1])) <= 1
    assert int(predicted[2]) == 10
    assert result.steps["3DBall"] >= 3000
    numbered = sorted((run.folder.root / "3DBall").glob("3DBall-*.pt"))
    assert "checkpoints: every 1000 steps" in text
    assert len(numbered) == 3
    for line in (
        "learning rate: 0.0003, falling to 1e-10 at the last step",
        "epsilon: 0.05, rising to 0.1 at the last step",
        "beta: 0.005 throughout",
        "rewards: extrinsic (strength 1, gamma 0.99)",
        "summaries: every 700 steps, 4 in all",
        "scale: uniform (min_value 0.5, max_value 2.0)",
        "mass: 2 lessons",
        "light: 1, until the mean return of 3DBall exceeds 9, after 5 episodes",
        "heavy: 3, to the end",
        "ends: at step 3000",
    ):
        assert line in text
    again = dry_run(capsys, "ppo.yaml", "--env=3DBall", "--run-id=x")
    assert "results: results/x (exists: it takes --resume or --force, or another --run-id)" in again
    assert "would be continued" in dry_run(capsys, "ppo.yaml", "--env=3DBall", "--run-id=x", "--resume")
    assert "when the mean return of 100 episodes reaches 50" in dry_run(
        capsys, "ppo.yaml", "--env=3DBall", "--run-id=x", "--stop-at-reward=50"
    )


def test_executables_are_not_started(workplace: Path, capsys: pytest.CaptureFixture[str]) -> None:
    game = workplace / "game.x86_64"
    game.write_text(f"#!/bin/sh\ntouch {workplace}/started\n")
    game.chmod(0o755)
    text = dry_run(capsys, "ppo.yaml", f"--env={game}", "--num-envs=2", "--inference")
    assert not (workplace / "started").exists()
    assert "not started here; ports 5005 to 5006" in text
    assert "memory: depends on its observations" in text
    assert "learns nothing" in text
    assert "(there is no such file)" in dry_run(capsys, "ppo.yaml", "--env=./other.x86_64")
    assert "the run would wait 60 s for a game to connect" in dry_run(capsys, "ppo.yaml")


def test_mistakes_are_found(workplace: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["ppo.yaml", "--env=3DBal", "--dry-run"]) == 1
    assert "Did you mean '3DBall'?" in capsys.readouterr().err
    assert main(["ppo.yaml", "--env=Basic", "--dry-run"]) == 1
    assert "the environment has the behavior 'Basic'" in capsys.readouterr().err
    (workplace / "more.yaml").write_text(PPO.replace("behaviors:", "behaviors:\n  Extra: {}", 1))
    assert "Extra: configured, but the environment has no such behavior" in dry_run(
        capsys, "more.yaml", "--env=3DBall"
    )
    huge = PPO.replace("buffer_size: 640", "buffer_size: 2000000000")
    (workplace / "huge.yaml").write_text(huge)
    assert "the run would refuse to start" in dry_run(capsys, "huge.yaml", "--env=3DBall")


def test_imitation_and_sac(workplace: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (workplace / "sac.yaml").write_text(
        "behaviors:\n  3DBall:\n    trainer_type: sac\n"
        "    hyperparameters:\n"
        "      {steps_per_update: 10, buffer_init_steps: 500, batch_size: 32, buffer_size: 4000}\n"
        "    reward_signals: {extrinsic: {}, gail: {demo_path: nowhere.demo, strength: 0.5}}\n"
        "    behavioral_cloning: {demo_path: nowhere.demo, steps: 700}\n"
        "    max_steps: 2500\n    keep_checkpoints: 0\n"
    )
    text = dry_run(capsys, "sac.yaml", "--env=3DBall")
    for line in (
        "learns: sac, about 200 updates of 32 experiences, one per 10 steps, after 500; the last 4000",
        "learning rate: 0.0003 throughout",
        "gail (strength 0.5, gamma 0.99, demonstrations nowhere.demo (not there!))",
        "imitates: with strength 1, fading out over 700 steps, demonstrations nowhere.demo (not there!)",
        "checkpoints: none before the end, one at the end, all are kept",
    ):
        assert line in text


@pytest.mark.parametrize(
    "path", sorted((REPOSITORY / "config").glob("*/*.yaml")), ids=lambda p: f"{p.parent.name}/{p.stem}"
)
def test_every_shipped_configuration(path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    text = dry_run(capsys, str(path))
    assert "learns: " in text
