"""Options as YAML, the configurations that are shipped, and any junk in any place."""

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
from settings_helpers import load, ppo

from mlagents.settings import RunOptions, TrainerConfigError, build_run_options, load_run_options

CONFIG = Path(__file__).parents[2] / "config" / "ppo"
FULL = """
default_settings: {trainer_type: ppo, hyperparameters: {learning_rate_schedule: constant}}
behaviors:
  A: {max_steps: 20000, hyperparameters: {learning_rate: 1e-10, beta_schedule: linear}}
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
    options = load("default_settings: {max_steps: 70000}\n").with_behaviors(["Seen"])
    assert options.behaviors["Seen"].max_steps == 70000
    assert load(options.to_yaml()) == options


# Shipped files


TRAINABLE = sorted(CONFIG.glob("*.yaml"))


@pytest.mark.parametrize("path", TRAINABLE, ids=lambda path: path.stem)
def test_shipped_configurations_load_without_warnings(path: Path) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        options = load_run_options(str(path))
    assert options.behaviors


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
