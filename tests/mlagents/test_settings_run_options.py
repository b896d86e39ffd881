"""Values of the options, their defaults, and what behaviors inherit."""

from __future__ import annotations

from typing import Any

import pytest
from settings_helpers import behavior, error_of, load, ppo

from mlagents.algorithms.ppo_settings import PPOSettings, ScheduleType
from mlagents.networks.settings import NetworkSettings
from mlagents.rewards.extrinsic import ExtrinsicSettings
from mlagents.settings import BehaviorSettings, RunOptions, TrainerConfigError
from mlagents.settings.base import Settings
from mlagents.settings.merging import deep_merge
from mlagents.settings.registry import TRAINER_SETTINGS

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
    settings = load(behavior("max_steps: 100000\nkeep_checkpoints: 3\neven_checkpoints: true")).behavior("A")
    assert settings.checkpoint_interval == 33333
    assert "keep_checkpoints" in error_of(behavior("keep_checkpoints: 0\neven_checkpoints: true"))


def test_sampler_seeds_stay_in_range() -> None:
    uniform = "{sampler_type: uniform, sampler_parameters: {min_value: 0}}"
    options = load(f"environment_parameters: {{a: {uniform}, b: {uniform}, c: 1}}\n")
    parameters = options.with_sampler_seeds(2**31 - 1).environment_parameters
    assert parameters is not None
    assert [p.curriculum[0].value.seed for p in parameters.values()] == [2**31 - 1, 0, 1]


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
