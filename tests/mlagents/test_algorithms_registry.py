"""Trainer types: built in, of plugins, and unknown."""

from __future__ import annotations

from collections.abc import Iterator
from importlib.metadata import EntryPoint, EntryPoints
from types import ModuleType
from unittest.mock import MagicMock

import pytest
from settings_helpers import error_of, load
from trainer_helpers import behavior_settings, behavior_spec

from mlagents.algorithms import registry
from mlagents.algorithms.ppo_trainer import PPOTrainer
from mlagents.algorithms.registry import TRAINERS, make_trainer
from mlagents.settings import trainer_plugins
from mlagents.settings.base import Settings
from mlagents.settings.errors import TrainerError
from mlagents.settings.registry import TRAINER_SETTINGS


class OwnSettings(Settings):
    """Hyperparameters of a plugin."""

    batch_size: int = 7
    temperature: float = 1.5


class OwnTrainer(PPOTrainer):
    """Stands for the trainer of a plugin."""

    def __init__(self, behavior, spec, settings, *, seed, device="cpu", learning=True) -> None:  # noqa: ANN001
        self.arguments = (behavior, spec, settings, seed, device, learning)


@pytest.fixture
def plugins(monkeypatch: pytest.MonkeyPatch) -> Iterator[MagicMock]:
    """Entry points: one that works, one that cannot be loaded, one with foreign settings, one that raises."""
    module = ModuleType("toolbox")
    module.good = lambda: ({"own": OwnTrainer}, {"own": OwnSettings})
    module.foreign = lambda: ({"alien": OwnTrainer}, {"alien": dict})
    module.broken = lambda: 1 / 0
    monkeypatch.setitem(__import__("sys").modules, "toolbox", module)
    group = trainer_plugins.GROUP
    values = {"a": "toolbox:broken", "b": "toolbox:good", "c": "nowhere:x", "d": "toolbox:foreign"}
    points = EntryPoints(EntryPoint(name, value, group) for name, value in values.items())
    monkeypatch.setattr(trainer_plugins, "entry_points", lambda group: points.select(group=group))
    logger = MagicMock()
    monkeypatch.setattr(trainer_plugins, "_LOGGER", logger)
    trainer_plugins.plugin_trainers.cache_clear()
    yield logger
    trainer_plugins.plugin_trainers.cache_clear()


def test_every_built_in_trainer_has_settings() -> None:
    assert set(TRAINERS) == set(TRAINER_SETTINGS)
    assert isinstance(make_trainer("Ball", behavior_spec(), behavior_settings(), seed=1), PPOTrainer)


def test_plugin_validates_its_settings_and_makes_its_trainer(plugins: MagicMock) -> None:
    text = "behaviors: {Ball: {trainer_type: own, hyperparameters: {temperature: 0.5}}}\n"
    settings = load(text).behavior("Ball")
    assert isinstance(settings.hyperparameters, OwnSettings)
    assert settings.hyperparameters.temperature == 0.5
    spec = behavior_spec()
    trainer = make_trainer("Ball", spec, settings, seed=5, device="cpu", learning=False)
    assert isinstance(trainer, OwnTrainer)
    assert trainer.arguments == ("Ball", spec, settings, 5, "cpu", False)
    assert "unknown key" in error_of(text.replace("temperature", "temprature"))
    inherited = load(
        "default_settings: {trainer_type: ppo, hyperparameters: {batch_size: 3, beta: 0.1}}\n"
        "behaviors: {Ball: {trainer_type: own}}\n"
    )
    assert inherited.behavior("Ball").hyperparameters == OwnSettings(batch_size=3)


def test_plugins_that_fail_are_named_and_left_out(plugins: MagicMock) -> None:
    assert set(trainer_plugins.plugin_trainers()) == {"own"}
    lines = [call.args[0] % call.args[1:] for call in plugins.error.call_args_list]
    assert len(lines) == 3
    for name, reason in (
        ("broken", "ZeroDivisionError"),
        ("nowhere", "No module"),
        ("foreign", "'alien' is no"),
    ):
        assert any(name in line and reason in line for line in lines)


def test_plugins_are_not_loaded_for_built_in_trainers(monkeypatch: pytest.MonkeyPatch) -> None:
    def unexpected(group: str) -> EntryPoints:
        raise AssertionError(group)

    trainer_plugins.plugin_trainers.cache_clear()
    monkeypatch.setattr(trainer_plugins, "entry_points", unexpected)
    load("behaviors: {A: {trainer_type: ppo, hyperparameters: {batch_size: 4}}}\n")


def test_unknown_trainer_lists_those_of_plugins_too(plugins: MagicMock) -> None:
    message = error_of("behaviors: {A: {trainer_type: owm}}\n")
    assert "there is no such trainer" in message
    assert "did you mean 'own'?" in message


def test_trainer_without_code_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(registry.TRAINERS, "ppo")
    with pytest.raises(TrainerError, match="The behavior Ball: there is no trainer 'ppo'"):
        make_trainer("Ball", behavior_spec(), behavior_settings(), seed=1)
