"""Samplers of plugins: from the YAML file to the environment, in the same order after a resume."""

from __future__ import annotations

from collections.abc import Iterator
from importlib.metadata import EntryPoint, EntryPoints
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
import torch
from api_helpers import small_options
from settings_helpers import error_of, load
from toy_envs import SavableDriftEnv

from mlagents import train
from mlagents.plugins import CustomSampler, register_sampler
from mlagents.run.training_run import TrainingRun
from mlagents.settings import RunOptions, TrainerConfigError, build_run_options, sampler_plugins
from mlagents_envs.registry import EnvironmentOptions
from mlagents_envs.side_channel.environment_parameters_channel import EnvironmentParametersChannel
from mlagents_envs.side_channel.incoming_message import IncomingMessage


class Triangular(CustomSampler):
    """Triangular distribution."""

    low: float = 0.0
    high: float = 1.0

    def draw(self, rng: np.random.Generator) -> float:
        return float(rng.triangular(self.low, (self.low + self.high) / 2, self.high))


class Broken(CustomSampler):
    """Draws what cannot be sent."""

    def draw(self, rng: np.random.Generator) -> float:
        return float("nan")


@pytest.fixture(autouse=True)
def plugins(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """One plugin that works, one that cannot be loaded, one that returns something else."""
    module = ModuleType("sampler_toolbox")
    module.good = lambda: {"triangular": Triangular, "broken": Broken}
    module.foreign = lambda: {"alien": dict}
    monkeypatch.setitem(__import__("sys").modules, "sampler_toolbox", module)
    values = {"a": "sampler_toolbox:good", "b": "nowhere:x", "c": "sampler_toolbox:foreign"}
    points = EntryPoints(EntryPoint(name, value, sampler_plugins.GROUP) for name, value in values.items())
    monkeypatch.setattr(sampler_plugins, "entry_points", lambda group: points.select(group=group))
    monkeypatch.setattr(sampler_plugins, "_registered", {})
    sampler_plugins.plugin_samplers.cache_clear()
    yield
    sampler_plugins.plugin_samplers.cache_clear()


class WindyEnv(SavableDriftEnv):
    """A drift environment whose rewards depend on the parameter ``wind``."""

    def __init__(self, options: EnvironmentOptions) -> None:
        super().__init__(seed=options.seed)
        (self._channel,) = [c for c in options.side_channels if isinstance(c, EnvironmentParametersChannel)]
        self.wind = 0.0
        self.received: list[float] = []
        self.ends: list[int] = []

    def reset(self) -> None:
        self._listen()
        super().reset()

    def step(self) -> None:
        self._listen()
        super().step()
        self._steps[0].reward[:] += np.float32(self.wind)
        if len(self._steps[1]):
            self.ends.append(len(self.received))

    def _listen(self) -> None:
        queue, self._channel.message_queue = self._channel.message_queue, []
        for message in queue:
            incoming = IncomingMessage(message)
            assert incoming.read_string() == "wind"
            assert incoming.read_int32() == EnvironmentParametersChannel.EnvironmentDataTypes.FLOAT
            self.wind = incoming.read_float32()
            self.received.append(self.wind)

    def get_state(self) -> dict[str, Any]:
        return {**super().get_state(), "wind": self.wind}

    def set_state(self, state: dict[str, Any]) -> None:
        super().set_state(state)
        self.wind = state["wind"]


WIND = {"sampler_type": "triangular", "sampler_parameters": {"low": 2.0, "high": 4.0}}


def options(parameter: object, folder: Path, **checkpoint: object) -> RunOptions:
    data = small_options(max_steps=1500, network_settings={"hidden_units": 8, "num_layers": 1})
    data["environment_parameters"] = {"wind": parameter}
    data["checkpoint_settings"] = {"results_dir": str(folder), "run_id": "r", **checkpoint}
    data["env_settings"] = {"seed": 5}
    return build_run_options(data)


def test_sampler_is_read_checked_and_written() -> None:
    text = "environment_parameters: {wind: {sampler_type: triangular, sampler_parameters: {low: 2}}}\n"
    loaded = load(text)
    assert loaded.environment_parameters is not None
    sampler = loaded.environment_parameters["wind"].curriculum[0].value
    assert sampler.sampler_parameters == Triangular(low=2.0)
    assert load(loaded.to_yaml()) == loaded
    assert loaded.with_sampler_seeds(7).environment_parameters["wind"].curriculum[0].value.seed == 7
    assert "unknown key; did you mean 'low'?" in error_of(text.replace("low:", "lov:"))
    message = error_of(text.replace("triangular", "triangle"))
    assert "it must be one of constant, uniform, gaussian, multirangeuniform, triangular, broken" in message


def test_built_in_samplers_do_not_wait_for_plugins(monkeypatch: pytest.MonkeyPatch) -> None:
    def unexpected(group: str) -> EntryPoints:
        raise AssertionError(group)

    monkeypatch.setattr(sampler_plugins, "entry_points", unexpected)
    load("environment_parameters: {wind: {sampler_type: uniform, sampler_parameters: {}}}\n")


def test_registered_in_this_process(capsys: pytest.CaptureFixture[str]) -> None:
    class Fixed(CustomSampler):
        def draw(self, rng: np.random.Generator) -> float:
            return 1.5

    text = "environment_parameters: {wind: {sampler_type: fixed, sampler_parameters: {}}}\n"
    error_of(text)
    register_sampler("fixed", Fixed)
    load(text)
    with pytest.raises(TypeError, match="'dict' is no"):
        register_sampler("dict", dict)  # type: ignore[arg-type]
    out = capsys.readouterr().out
    assert "The sampler plugin b (nowhere:x) was left out: ModuleNotFoundError" in out
    assert "'alien' is no" in out


def test_environment_gets_a_new_number_after_every_end(tmp_path: Path) -> None:
    made: list[WindyEnv] = []

    def make(environment: EnvironmentOptions) -> WindyEnv:
        made.append(WindyEnv(environment))
        return made[-1]

    train(options(WIND, tmp_path), make, quiet=True)
    (env,) = made
    # the first at the start, then one in the step after each in which an episode ended
    assert env.ends[:-1] == list(range(1, len(env.received)))[: len(env.ends) - 1]
    values = np.array(env.received)
    assert len(values) > 50
    assert len(set(env.received)) == len(values)
    assert (values >= 2).all()
    assert (values <= 4).all()
    assert values.mean() == pytest.approx(3.0, abs=0.25)
    parameter = options(WIND, tmp_path).with_sampler_seeds(5).environment_parameters
    assert parameter is not None
    sampler = parameter["wind"].curriculum[0].value.sampler_parameters
    assert isinstance(sampler, Triangular)
    assert env.received == [pytest.approx(sampler.value("wind", 0, i), rel=1e-6) for i in range(len(values))]


def test_numbers_that_cannot_be_sent_are_refused(tmp_path: Path) -> None:
    broken = {"sampler_type": "broken", "sampler_parameters": {}}
    with pytest.raises(
        TrainerConfigError, match=r"environment_parameters\.wind: the sampler Broken drew nan"
    ):
        train(options(broken, tmp_path), WindyEnv, quiet=True)


LESSONS = {
    "curriculum": [
        {
            "name": "calm",
            "value": 0.5,
            "completion_criteria": {"measure": "progress", "behavior": "Drift", "threshold": 0.3},
        },
        {"name": "windy", "value": WIND},
    ]
}


@pytest.mark.parametrize("moment", ["after an end", "at the lesson"])
def test_resumed_runs_continue_exactly(moment: str, tmp_path: Path) -> None:
    """Also when a number was drawn, or a lesson began, that the environment had not been told."""

    def weights(run: TrainingRun) -> list[float]:
        trainer: Any = run.behaviors["Drift"].trainer
        values: torch.Tensor = trainer.flat.values
        return values.tolist()

    whole = TrainingRun(options(LESSONS, tmp_path / "whole"), environment=WindyEnv)
    whole.run()
    first = TrainingRun(options(LESSONS, tmp_path / "parts"), environment=WindyEnv)

    def watch(run: TrainingRun) -> None:
        pending = run._channels._sets[0].parameters.message_queue
        lesson = run.lessons.numbers["wind"]
        if pending and (
            lesson == 1 if moment == "at the lesson" else run.behaviors["Drift"].trainer.step > 900
        ):
            run.stop()

    first._on_step = watch
    assert first.run().interrupted
    resumed = TrainingRun(options(LESSONS, tmp_path / "parts", resume=True), environment=WindyEnv)
    resumed.run()
    assert weights(resumed) == weights(whole)
