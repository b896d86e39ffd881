from __future__ import annotations

import errno
import itertools
import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sdk_helpers import LoggingAgent
from tiny_model import save_tiny_model

from mlagents_envs.base_env import BaseEnv
from mlagents_envs.demonstrations import episode_returns, judge_alignment, read_demonstration, transitions
from mlagents_envs.registry import factory
from mlagents_envs.registry.options import EnvironmentOptions
from mlagents_sdk import (
    Academy,
    ActionBuffers,
    ActionSpec,
    Agent,
    BehaviorParameters,
    DecisionRequester,
    SdkEnvironment,
    VectorSensor,
)
from mlagents_sdk.cli import envs, record
from mlagents_sdk.cli.envs import main
from mlagents_sdk.expert import expert_actions, has_expert

BEHAVIOR = BehaviorParameters("Test", vector_observation_size=1, action_spec=ActionSpec.create_continuous(1))


class Unable(Agent):
    """Has neither heuristic nor expert."""

    def collect_observations(self, sensor: VectorSensor) -> None:
        sensor.add_observation(0.0)


class Walker(LoggingAgent):
    """Observes its place, walks by its action, and ends its episode at 1; its heuristic is half as fast."""

    step = 0.25

    def on_episode_begin(self) -> None:
        self.value = 0.0

    def on_action_received(self, actions: ActionBuffers) -> None:
        self.value += actions.continuous_actions[0]
        self.add_reward(actions.continuous_actions[0])
        if self.value >= 1.0:
            self.end_episode()

    def heuristic(self, actions_out: ActionBuffers) -> None:
        actions_out.continuous_actions[0] = 0.5 * self.step


class Expert(Walker):
    def expert(self, actions_out: ActionBuffers) -> None:
        actions_out.continuous_actions[0] = self.step


def environment(kinds: list[type[Agent]], behaviors: list[BehaviorParameters]) -> SdkEnvironment:
    academy = Academy()
    for number, (kind, behavior) in enumerate(zip(kinds, itertools.cycle(behaviors))):
        agent = kind(academy, behavior)
        if isinstance(agent, Walker):
            agent.step = 1.0 / (number + 1)
        DecisionRequester(agent, 1)
        agent.enable()
    return SdkEnvironment(academy, lambda: None)


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """What the environment ``World`` is made of; may be changed by the test."""
    parts: dict[str, Any] = {"kinds": [Expert] * 3, "behaviors": [BEHAVIOR]}
    real = factory.make_environment

    def make(name: str, options: EnvironmentOptions) -> BaseEnv:
        if name != "World":
            return real(name, options)
        parts["options"] = options
        return environment(parts["kinds"], parts["behaviors"])

    monkeypatch.setattr(factory, "make_environment", make)
    return parts


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def run(*arguments: str) -> int:
    return main(["record", "World", *arguments])


