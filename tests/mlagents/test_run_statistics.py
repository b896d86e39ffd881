"""Every documented tag that applies to what trains, the hyperparameters' text, gauges and timers."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from api_helpers import small_options
from imitation_helpers import record, write_recording
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from toy_envs import DriftEnv

from mlagents import TrainedRun, train
from mlagents_envs.base_env import ActionSpec, BehaviorSpec
from mlagents_envs.registry import EnvironmentOptions
from mlagents_envs.side_channel.incoming_message import IncomingMessage
from mlagents_envs.side_channel.outgoing_message import OutgoingMessage
from mlagents_envs.side_channel.stats_side_channel import StatsAggregationMethod, StatsSideChannel

ALWAYS = {
    "Environment/Cumulative Reward",
    "Environment/Episode Length",
    "Policy/Entropy",
    "Policy/Learning Rate",
    "Losses/Policy Loss",
    "Losses/Value Loss",
}
PPO = {"Policy/Epsilon", "Policy/Beta"}
SAC = {"Losses/Q1 Loss", "Losses/Q2 Loss"}
CURIOSITY = {"Losses/Curiosity Forward Loss", "Losses/Curiosity Inverse Loss"}
GAIL = {
    "Losses/GAIL Loss",
    "Policy/GAIL Policy Estimate",
    "Policy/GAIL Expert Estimate",
    "Policy/GAIL Grad Mag Loss",
}
VAIL = {"Losses/GAIL KL Loss", "Policy/GAIL Beta"}


def demonstrations(folder: Path, actions: ActionSpec) -> str:
    spec = BehaviorSpec(
        DriftEnv(action_spec=actions).behavior_specs["Drift?team=0"].observation_specs, actions
    )
    chosen = ([0.1] * actions.continuous_size, [1] * actions.discrete_size)
    records = [record(spec, 0.1 * i, actions=chosen, done=i % 20 == 19) for i in range(60)]
    return str(write_recording(folder / "Drift.demo", spec, records))


class TellingEnv(DriftEnv):
    """Reports statistics of its own."""

    def __init__(self, options: EnvironmentOptions, actions: ActionSpec) -> None:
        super().__init__(action_spec=actions, seed=options.seed)
        (self._stats,) = [c for c in options.side_channels if isinstance(c, StatsSideChannel)]

    def step(self) -> None:
        super().step()
        for name, value, method in (
            ("Game/Score", 2.0, StatsAggregationMethod.AVERAGE),
            ("Game/Shots", 1.0, StatsAggregationMethod.SUM),
        ):
            message = OutgoingMessage()
            message.write_string(name)
            message.write_float32(value)
            message.write_int32(method.value)
            self._stats.on_message_received(_read(message))


def _read(message: OutgoingMessage) -> IncomingMessage:
    return IncomingMessage(bytes(message.buffer))


def run(
    folder: Path, behavior: dict[str, Any], actions: ActionSpec | None = None, **options: object
) -> TrainedRun:
    spec = actions or ActionSpec.create_continuous(1)
    data = {**small_options(**{"max_steps": 1000, "summary_freq": 500, **behavior}), **options}
    return train(data, lambda options: TellingEnv(options, spec), results_dir=folder, seed=1, quiet=True)


def written(trained: TrainedRun) -> EventAccumulator:
    events = EventAccumulator(str(trained.folder / "Drift"), {"histograms": 0, "scalars": 0, "tensors": 0})
    events.Reload()
    return events


def signals(*names: str, kind: str) -> set[str]:
    return {f"Policy/{name} {each}" for name in names for each in ("Reward", kind)}


def test_ppo_with_everything(tmp_path: Path) -> None:
    actions = ActionSpec.create_hybrid(1, (3,))
    demo = demonstrations(tmp_path, actions)
    behavior = {
        "reward_signals": {
            "extrinsic": {"strength": 0.5},
            "curiosity": {"strength": 0.1},
            "rnd": {"strength": 0.1, "warm_up_steps": 100},
            "gail": {"demo_path": demo, "use_vail": True},
        },
        "behavioral_cloning": {"demo_path": demo, "steps": 600},
    }
    trained = run(tmp_path, behavior, actions, environment_parameters={"wind": 2.0})
    tags = set(written(trained).Tags()["scalars"])
    expected = ALWAYS | PPO | CURIOSITY | GAIL | VAIL | {"Losses/RND Loss", "Losses/Pretraining Loss"}
    expected |= signals("Extrinsic", "Curiosity", "Rnd", "Gail", kind="Value Estimate")
    expected |= {"Environment/Lesson Number/wind", "Game/Score", "Game/Shots"}
    assert expected <= tags, expected - tags
    assert not tags & {"Is Training", "Step"}
    metrics = trained.metrics["Drift"]
    for tag in expected:
        assert np.isfinite(metrics[tag].values).all(), tag
    np.testing.assert_allclose(
        metrics["Policy/Extrinsic Reward"].values,
        0.5 * metrics["Environment/Cumulative Reward"].values,
        rtol=1e-5,
    )
    assert (metrics["Losses/Policy Loss"].values >= 0).all()
    assert metrics["Losses/Pretraining Loss"].values[0] > 0
    assert metrics["Game/Score"].values.tolist() == [2.0, 2.0]
    steps_per_summary = 500 / 6
    assert metrics["Game/Shots"].values == pytest.approx(steps_per_summary, rel=0.1)


def test_cloning_that_is_over_reports_zero(tmp_path: Path) -> None:
    demo = demonstrations(tmp_path, ActionSpec.create_continuous(1))
    trained = run(tmp_path, {"behavioral_cloning": {"demo_path": demo, "steps": 400}})
    losses = trained.metrics["Drift"]["Losses/Pretraining Loss"].values
    assert losses[0] > 0
    assert losses[1] == 0.0


@pytest.mark.parametrize("kind", ["continuous", "discrete"])
def test_sac_with_everything(kind: str, tmp_path: Path) -> None:
    actions = ActionSpec.create_continuous(1) if kind == "continuous" else ActionSpec.create_discrete((3,))
    demo = demonstrations(tmp_path, actions)
    behavior = {
        "trainer_type": "sac",
        "hyperparameters": {"batch_size": 32, "buffer_size": 2000, "steps_per_update": 50},
        "max_steps": 3000,  # learned signals look at a thousand new rows at a time
        "reward_signals": {
            "extrinsic": {},
            "curiosity": {},
            "rnd": {"warm_up_steps": 100},
            "gail": {"demo_path": demo},
        },
        "behavioral_cloning": {"demo_path": demo},
    }
    tags = set(written(run(tmp_path, behavior, actions)).Tags()["scalars"])
    expected = ALWAYS | SAC | CURIOSITY | GAIL | {"Losses/RND Loss", "Losses/Pretraining Loss"}
    expected |= signals("Extrinsic", "Curiosity", "Rnd", "Gail", kind="Value")
    expected |= {f"Policy/{kind.capitalize()} Entropy Coeff"}
    assert expected <= tags, expected - tags
    other = {"continuous": "Discrete", "discrete": "Continuous"}[kind]
    assert f"Policy/{other} Entropy Coeff" not in tags
    assert not tags & (PPO | VAIL)


def test_histograms_text_gauges_and_timers(tmp_path: Path) -> None:
    trained = run(tmp_path, {})
    events = written(trained)
    assert events.Tags()["distributions"] == ["Environment/Cumulative Reward_hist"]
    assert events.Tags()["histograms"] == ["Environment/Cumulative Reward_hist"]
    (histogram, _) = events.Histograms("Environment/Cumulative Reward_hist")
    (first, _) = events.Scalars("Environment/Cumulative Reward")
    value = histogram.histogram_value
    assert value.sum / value.num == pytest.approx(first.value, rel=1e-5)
    assert events.Tags()["tensors"] == ["Hyperparameters/text_summary"]
    (text,) = events.Tensors("Hyperparameters/text_summary")
    assert text.step == 0
    lines = text.tensor_proto.string_val[0].decode().splitlines()
    assert "trainer_type:\tppo" in lines
    assert "hyperparameters:" in lines
    assert "\tbatch_size:\t64" in lines

    timers = json.loads((trained.folder / "run_logs" / "timers.json").read_text())
    gauges = timers["gauges"]
    shots = gauges["Drift.Game.Shots.sum"]
    assert shots["count"] == 2
    assert shots["min"] <= shots["value"] <= shots["max"]
    assert gauges["Drift.Policy.ExtrinsicValueEstimate.mean"]["count"] == 2
    assert {"run_training.setup", "TrainerController.start_learning"} <= set(timers["children"])
    advance = timers["children"]["TrainerController.start_learning"]["children"]["TrainerController.advance"]
    assert set(advance["children"]) == {"env_step", "policy", "trainer_advance"}
    assert set(advance["children"]["trainer_advance"]["children"]) == {"process_trajectory", "_update_policy"}
    assert set(timers["metadata"]) == {
        "timer_format_version",
        "start_time_seconds",
        "end_time_seconds",
        "python_version",
        "command_line_arguments",
        "mlagents_version",
        "mlagents_envs_version",
        "communication_protocol_version",
        "pytorch_version",
        "numpy_version",
    }
    assert all(isinstance(value, str) for value in timers["metadata"].values())
