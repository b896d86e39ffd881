"""What the settings of a behavior, and environment parameters, come to in a run, as lines for a person."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

from mlagents.algorithms.ppo_settings import PPOSettings
from mlagents.algorithms.sac_settings import SACSettings
from mlagents.settings.behavior import BehaviorSettings
from mlagents.settings.parameters import (
    CompletionCriteria,
    ConstantParameters,
    EnvironmentParameterSettings,
    Measure,
    SamplerSettings,
)
from mlagents.settings.run_options import RunOptions
from mlagents.settings.types import ScheduleType


def describe_learning(options: RunOptions, name: str) -> Iterator[str]:
    """What a behavior would do in this run."""
    settings = options.behavior(name)
    if options.checkpoint_settings.inference:
        yield "acts with the weights of the run, and learns nothing"
        return
    yield from _describe_updates(settings)
    yield f"rewards: {', '.join(_signals(settings))}"
    yield from _describe_imitation(settings)
    summaries = settings.max_steps // settings.summary_freq
    yield f"summaries: every {settings.summary_freq} steps, {summaries} in all"
    yield f"checkpoints: {_checkpoints(settings)}"
    goal = options.checkpoint_settings.stop_at_reward
    ends = f"ends: at step {settings.max_steps}"
    yield ends if goal is None else f"{ends}, or when the mean return of 100 episodes reaches {goal:g}"


def _describe_updates(settings: BehaviorSettings) -> Iterator[str]:
    hyper = settings.hyperparameters
    threaded = ", beside collection" if settings.threaded else ""
    if isinstance(hyper, PPOSettings):
        updates = settings.max_steps // hyper.buffer_size
        batches = max(1, hyper.buffer_size // hyper.batch_size)
        yield (
            f"learns: {settings.trainer_type}, about {updates} updates{threaded}, one per "
            f"{hyper.buffer_size} steps; each {hyper.num_epoch} passes over {batches} minibatches of "
            f"{min(hyper.batch_size, hyper.buffer_size)}"
        )
        yield f"learning rate: {_schedule(hyper.learning_rate, hyper.learning_rate_schedule, 1e-10)}"
        yield f"epsilon: {_schedule(hyper.epsilon, hyper.epsilon_schedule, 0.1)}"
        yield f"beta: {_schedule(hyper.beta, hyper.beta_schedule, 1e-5)}"
    elif isinstance(hyper, SACSettings):
        updates = int(max(0, settings.max_steps - hyper.buffer_init_steps) / hyper.steps_per_update)
        yield (
            f"learns: sac, about {updates} updates{threaded} of {hyper.batch_size} experiences, one per "
            f"{hyper.steps_per_update:g} steps, after {max(hyper.batch_size, hyper.buffer_init_steps)}; "
            f"the last {hyper.buffer_size} experiences are remembered"
        )
        yield f"learning rate: {_schedule(hyper.learning_rate, hyper.learning_rate_schedule, 1e-10)}"
    else:
        yield f"learns: {settings.trainer_type}, as its own code says"


def _schedule(initial: float, schedule: ScheduleType, floor: float) -> str:
    if schedule is ScheduleType.CONSTANT:
        return f"{initial:g} throughout"
    direction = "rising" if floor > initial else "falling"
    return f"{initial:g}, {direction} to {floor:g} at the last step"


def _signals(settings: BehaviorSettings) -> Iterator[str]:
    for name, signal in settings.reward_signals.items():
        values = signal.model_dump()
        yield f"{name} (strength {values['strength']:g}, gamma {values['gamma']:g}{_demonstrations(values)})"


def _describe_imitation(settings: BehaviorSettings) -> Iterator[str]:
    cloning = settings.behavioral_cloning
    if cloning is not None:
        span = f"fading out over {cloning.steps} steps" if cloning.steps else "throughout"
        yield (
            f"imitates: with strength {cloning.strength:g}, {span}"
            f"{_demonstrations({'demo_path': cloning.demo_path})}"
        )


def _demonstrations(values: Mapping[str, object]) -> str:
    path = values.get("demo_path")
    if path is None:
        return ""
    return f", demonstrations {path}{'' if Path(str(path)).exists() else ' (not there!)'}"


def _checkpoints(settings: BehaviorSettings) -> str:
    count = settings.max_steps // settings.checkpoint_interval
    kept = (
        "all are kept" if settings.keep_checkpoints < 1 else f"the last {settings.keep_checkpoints} are kept"
    )
    regular = f"every {settings.checkpoint_interval} steps" if count else "none before the end"
    return f"{regular}, one at the end, {kept}; and the best by mean return"


def describe_parameters(parameters: Mapping[str, EnvironmentParameterSettings]) -> Iterator[str]:
    """Values, samplers and lessons of environment parameters."""
    for name, parameter in parameters.items():
        lessons = parameter.curriculum
        if len(lessons) == 1:
            yield f"{name}: {_sampler(lessons[0].value)}"
            continue
        yield f"{name}: {len(lessons)} lessons"
        for lesson in lessons:
            end = "to the end" if lesson is lessons[-1] else _until(lesson.completion_criteria)
            yield f"  {lesson.name}: {_sampler(lesson.value)}, {end}"


def _sampler(sampler: SamplerSettings) -> str:
    values = sampler.sampler_parameters
    if isinstance(values, ConstantParameters):
        return f"{values.value:g}"
    given = ", ".join(f"{key} {value}" for key, value in values.model_dump().items() if key != "seed")
    return f"{sampler.sampler_type} ({given})"


def _until(criteria: CompletionCriteria | None) -> str:
    if criteria is None:
        return "to the end"
    what = {
        Measure.REWARD: "the mean return",
        Measure.PROGRESS: "the fraction of steps done",
        Measure.ELO: "the rating",
    }[criteria.measure]
    after = f", after {criteria.min_lesson_length} episodes" if criteria.min_lesson_length else ""
    reset = ", then a reset" if criteria.require_reset else ""
    return f"until {what} of {criteria.behavior} exceeds {criteria.threshold:g}{after}{reset}"