@pytest.mark.usefixtures("world")
def test_whole_episodes_of_many_agents_in_one_piece_each(
    here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Agents reach the end in 1, 2 and 3 steps; the first five episodes to begin are taken."""
    assert run("--heuristic", "expert", "--episodes", "5", "--out", "demos/Walk.demo") == 0
    demo = read_demonstration(here / "demos" / "Walk.demo")
    rows = transitions(demo, judge_alignment(demo))
    np.testing.assert_allclose(episode_returns(demo), 1.0, atol=1e-6)
    assert demo.done.sum() == demo.metadata.number_episodes == 5
    ends = np.flatnonzero(demo.done)
    lengths = np.diff(np.concatenate([[-1], ends])) - 1
    # Agent 0 ends after every step, so agents 0, 1, 2, then 0 and 0 once more begin the five episodes.
    assert sorted(lengths.tolist()) == [1, 1, 1, 2, 3]
    moved = demo.obs[0][rows.observed + 1, 0] - demo.obs[0][rows.observed, 0]
    inside = ~demo.done[rows.observed + 1]
    np.testing.assert_allclose(moved[inside], demo.continuous_actions[rows.acted, 0][inside], atol=1e-6)
    out, err = capsys.readouterr()
    assert "Recorded 5 episodes of Test (13 records) to demos/Walk.demo: mean return 1.000" in out
    assert err == ""


def test_options_reach_the_environment(world: dict[str, Any], here: Path) -> None:
    assert run("--episodes", "1", "--seed", "5", "--num-areas", "7") == 0
    assert (world["options"].seed, world["options"].num_areas) == (5, 7)
    assert (here / "demos" / "World.demo").exists()


@pytest.mark.parametrize(("who", "steps"), [("expert", 1), ("default", 2)])
def test_who_plays(world: dict[str, Any], here: Path, who: str, steps: int) -> None:
    world["kinds"] = [Expert]
    assert run("--heuristic", who, "--episodes", "1") == 0
    assert len(read_demonstration(here / "demos" / "World.demo")) == steps + 1


def test_a_heuristic_stands_in_for_an_expert(world: dict[str, Any], here: Path) -> None:
    world["kinds"] = [Walker]
    assert run("--episodes", "1") == 0
    assert len(read_demonstration(here / "demos" / "World.demo")) == 3
    env = environment([Walker, Expert, Unable], [BEHAVIOR])
    runtimes = env.academy._agents
    assert [has_expert(runtime.agent) for runtime in runtimes] == [True, True, False]
    assert expert_actions(runtimes[1]).continuous_actions == [0.5]
    env.reset()
    assert not env.has_expert("Test?team=0")


def test_a_model_plays(world: dict[str, Any], here: Path) -> None:
    class Pushed(Walker):
        def on_episode_begin(self) -> None:
            self.value = 0.0625

    world["kinds"] = [Pushed]
    model = save_tiny_model(here / "tiny.onnx")  # ten times the place
    assert run("--model", str(model), "--episodes", "2", "--out", "m.demo") == 0
    demo = read_demonstration(here / "m.demo")
    np.testing.assert_allclose(demo.obs[0][:2, 0], [0.0625, 0.6875])
    np.testing.assert_allclose(demo.continuous_actions[:2, 0], [0.625, 6.875])


@pytest.mark.usefixtures("world")
def test_an_existing_file_is_kept(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (here / "a.demo").write_bytes(b"precious")
    assert run("--episodes", "1", "--out", "a.demo") == 0
    assert (here / "a.demo").read_bytes() == b"precious"
    assert len(read_demonstration(here / "a_0.demo")) == 2
    assert "a.demo is there already and is kept; this recording goes to a_0.demo" in capsys.readouterr().err


def test_mistakes_are_one_line(world: dict[str, Any], here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    def error(*arguments: str) -> str:
        assert run(*arguments) == 1
        out, err = capsys.readouterr()
        assert out == ""
        assert err.startswith("error: ")
        assert err.count("\n") == 1
        assert not list(here.glob("**/*.demo"))
        return err

    assert "name a file that ends in .demo, such as x.demo" in error("--out", "x.txt")
    assert "has no behavior 'Other'; it has: Test" in error("--behavior", "Other")
    assert "There is no model file none.onnx" in error("--model", "none.onnx")
    wide = save_tiny_model(here / "wide.onnx", size=3)
    assert "does not fit the behavior Test?team=0" in error("--model", str(wide))
    world["kinds"] = [Unable]
    assert "Test of World has no scripted expert or heuristic to record. Give a trained" in error()
    assert "has no heuristic to record" in error("--heuristic", "default")
    world["kinds"] = [Expert] * 2
    world["behaviors"] = [BEHAVIOR, BehaviorParameters("Second", 0, action_spec=BEHAVIOR.action_spec)]
    assert "there are several: Test, Second. Choose with --behavior" in error()
    assert main(["record", "Wrld"]) == 1
    assert "There is no environment named 'Wrld'" in capsys.readouterr().err
    for wrong in (["--episodes", "0"], ["--seed", "-1"], ["--heuristic", "best"]):
        with pytest.raises(SystemExit) as caught:
            run(*wrong)
        assert caught.value.code == 2


def test_one_of_several_behaviors(world: dict[str, Any], here: Path) -> None:
    second = BehaviorParameters("Second", 1, action_spec=BEHAVIOR.action_spec)
    world["kinds"], world["behaviors"] = [Expert] * 2, [BEHAVIOR, second]
    assert run("--behavior", "Second", "--episodes", "3", "--out", ".") == 0
    demo = read_demonstration(here / "World.demo")
    assert demo.behavior_name == "Second?team=1"
    assert set(demo.agent_id.tolist()) == {1}


def test_an_interrupted_recording_keeps_its_episodes(
    world: dict[str, Any], here: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    world["kinds"] = [Expert]
    steps = itertools.count()
    real = SdkEnvironment.step

    def step(env: SdkEnvironment) -> None:
        if next(steps) == 4:
            raise KeyboardInterrupt
        real(env)

    monkeypatch.setattr(SdkEnvironment, "step", step)
    assert run("--episodes", "100") == 130
    demo = read_demonstration(here / "demos" / "World.demo")
    assert demo.is_closed
    assert demo.done.sum() == 4
    assert "4 of 100 episodes are in demos/World.demo" in capsys.readouterr().err
    assert run("--episodes", "100", "--out", "later.demo") == 0


def test_a_full_disk_keeps_what_is_there(
    world: dict[str, Any], here: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    world["kinds"] = [Expert]
    real, written = os.write, itertools.count()

    def fill(file: int, data: Any) -> int:  # noqa: ANN401
        if len(data) > 40 and next(written) == 5:
            raise OSError(errno.ENOSPC, "No space left on device")
        return real(file, data)

    monkeypatch.setattr(os, "write", fill)
    assert run("--episodes", "100") == 1
    err = capsys.readouterr().err
    assert "error: Cannot go on recording to demos/World.demo: No space left on device" in err
    demo = read_demonstration(here / "demos" / "World.demo")
    assert demo.is_closed
    assert len(demo) == 4  # after the header


@pytest.mark.usefixtures("world")
def test_progress_tells_the_time_to_go(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    clock = itertools.count(step=2.0)
    monkeypatch.setattr(record.time, "perf_counter", lambda: next(clock))
    assert run("--episodes", "4") == 0
    err = capsys.readouterr().err
    assert " of 4 episodes, " in err
    assert " s to go" in err


def test_inspect_shows_what_is_in_a_file(shared_data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["inspect", str(shared_data / "demos" / "ExpertPush.demo")]) == 0
    text = capsys.readouterr().out
    for line in (
        "name          ExpertPush, layout version 1",
        "behavior      PushBlock",
        "records       2558",
        "noted         2558 records, 96 episodes, mean reward 4.921",
        "actions       Continuous: 0, Discrete: (7,)",
        "episodes      95 complete, and one that does not end",
        "returns       mean 4.978,",
        "alignment     lagged: the next record's action explains",
        "decisions     2462 with observation, action and outcome",
    ):
        assert line in text
    assert "shape (105,)" in text


def test_inspect_lists_a_folder(shared_data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["inspect", str(shared_data / "demos")]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 8
    rows = {line.split()[0]: line.split()[-1] for line in lines[1:]}
    assert rows["ExpertGrid.demo"] == rows["ExpertPyramid.demo"] == rows["Recent3DBall.demo"] == "lagged"
    assert rows["Expert3DBall.demo"] == rows["ExpertBasic.demo"] == "aligned"


@pytest.mark.usefixtures("world")
def test_inspect_refuses_what_is_no_demonstration(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("--episodes", "2", "--out", "good.demo") == 0
    good = (here / "good.demo").read_bytes()
    files = {
        "empty": (b"", "is missing"),
        "text": (b"no demonstration at all, but some text", "no demonstration"),
        "cut": (good[:-60], "truncated"),
        "head": (good[:60], "truncated"),
    }
    capsys.readouterr()
    for name, (data, problem) in files.items():
        (here / f"{name}.demo").write_bytes(data)
        assert main(["inspect", f"{name}.demo"]) == 1
        out, err = capsys.readouterr()
        assert out == ""
        assert err.startswith(f"error: Demonstration {name}.demo, byte ")
        assert problem in err
        assert err.count("\n") == 1
    assert main(["inspect", "none.demo"]) == 1
    assert "There is no demonstration file or directory none.demo" in capsys.readouterr().err
    assert main(["inspect", "."]) == 1
    out, err = capsys.readouterr()
    assert out.splitlines()[1].startswith("good.demo")
    assert len(out.splitlines()) == 2
    assert err.count("error: ") == 5
    assert "4 of the 5 files of . cannot be read" in err


def test_help_names_both_commands(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        envs.create_parser().parse_args(["--help"])
    text = capsys.readouterr().out
    assert "record demonstrations" in text
    assert "mlagents-envs inspect" in text
