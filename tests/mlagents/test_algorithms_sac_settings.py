"""Hyperparameters of SAC: defaults of the original, and what is refused."""

from __future__ import annotations

from pathlib import Path

import pytest

from mlagents.algorithms.sac_settings import SACSettings
from mlagents.settings import TrainerConfigError, load_run_options
from mlagents.settings.types import ScheduleType

CONFIG = Path(__file__).parents[2] / "config" / "sac"


def test_defaults_are_those_of_the_original() -> None:
    settings = SACSettings()
    assert (settings.batch_size, settings.buffer_size, settings.buffer_init_steps) == (128, 50_000, 0)
    assert (settings.learning_rate, settings.tau, settings.init_entcoef) == (3e-4, 0.005, 1.0)
    assert settings.learning_rate_schedule is ScheduleType.CONSTANT
    assert (settings.steps_per_update, settings.reward_signal_steps_per_update) == (1.0, 1.0)
    assert settings.save_replay_buffer is False


def test_what_tuned_files_depend_on_is_as_in_the_original() -> None:
    settings = SACSettings()
    assert settings.discrete_target_entropy == 0.2
    assert settings.continuous_target_entropy is None
    assert settings.max_grad_norm == 0.0
    assert settings.entropy_penalty == 0.0


@pytest.mark.parametrize("path", sorted(CONFIG.glob("*.yaml")), ids=lambda path: path.stem)
def test_shipped_files_are_read(path: Path) -> None:
    options = load_run_options(str(path))
    assert options.behaviors
    for behavior in options.behaviors.values():
        assert behavior.trainer_type == "sac"
        assert isinstance(behavior.hyperparameters, SACSettings)


@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("3DBall", (64, 200_000, 10, 0.5, True, 64, 2, 200_000)),
        ("3DBallHard", (256, 500_000, 10, 1.0, True, 128, 2, 500_000)),
        ("Basic", (64, 50_000, 10, 0.01, False, 20, 2, 500_000)),
        ("Hallway", (512, 200_000, 10, 0.1, False, 128, 2, 4_000_000)),
        ("PushBlock", (128, 50_000, 10, 0.05, False, 256, 2, 2_000_000)),
    ],
)
def test_values_of_shipped_files(name: str, values: tuple[object, ...]) -> None:
    behavior = load_run_options(str(CONFIG / f"{name}.yaml")).behavior(name)
    hyper, network = behavior.hyperparameters, behavior.network_settings
    assert isinstance(hyper, SACSettings)
    assert values == (
        hyper.batch_size,
        hyper.buffer_size,
        hyper.steps_per_update,
        hyper.init_entcoef,
        network.normalize,
        network.hidden_units,
        network.num_layers,
        behavior.max_steps,
    )


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("tau: 1.5", "tau is 1.5; it must be between 0 and 1"),
        ("init_entcoef: 0", "init_entcoef is 0; it must be greater than 0"),
        ("steps_per_update: 0", "steps_per_update is 0; it must be greater than 0"),
        ("batch_size: 0", "batch_size is 0; it must be at least 1"),
        ("beta: 0.1", "beta"),
    ],
)
def test_refusals_are_one_line(tmp_path: Path, line: str, message: str) -> None:
    path = tmp_path / "a.yaml"
    path.write_text(f"behaviors: {{A: {{trainer_type: sac, hyperparameters: {{{line}}}}}}}\n")
    with pytest.raises(TrainerConfigError) as error:
        load_run_options(str(path))
    assert message in str(error.value)
    assert "\n" not in str(error.value).strip()
