"""``mlagents.train``: every way in, what comes out, and that runs do not disturb each other."""

from __future__ import annotations

import random
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import gymnasium
import numpy as np
import pytest
import torch
from api_helpers import small_options, small_run
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from toy_envs import DriftEnv, SavableDriftEnv

import mlagents
from mlagents import Callback, train
from mlagents.run.training_run import RunResult, TrainingRun
from mlagents.settings import RunOptions, TrainerConfigError, TrainerError
from mlagents_envs.registry import EnvironmentOptions


def test_importing_the_package_loads_nothing_heavy() -> None:
    code = (
        "import sys, mlagents; assert 'train' in dir(mlagents)\n"
        "print([m for m in ('torch', 'numpy', 'onnxruntime', 'pydantic', 'rich') if m in sys.modules])"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert result.stdout.strip() == "[]"
    with pytest.raises(AttributeError, match="trian"):
        mlagents.trian  # noqa: B018
    for name in mlagents.__all__:
        assert getattr(mlagents, name) is not None


def test_what_comes_out(tmp_path: Path) -> None:
    run = small_run(tmp_path, DriftEnv)
    assert run.folder == tmp_path / "run"
    assert run.steps["Drift"] >= 3000
    assert not run.interrupted
    assert run.seed == 1
    assert run.options.behaviors["Drift"].max_steps == 3000
    returns = run.metrics["Drift"]["Environment/Cumulative Reward"]
    assert returns.steps.tolist() == [1000, 2000, 3000]
    events = EventAccumulator(str(run.folder / "Drift"))
    events.Reload()
    for tag in events.Tags()["scalars"]:
        written = np.array([event.value for event in events.Scalars(tag)])
        np.testing.assert_allclose(run.metrics["Drift"][tag].values, written, rtol=1e-5)
    assert run.mean_returns["Drift"] is not None
    assert list(run.policies) == ["Drift"]
    assert run.policies["Drift"] is run.policies["Drift"]
    assert run.policies["Drift"].act(np.zeros((4, 3))).continuous.shape == (4, 1)
    assert run.policy(best=True).path == run.folder / "Drift" / "best.onnx"
    with pytest.raises(KeyError, match="Drfit"):
        run.policy("Drfit")


@pytest.mark.parametrize("form", ["map", "options", "file", "none"])
def test_forms_of_options(form: str, tmp_path: Path) -> None:
    options: Any = small_options(max_steps=600)
    if form == "options":
        options = RunOptions(**options)
    elif form == "file":
        path = tmp_path / "run.yaml"
        path.write_text("default_settings: {max_steps: 600}\nenv_settings: {env_path: Nonexistent}\n")
        options = path
    elif form == "none":
        options = None

    class Stop:
        def on_step(self, run: TrainingRun) -> None:
            if run.behaviors["Drift"].trainer.step >= 600:
                run.stop()

    callbacks = [Stop()] if form == "none" else []
    run = train(options, DriftEnv(), results_dir=tmp_path, quiet=True, callbacks=callbacks)
    assert 600 <= run.steps["Drift"] < 620
    assert run.interrupted is (form == "none")


def make_drift(options: EnvironmentOptions) -> DriftEnv:
    assert isinstance(options, EnvironmentOptions)
    return DriftEnv(num_agents=options.num_areas or 3, seed=options.seed)


@pytest.mark.parametrize(
    ("env", "behavior", "agents"),
    [
        (lambda: DriftEnv(), "Drift", 6),
        (make_drift, "Drift", 5),
        (lambda: gymnasium.make("CartPole-v1"), "CartPole-v1", 5),
        (gymnasium.make("Pendulum-v1"), "Pendulum-v1", 1),
        (gymnasium.make_vec("CartPole-v1", num_envs=4), "CartPole-v1", 4),
        ("gym:CartPole-v1", "CartPole-v1", 5),
    ],
    ids=["function", "factory", "gym function", "gym", "gym vector", "name"],
)
def test_forms_of_environments(env: object, behavior: str, agents: int, tmp_path: Path) -> None:
    seen: list[int] = []

    class Count(Callback):
        def on_begin(self, run: TrainingRun) -> None:
            seen.append(run.behaviors[behavior].trainer.collector.slots.num_slots)

    run = small_run(tmp_path, env, {"max_steps": 300}, num_areas=5, callbacks=[Count()])
    assert list(run.steps) == [behavior]
    assert seen == [agents]
    policy = run.policies[behavior]
    actions = policy.act(np.zeros((2, *policy.observation_shapes[0])))
    assert len(actions.continuous) == len(actions.discrete) == 2


@pytest.mark.parametrize("env", [7, object()])
def test_things_that_are_no_environment(env: object, tmp_path: Path) -> None:
    with pytest.raises(TypeError, match="is no environment"):
        small_run(tmp_path, env)


def test_function_that_builds_something_else_is_blamed(tmp_path: Path) -> None:
    with pytest.raises(Exception, match="returned a int"):
        small_run(tmp_path, lambda: 3)


def test_mistakes_are_the_errors_of_the_command(tmp_path: Path) -> None:
    with pytest.raises(TrainerConfigError, match="did you mean 'max_steps'"):
        train({"default_settings": {"max_step": 3}}, DriftEnv)
    with pytest.raises(TrainerConfigError, match=r"env_settings\.seed"):
        small_run(tmp_path, DriftEnv, seed=-7)
    recurrent = {"network_settings": {"memory": {"sequence_length": 2000}}}
    with pytest.raises(TrainerConfigError, match="sequence_length"):
        train(RunOptions(**small_options(**recurrent)), DriftEnv)
    small_run(tmp_path, DriftEnv, {"max_steps": 300})
    with pytest.raises(TrainerError, match="exists already"):
        small_run(tmp_path, DriftEnv)
    small_run(tmp_path, DriftEnv, {"max_steps": 300}, force=True)


def test_resume(tmp_path: Path) -> None:
    small_run(tmp_path, SavableDriftEnv(), {"max_steps": 1500})
    resumed = small_run(tmp_path, SavableDriftEnv(), {"max_steps": 3000}, resume=True)
    assert resumed.steps["Drift"] >= 3000
    assert resumed.metrics["Drift"]["Step"].values.tolist() == [2000, 3000]


class Recorder:
    """Notes what it is told, and that it is true."""

    def __init__(self) -> None:
        self.events: list[tuple[Any, ...]] = []

    def on_begin(self, run: TrainingRun) -> None:
        self.events.append(("begin", *run.behaviors))

    def on_summary(self, run: TrainingRun, behavior: str, step: int, statistics: dict[str, float]) -> None:
        assert statistics["Step"] == step
        self.events.append(("summary", behavior, step))

    def on_checkpoint(self, run: TrainingRun, behavior: str, step: int, path: Path) -> None:
        assert path.is_file()
        assert path.name == f"{behavior}-{step}.pt"
        self.events.append(("checkpoint", behavior, 1000 * (step // 1000)))

    def on_end(self, run: TrainingRun, result: RunResult | None) -> None:
        assert run.folder.final_model("Drift").is_file()
        self.events.append(("end", result is not None))


def test_callbacks_hear_everything_in_order(tmp_path: Path) -> None:
    recorder, steps = Recorder(), []

    class Counter(Callback):
        def on_step(self, run: TrainingRun) -> None:
            steps.append(run.behaviors["Drift"].trainer.step)

    small_run(tmp_path, DriftEnv, callbacks=[recorder, Counter()])
    assert recorder.events == [
        ("begin", "Drift"),
        *((kind, "Drift", step) for step in (1000, 2000, 3000) for kind in ("summary", "checkpoint")),
        ("end", True),
    ]
    assert steps == sorted(steps)
    assert len(steps) > 3000 / 6


def test_a_callback_that_raises_ends_the_run_and_nothing_is_lost(tmp_path: Path) -> None:
    class PrunedError(Exception):
        pass

    class Pruner(Recorder):
        def on_summary(
            self, run: TrainingRun, behavior: str, step: int, statistics: dict[str, float]
        ) -> None:
            raise PrunedError

    pruner = Pruner()
    with pytest.raises(PrunedError):
        small_run(tmp_path, DriftEnv, callbacks=[pruner])
    assert pruner.events[-1] == ("end", False)
    assert (tmp_path / "run" / "Drift.onnx").is_file()


def test_things_that_are_no_callback(tmp_path: Path) -> None:
    with pytest.raises(TypeError, match="A list is no callback"):
        small_run(tmp_path, DriftEnv, callbacks=[[]])


def test_quiet_prints_nothing(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    small_run(tmp_path, DriftEnv)
    assert capfd.readouterr() == ("", "")
    small_run(tmp_path, DriftEnv, run_id="loud", quiet=False)
    out = capfd.readouterr().out
    assert "[INFO] Drift. Step: 1000." in out
    assert "Seed 1" in out


def test_stop_at_reward(tmp_path: Path) -> None:
    run = small_run(tmp_path, DriftEnv, {"max_steps": 100_000}, stop_at_reward=6.0)
    assert run.steps["Drift"] < 20_000
    assert not run.interrupted
    reached = run.mean_returns["Drift"]
    assert reached is not None
    assert reached >= 6.0
    assert run.options.checkpoint_settings.stop_at_reward == 6.0


def outcome(folder: Path, name: str, seed: int, env: object, behavior: dict[str, Any]) -> tuple[Any, ...]:
    """Statistics and final weights of a run."""
    run = small_run(folder, env, behavior, run_id=name, seed=seed)
    (behavior_name,) = run.steps
    saved = torch.load(run.folder / behavior_name / "checkpoint.pt", weights_only=True)
    weights = [leaf.tolist() for leaf in saved["Policy"]["actor"].values()]
    return {tag: metric.values.tolist() for tag, metric in run.metrics[behavior_name].items()}, weights


RUNS: list[tuple[int, Any, dict[str, Any]]] = [
    (1, DriftEnv, {}),
    (2, DriftEnv, {}),
    (3, "3DBall", {}),
    (4, DriftEnv, {"reward_signals": {"extrinsic": {}, "curiosity": {}, "rnd": {}}}),
]


def test_runs_in_threads_give_what_they_give_alone(tmp_path: Path) -> None:
    state = random.getstate(), np.random.get_state()[1].tolist()
    threads_before = torch.get_num_threads()
    stdout = sys.stdout
    alone = [outcome(tmp_path, f"alone{i}", *arguments) for i, arguments in enumerate(RUNS)]
    together: list[Any] = [None] * len(RUNS)

    def work(index: int) -> None:
        together[index] = outcome(tmp_path, f"together{index}", *RUNS[index])

    threads = [threading.Thread(target=work, args=(index,)) for index in range(len(RUNS))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert together == alone
    assert alone[0] != alone[1]
    after = random.getstate(), np.random.get_state()[1].tolist()
    assert after == state
    assert torch.get_num_threads() == threads_before
    assert sys.stdout is stdout
