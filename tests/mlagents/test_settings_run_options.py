from __future__ import annotations

import copy
import os
import subprocess
import sys
import warnings
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from mlagents.algorithms.ppo_settings import PPOSettings, ScheduleType
from mlagents.networks.settings import NetworkSettings
from mlagents.rewards.extrinsic import ExtrinsicSettings
from mlagents.settings import (
    BehaviorSettings,
    RunOptions,
    TrainerConfigError,
    TrainerConfigWarning,
    build_run_options,
    load_run_options,
)
from mlagents.settings.base import Settings
from mlagents.settings.checks import doubts
from mlagents.settings.merging import deep_merge
from mlagents.settings.problems import Origin
from mlagents.settings.registry import TRAINER_SETTINGS, register_trainer_settings
from mlagents.settings.yaml_file import parse_yaml

CONFIG = Path(__file__).parents[2] / "config" / "ppo"


def load(text: str) -> RunOptions:
    file = parse_yaml(text, "run.yaml")
    return build_run_options(file.data, Origin(file.path, file.lines))


def error_of(text: str) -> str:
    with pytest.raises(TrainerConfigError) as caught:
        load(text)
    return str(caught.value)


def ppo(options: RunOptions, name: str = "A") -> PPOSettings:
    hyperparameters = options.behavior(name).hyperparameters
    assert isinstance(hyperparameters, PPOSettings)
    return hyperparameters


def behavior(body: str) -> str:
    """A file with one behavior 'A' whose keys are the given lines."""
    return "behaviors:\n  A:\n    trainer_type: ppo\n" + "".join(
        f"    {line}\n" for line in body.splitlines()
    )


# Defaults


def test_defaults_of_a_behavior() -> None:
    settings = load("behaviors:\n  A: {}\n").behavior("A")
    assert settings == BehaviorSettings()
    assert settings.trainer_type == "ppo"
    assert (settings.max_steps, settings.time_horizon, settings.summary_freq) == (500_000, 64, 50_000)
    assert (settings.checkpoint_interval, settings.keep_checkpoints) == (500_000, 5)
    assert settings.network_settings == NetworkSettings(
        normalize=False, hidden_units=128, num_layers=2, deterministic=False
    )
    assert settings.reward_signals == {"extrinsic": ExtrinsicSettings(gamma=0.99, strength=1.0)}
    assert settings.hyperparameters == PPOSettings(
        batch_size=1024,
        buffer_size=10240,
        learning_rate=3e-4,
        learning_rate_schedule=ScheduleType.LINEAR,
        beta=5e-3,
        epsilon=0.2,
        lambd=0.95,
        num_epoch=3,
        max_grad_norm=0.5,
        clip_value_loss=False,
        ratio_per_component=False,
        mean_continuous_entropy=False,
    )


def test_defaults_of_the_run() -> None:
    options = load("")
    assert options == RunOptions()
    environment = options.env_settings
    assert (environment.base_port, environment.seed, environment.timeout_wait) == (5005, -1, 60)
    assert environment.num_areas is None
    assert options.checkpoint_settings.run_id == "ppo"
    assert options.checkpoint_settings.results_dir == "results"
    assert options.engine_settings.time_scale == 20


def test_settings_are_immutable() -> None:
    with pytest.raises(ValueError, match="frozen"):
        BehaviorSettings().max_steps = 3  # type: ignore[misc]


# Values


def test_scientific_notation_for_every_kind_of_number() -> None:
    options = load(
        behavior("max_steps: 5e4\nhyperparameters: {buffer_size: 1e4, batch_size: '64', beta: 1e-3}")
    )
    assert options.behavior("A").max_steps == 50_000
    assert ppo(options).buffer_size == 10_000
    assert ppo(options).batch_size == 64
    assert ppo(options).beta == 1e-3


def test_quoted_false_is_false() -> None:
    assert (
        load(behavior("network_settings: {normalize: 'false'}")).behavior("A").network_settings.normalize
        is False
    )
    assert (
        load(behavior("network_settings: {normalize: 'yes'}")).behavior("A").network_settings.normalize
        is True
    )


def test_schedules_follow_an_explicit_learning_rate_schedule() -> None:
    followed = ppo(load(behavior("hyperparameters: {learning_rate_schedule: constant}")))
    assert followed.beta_schedule is ScheduleType.CONSTANT
    assert followed.epsilon_schedule is ScheduleType.CONSTANT
    kept = ppo(load(behavior("hyperparameters: {learning_rate_schedule: constant, beta_schedule: linear}")))
    assert kept.beta_schedule is ScheduleType.LINEAR
    assert kept.epsilon_schedule is ScheduleType.CONSTANT


