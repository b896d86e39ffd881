"""``mlagents-evaluate`` from the outside."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from toy_envs import DriftEnv

from mlagents.cli import evaluate as command
from mlagents.cli.evaluate import main
from mlagents.evaluation.evaluate import Score
from mlagents.export.from_network import export_network
from mlagents.networks.actor_critic import ActorCritic
from mlagents.networks.observations import ObservationEncoder
from mlagents.settings.errors import TrainerError
from mlagents_envs import registry
from mlagents_envs.base_env import ActionTuple, BaseEnv, DecisionSteps, TerminalSteps
from mlagents_envs.registry import EnvironmentOptions


class Wrong(DriftEnv):
    """Like the other, but something is wrong with its rewards or its code.

    Args:
        reward: given to agent 2 in step 5; None to be right.
        failing: method that raises.
    """

    def __init__(self, reward: float | None = None, failing: str = "") -> None:
        super().__init__()
        self._reward = reward
        self._failing = failing
        self._count = 0

    def reset(self) -> None:
        print("a print of the environment")
        super().reset()
        self._fail("reset")

    def step(self) -> None:
        super().step()
        self._fail("step")
        self._count += 1
        decision, _ = self._steps
        if self._reward is not None and self._count >= 5:
            decision.reward[decision.agent_id == 2] = self._reward

    def get_steps(self, behavior_name: str) -> tuple[DecisionSteps, TerminalSteps]:
        self._fail("get_steps")
        return super().get_steps(behavior_name)

    def set_actions(self, behavior_name: str, action: ActionTuple) -> None:
        self._fail("set_actions")
        super().set_actions(behavior_name, action)

    def _fail(self, method: str) -> None:
        if method == self._failing:
            raise ZeroDivisionError("division by zero")


Plays = Callable[[BaseEnv], None]


@pytest.fixture
def plays(monkeypatch: pytest.MonkeyPatch) -> Plays:
    """Makes the command play in the given environment."""

    def use(env: BaseEnv) -> None:
        def make(name: str, options: EnvironmentOptions) -> BaseEnv:
            return env

        monkeypatch.setattr(registry, "make_environment", make)

    return use


@pytest.fixture
def model(tmp_path: Path) -> Path:
    torch.set_num_threads(1)
    specs = DriftEnv().behavior_specs["Drift?team=0"]
    encoder = ObservationEncoder("Drift", specs.observation_specs, normalize=False)
    network = ActorCritic(3, specs.action_spec, 8, 1, 1, torch.Generator().manual_seed(0))
    path = tmp_path / "Drift.onnx"
    export_network(network, encoder, path)
    return path


def usage_error(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    with pytest.raises(SystemExit) as caught:
        main(["--env=x", *arguments])
    assert caught.value.code == 2
    return capsys.readouterr().err.splitlines()[-1]


@pytest.mark.parametrize("seed", ["-1", "2147483648", "9" * 5000, "1.5", "x", "²"])
def test_seed_out_of_range_is_wrong_usage(seed: str, capsys: pytest.CaptureFixture[str]) -> None:
    message = usage_error(capsys, f"--seed={seed}")
    assert "--seed" in message
    assert "between 0 and 2147483647" in message


@pytest.mark.parametrize(("option", "most"), [("--episodes", "2147483647"), ("--num-areas", "1000000")])
@pytest.mark.parametrize("value", ["0", "-1", "9" * 12, "x"])
def test_counts_out_of_range_are_wrong_usage(
    option: str, most: str, value: str, capsys: pytest.CaptureFixture[str]
) -> None:
    message = usage_error(capsys, f"{option}={value}")
    assert option in message
    assert f"between 1 and {most}" in message


@pytest.mark.parametrize("seed", ["0", "2147483647"])
def test_seeds_at_the_bounds_play(
    seed: str, plays: Plays, model: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    plays(DriftEnv())
    assert main([str(model), "--env=Drift", "--episodes=3", "--json", f"--seed={seed}"]) == 0
    assert json.loads(capsys.readouterr().out)["episodes"] == 3


@pytest.mark.parametrize("value", ["inf", "-inf", "nan", "1e300", "-4e38", "1e999", "heavy"])
def test_parameters_that_cannot_be_sent_are_named(
    value: str, plays: Plays, model: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    plays(DriftEnv())
    assert main([str(model), "--env=Drift", "--env-parameter", f"gravity={value}"]) == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith(f"error: --env-parameter gravity={value}: ")


def test_largest_parameter_is_sent(plays: Plays, capsys: pytest.CaptureFixture[str]) -> None:
    plays(DriftEnv())
    assert main(["--env=Drift", "--episodes=1", "--env-parameter=gravity=-3.4028234e38"]) == 0


def test_json_is_alone_on_standard_output(
    plays: Plays, model: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    plays(Wrong())
    monkeypatch.setattr(command._Progress, "_INTERVAL", 0.0)
    monkeypatch.setattr(
        "mlagents_envs.inference.OnnxPolicy._offers_deterministic", _warns_that_nothing_is_offered
    )
    assert main([str(model), "--env=Drift", "--episodes=4", "--json", "--deterministic"]) == 0
    captured = capsys.readouterr()
    score = json.loads(captured.out)
    assert score["behavior"] == "Drift"
    assert np.isfinite([value for key, value in score.items() if key != "behavior"]).all()
    for text in ("[WARNING]", "a print of the environment", "of 4 episodes"):
        assert text in captured.err


def _warns_that_nothing_is_offered(policy: object) -> bool:
    from mlagents_envs.inference import logger

    logger.warning("The model has no deterministic outputs.")
    return False


def test_text_is_on_standard_output(plays: Plays, model: Path, capsys: pytest.CaptureFixture[str]) -> None:
    plays(DriftEnv())
    assert main([str(model), "--env=Drift", "--episodes=4"]) == 0
    (line,) = capsys.readouterr().out.splitlines()
    assert line.startswith("Drift: mean return ")
    assert ", 4 episodes in " in line


@pytest.mark.parametrize("reward", [float("nan"), float("inf"), float("-inf")])
@pytest.mark.parametrize("extra", [["--json"], []])
def test_rewards_that_are_not_finite_name_behavior_and_agent(
    reward: float, extra: list[str], plays: Plays, capsys: pytest.CaptureFixture[str]
) -> None:
    plays(Wrong(reward=reward))
    assert main(["--env=Drift", "--episodes=50", *extra]) == 1
    captured = capsys.readouterr()
    assert captured.out == ""
    line = captured.err.splitlines()[-1]
    assert line.startswith(f"error: A reward of the behavior Drift?team=0 is {reward}: agent 2.")


def test_scores_that_json_cannot_say_are_an_error() -> None:
    score = Score("Ball", 1, float("nan"), 0.0, float("-inf"), 1.0, 2.0)
    with pytest.raises(TrainerError, match=r"Ball .*: mean_return is nan, min_return is -inf"):
        score.to_json()
    good = Score("Ball", 1, 1.0, 0.0, 1.0, 1.0, 2.0)
    assert json.loads(good.to_json()) == good.as_json()


@pytest.mark.parametrize("method", ["reset", "step", "get_steps", "set_actions"])
def test_bugs_of_the_environment_are_blamed_on_it(
    method: str, plays: Plays, capsys: pytest.CaptureFixture[str]
) -> None:
    plays(Wrong(failing=method))
    assert main(["--env=MyGame", "--episodes=2"]) == 1
    text = capsys.readouterr().err
    assert "Traceback" in text
    assert f"in {method}" in text
    assert text.splitlines()[-1].startswith("error: The environment MyGame failed to ")
    assert "ZeroDivisionError" in text.splitlines()[-1]
    assert "bug in Open ML-Agents" not in text


def test_environment_that_cannot_be_built_is_blamed(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def make(name: str, options: EnvironmentOptions) -> BaseEnv:
        raise KeyError("texture")

    monkeypatch.setattr(registry, "make_environment", make)
    assert main(["--env=MyGame"]) == 1
    last = capsys.readouterr().err.splitlines()[-1]
    assert last.startswith("error: The environment MyGame failed to be built: KeyError: 'texture'")
