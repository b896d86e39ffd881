"""Configuration files of earlier versions: every row of the mapping tables."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import pytest
import yaml

from mlagents.cli.options import parse_options
from mlagents.cli.upgrade_config import main
from mlagents.settings import RunOptions, TrainerConfigError
from mlagents.settings.errors import CurriculumConfigError, TrainerConfigWarning
from mlagents.settings.legacy import Generation, add_curriculum, add_samplers, detect_generation, upgrade
from mlagents.settings.loading import load_run_options

PPO = """
default:
  trainer: ppo
  batch_size: 1024
  beta: 5.0e-3
  buffer_size: 10240
  epsilon: 0.2
  hidden_units: 128
  lambd: 0.95
  learning_rate: 3.0e-4
  learning_rate_schedule: linear
  max_steps: 5.0e5
  memory_size: 128
  normalize: false
  num_epoch: 3
  num_layers: 2
  time_horizon: 64
  sequence_length: 64
  summary_freq: 10000
  use_recurrent: false
  vis_encode_type: simple
  reward_signals:
    extrinsic:
      strength: 1.0
      gamma: 0.99
3DBall:
  normalize: true
  batch_size: 64
  max_steps: 5.0e5
Twin: 3DBall
"""


def converted(text: str) -> tuple[dict[str, Any], list[str]]:
    result = upgrade(yaml.safe_load(text), "old.yaml")
    return result.data, result.notes


def behavior_of(flat: str) -> tuple[dict[str, Any], list[str]]:
    data, notes = converted("A:\n" + "".join(f"  {line}\n" for line in flat.strip().splitlines()))
    return data["behaviors"]["A"], notes


@pytest.mark.parametrize(
    ("text", "generation"),
    [
        (PPO, Generation.BEHAVIORS_AT_TOP),
        ("behaviors: {A: {trainer: ppo, batch_size: 3}}", Generation.FLAT_BEHAVIORS),
        ("behaviors: {A: {trainer_type: ppo}}\nparameter_randomization: {}", Generation.SEPARATE_PARAMETERS),
        ("behaviors: {A: {trainer_type: ppo}}\ncurriculum: {}", Generation.SEPARATE_PARAMETERS),
        ("behaviors: {A: {trainer_type: ppo, curriculum: {}}}", Generation.SEPARATE_PARAMETERS),
        ("behaviors: {A: {trainer_type: ppo}}", Generation.CURRENT),
        ("behaviours: {A: {trainer_type: ppo}}", Generation.CURRENT),
        ("default_settings: {hyperparameters: {batch_size: 3}}", Generation.CURRENT),
        ("{}", Generation.CURRENT),
    ],
)
def test_generations_are_told_apart(text: str, generation: Generation) -> None:
    assert detect_generation(yaml.safe_load(text)) is generation


def test_a_file_of_0_16_with_defaults_and_a_reference() -> None:
    data, notes = converted(PPO)
    assert notes == []
    ball = data["behaviors"]["3DBall"]
    assert ball["trainer_type"] == "ppo"
    assert ball["hyperparameters"]["batch_size"] == 64
    assert ball["hyperparameters"]["buffer_size"] == 10240
    assert ball["network_settings"] == {
        "normalize": True,
        "hidden_units": 128,
        "num_layers": 2,
        "vis_encode_type": "simple",
    }
    assert data["behaviors"]["Twin"] == ball
    assert data["default_settings"]["max_steps"] == "5.0e5"


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("batch_size", 7),
        ("buffer_size", 70),
        ("learning_rate", 1e-3),
        ("learning_rate_schedule", "constant"),
        ("beta", 0.1),
        ("epsilon", 0.3),
        ("lambd", 0.9),
        ("num_epoch", 5),
    ],
)
def test_hyperparameters_of_ppo(key: str, value: object) -> None:
    behavior, _ = behavior_of(f"trainer: ppo\n{key}: {value}")
    assert behavior["hyperparameters"][key] == value
    assert behavior["hyperparameters"]["beta_schedule"] == "linear"
    assert behavior["hyperparameters"]["epsilon_schedule"] == "linear"


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("buffer_init_steps", 100),
        ("tau", 0.01),
        ("init_entcoef", 0.5),
        ("save_replay_buffer", True),
        ("steps_per_update", 10),
    ],
)
def test_hyperparameters_of_sac(key: str, value: object) -> None:
    behavior, _ = behavior_of(f"trainer: sac\n{key}: {value}")
    assert behavior["hyperparameters"] == {key: value}


def test_what_the_other_trainer_had_is_left_out() -> None:
    behavior, notes = behavior_of("trainer: sac\nbeta: 0.1\ntau: 0.01")
    assert behavior["hyperparameters"] == {"tau": 0.01}
    assert notes == ["old.yaml: 'A': beta means nothing to the trainer sac and is left out"]


def test_update_ratios_of_sac() -> None:
    behavior, notes = behavior_of(
        "trainer: sac\nnum_update: 2\ntrain_interval: 6\n"
        "reward_signals: {reward_signal_num_update: 3, extrinsic: {strength: 1.0}}"
    )
    assert behavior["hyperparameters"]["steps_per_update"] == 3.0
    assert behavior["hyperparameters"]["reward_signal_steps_per_update"] == 2.0
    assert behavior["reward_signals"] == {"extrinsic": {"strength": 1.0}}
    assert sum("multiply it by the number of agents" in note for note in notes) == 2
    behavior, _ = behavior_of("trainer: sac\nreward_signals: {reward_signal_steps_per_update: 4}")
    assert behavior["hyperparameters"]["reward_signal_steps_per_update"] == 4


@pytest.mark.parametrize("word", ["true", "True", "yes"])
def test_recurrent_networks(word: str) -> None:
    behavior, _ = behavior_of(f"trainer: ppo\nuse_recurrent: {word}\nsequence_length: 32\nmemory_size: 256")
    assert behavior["network_settings"]["memory"] == {"sequence_length": 32, "memory_size": 256}
    defaults, _ = behavior_of(f"trainer: ppo\nuse_recurrent: {word}")
    assert defaults["network_settings"]["memory"] == {"sequence_length": 64, "memory_size": 128}


def test_without_use_recurrent_there_is_no_memory() -> None:
    for flag in ("", "\nuse_recurrent: false"):
        behavior, _ = behavior_of(f"trainer: ppo\nsequence_length: 32\nmemory_size: 256{flag}")
        assert "network_settings" not in behavior


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("max_steps", 100),
        ("time_horizon", 5),
        ("summary_freq", 7),
        ("keep_checkpoints", 3),
        ("threaded", True),
        ("checkpoint_interval", 9),
    ],
)
def test_keys_that_stay_at_the_behavior(key: str, value: object) -> None:
    assert behavior_of(f"trainer: ppo\n{key}: {value}")[0][key] == value


def test_reward_signals() -> None:
    behavior, _ = behavior_of(
        "trainer: ppo\nreward_signals:\n"
        "  curiosity: {strength: 0.02, gamma: 0.98, encoding_size: 256, learning_rate: 1e-4}\n"
        "  gail: {strength: 0.01, demo_path: x.demo, use_actions: true, use_vail: false}"
    )
    assert behavior["reward_signals"]["curiosity"] == {
        "strength": 0.02,
        "gamma": 0.98,
        "network_settings": {"hidden_units": 256},
        "learning_rate": "1e-4",
    }
    assert behavior["reward_signals"]["gail"]["use_actions"] is True


def test_before_0_9() -> None:
    behavior, _ = behavior_of(
        "trainer: ppo\ngamma: 0.95\nuse_curiosity: true\ncuriosity_strength: 0.02\ncuriosity_enc_size: 64"
    )
    assert behavior["reward_signals"]["extrinsic"] == {"gamma": 0.95, "strength": 1.0}
    assert behavior["reward_signals"]["curiosity"] == {
        "strength": 0.02,
        "network_settings": {"hidden_units": 64},
    }
    without, _ = behavior_of("trainer: ppo\nuse_curiosity: false\ncuriosity_strength: 0.02")
    assert "reward_signals" not in without


@pytest.mark.parametrize("key", ["behavioral_cloning", "pretraining"])
def test_cloning(key: str) -> None:
    behavior, _ = behavior_of(f"trainer: ppo\n{key}: {{demo_path: x.demo, strength: 0.5, init_path: y}}")
    assert behavior["behavioral_cloning"] == {"demo_path": "x.demo", "strength": 0.5}


def test_self_play() -> None:
    behavior, _ = behavior_of("trainer: ppo\nself_play: {window: 5, play_against_current_self_ratio: 0.3}")
    assert behavior["self_play"] == {"window": 5, "play_against_latest_model_ratio": 0.3}


def test_initial_weights_named_a_folder() -> None:
    behavior, notes = behavior_of("trainer: ppo\ninit_path: models/a/")
    assert behavior["init_path"] == "models/a/checkpoint.pt"
    assert "named a folder" in notes[0]


@pytest.mark.parametrize("key", ["summary_path", "model_path", "output_path", "burn_in_ratio"])
def test_dropped_keys(key: str) -> None:
    behavior, notes = behavior_of(f"trainer: ppo\n{key}: x")
    assert key not in behavior
    assert notes == [f"old.yaml: 'A': {key} has no meaning any more and is left out"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("A: {batch_size: 3}", "'A' names no trainer; add 'trainer: ppo'"),
        (
            "A: {trainer: offline_bc, batch_size: 3}",
            "the trainer 'offline_bc' no longer exists; imitate with",
        ),
        ("A: {trainer: pppo}", "old files know no trainer 'pppo'; did you mean 'ppo'"),
        ("A: B\nC: {trainer: ppo}", "'A' refers to the section 'B', which does not exist"),
        ("A: B\nB: A\nC: {trainer: ppo}", "refers to the section 'A', which refers back to it"),
        ("A: {trainer: sac, num_update: 0}", "num_update is 0; it must be a number above 0"),
    ],
)
def test_what_cannot_be_converted_is_named(text: str, message: str) -> None:
    with pytest.raises(TrainerConfigError, match=r"old\.yaml") as caught:
        converted(text)
    assert message in str(caught.value)


CURRICULUM = """
BigWallJump:
  measure: progress
  thresholds: [0.1, 0.3]
  min_lesson_length: 100
  signal_smoothing: true
  parameters:
    big_wall_height: [0.0, 4.0, 8.0]
