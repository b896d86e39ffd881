"""Mistakes in files and options: one clear line that names the culprit and the next step."""

from __future__ import annotations

import os
import warnings
from pathlib import Path

import pytest
import yaml
from pydantic import ValidationError
from settings_helpers import load

from mlagents.cli import doctor, evaluate, learn, run_experiment, upgrade_config
from mlagents.cli.options import parse_options
from mlagents.settings import TrainerConfigError, TrainerConfigWarning
from mlagents.settings.parameters import GaussianParameters

BEHAVIORS = """
behaviors:
  Ball:
    trainer_type: ppo
    hyperparameters: {batch_size: 10, buffer_size: 100}
    max_steps: 1000
"""
OLD = "default:\n  trainer: ppo\n  batch_size: 32\n  use_recurrent: false\nBall:\n  normalize: false\n"


@pytest.fixture(autouse=True)
def workplace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "ball.yaml").write_text(BEHAVIORS)
    (tmp_path / "old.yaml").write_text(OLD)
    return tmp_path


def curriculum(behavior: str, measure: str = "progress") -> str:
    criteria = f"{{behavior: {behavior}, measure: {measure}, threshold: 0.5}}"
    lessons = [f"{{name: a, value: 1, completion_criteria: {criteria}}}", "{name: b, value: 2}"]
    return f"environment_parameters: {{mass: {{curriculum: [{', '.join(lessons)}]}}}}\n"


def doubt(text: str) -> str:
    """The one warning about a configuration."""
    with pytest.warns(TrainerConfigWarning) as caught:
        load(text)
    (warning,) = caught
    return str(warning.message)


# Curricula and samplers


@pytest.mark.parametrize(("name", "hint"), [("ball", "did you mean 'Ball'"), ("Other", "it lists Ball")])
def test_curriculum_of_a_behavior_that_there_is_not(name: str, hint: str) -> None:
    with pytest.raises(TrainerConfigError, match=rf"completion_criteria.behavior is \"{name}\".*{hint}"):
        load(BEHAVIORS + curriculum(name))


def test_default_settings_cover_behaviors_that_are_not_listed() -> None:
    defaults = "default_settings: {trainer_type: ppo, max_steps: 100000}\n"
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        load(BEHAVIORS + curriculum("Other") + defaults)
    assert "did you mean 'Ball'" in doubt(BEHAVIORS + curriculum("Bal") + defaults)


def test_rating_without_self_play() -> None:
    assert "'Ball' has no self_play" in doubt(BEHAVIORS + curriculum("Ball", "Elo"))


def test_negative_deviation() -> None:
    with pytest.raises(ValidationError, match="at least 0"):
        GaussianParameters(st_dev=-1.0)
    assert GaussianParameters(st_dev=0.0).st_dev == 0.0


# Numbers that cannot be meant


def test_more_environments_than_any_machine_holds(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "cpu_count", lambda: 2)
    assert "num_envs is 5000; this machine has 2 processors" in doubt(
        BEHAVIORS + "env_settings: {num_envs: 5000}\n"
    )


def test_off_policy_runs_that_learn_nothing() -> None:
    sac = "behaviors: {Ball: {trainer_type: sac, max_steps: 300, hyperparameters: {%s}}}\n"
    text = doubt(sac % "buffer_init_steps: 301")
    assert "buffer_init_steps is 301; that is more than max_steps" in text
    assert "no update ever has enough" in doubt(sac % "batch_size: 11, buffer_size: 10")


def test_inference_without_anything_learned(recwarn: pytest.WarningsRecorder) -> None:
    parse_options(["ball.yaml", "--inference"])
    assert ["--inference is true; without --resume" in str(each.message) for each in recwarn] == [True]
    recwarn.clear()
    parse_options(["ball.yaml", "--inference", "--resume"])
    parse_options(["ball.yaml", "--inference", "--initialize-from=other"])
    assert len(recwarn) == 0


def test_names_of_runs_fit_file_systems() -> None:
    load(f"checkpoint_settings: {{run_id: {'x' * 200}}}\n")
    with pytest.raises(TrainerConfigError, match="at most 200 letters"):
        load(f"checkpoint_settings: {{run_id: a/{'x' * 201}}}\n")


