"""Updates beside collection: nothing is mixed up, lost or late, and the run ends as it does without."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from telling_env import TellingEnv

from mlagents.algorithms.ppo_trainer import PPOTrainer
from mlagents.algorithms.sac import SACBatch
from mlagents.algorithms.sac_trainer import SACTrainer
from mlagents.experience.store import RolloutStore
from mlagents.monitoring.stats import StatsSummary, StatsWriter
from mlagents.networks.action_kernels import ACTION_LIMIT
from mlagents.run.checkpoint_file import load_checkpoint
from mlagents.run.learner import LAG
from mlagents.run.training_run import TrainingRun
from mlagents.sampling.process_worker import ProcessWorker
from mlagents.settings import RunOptions, TrainerError
from mlagents_envs.base_env import BaseEnv

MEMORY = {"memory": {"memory_size": 8, "sequence_length": 4}}
PPO = {"batch_size": 32, "buffer_size": 120, "num_epoch": 1}
SAC = {"batch_size": 16, "buffer_size": 80, "buffer_init_steps": 50, "steps_per_update": 1}


def make_run(
    folder: Path,
    kind: str = "ppo",
    *,
    network: dict[str, Any] | None = None,
    writers: list[StatsWriter] | None = None,
    env: BaseEnv | None = None,
    threaded: bool = True,
    checkpoint: dict[str, Any] | None = None,
    **settings: object,
) -> TrainingRun:
    options = RunOptions(
        behaviors={
            "Telling": {
                "trainer_type": kind,
                "hyperparameters": PPO if kind == "ppo" else SAC,
                "network_settings": {"hidden_units": 8, "num_layers": 1, **(network or {})},
                "max_steps": 3000,
                "summary_freq": 500,
                "time_horizon": 7,
                "threaded": threaded,
                **settings,
            }
        },
        env_settings={"seed": 1},
        checkpoint_settings={"run_id": "r", "results_dir": str(folder), **(checkpoint or {})},
    )
    return TrainingRun(options, environment=env or TellingEnv(), writers=writers or [])


def prepare(run: TrainingRun, change: Callable[[Any], None]) -> TrainingRun:
    """Let ``change`` have the trainer when the run begins."""
    run._on_begin = lambda r: change(r.behaviors["Telling"].trainer)
    return run


class Auditor:
    """Checks all that PPO learns from, in the thread that learns."""

    def __init__(self) -> None:
        self.learned: list[tuple[int, int, int]] = []
        self.threads: set[str] = set()

    def watch(self, trainer: PPOTrainer) -> None:
        inner = trainer._learn_from

        def learn_from(store: RolloutStore, step: int) -> Any:  # noqa: ANN401
            self.threads.add(threading.current_thread().name)
            self.check(store)
            result = inner(store, step)
            time.sleep(0.01)  # collection must have time to do harm
            self.check(store)
            self.learned += [tuple(row) for row in store.observations[0][result.rows].astype(int).tolist()]
            return result

        trainer._learn_from = learn_from  # type: ignore[method-assign]

    @staticmethod
    def check(store: RolloutStore) -> None:
        rows = np.flatnonzero(store.ready())
        seen = store.observations[0]
        actions = np.clip(store.continuous_actions[rows, 0], -ACTION_LIMIT, ACTION_LIMIT) / ACTION_LIMIT
        np.testing.assert_allclose(store.rewards[rows], actions, rtol=1e-6)
        assert (store.begins[rows] == (seen[rows, 2] == 0)).all()
        after, final = store.next_row[rows], store.bootstrap_row[rows]
        follows, cut = after >= 0, final >= 0
        assert (follows ^ cut ^ store.done[rows]).all(), "each row has one kind of successor"
        step = np.array([0, 0, 1], dtype=np.float32)
        np.testing.assert_array_equal(seen[after[follows]], seen[rows[follows]] + step)
        np.testing.assert_array_equal(store.bootstrap_observations[0][final[cut]], seen[rows[cut]] + step)


@pytest.mark.parametrize("network", [{}, MEMORY], ids=["plain", "memory"])
def test_ppo_learns_from_every_decision_once_and_from_nothing_else(
    tmp_path: Path, network: dict[str, Any]
) -> None:
    auditor, env = Auditor(), TellingEnv()
    run = prepare(make_run(tmp_path, network=network, env=env), auditor.watch)
    result = run.run()
    trainer = run.behaviors["Telling"].trainer
    assert isinstance(trainer, PPOTrainer)
    assert all(name.startswith("learner") for name in auditor.threads)
    assert len(auditor.learned) == len(set(auditor.learned)) > 2500
    assert len(auditor.learned) + trainer.store.num_complete == result.steps["Telling"] == env.completed
    # what was not learned from is the end of each agent's experience
    left = trainer.store.observations[0][: trainer.store.num_rows].astype(int).tolist()
    last = {agent: max(row[1:] for row in auditor.learned if row[0] == agent) for agent in range(5)}
    assert all((episode, decision) > last[agent] for agent, episode, decision in left)


def slow_reading(trainer: SACTrainer) -> None:
    """Leave time between the choice of rows and reading them."""
    read = trainer.store.raw_observations

    def read_late(rows: Any) -> Any:  # noqa: ANN401
        time.sleep(0.001)
        return read(rows)

    trainer.store.raw_observations = read_late  # type: ignore[method-assign]


def test_sac_draws_nothing_that_is_half_overwritten(tmp_path: Path) -> None:
    drawn = []

    def watch(trainer: SACTrainer) -> None:
        inner = trainer._gradients.compute
        slow_reading(trainer)

        def compute(batch: SACBatch) -> None:
            drawn.append(len(batch))
            np.testing.assert_array_equal(batch.rewards[:, 0], batch.continuous_actions[:, 0])
            goes_on = batch.discounts[:, 0] > 0
            step = np.array([0, 0, 1], dtype=np.float32)
            np.testing.assert_array_equal(
                batch.next_inputs[0][goes_on], batch.inputs[0][goes_on].numpy() + step
            )
            inner(batch)

        trainer._gradients.compute = compute  # type: ignore[method-assign]

    run = prepare(make_run(tmp_path, "sac", max_steps=800), watch)
    run.run()
    trainer = run.behaviors["Telling"].trainer
    assert trainer.updates == len(drawn) == pytest.approx(trainer.step - 50, abs=2)


def test_sac_sequences_are_whole_although_the_ring_turns(tmp_path: Path) -> None:
    def watch(trainer: SACTrainer) -> None:
        inner = trainer._gradients.compute
        slow_reading(trainer)

        def compute(batch: SACBatch) -> None:
            assert batch.mask is not None
            paths = batch.inputs[0].view(-1, 5, 3).numpy()
            mask = batch.mask.view(-1, 4).numpy()
            assert not np.any(paths[:, 0, 2] % 4), "sequences are cut from the beginnings of episodes"
            step = np.array([0, 0, 1], dtype=np.float32)
            first, second = paths[:, :-2][mask[:, 1:]], paths[:, 1:-1][mask[:, 1:]]
            np.testing.assert_array_equal(second, first + step)
            inner(batch)

        trainer._gradients.compute = compute  # type: ignore[method-assign]

    memory = {"memory": {"memory_size": 8, "sequence_length": 4, "burn_in": 2}}
    run = prepare(make_run(tmp_path, "sac", network=memory, max_steps=500), watch)
    run.run()
    assert run.behaviors["Telling"].trainer.updates > 200


class Written(StatsWriter):
    def __init__(self) -> None:
        self.lag: list[float] = []

    def write_stats(self, category: str, values: dict[str, StatsSummary], step: int) -> None:
        if LAG in values:
            self.lag += values[LAG].full_dist.tolist()


@pytest.mark.parametrize(("kind", "slow"), [("ppo", True), ("ppo", False), ("sac", True)])
def test_whoever_acts_is_at_most_one_update_behind(tmp_path: Path, kind: str, slow: bool) -> None:
    written = Written()
    begun, adopted, behind = [], [], []

    def watch(trainer: Any) -> None:  # noqa: ANN401
        begin, load, act = trainer.begin_update, trainer.acting.load_weights, trainer.act

        def count_begin() -> Any:  # noqa: ANN401
            begun.append(trainer.step)
            job = begin()
            work = job._learn
            job._learn = lambda: (time.sleep(0.02 if slow else 0.0), work())[1]
            return job

        def count_load(*weights: object) -> None:
            adopted.append(trainer.step)
            load(*weights)

        def count_act() -> Any:  # noqa: ANN401
            behind.append(len(begun) - len(adopted))
            return act()

        trainer.begin_update, trainer.act = count_begin, count_act
        trainer.acting.load_weights = count_load

    steps = 1200 if kind == "ppo" else 400
    run = prepare(make_run(tmp_path, kind, writers=[written], max_steps=steps, summary_freq=100), watch)
    run.run()
    assert set(behind) <= {0, 1}
    assert len(begun) == len(adopted)
    assert min(written.lag) >= 0.0
    assert max(written.lag) <= 1.0
    if slow:
        assert 1 in behind
        assert max(written.lag) == 1.0, "a slow update is waited for when the next one is due"
    spans = list(zip(begun, adopted, begun[1:], strict=False))
    mine = [(done - begin) / (following - begin) for begin, done, following in spans]
    assert sum(written.lag) == pytest.approx(sum(mine[: len(written.lag) - 1]), abs=1e-6)


def test_a_failure_in_the_thread_ends_the_run_and_everything_is_saved(tmp_path: Path) -> None:
    def break_it(trainer: PPOTrainer) -> None:
        inner = trainer._learn_from

        def learn_from(store: RolloutStore, step: int) -> Any:  # noqa: ANN401
            if trainer.updates == 3:
                raise TrainerError("the gradients have gone to the moon")
            return inner(store, step)

        trainer._learn_from = learn_from  # type: ignore[method-assign]

    run = prepare(make_run(tmp_path), break_it)
    with pytest.raises(TrainerError, match="to the moon"):
        run.run()
    assert run.behaviors["Telling"].trainer.updates == 3
    saved = load_checkpoint(tmp_path / "r" / "Telling" / "checkpoint.pt").state
    assert saved["Training"]["updates"] == 3
    assert saved["global_step"]["_GlobalSteps__global_step"] == run.behaviors["Telling"].trainer.step
    assert (tmp_path / "r" / "Telling.onnx").is_file()
    resumed = make_run(tmp_path, checkpoint={"resume": True})
    assert resumed.run().steps["Telling"] >= 3000
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("learner")]


@pytest.mark.parametrize("kind", ["ppo", "sac"])
def test_nothing_is_saved_in_the_middle_of_an_update(tmp_path: Path, kind: str) -> None:
    at_work = threading.Event()
    saved: list[bool] = []

    def watch(trainer: Any) -> None:  # noqa: ANN401
        begin, get_state = trainer.begin_update, trainer.get_state

        def slow_begin() -> Any:  # noqa: ANN401
            job = begin()
            work = job._learn

            def slow_work() -> Any:  # noqa: ANN401
                at_work.set()
                time.sleep(0.005)
                result = work()
                at_work.clear()
                return result

            job._learn = slow_work
            return job

        def watched_get_state() -> dict[str, Any]:
            saved.append(at_work.is_set())
            return get_state()

        trainer.begin_update, trainer.get_state = slow_begin, watched_get_state

    run = prepare(make_run(tmp_path, kind, checkpoint_interval=100, max_steps=1000), watch)
    run.run()
    assert len(saved) > 10
    assert not any(saved)


def test_without_threaded_there_is_no_thread(tmp_path: Path) -> None:
    auditor = Auditor()
    prepare(make_run(tmp_path, threaded=False, max_steps=500), auditor.watch).run()
    assert auditor.threads == {"MainThread"}


@pytest.mark.parametrize("num_envs", [1, 2])
def test_named_environments_have_processes_of_their_own_and_all_is_counted(
    tmp_path: Path, num_envs: int
) -> None:
    def make(max_steps: int, **checkpoint: object) -> TrainingRun:
        behavior = {
            "trainer_type": "ppo",
            "hyperparameters": {"batch_size": 64, "buffer_size": 600},
            "network_settings": {"normalize": True, "hidden_units": 16},
            "max_steps": max_steps,
            "summary_freq": 1000,
            "checkpoint_interval": 1500,
            "threaded": True,
        }
        return TrainingRun(
            RunOptions(
                behaviors={"3DBall": behavior},
                env_settings={"seed": 3, "env_path": "3DBall", "num_envs": num_envs, "num_areas": 6},
                checkpoint_settings={"run_id": "r", "results_dir": str(tmp_path), **checkpoint},
            )
        )

    run = make(4000)
    first = run.run()
    assert first.steps["3DBall"] >= 4000
    assert all(isinstance(worker, ProcessWorker) for worker in run._pool.workers)
    trainer: Any = run.behaviors["3DBall"].trainer
    # nobody was in the middle of a step when the run was saved
    assert sum(batch.count for batch in trainer.loop.waiting) == np.count_nonzero(
        trainer.collector.open_row >= 0
    )
    resumed = make(6000, resume=True)
    began: list[bool] = []
    resumed._on_begin = lambda r: began.append(bool(r.behaviors["3DBall"].trainer.loop.waiting))
    assert resumed.run().steps["3DBall"] >= 6000
    assert began == [True]
    assert first.steps["3DBall"] == resumed.behaviors["3DBall"].first_step
