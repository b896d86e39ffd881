"""Training as one call."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from mlagents.api.environments import as_environment
from mlagents.api.result import FinalPolicies, MetricsWriter, TrainedRun
from mlagents.monitoring.stats import StatsWriter
from mlagents.run.launch import launch
from mlagents.settings.checks import contradictions, unavailable
from mlagents.settings.loading import build_run_options, load_run_options
from mlagents.settings.problems import Origin
from mlagents.settings.run_options import RunOptions


def train(
    options: RunOptions | Mapping[str, Any] | str | os.PathLike[str] | None = None,
    env: Any = None,  # noqa: ANN401 - see as_environment
    *,
    callbacks: Iterable[object] = (),
    run_id: str | None = None,
    results_dir: str | os.PathLike[str] | None = None,
    resume: bool | None = None,
    force: bool | None = None,
    seed: int | None = None,
    num_envs: int | None = None,
    num_areas: int | None = None,
    device: str | None = None,
    stop_at_reward: float | None = None,
    writers: Sequence[StatsWriter] = (),
    quiet: bool = False,
) -> TrainedRun:
    """Train, as ``mlagents-learn`` does, and return what came of it.

    Nothing global changes: runs may follow each other in one process, or overlap in several threads, and
    each gives what it would give alone. Ctrl+C (in a notebook: interrupt) stops politely in the main thread;
    what was learned until then is saved and returned.

    Args:
        options: a :class:`RunOptions`, a map of the same form as the YAML file, or the path of such a file;
            None trains every behavior with the default settings of PPO.
        env: the environment instead of the one that the options name: a name or path as for ``--env``; a
            ``BaseEnv`` or a Gymnasium (vector) environment, which is closed at the end; or a function that
            builds one, with the ``EnvironmentOptions`` as its argument if it has one. A function is needed
            for several environments, and a Gymnasium one is built ``num_areas`` times then.
        callbacks: objects with some of the methods of :class:`mlagents.Callback`.
        run_id: name of the run and of its results folder.
        results_dir: folder for the results of all runs.
        resume: continue the run of this name.
        force: start the run of this name over.
        seed: seed of everything random.
        num_envs: environments side by side, each in a process of its own where there are several.
        num_areas: training areas per environment.
        device: where to learn, such as "cpu" or "cuda".
        stop_at_reward: end the run when the mean return of the last 100 episodes of every behavior is this.
        writers: receive the statistics too.
        quiet: print nothing and show no progress. Otherwise it is shown live on a terminal and in a notebook
            (with ipywidgets), and as plain lines elsewhere.

    Raises:
        TrainerConfigError: the configuration is wrong or does not fit the environment.
        TrainerError: the results folder or a checkpoint does not allow the run.
        UnityException: the environment failed.
        TypeError: ``env`` or a callback is nothing of the kind.
    """
    resolved = resolve_options(options)
    environment = None
    if isinstance(env, str | os.PathLike):
        resolved = _updated(resolved, "env_settings", env_path=os.fspath(env))
    elif env is not None:
        environment = as_environment(env)
    resolved = _updated(resolved, "env_settings", seed=seed, num_envs=num_envs, num_areas=num_areas)
    resolved = _updated(resolved, "torch_settings", device=device)
    resolved = _updated(
        resolved,
        "checkpoint_settings",
        run_id=run_id,
        results_dir=None if results_dir is None else os.fspath(results_dir),
        resume=resume,
        force=force,
        stop_at_reward=stop_at_reward,
    )
    metrics = MetricsWriter()
    run, result = launch(
        resolved, environment=environment, callbacks=callbacks, writers=[metrics, *writers], quiet=quiet
    )
    folder = Path(run.folder.root)
    return TrainedRun(
        folder=folder,
        options=run.options,
        seed=run.seed,
        steps=result.steps,
        mean_returns=result.mean_return,
        interrupted=result.interrupted,
        seconds=result.seconds,
        metrics=metrics.metrics(),
        policies=FinalPolicies(folder, list(result.steps)),
    )


def resolve_options(
    options: RunOptions | Mapping[str, Any] | str | os.PathLike[str] | None,
) -> RunOptions:
    """The options in any of the forms that :func:`train` takes.

    Raises:
        TrainerConfigError: they cannot be read, or are wrong.
    """
    if options is None:
        return build_run_options({"default_settings": {}})
    if isinstance(options, RunOptions):
        problems = [*contradictions(options), *unavailable(options)]
        if problems:
            raise Origin().error(problems)
        return options
    if isinstance(options, Mapping):
        return build_run_options(options)
    return load_run_options(os.fspath(options))


def _updated(options: RunOptions, section: str, **values: Any) -> RunOptions:  # noqa: ANN401
    """Options with other values in a section, as far as they are given.

    Raises:
        TrainerConfigError: a value cannot be used.
    """
    given = {key: value for key, value in values.items() if value is not None}
    if not given:
        return options
    data = getattr(options, section).model_dump() | given
    checked = build_run_options({section: data})
    return options.model_copy(update={section: getattr(checked, section)})