def test_even_checkpoints_set_the_interval() -> None:
    settings = load(behavior("max_steps: 1000\nkeep_checkpoints: 3\neven_checkpoints: true")).behavior("A")
    assert settings.checkpoint_interval == 333
    assert "keep_checkpoints" in error_of(behavior("keep_checkpoints: 0\neven_checkpoints: true"))


# Errors


def test_out_of_range_names_file_line_path_value_and_range() -> None:
    assert error_of("behaviors:\n  3DBall:\n    network_settings:\n      hidden_units: -3\n") == (
        "run.yaml, line 4: behaviors.3DBall.network_settings.hidden_units is -3; it must be at least 1"
    )


@pytest.mark.parametrize(
    ("body", "path", "text"),
    [
        ("hyperparameters: {lambd: 1.5}", "hyperparameters.lambd is 1.5", "between 0 and 1"),
        ("hyperparameters: {epsilon: 0}", "hyperparameters.epsilon is 0", "greater than 0"),
        ("hyperparameters: {num_epoch: 0}", "hyperparameters.num_epoch is 0", "at least 1"),
        ("hyperparameters: {beta: .nan}", "hyperparameters.beta is NaN", "finite"),
        (
            "hyperparameters: {learning_rate_schedule: cosine}",
            'schedule is "cosine"',
            "one of constant, linear",
        ),
        ("hyperparameters: {batch_size: many}", 'batch_size is "many"', "whole number"),
        ("hyperparameters: 5", "behaviors.A.hyperparameters is 5", "map"),
        ("hyperparameters: null", "behaviors.A.hyperparameters is null", "leave the line out"),
        ("network_settings: null", "behaviors.A.network_settings is null", "leave the line out"),
        ("network_settings: {num_layers: -1}", "network_settings.num_layers is -1", "at least 0"),
        ("network_settings: {vis_encode_type: cnn}", 'vis_encode_type is "cnn"', "simple"),
        ("network_settings: {memory: {memory_size: 3}}", "memory.memory_size is 3", "even"),
        ("network_settings: {memory: {memory_size: -2}}", "memory.memory_size is -2", "at least 1"),
        ("reward_signals: {}", "behaviors.A.reward_signals:", "at least one"),
        ("reward_signals: null", "behaviors.A.reward_signals is null", "leave the line out"),
        ("reward_signals: {extrinsic: null}", "reward_signals.extrinsic is null", "leave the line out"),
        ("reward_signals: {extrinsic: {gamma: 2}}", "reward_signals.extrinsic.gamma is 2", "between 0 and 1"),
        ("reward_signals: {extrinsik: {}}", "behaviors.A.reward_signals:", "did you mean 'extrinsic'"),
        ("max_steps: 0", "behaviors.A.max_steps is 0", "at least 1"),
        ("threaded: perhaps", "behaviors.A.threaded is", "true or false"),
        ("init_path: ''", "behaviors.A.init_path is", "empty"),
    ],
)
def test_bad_values(body: str, path: str, text: str) -> None:
    message = error_of(behavior(body))
    assert path in message
    assert text in message
    assert len(message.splitlines()) == 1
    assert "pydantic" not in message.lower()


@pytest.mark.parametrize(
    ("text", "path", "suggestion"),
    [
        ("behaviours: {}\n", "behaviours", "behaviors"),
        ("behaviors: {A: {max_step: 1}}\n", "behaviors.A.max_step", "max_steps"),
        (behavior("hyperparameters: {batchsize: 1}"), "behaviors.A.hyperparameters.batchsize", "batch_size"),
        (behavior("reward_signals: {extrinsic: {gama: 1}}"), "reward_signals.extrinsic.gama", "gamma"),
        ("env_settings: {seeds: 1}\n", "env_settings.seeds", "seed"),
        ("engine_settings: {timescale: 1}\n", "engine_settings.timescale", "time_scale"),
        ("checkpoint_settings: {runid: x}\n", "checkpoint_settings.runid", "run_id"),
        (
            "environment_parameters: {m: {sampler_type: uniform, sampler_parameters: {min: 1}}}\n",
            "environment_parameters.m.sampler_parameters.min",
            "min_value",
        ),
    ],
)
def test_unknown_keys_name_the_nearest(text: str, path: str, suggestion: str) -> None:
    message = error_of(text)
    assert f"{path}: unknown key; did you mean '{suggestion}'?" in message
    assert message.startswith("run.yaml, line ")


