"""What the tests of the settings share: files as text in, options or messages out."""

from __future__ import annotations

import pytest

from mlagents.algorithms.ppo_settings import PPOSettings
from mlagents.settings import RunOptions, TrainerConfigError, build_run_options
from mlagents.settings.problems import Origin
from mlagents.settings.yaml_file import parse_yaml


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
