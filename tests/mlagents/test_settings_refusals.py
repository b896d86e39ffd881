"""What is wrong or doubtful with a configuration, as lines for its author."""

from __future__ import annotations

import warnings

import pytest
from settings_helpers import behavior, error_of, load

from mlagents.settings import RunOptions, TrainerConfigWarning
from mlagents.settings.checks import doubts
from mlagents.settings.problems import Origin

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
        ("behaviors: {A: {trainer_type: poca}}\n", "behaviors.A.trainer_type"),
        (behavior("self_play: {window: 3}"), "behaviors.A.self_play"),
        ("default_settings: {self_play: {}}\nbehaviors: {A: {}}\n", "default_settings.self_play"),
    ],
)
def test_unavailable_is_refused_in_one_line(text: str, path: str) -> None:
    message = error_of(text)
    assert path in message
    assert "not available yet in this version" in message
    assert len(message.splitlines()) == 1


@pytest.mark.parametrize(
    "body",
    [
        "network_settings: {memory: {}, vis_encode_type: resnet, goal_conditioning_type: none}",
        "hyperparameters: {shared_critic: true}",
        "reward_signals: {curiosity: {strength: 0.1}, rnd: {}, gail: {demo_path: x}}",
        "behavioral_cloning: {demo_path: x}",
    ],
)
def test_what_trains_now_is_accepted_without_a_word(body: str) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        load(behavior(body))


def test_null_of_an_unavailable_section_is_fine() -> None:
    options = load(behavior("self_play: null\nbehavioral_cloning: null\nnetwork_settings: {memory: null}"))
    assert options.behavior("A").self_play is None


def test_unknown_trainer_is_not_called_unavailable() -> None:
    message = error_of("behaviors: {A: {trainer_type: ppp}}\n")
    assert "there is no such trainer" in message
    assert "did you mean 'ppo'?" in message


# Warnings


@pytest.mark.parametrize(
    ("body", "text"),
    [
        ("hyperparameters: {batch_size: 100, buffer_size: 10}", "more than buffer_size, which is 10"),
        ("framework: pytorch", "behaviors.A.framework: ignored"),
    ],
)
def test_doubtful_settings_warn(body: str, text: str) -> None:
    with pytest.warns(TrainerConfigWarning) as caught:
        load(behavior(body))
    assert any(text in str(warning.message) for warning in caught)


def test_doubts_about_self_play() -> None:
    self_play = {"play_against_latest_model_ratio": 1.5, "save_steps": 5000}
    options = RunOptions.model_validate({"behaviors": {"A": {"max_steps": 20000, "self_play": self_play}}})
    texts = [Origin().describe(problem) for problem in doubts(options)]
    assert texts == [
        "behaviors.A.self_play.play_against_latest_model_ratio is 1.5; a probability is between 0 and 1",
        "behaviors.A.self_play.team_change is 25000; that is more than max_steps, which is 20000; "
        "only one team will learn",
    ]


def test_more_experience_than_the_run_has_is_doubtful_where_something_is_to_be_learned() -> None:
    body = "max_steps: 1000\nhyperparameters: {buffer_size: 1001, batch_size: 10}"
    with pytest.warns(TrainerConfigWarning, match="buffer_size is 1001; .* learns nothing"):
        load(behavior(body))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        load(behavior(body) + "checkpoint_settings: {inference: true, resume: true}\n")
        load(behavior("max_steps: 1000\nhyperparameters: {buffer_size: 1000, batch_size: 10}"))


# Bounds


@pytest.mark.parametrize(
    ("body", "path", "most"),
    [
        ("network_settings: {hidden_units: 65537}", "network_settings.hidden_units is 65537", "65536"),
        ("network_settings: {num_layers: 129}", "network_settings.num_layers is 129", "128"),
        ("network_settings: {memory: {memory_size: 70000}}", "memory.memory_size is 70000", "65536"),
        ("network_settings: {memory: {sequence_length: 1e10}}", "memory.sequence_length is", "2147483647"),
        ("hyperparameters: {buffer_size: 1e12}", "hyperparameters.buffer_size is", "2147483647"),
        ("hyperparameters: {batch_size: 1e12}", "hyperparameters.batch_size is", "2147483647"),
        ("hyperparameters: {num_epoch: 1e12}", "hyperparameters.num_epoch is", "2147483647"),
        ("time_horizon: 1e12", "behaviors.A.time_horizon is", "2147483647"),
    ],
)
def test_sizes_have_an_upper_bound(body: str, path: str, most: str) -> None:
    message = error_of(behavior(body))
    assert path in message
    assert message.endswith(f"it must be at most {most}")


@pytest.mark.parametrize(
    ("text", "path"),
    [
        ("env_settings: {num_areas: 1e9}\n", "env_settings.num_areas"),
        ("env_settings: {timeout_wait: 1e10}\n", "env_settings.timeout_wait"),
        ("env_settings: {seed: 1e10}\n", "env_settings.seed"),
        ("engine_settings: {time_scale: 1e300}\n", "engine_settings.time_scale"),
        ("engine_settings: {width: 1e10}\n", "engine_settings.width"),
        ("engine_settings: {quality_level: -1e10}\n", "engine_settings.quality_level"),
        ("environment_parameters: {gravity: 1e300}\n", "environment_parameters.gravity"),
        (
            "environment_parameters: {g: {sampler_type: gaussian, sampler_parameters: {mean: -1e39}}}\n",
            "environment_parameters.g.sampler_parameters.mean",
        ),
        (
            "environment_parameters: {g: {sampler_type: uniform, sampler_parameters: {seed: 3e9}}}\n",
            "environment_parameters.g.sampler_parameters.seed",
        ),
    ],
)
def test_what_the_wire_cannot_carry_is_refused_by_name(text: str, path: str) -> None:
    message = error_of(text)
    assert path in message
    assert "it must be" in message
    assert "\n" not in message


def test_bounds_are_written_out() -> None:
    assert "between -1 and 2147483647" in error_of("env_settings: {seed: 1e10}\n")


# Names


@pytest.mark.parametrize("name", ['"a\\nb"', '"a\\tb"', '"\\e[31m"', '"a\\x7f"'])
@pytest.mark.parametrize("key", ["run_id", "initialize_from"])
def test_names_of_runs_are_printable(key: str, name: str) -> None:
    message = error_of(f"checkpoint_settings: {{{key}: {name}}}\n")
    assert f"checkpoint_settings.{key} is" in message
    assert "control characters" in message
    assert message.isprintable()


def test_the_results_folder_itself_is_no_run() -> None:
    assert "a folder inside the results" in error_of("checkpoint_settings: {run_id: .}\n")
    assert load("checkpoint_settings: {run_id: größer/x y}\n").checkpoint_settings.run_id == "größer/x y"


def test_null_characters_are_refused_everywhere() -> None:
    assert "null character" in error_of('env_settings: {env_path: "a\\0b"}\n')
    assert "null character" in error_of('checkpoint_settings: {results_dir: "a\\0b"}\n')


def test_names_with_line_breaks_do_not_break_the_line() -> None:
    message = error_of(behavior('reward_signals: {"\\nx": {}}'))
    assert message.isprintable()
    assert r"'\nx'" in message
