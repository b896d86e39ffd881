"""Runs whose environment parameters have lessons, and runs with several environments."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from mlagents.monitoring.stats import StatsSummary, StatsWriter
from mlagents.run.training_run import TrainingRun
from mlagents.settings import RunOptions, TrainerConfigError, build_run_options
from mlagents_envs.registry import make_environment
from mlagents_envs.registry.options import EnvironmentOptions


def options(
    results: Path, *, max_steps: int = 1500, num_envs: int = 1, env: str | None = "Basic", **more: object
) -> RunOptions:
    return build_run_options(
        {
            "default_settings": {
                "trainer_type": "ppo",
                "hyperparameters": {"batch_size": 32, "buffer_size": 256},
                "max_steps": max_steps,
                "summary_freq": 100,
            },
            "env_settings": {"env_path": env, "seed": 4, "num_envs": num_envs, "num_areas": 2},
            "checkpoint_settings": {"run_id": "run", "results_dir": str(results), **more},
            "environment_parameters": {
                "difficulty": {
                    "curriculum": [
                        {
                            "name": f"L{i}",
                            "value": float(i),
                            "completion_criteria": {
                                "behavior": "Basic",
                                "measure": "progress",
                                "threshold": threshold,
                                "min_lesson_length": 2,
                                "require_reset": i == 1,
                            },
                        }
                        for i, threshold in enumerate([0.2, 0.4])
                    ]
                    + [{"name": "L2", "value": 2.0}]
                },
                "plain": 3.0,
            },
        }
    )


class Lessons(StatsWriter):
    """Keeps the number of the lesson by step."""

    def __init__(self) -> None:
        self.seen: dict[int, float] = {}

    def write_stats(self, category: str, values: dict[str, StatsSummary], step: int) -> None:
        self.seen[step] = values["Environment/Lesson Number/difficulty"].aggregated_value
        assert values["Environment/Lesson Number/plain"].aggregated_value == 0.0


@pytest.mark.parametrize("num_envs", [1, 2])
def test_lessons_advance_are_logged_and_survive_a_resume(tmp_path: Path, num_envs: int) -> None:
    lessons = Lessons()
    run = TrainingRun(options(tmp_path, num_envs=num_envs), writers=[lessons])
    values: list[float] = []

    def watch(run: TrainingRun) -> None:
        sampler = run.lessons.sampler("difficulty").sampler_parameters.model_dump()
        if sampler["value"] not in values:
            values.append(sampler["value"])
        if run.behaviors["Basic"].trainer.step >= 900:
            run.stop()

    run._on_step = watch
    run.run()
    assert values == [0.0, 1.0, 2.0]
    numbers = [lessons.seen[step] for step in sorted(lessons.seen)]
    assert numbers == sorted(numbers)
    assert lessons.seen[100] == 0.0
    status = json.loads((tmp_path / "run" / "run_logs" / "training_status.json").read_text())
    assert status["difficulty"] == {"lesson_num": 2}

    resumed = TrainingRun(options(tmp_path, num_envs=num_envs, resume=True))
    at_start: list[dict[str, int]] = []
    resumed._on_begin = lambda run: at_start.append(dict(run.lessons.numbers))
    result = resumed.run()
    assert at_start == [{"difficulty": 2, "plain": 0}]
    assert result.steps["Basic"] >= 1500


def test_lessons_come_from_the_status_where_the_state_is_lost(tmp_path: Path) -> None:
    first = TrainingRun(options(tmp_path))
    first._on_step = lambda run: run.stop() if run.lessons.numbers["difficulty"] == 1 else None
    first.run()
    first.folder.run_state.unlink()
    resumed = TrainingRun(options(tmp_path, resume=True))
    at_start: list[int] = []
    resumed._on_begin = lambda run: at_start.append(run.lessons.numbers["difficulty"])
    resumed._on_step = lambda run: run.stop()
    resumed.run()
    assert at_start == [1]


def test_several_environments_learn_alike_twice(tmp_path: Path) -> None:
    def weights(name: str) -> bytes:
        run = TrainingRun(options(tmp_path / name, num_envs=2, max_steps=600))
        run.run()
        flat: Any = run.behaviors["Basic"].trainer
        return bytes(flat.flat.values.numpy().tobytes())

    assert weights("one") == weights("two")


def test_several_editors_or_environments_built_before_are_refused(tmp_path: Path) -> None:
    with pytest.raises(TrainerConfigError, match="only one editor"):
        TrainingRun(options(tmp_path, num_envs=2, env=None)).run()
    env = make_environment("Basic", EnvironmentOptions())
    with pytest.raises(TrainerConfigError, match="give the run a factory"):
        TrainingRun(options(tmp_path / "b", num_envs=2), environment=env).run()
    env.close()


def test_several_environments_from_a_factory(tmp_path: Path) -> None:
    def factory(options: EnvironmentOptions) -> Any:  # noqa: ANN401
        from mlagents_envs.registry import make_environment

        assert options.worker_id in {0, 1}
        return make_environment("Basic", options)

    result = TrainingRun(options(tmp_path, num_envs=2, max_steps=300, env=None), environment=factory).run()
    assert result.steps["Basic"] >= 300