def test_unknown_key_far_from_any_lists_the_known() -> None:
    assert "known keys: batch_size, beta" in error_of(behavior("hyperparameters: {zzzz: 1}"))


@pytest.mark.parametrize(
    ("text", "path"),
    [
        (behavior("network_settings: {hiden_units: 3}"), "behaviors.A.network_settings.hiden_units"),
        ("torch_settings: {devise: cpu}\n", "torch_settings.devise"),
    ],
)
def test_tolerant_sections_warn(text: str, path: str) -> None:
    with pytest.warns(TrainerConfigWarning, match=rf"{path}: unknown key \(ignored\); did you mean"):
        load(text)


def test_tolerant_section_still_checks_its_other_keys() -> None:
    with pytest.warns(TrainerConfigWarning, match="hiden"):
        message = error_of(behavior("network_settings: {hiden_units: 3, num_layers: -1}"))
    assert "num_layers is -1" in message


def test_several_problems_in_the_order_of_the_file_at_most_five_lines() -> None:
    body = "max_steps: 0\ntime_horizon: 0\nsummary_freq: 0\n"
    body += "network_settings: {hidden_units: 0, num_layers: -1}\n"
    assert len(error_of(behavior(body)).splitlines()) == 5
    lines = error_of(behavior(body + "threaded: x\n")).splitlines()
    assert len(lines) == 5
    assert "max_steps" in lines[0]
    assert "time_horizon" in lines[1]
    assert lines[4] == "and 2 more problems like these"


@pytest.mark.parametrize("section", ["env_settings", "engine_settings", "checkpoint_settings", "behaviors"])
def test_null_sections(section: str) -> None:
    assert f"{section} is null" in error_of(f"{section}:\n")


def test_null_behavior() -> None:
    assert "behaviors.A is null" in error_of("behaviors:\n  A:\n")


def test_hyperparameters_need_a_trainer_type() -> None:
    assert "needs a trainer_type" in error_of("behaviors: {A: {hyperparameters: {batch_size: 4}}}\n")
    load("default_settings: {trainer_type: ppo}\nbehaviors: {A: {hyperparameters: {batch_size: 4}}}\n")


def test_run_id_stays_inside_the_results() -> None:
    for run_id in ("../x", "/tmp/x", "a/../../b"):
        assert "inside the results folder" in error_of(f"checkpoint_settings: {{run_id: {run_id}}}\n")


def test_settings_that_exclude_each_other() -> None:
    body = "hyperparameters: {batch_size: 32}\nnetwork_settings: {memory: {sequence_length: 33}}"
    assert "sequence_length is 33; it must be at most batch_size, which is 32" in error_of(behavior(body))
    assert "last port would exceed" in error_of("env_settings: {base_port: 65000, num_envs: 600}\n")


# What this version cannot train


@pytest.mark.parametrize(
    ("text", "path"),
    [
        ("behaviors: {A: {trainer_type: sac, hyperparameters: {tau: 1}}}\n", "behaviors.A.trainer_type"),
        ("behaviors: {A: {trainer_type: poca}}\n", "behaviors.A.trainer_type"),
        (behavior("reward_signals: {curiosity: {strength: 0.1}}"), "behaviors.A.reward_signals"),
        (behavior("network_settings: {memory: {}}"), "behaviors.A.network_settings.memory"),
        (behavior("self_play: {window: 3}"), "behaviors.A.self_play"),
        (behavior("behavioral_cloning: {demo_path: x}"), "behaviors.A.behavioral_cloning"),
        (behavior("hyperparameters: {shared_critic: true}"), "behaviors.A.hyperparameters.shared_critic"),
        ("env_settings: {num_envs: 2, env_path: x}\n", "env_settings.num_envs"),
        ("default_settings: {self_play: {}}\nbehaviors: {A: {}}\n", "default_settings.self_play"),
    ],
)
def test_unavailable_is_refused_in_one_line(text: str, path: str) -> None:
    message = error_of(text)
    assert path in message
    assert "not available yet in this version" in message
    assert len(message.splitlines()) == 1


def test_null_of_an_unavailable_section_is_fine() -> None:
    options = load(behavior("self_play: null\nbehavioral_cloning: null\nnetwork_settings: {memory: null}"))
    assert options.behavior("A").self_play is None


def test_unknown_trainer_is_not_called_unavailable() -> None:
    message = error_of("behaviors: {A: {trainer_type: ppp}}\n")
    assert "there is no such trainer" in message
    assert "did you mean 'ppo'?" in message


