"""SAC in whole runs: statistics, exact resume, refilling, and what it does with bad input."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from imitation_helpers import write_recording
from toy_envs import DriftEnv, SavableDriftEnv
from toy_tasks import ChoiceEnv
from trainer_helpers import behavior_spec, decision_steps, step_batch, terminal_steps

from mlagents.algorithms.sac_explicit import ExplicitSACGradients
from mlagents.algorithms.sac_trainer import SACTrainer
from mlagents.run.checkpoint_file import load_checkpoint
from mlagents.run.training_run import TrainingRun
from mlagents.settings import BehaviorSettings, RunOptions, TrainerError
from mlagents_envs.base_env import ActionSpec, BaseEnv
from mlagents_envs.demonstrations import demonstration_record
from mlagents_envs.exception import UnityObservationException

SPECS = {
    "continuous": ActionSpec.create_continuous(2),
    "discrete": ActionSpec.create_discrete((3, 2)),
    "hybrid": ActionSpec.create_hybrid(1, (3,)),
}
SMALL = {"batch_size": 32, "buffer_size": 300, "steps_per_update": 8, "learning_rate": 1e-3}
MEMORY = {"memory": {"memory_size": 8, "sequence_length": 4, "burn_in": 2}}


@pytest.fixture(autouse=True)
def _one_thread() -> None:
    torch.set_num_threads(1)


def options(
    folder: Path,
    *,
    behavior: str = "Drift",
    hyper: dict[str, Any] | None = None,
    network: dict[str, Any] | None = None,
    checkpoint: dict[str, Any] | None = None,
    **other: object,
) -> RunOptions:
    return RunOptions(
        behaviors={
            behavior: {
                "trainer_type": "sac",
                "hyperparameters": {**SMALL, **(hyper or {})},
                "network_settings": {"normalize": True, "hidden_units": 16, **(network or {})},
                "max_steps": 700,
                "summary_freq": 200,
                "checkpoint_interval": 10**9,
                **other,
            }
        },
        env_settings={"seed": 7},
        torch_settings={"device": "cpu"},
        checkpoint_settings={"run_id": "r", "results_dir": str(folder), **(checkpoint or {})},
    )


def trainer_of(run: TrainingRun) -> SACTrainer:
    (behavior,) = run.behaviors.values()
    assert isinstance(behavior.trainer, SACTrainer)
    return behavior.trainer


def run_until(run: TrainingRun, stop_when: Callable[[SACTrainer], bool]) -> None:
    run._on_step = lambda r: r.stop() if stop_when(trainer_of(r)) else None
    run.run()


def all_weights(run: TrainingRun) -> torch.Tensor:
    return torch.cat([values.clone() for values in trainer_of(run).networks._vectors])


CASES: dict[str, tuple[Callable[[int], BaseEnv], dict[str, Any]]] = {
    **{
        kind: (lambda seed, spec=spec: SavableDriftEnv(action_spec=spec, seed=seed), {})
        for kind, spec in SPECS.items()
    },
    "memory": (lambda seed: ChoiceEnv("memory", 8, seed, interrupts=True), {"network": MEMORY}),
    "image": (lambda seed: ChoiceEnv("image", 8, seed), {"network": {"normalize": False}, "max_steps": 300}),
    "curiosity": (
        lambda seed: SavableDriftEnv(seed=seed),
        {"reward_signals": {"extrinsic": {}, "curiosity": {"network_settings": {"hidden_units": 8}}}},
    ),
    "penalty": (
        lambda seed: SavableDriftEnv(action_spec=SPECS["discrete"], seed=seed),
        {"hyper": {"entropy_penalty": 0.5}},
    ),
}


@pytest.mark.parametrize("kind", CASES)
def test_resume_with_the_replay_is_bit_identical(tmp_path: Path, kind: str) -> None:
    """D12: temperatures, optimisers, counters, draws, and the ring after it went round."""
    make, settings = CASES[kind]
    behavior = "Drift" if kind in SPECS or kind in ("curiosity", "penalty") else "Task"
    settings = {
        **settings,
        "behavior": behavior,
        "hyper": {**settings.get("hyper", {}), "save_replay_buffer": True},
    }
    straight = TrainingRun(options(tmp_path / "a", **settings), environment=make(0))
    straight.run()
    first = TrainingRun(options(tmp_path / "b", **settings), environment=make(0))
    end = int(settings.get("max_steps", 700)) * 0.7
    run_until(first, lambda trainer: trainer.step >= end)
    resumed = TrainingRun(
        options(tmp_path / "b", **settings, checkpoint={"resume": True}), environment=make(99)
    )
    resumed.run()
    assert trainer_of(first).updates < trainer_of(resumed).updates == trainer_of(straight).updates
    assert torch.equal(all_weights(resumed), all_weights(straight))
    mine, theirs = trainer_of(resumed), trainer_of(straight)
    assert mine.networks.num_skipped == 0
    assert mine.store.num_stored == theirs.store.num_stored
    assert mine._rng.bit_generator.state == theirs._rng.bit_generator.state


def test_resume_without_the_replay_keeps_temperatures_and_refills(tmp_path: Path) -> None:
    """D12: in the original the temperature is reset and the policy collapses."""
    hyper = {"buffer_size": 2000, "init_entcoef": 0.05, "learning_rate": 5e-3}
    first = TrainingRun(options(tmp_path, hyper=hyper), environment=SavableDriftEnv())
    run_until(first, lambda trainer: trainer.step >= 400)
    before = trainer_of(first)
    alpha = before.networks.alpha.copy()
    assert abs(np.log(alpha[0] / 0.05)) > 0.05
    assert "Replay" not in load_checkpoint(tmp_path / "r" / "Drift" / "checkpoint.pt").state
    resumed = TrainingRun(
        options(tmp_path, hyper=hyper, checkpoint={"resume": True}), environment=SavableDriftEnv()
    )
    seen: list[tuple[int, int]] = []

    def look(run: TrainingRun) -> None:
        trainer = trainer_of(run)
        if not seen:
            np.testing.assert_array_equal(trainer.networks.alpha, alpha)
            assert trainer.networks.alpha_optimizer.num_steps == before.updates
            assert trainer.store.num_stored == 0
            assert trainer.encoder.normalizers[0].count == before.encoder.normalizers[0].count
        seen.append((trainer.store.num_stored, trainer.updates))

    resumed._on_step = look
    resumed.run()
    refilled = [updates for stored, updates in seen if stored < 200]
    assert set(refilled) == {before.updates}
    assert len(refilled) > 10
    assert seen[-1][1] > before.updates
    # what is owed is one update per 8 steps from then on, and nothing for the steps before
    after = [entry for entry in seen if entry[0] >= 200]
    assert after[1][1] - before.updates <= 2
    # rows that the agents waited on were kept: no episode in progress was lost
    assert trainer_of(resumed).loop.collector.episodes > before.loop.collector.episodes


@pytest.mark.parametrize("kind", ["hybrid", "memory"])
def test_episodes_go_on_in_the_middle_without_the_replay(tmp_path: Path, kind: str) -> None:
    """Decisions that agents wait on, and what they remember, are part of the small state."""
    make, settings = CASES[kind]
    behavior = "Task" if kind == "memory" else "Drift"
    settings = {**settings, "behavior": behavior, "hyper": {"buffer_init_steps": 10**6}}
    straight = TrainingRun(options(tmp_path / "a", **settings), environment=make(0))
    straight.run()
    first = TrainingRun(options(tmp_path / "b", **settings), environment=make(0))
    run_until(first, lambda trainer: trainer.step >= 333)
    resumed = TrainingRun(
        options(tmp_path / "b", **settings, checkpoint={"resume": True}), environment=make(99)
    )
    resumed.run()
    mine, theirs = trainer_of(resumed), trainer_of(straight)
    assert mine.step == theirs.step
    assert mine.loop.collector.episodes == theirs.loop.collector.episodes
    assert 0 < mine.store.num_complete < theirs.store.num_complete

    def newest(trainer: SACTrainer) -> list[np.ndarray]:
        collector, store = trainer.loop.collector, trainer.store
        rows = collector.open_row
        columns = (store.observations[0], store.memory, store.critic_memory, store.position)
        return [collector._episode_return, *(column[rows] for column in columns)]

    for one, other in zip(newest(mine), newest(theirs), strict=True):
        np.testing.assert_array_equal(one, other)
    assert (mine.store.memory.shape[1] > 0) == (kind == "memory")


def test_numbered_checkpoints_never_hold_the_replay(tmp_path: Path) -> None:
    run = TrainingRun(
        options(tmp_path, hyper={"save_replay_buffer": True}, checkpoint_interval=300),
        environment=SavableDriftEnv(),
    )
    run.run()
    files = sorted((tmp_path / "r" / "Drift").glob("Drift-*.pt"))
    assert len(files) >= 2
    for file in files:
        assert "Replay" not in load_checkpoint(file).state
    assert "Replay" in load_checkpoint(tmp_path / "r" / "Drift" / "checkpoint.pt").state


def statistics_of(run: TrainingRun) -> dict[str, list[float]]:
    seen: dict[str, list[float]] = {}

    class Writer:
        def write_stats(self, category: str, values: dict[str, Any], step: int) -> None:
            for tag, summary in values.items():
                seen.setdefault(tag, []).append(summary.aggregated_value)

        def on_add_stat(self, *args: object) -> None:
            """Not needed."""

        def add_property(self, *args: object) -> None:
            """Not needed."""

    run._hub.add_writer(Writer())
    run.run()
    return seen


@pytest.mark.parametrize("kind", SPECS)
def test_statistics_have_the_tags_of_the_original(tmp_path: Path, kind: str) -> None:
    run = TrainingRun(options(tmp_path), environment=DriftEnv(action_spec=SPECS[kind]))
    seen = statistics_of(run)
    expected = {
        "Environment/Cumulative Reward",
        "Environment/Episode Length",
        "Losses/Policy Loss",
        "Losses/Value Loss",
        "Losses/Q1 Loss",
        "Losses/Q2 Loss",
        "Policy/Entropy",
        "Policy/Learning Rate",
        "Policy/Extrinsic Reward",
        "Policy/Extrinsic Value",
    }
    if kind != "discrete":
        expected.add("Policy/Continuous Entropy Coeff")
    if kind != "continuous":
        expected.add("Policy/Discrete Entropy Coeff")
    assert expected <= set(seen)
    assert {tag for tag in seen if tag.startswith(("Policy/", "Losses/"))} == {
        tag for tag in expected if tag.startswith(("Policy/", "Losses/"))
    }
    for tag in expected:
        assert np.isfinite(seen[tag]).all(), tag
    assert seen["Policy/Learning Rate"] == pytest.approx([1e-3] * len(seen["Policy/Learning Rate"]))


def test_learning_rates_follow_their_schedule() -> None:
    settings = BehaviorSettings(
        trainer_type="sac",
        hyperparameters={
            "learning_rate_schedule": "linear",
            "learning_rate": 1e-3,
            "critic_learning_rate": 4e-3,
        },
        max_steps=1000,
    )
    trainer = SACTrainer("B", behavior_spec(), settings, seed=0)
    trainer.step = 250
    assert trainer.learning_rates() == pytest.approx((7.5e-4, 3e-3))


def test_closed_forms_are_used_for_vectors_on_the_cpu_only() -> None:
    def gradients(network: dict[str, Any], sizes: tuple[Any, ...] = (2,)) -> object:
        settings = BehaviorSettings(trainer_type="sac", network_settings={"hidden_units": 8, **network})
        return SACTrainer("B", behavior_spec(sizes=sizes), settings, seed=0)._gradients

    assert isinstance(gradients({}), ExplicitSACGradients)
    assert not isinstance(gradients(MEMORY), ExplicitSACGradients)
    assert not isinstance(gradients({}, ((3, 20, 20),)), ExplicitSACGradients)


def test_behaviors_without_actions_are_refused() -> None:
    spec = behavior_spec(ActionSpec.create_continuous(0))
    with pytest.raises(TrainerError, match="no actions"):
        SACTrainer("B", spec, BehaviorSettings(trainer_type="sac"), seed=0)


@pytest.mark.parametrize("what", ["observation", "reward", "final"])
def test_broken_numbers_are_refused_before_they_are_kept(what: str) -> None:
    trainer = SACTrainer("B", behavior_spec(), BehaviorSettings(trainer_type="sac"), seed=0)
    trainer.observe(step_batch(decision_steps([3], [1.0])))
    trainer.act()
    nan = float("nan")
    batch = {
        "observation": step_batch(decision_steps([3], [nan], [0.0])),
        "reward": step_batch(decision_steps([3], [1.0], [nan])),
        "final": step_batch(terminal=terminal_steps([3], [float("inf")], [0.0])),
    }[what]
    before = trainer.encoder.get_state()
    match = {"observation": "An observation", "reward": "A reward", "final": "A final observation"}[what]
    with pytest.raises(UnityObservationException, match=f"{match} of the behavior B .* agent 3"):
        trainer.observe(batch)
    assert trainer.store.num_stored == 0
    assert trainer.step == 0
    assert trainer.encoder.get_state() == before


@pytest.mark.parametrize("learning", [True, False])
def test_observations_are_folded_once_while_learning(learning: bool) -> None:
    settings = BehaviorSettings(trainer_type="sac", network_settings={"normalize": True})
    trainer = SACTrainer("B", behavior_spec(), settings, seed=0, learning=learning)
    for value in (1.0, 2.0, 6.0):
        trainer.observe(step_batch(decision_steps([0, 1], [value, value])))
        trainer.act()
    (normalizer,) = trainer.encoder.normalizers
    assert normalizer.count == (7 if learning else 1)  # one is the pseudo-sample
    assert normalizer.mean[0] == pytest.approx(18 / 7 if learning else 0.0)


def test_initialize_from_takes_weights_normalizers_and_temperatures(tmp_path: Path) -> None:
    source = TrainingRun(options(tmp_path), environment=DriftEnv())
    source.run()
    run = TrainingRun(
        options(tmp_path, checkpoint={"run_id": "second", "initialize_from": "r"}), environment=DriftEnv()
    )
    seen: list[torch.Tensor] = []

    def begin(r: TrainingRun) -> None:
        assert trainer_of(r).step == 0
        seen.append(all_weights(r))
        r.stop()

    run._on_begin = begin
    run.run()
    assert torch.equal(seen[0], all_weights(source))


def test_parts_that_do_not_fit_stay_as_they_are() -> None:
    def trainer(units: int, spec: ActionSpec) -> SACTrainer:
        settings = BehaviorSettings(
            trainer_type="sac", network_settings={"hidden_units": units, "normalize": True}
        )
        return SACTrainer("B", behavior_spec(spec), settings, seed=units)

    mine, other = trainer(8, SPECS["continuous"]), trainer(16, SPECS["hybrid"])
    before = [values.clone() for values in mine.networks._vectors]
    assert set(mine.take_over_weights(other.get_state())) == {"actor", "critic", "entropy coefficient"}
    for values, old in zip(mine.networks._vectors, before, strict=True):
        assert torch.equal(values, old)
    same = trainer(8, SPECS["continuous"])
    same.networks.flat_actor.values += 1.0
    assert mine.take_over_weights(same.get_state()) == {}
    assert torch.equal(mine.networks.flat_actor.values, same.networks.flat_actor.values)


def test_a_run_that_only_acts_needs_no_replay_and_learns_nothing(tmp_path: Path) -> None:
    TrainingRun(options(tmp_path), environment=SavableDriftEnv()).run()
    run = TrainingRun(
        options(tmp_path, hyper={"buffer_size": 10**7}, checkpoint={"resume": True, "inference": True}),
        environment=SavableDriftEnv(),
    )
    before: list[torch.Tensor] = []
    run._on_begin = lambda r: before.append(all_weights(r))
    run_until(run, lambda trainer: trainer.step >= 3000)
    assert torch.equal(all_weights(run), before[0])
    assert trainer_of(run).store.capacity < 10_000


def test_cloning_makes_the_policy_do_what_the_expert_did(tmp_path: Path) -> None:
    """Actions of the expert are compared in environment units with squashed ones."""
    spec = behavior_spec(ActionSpec.create_continuous(1), (1,))
    positions = np.linspace(-1.0, 1.0, 200, dtype=np.float32)
    records = [
        demonstration_record(spec, [position[None]], actions=([0.8 * float(position)], []))
        for position in positions
    ]
    path = write_recording(tmp_path / "a.demo", spec, records, ours=True)
    settings = BehaviorSettings(
        trainer_type="sac",
        hyperparameters={"batch_size": 32, "learning_rate": 1e-5},
        network_settings={"hidden_units": 32, "deterministic": True},
        behavioral_cloning={"demo_path": str(path), "strength": 500.0},
        max_steps=1000,
    )
    trainer = SACTrainer("B", spec, settings, seed=0)
    seen: dict[str, list[float]] = {}

    def add(tag: str, value: float) -> None:
        seen.setdefault(tag, []).append(value)

    for step in range(500):
        trainer.observe(step_batch(decision_steps([0, 1], [positions[step % 200]] * 2)))
        if trainer.is_update_due():
            trainer.update(add)
        trainer.act()
    trainer.observe(step_batch(decision_steps([0, 1], [-0.7, 0.5])))
    ((_, _, actions),) = trainer.act()
    assert actions.continuous[:, 0].tolist() == pytest.approx([-0.56, 0.4], abs=0.1)
    losses = seen["Losses/Pretraining Loss"]
    assert losses[-1] < losses[0] - 1.0
