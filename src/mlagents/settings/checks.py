"""What no single setting can know about itself: contradictions, doubts, and what cannot train yet."""

from __future__ import annotations

import os
from collections.abc import Iterator

from mlagents.settings.behavior import BehaviorSettings
from mlagents.settings.parameters import CompletionCriteria, Measure
from mlagents.settings.problems import Problem
from mlagents.settings.registry import ON_POLICY_TRAINERS
from mlagents.settings.run_options import RunOptions
from mlagents.settings.yaml_file import Location
from mlagents_envs.near_names import nearest

NOT_YET = "not available yet in this version"
CROWD = 16
"""Environments per processor beyond which somebody must have mistyped the number."""


def _behaviors(options: RunOptions) -> Iterator[tuple[Location, BehaviorSettings]]:
    if options.default_settings is not None:
        yield ("default_settings",), options.default_settings
    for name, behavior in options.behaviors.items():
        yield ("behaviors", name), behavior


def _criteria(options: RunOptions) -> Iterator[tuple[Location, CompletionCriteria]]:
    """What ends the lessons that others follow."""
    for name, parameter in (options.environment_parameters or {}).items():
        for index, lesson in enumerate(parameter.curriculum[:-1]):
            if lesson.completion_criteria is not None:
                location = ("environment_parameters", name, "curriculum", index, "completion_criteria")
                yield location, lesson.completion_criteria


def contradictions(options: RunOptions) -> Iterator[Problem]:
    """Settings that exclude each other."""
    for location, behavior in _behaviors(options):
        memory = behavior.network_settings.memory
        batch_size = getattr(behavior.hyperparameters, "batch_size", None)
        if memory and batch_size is not None and memory.sequence_length > batch_size:
            yield Problem(
                (*location, "network_settings", "memory", "sequence_length"),
                f"it must be at most batch_size, which is {batch_size}",
                memory.sequence_length,
            )
    environment = options.env_settings
    if environment.base_port + environment.num_envs - 1 > 65535:
        yield Problem(
            ("env_settings", "base_port"),
            f"with {environment.num_envs} environments the last port would exceed 65535",
            environment.base_port,
        )
    if options.default_settings is None:
        for location, criteria in _criteria(options):
            if criteria.behavior not in options.behaviors:
                yield _unknown_behavior(options, location, criteria)


def _unknown_behavior(options: RunOptions, location: Location, criteria: CompletionCriteria) -> Problem:
    suggestion = nearest(criteria.behavior, options.behaviors)
    listed = ", ".join(options.behaviors) or "none"
    hint = f"did you mean '{suggestion}'?" if suggestion else f"it lists {listed}"
    text = f"the configuration has no such behavior, so the lesson would never end; {hint}"
    return Problem((*location, "behavior"), text, criteria.behavior)


def unavailable(options: RunOptions) -> Iterator[Problem]:
    """Settings that are correct, but that this version cannot act on."""
    for location, behavior in _behaviors(options):
        if behavior.self_play is not None:
            yield Problem((*location, "self_play"), f"self-play is {NOT_YET}")


def doubts(options: RunOptions) -> Iterator[Problem]:
    """Settings that were probably not meant, or that have no effect."""
    for location, behavior in _behaviors(options):
        yield from _buffer_doubts(location, behavior, learning=not options.checkpoint_settings.inference)
        if behavior.self_play is not None:
            yield from _self_play_doubts(location, behavior)
    for name, parameter in (options.environment_parameters or {}).items():
        last = len(parameter.curriculum) - 1
        if parameter.curriculum[last].completion_criteria is not None:
            yield Problem(
                ("environment_parameters", name, "curriculum", last, "completion_criteria"),
                "ignored, nothing follows the last lesson",
            )
    yield from _curriculum_doubts(options)
    checkpoint = options.checkpoint_settings
    starts_fresh = not (checkpoint.resume or checkpoint.initialize_from) and all(
        behavior.init_path is None for _, behavior in _behaviors(options)
    )
    if checkpoint.inference and starts_fresh:
        text = "without --resume or --initialize-from, agents act by policies that learned nothing"
        yield Problem(("checkpoint_settings", "inference"), text, True)
    processors = os.cpu_count() or 1
    if options.env_settings.num_envs > max(64, CROWD * processors):
        yield Problem(
            ("env_settings", "num_envs"),
            f"this machine has {processors} processors; each environment is a process with memory of its own",
            options.env_settings.num_envs,
        )


def _buffer_doubts(location: Location, behavior: BehaviorSettings, *, learning: bool) -> Iterator[Problem]:
    hyperparameters = behavior.hyperparameters
    batch_size = getattr(hyperparameters, "batch_size", 0)
    buffer_size = getattr(hyperparameters, "buffer_size", batch_size)
    on_policy = behavior.trainer_type in ON_POLICY_TRAINERS
    if batch_size > buffer_size:
        effect = "every update is one small batch" if on_policy else "no update ever has enough of them"
        yield Problem(
            (*location, "hyperparameters", "batch_size"),
            f"that is more than buffer_size, which is {buffer_size}; {effect}",
            batch_size,
        )
    first = "buffer_size" if on_policy else "buffer_init_steps"
    steps = getattr(hyperparameters, first, 0)
    if learning and steps > behavior.max_steps:
        yield Problem(
            (*location, "hyperparameters", first),
            f"that is more than max_steps, which is {behavior.max_steps}; the run ends before its first "
            "update and learns nothing",
            steps,
        )


def _curriculum_doubts(options: RunOptions) -> Iterator[Problem]:
    for location, criteria in _criteria(options):
        behavior = options.behaviors.get(criteria.behavior, options.default_settings)
        if criteria.behavior not in options.behaviors and nearest(criteria.behavior, options.behaviors):
            yield _unknown_behavior(options, location, criteria)
        elif criteria.measure is Measure.ELO and behavior is not None and behavior.self_play is None:
            yield Problem(
                (*location, "measure"),
                f"'{criteria.behavior}' has no self_play and so no rating; the lesson never ends",
                criteria.measure,
            )


def _self_play_doubts(location: Location, behavior: BehaviorSettings) -> Iterator[Problem]:
    self_play = behavior.self_play
    if self_play is None:
        return
    if not 0 <= self_play.play_against_latest_model_ratio <= 1:
        yield Problem(
            (*location, "self_play", "play_against_latest_model_ratio"),
            "a probability is between 0 and 1",
            self_play.play_against_latest_model_ratio,
        )
    if self_play.team_change > behavior.max_steps:
        yield Problem(
            (*location, "self_play", "team_change"),
            f"that is more than max_steps, which is {behavior.max_steps}; only one team will learn",
            self_play.team_change,
        )