def test_old_format_is_recognised() -> None:
    assert "format of ML-Agents 0.16" in error_of(
        "default: {trainer: ppo, batch_size: 10}\nBall: {beta: 1}\n"
    )


# Warnings


@pytest.mark.parametrize(
    ("body", "text"),
    [
        ("hyperparameters: {batch_size: 100, buffer_size: 10}", "more than buffer_size, which is 10"),
        ("threaded: true", "behaviors.A.threaded is true; ignored"),
        ("framework: pytorch", "behaviors.A.framework: ignored"),
    ],
)
def test_doubtful_settings_warn(body: str, text: str) -> None:
    with pytest.warns(TrainerConfigWarning) as caught:
        load(behavior(body))
    assert any(text in str(warning.message) for warning in caught)


def test_doubts_about_self_play() -> None:
    self_play = {"play_against_latest_model_ratio": 1.5, "save_steps": 100}
    options = RunOptions.model_validate({"behaviors": {"A": {"max_steps": 400, "self_play": self_play}}})
    texts = [Origin().describe(problem) for problem in doubts(options)]
    assert texts == [
        "behaviors.A.self_play.play_against_latest_model_ratio is 1.5; a probability is between 0 and 1",
        "behaviors.A.self_play.team_change is 500; that is more than max_steps, which is 400; "
        "only one team will learn",
    ]


# default_settings


def test_behaviors_inherit_key_by_key() -> None:
    options = load(
        "default_settings:\n"
        "  trainer_type: ppo\n"
        "  hyperparameters: {batch_size: 16, buffer_size: 160}\n"
        "  network_settings: {hidden_units: 256, normalize: true}\n"
        "behaviors:\n"
        "  A:\n"
        "    hyperparameters: {batch_size: 32, learning_rate_schedule: constant}\n"
        "    network_settings: {hidden_units: 4}\n"
    )
    assert (ppo(options).batch_size, ppo(options).buffer_size) == (32, 160)
    # Inherited as raw maps, so the entropy schedule follows the behavior's own choice.
    assert ppo(options).beta_schedule is ScheduleType.CONSTANT
    assert options.behavior("A").network_settings == NetworkSettings(hidden_units=4, normalize=True)
    assert ppo(options, "unlisted").batch_size == 16
    assert options.behavior("unlisted") == options.default_settings


def test_another_trainer_type_drops_foreign_hyperparameters(monkeypatch: pytest.MonkeyPatch) -> None:
    class OtherSettings(Settings):
        batch_size: int = 1
        own: int = 2

    monkeypatch.setitem(TRAINER_SETTINGS, "other", OtherSettings)
    options = load(
        "default_settings: {trainer_type: ppo, hyperparameters: {batch_size: 16, lambd: 0.9}}\n"
        "behaviors: {A: {trainer_type: other, hyperparameters: {own: 3}}}\n"
    )
    assert options.behavior("A").hyperparameters == OtherSettings(batch_size=16, own=3)


def test_registering_a_trainer() -> None:
    class First(Settings):
        pass

    with pytest.raises(ValueError, match="already registered"):
        register_trainer_settings("ppo", First)


def test_inherited_error_is_reported_once_where_it_was_written() -> None:
    message = error_of("default_settings:\n  max_steps: -1\nbehaviors:\n  A: {}\n  B: {}\n")
    assert message == "run.yaml, line 2: default_settings.max_steps is -1; it must be at least 1"


def test_unlisted_behavior_without_defaults() -> None:
    options = load("behaviors: {3DBall: {}, Crawler: {}}\n")
    with pytest.raises(TrainerConfigError) as caught:
        options.behavior("3DBalls")
    message = str(caught.value)
    assert "'3DBalls'" in message
    assert "3DBall, Crawler" in message
    assert "default_settings" in message


def test_deep_merge_changes_neither_side() -> None:
    base: dict[str, Any] = {"a": {"b": 1, "c": [1, 2]}, "d": {"e": 1}}
    override: dict[str, Any] = {"a": {"b": 2, "c": [3]}, "d": None}
    assert deep_merge(base, override) == {"a": {"b": 2, "c": [3]}, "d": None}
    assert base == {"a": {"b": 1, "c": [1, 2]}, "d": {"e": 1}}


# Output