# Options of earlier versions


def test_lessons_count_from_zero(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        parse_options(["ball.yaml", "--lesson=-1"])
    assert caught.value.code == 2
    assert "--lesson: lessons count from 0" in capsys.readouterr().err


def test_lesson_of_no_curriculum() -> None:
    with pytest.warns(TrainerConfigWarning, match="--lesson has no effect"):
        parse_options(["ball.yaml", "--lesson=1"])


@pytest.mark.parametrize(
    ("option", "content", "problem"),
    [
        ("curriculum", "{Ball: {thresholds: [a], parameters: {mass: [1, 2]}}}", r"threshold is \"a\""),
        ("sampler", "mass: {sampler-type: uniform, mn_value: 1}", "mn_value: unknown key"),
    ],
)
def test_values_of_other_files_are_blamed_on_them(
    workplace: Path, option: str, content: str, problem: str
) -> None:
    (workplace / "other.yaml").write_text(content)
    with (
        pytest.warns(TrainerConfigWarning),
        pytest.raises(TrainerConfigError, match=rf"^other\.yaml: environment_parameters\.mass.*{problem}"),
    ):
        parse_options(["old.yaml", f"--{option}=other.yaml"])


def test_unknown_keys_of_curricula(workplace: Path) -> None:
    (workplace / "c.yaml").write_text("{Ball: {thresholds: [1], parameters: {mass: [1, 2]}, measur: reward}}")
    with pytest.warns(TrainerConfigWarning) as caught:
        parse_options(["old.yaml", "--curriculum=c.yaml"])
    assert any("measur: unknown key (ignored); did you mean 'measure'?" in str(w.message) for w in caught)


# Commands


def refusal(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    assert upgrade_config.main(list(arguments)) == 1
    (line,) = capsys.readouterr().err.splitlines()
    return line


def test_upgrade_to_places_that_are_no_files(workplace: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (workplace / "folder").mkdir()
    assert "folder is a folder" in refusal(capsys, "old.yaml", "folder", "--force")
    assert "there is no folder nowhere" in refusal(capsys, "old.yaml", "nowhere/new.yaml")
    assert sorted(path.name for path in workplace.iterdir()) == ["ball.yaml", "folder", "old.yaml"]


def test_upgrade_of_nothing(workplace: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (workplace / "empty.yaml").write_text("# nothing\n")
    assert "empty.yaml is empty" in refusal(capsys, "empty.yaml", "new.yaml")
    (workplace / "list.yaml").write_text("default: [1]\nBall:\n  trainer: ppo\n")
    assert "'default' must be a map" in refusal(capsys, "list.yaml", "new.yaml")
    assert not (workplace / "new.yaml").exists()


def test_upgrade_gives_no_advice_to_upgrade(capsys: pytest.CaptureFixture[str]) -> None:
    assert upgrade_config.main(["old.yaml", "new.yaml"]) == 0
    assert capsys.readouterr().err == ""


def test_experiments_name_the_nearest_key(workplace: Path) -> None:
    (workplace / "e.yaml").write_text(yaml.safe_dump({"env_setings": {}}))
    with pytest.warns(TrainerConfigWarning, match="env_setings: unknown key .* did you mean 'env_settings'"):
        run_experiment.load_experiment("e.yaml")


@pytest.mark.parametrize("seconds", ["0", "-1", "soon"])
def test_doctor_waits_for_whole_seconds(seconds: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        doctor.main([f"--timeout-wait={seconds}"])
    assert caught.value.code == 2
    assert "whole number of seconds" in capsys.readouterr().err


@pytest.mark.parametrize("model", ["Basic=", "=x.onnx"])
def test_half_an_assignment(model: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert evaluate.main([model, "--env=Basic"]) == 1
    assert capsys.readouterr().err == f"error: {model}: write it as BEHAVIOR=file.\n"


def test_whole_command_names_the_behavior(workplace: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (workplace / "c.yaml").write_text(BEHAVIORS + curriculum("Bal"))
    assert learn.main(["c.yaml", "--env=Basic"]) == 1
    assert "did you mean 'Ball'?" in capsys.readouterr().err
    assert not (workplace / "results").exists()