SmallWallJump:
  thresholds: [0.5]
  parameters:
    small_wall_height: [1.5, 4.0]
"""


def test_curriculum_files() -> None:
    result = upgrade(yaml.safe_load(PPO))
    add_curriculum(result, yaml.safe_load(CURRICULUM), "c.yaml")
    big = result.data["environment_parameters"]["big_wall_height"]["curriculum"]
    assert [lesson["name"] for lesson in big] == ["Lesson0", "Lesson1", "Lesson2"]
    assert [lesson["value"] for lesson in big] == [0.0, 4.0, 8.0]
    assert big[1]["completion_criteria"] == {
        "behavior": "BigWallJump",
        "measure": "progress",
        "threshold": 0.3,
        "min_lesson_length": 100,
        "signal_smoothing": True,
    }
    assert "completion_criteria" not in big[2]
    small = result.data["environment_parameters"]["small_wall_height"]["curriculum"][0]
    assert small["completion_criteria"]["min_lesson_length"] == 1
    assert small["completion_criteria"]["signal_smoothing"] is False


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("A: {thresholds: [0.1], parameters: {x: [1]}}", "gives 'x' 1 values; 1 thresholds need 2"),
        ("A: {thresholds: [0.1], parameters: {x: 3}}", "gives 'x' no list of values"),
        ("A: {parameters: {x: [1]}}", "needs a list of thresholds"),
        ("A: {thresholds: []}", "needs parameters"),
        ("A: 3", "must be a map"),
    ],
)
def test_broken_curricula(text: str, message: str) -> None:
    with pytest.raises(CurriculumConfigError, match="the curriculum of 'A'") as caught:
        add_curriculum(upgrade({}), yaml.safe_load(text), "c.yaml")
    assert message in str(caught.value)


def test_sampler_files_win_over_curricula() -> None:
    result = upgrade({"behaviors": {}, "curriculum": yaml.safe_load(CURRICULUM)})
    add_samplers(
        result,
        yaml.safe_load(
            "resampling-interval: 5000\n"
            "big_wall_height: {sampler-type: uniform, min_value: 1, max_value: 2}\n"
            "gravity: {sampler-type: multirange_uniform, intervals: [[7, 10], [15, 20]]}\n"
            "mass: {sampler_type: gaussian, sampler_parameters: {mean: 1, st_dev: 0.1}}"
        ),
        "s.yaml",
    )
    parameters = result.data["environment_parameters"]
    assert parameters["big_wall_height"]["sampler_type"] == "uniform"
    assert parameters["gravity"] == {
        "sampler_type": "multirangeuniform",
        "sampler_parameters": {"intervals": [[7, 10], [15, 20]]},
    }
    assert parameters["mass"]["sampler_parameters"] == {"mean": 1, "st_dev": 0.1}
    assert any("resampling-interval is left out" in note for note in result.notes)
    assert any("the sampler is used" in note for note in result.notes)
    with pytest.raises(TrainerConfigError, match="'x' needs a sampler-type"):
        add_samplers(result, {"x": {"min_value": 1}}, "s.yaml")


def test_parameter_randomization_of_0_17() -> None:
    data, _ = converted(
        "behaviors: {A: {trainer_type: ppo}}\n"
        "parameter_randomization:\n"
        "  resampling-interval: 500\n"
        "  mass: {sampler-type: uniform, min_value: 0.5, max_value: 10}\n"
        "  scale: {sampler_type: uniform, sampler_parameters: {min_value: 0.75, max_value: 3}}"
    )
    assert "parameter_randomization" not in data
    assert data["environment_parameters"]["mass"]["sampler_parameters"] == {"min_value": 0.5, "max_value": 10}
    assert data["environment_parameters"]["scale"]["sampler_parameters"]["max_value"] == 3


def test_curriculum_inside_a_behavior() -> None:
    data, _ = converted(
        "behaviors: {A: {trainer_type: ppo, curriculum: {thresholds: [1], parameters: {x: [1, 2]}}}}"
    )
    assert "curriculum" not in data["behaviors"]["A"]
    assert len(data["environment_parameters"]["x"]["curriculum"]) == 2


def quietly(arguments: list[str]) -> RunOptions:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", TrainerConfigWarning)
        return parse_options(arguments)


def test_the_command_converts_in_memory_and_says_so(tmp_path: Path) -> None:
    old = tmp_path / "old.yaml"
    old.write_text(PPO)
    with pytest.warns(TrainerConfigWarning, match="mlagents-upgrade-config") as caught:
        options = parse_options([str(old)])
    assert "ML-Agents 0.16 or older" in str(caught[0].message)
    assert options.behavior("3DBall").network_settings.normalize is True
    assert options.behavior("Unlisted").max_steps == 500_000


def test_messages_name_the_line_in_the_old_file(tmp_path: Path) -> None:
    old = tmp_path / "old.yaml"
    old.write_text("A:\n  trainer: ppo\n  batch_size: 3\n  hidden_units: -5\n")
    with pytest.raises(TrainerConfigError, match=r"old\.yaml, line 4: .*hidden_units is -5"):
        quietly([str(old)])


def test_old_options_of_the_command(tmp_path: Path) -> None:
    (tmp_path / "old.yaml").write_text(PPO)
    (tmp_path / "c.yaml").write_text(CURRICULUM)
    (tmp_path / "s.yaml").write_text("mass: {sampler-type: uniform, min_value: 1, max_value: 2}")
    options = quietly(
        [
            str(tmp_path / "old.yaml"),
            f"--curriculum={tmp_path / 'c.yaml'}",
            f"--sampler={tmp_path / 's.yaml'}",
            "--lesson=1",
        ]
    )
    parameters = options.environment_parameters
    assert parameters is not None
    assert [lesson.name for lesson in parameters["big_wall_height"].curriculum] == ["Lesson1", "Lesson2"]
    assert [lesson.name for lesson in parameters["small_wall_height"].curriculum] == ["Lesson1"]
    assert parameters["mass"].curriculum[0].value.sampler_type == "uniform"


def test_folders_with_one_curriculum_per_behavior(tmp_path: Path) -> None:
    folder = tmp_path / "curricula"
    folder.mkdir()
    (tmp_path / "old.yaml").write_text(PPO)
    (folder / "3DBall.json").write_text('{"thresholds": [0.5],\t"parameters": {"mass": [1, 2]}}')
    options = quietly([str(tmp_path / "old.yaml"), f"--curriculum={folder}"])
    assert options.environment_parameters is not None
    assert options.environment_parameters["mass"].curriculum[0].completion_criteria is not None
    (folder / "3DBall.json").write_text("{")
    with pytest.raises(TrainerConfigError, match=r"3DBall\.json: cannot be read as JSON"):
        quietly([str(tmp_path / "old.yaml"), f"--curriculum={folder}"])


def test_upgraded_files_resolve_to_the_same(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    old, new, curriculum = tmp_path / "old.yaml", tmp_path / "new.yaml", tmp_path / "c.yaml"
    old.write_text(PPO)
    curriculum.write_text(CURRICULUM)
    assert main([str(old), str(new), "--curriculum", str(curriculum)]) == 0
    assert "3DBall, Twin in the present form" in capsys.readouterr().out
    assert "null" not in new.read_text()
    assert load_run_options(str(new)) == quietly([str(old), f"--curriculum={curriculum}"])
    assert main([str(old), str(new)]) == 1
    assert "exists already" in capsys.readouterr().err
    assert main([str(old), str(new), "--force"]) == 0