FULL = """
default_settings: {trainer_type: ppo, hyperparameters: {learning_rate_schedule: constant}}
behaviors:
  A: {max_steps: 1000, hyperparameters: {learning_rate: 1e-10, beta_schedule: linear}}
  "on": {network_settings: {vis_encode_type: resnet}}
  "1": {init_path: "mañana: #1", even_checkpoints: true}
env_settings: {env_args: [--lang, 3], seed: 7, num_areas: 2}
environment_parameters:
  mass: 3
  scale: {sampler_type: multirange_uniform, sampler_parameters: {intervals: [[0, 1], [2, 3]]}}
torch_settings: {device: "cuda:1"}
debug: on
"""


def test_yaml_round_trip_gives_an_equal_object() -> None:
    options = load(FULL)
    again = load(options.to_yaml())
    assert again == options
    assert again.to_yaml() == options.to_yaml()
    assert again.behavior("1").init_path == "mañana: #1"


def test_yaml_keeps_nulls_and_writes_enums_as_text() -> None:
    plain = yaml.safe_load(load(FULL).to_yaml())
    assert plain["behaviors"]["A"]["hyperparameters"]["learning_rate_schedule"] == "constant"
    assert plain["behaviors"]["A"]["self_play"] is None
    assert plain["behaviors"]["A"]["network_settings"]["memory"] is None
    assert plain["env_settings"]["env_args"] == ["--lang", "3"]


def test_written_file_replaces_the_old_one_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "configuration.yaml"
    options = load(FULL)
    options.write_configuration(path)
    assert load_run_options(str(path)) == options
    assert os.listdir(tmp_path) == ["configuration.yaml"]

    def full_disk(_file: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full_disk)
    with pytest.raises(OSError, match="No space"):
        RunOptions().write_configuration(path)
    assert load_run_options(str(path)) == options
    assert os.listdir(tmp_path) == ["configuration.yaml"]


def test_run_time_behaviors_are_written_out() -> None:
    options = load("default_settings: {max_steps: 7}\n").with_behaviors(["Seen"])
    assert options.behaviors["Seen"].max_steps == 7
    assert load(options.to_yaml()) == options


# Shipped files


@pytest.mark.parametrize("path", sorted(CONFIG.glob("*.yaml")), ids=lambda path: path.stem)
def test_shipped_configurations_load_without_warnings(path: Path) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        options = load_run_options(str(path))
    assert len(options.behaviors) == 1


def test_3dball_values() -> None:
    options = load_run_options(str(CONFIG / "3DBall.yaml"))
    hyperparameters = ppo(options, "3DBall")
    assert (hyperparameters.batch_size, hyperparameters.buffer_size) == (64, 12000)
    assert (hyperparameters.beta, hyperparameters.lambd) == (0.001, 0.99)
    assert hyperparameters.learning_rate == 3e-4
    settings = options.behavior("3DBall")
    assert settings.network_settings.normalize is True
    assert (settings.time_horizon, settings.summary_freq, settings.max_steps) == (1000, 12000, 500_000)


def test_settings_import_neither_torch_nor_mujoco_nor_onnx() -> None:
    code = (
        "import sys, mlagents.settings as s, mlagents.cli.options; s.RunOptions()\n"
        "print([m for m in ('torch', 'mujoco', 'onnx', 'onnxruntime', 'numba', 'numpy') if m in sys.modules])"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert result.stdout.strip() == "[]"


JUNK = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.sampled_from(["", "x", "1e999", "5e4", "ppo", "{", "{0}", "\n", "9" * 5000, "..", "nan"]),
    st.lists(st.integers(), max_size=2),
    st.dictionaries(st.sampled_from(["a", "seed", "curriculum", "\n{x}"]), st.integers(), max_size=2),
)


def _places(tree: object, location: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    if isinstance(tree, dict):
        children = list(tree.items())
    elif isinstance(tree, list):
        children = list(enumerate(tree))
    else:
        children = []
    return [location, *(place for key, value in children for place in _places(value, (*location, key)))]


COMPLETE = yaml.safe_load(load(FULL).to_yaml())


@settings(max_examples=150, deadline=None)
@given(st.sampled_from(_places(COMPLETE)[1:]), JUNK)
@pytest.mark.filterwarnings("ignore::mlagents.settings.TrainerConfigWarning")
def test_any_value_anywhere_gives_options_or_lines(place: tuple[Any, ...], junk: object) -> None:
    data = copy.deepcopy(COMPLETE)
    target = data
    for key in place[:-1]:
        target = target[key]
    target[place[-1]] = junk
    lines: list[str] = []
    try:
        options = build_run_options(data)
        assert build_run_options(yaml.safe_load(options.to_yaml())) == options
    except TrainerConfigError as error:
        lines = str(error).split("\n")
    assert len(lines) <= 5
    assert all(line and len(line) < 700 for line in lines)
