"""From the raw map of a configuration file to :class:`RunOptions`, with errors for its author."""

from __future__ import annotations

import copy
import warnings
from collections.abc import Callable, Mapping
from typing import Any

from pydantic import ValidationError

from mlagents.settings.base import DROP_UNKNOWN
from mlagents.settings.checks import contradictions, doubts, unavailable
from mlagents.settings.errors import TrainerConfigWarning
from mlagents.settings.legacy import (
    Generation,
    Upgrade,
    add_curriculum,
    add_samplers,
    translated_lines,
    upgrade,
)
from mlagents.settings.legacy_parameters import read_curriculum
from mlagents.settings.problems import Origin, Problem, problems_of
from mlagents.settings.run_options import RunOptions
from mlagents.settings.yaml_file import Location, YamlFile, read_yaml_file


def warn(text: str) -> None:
    """Tell the user about something that is not an error."""
    warnings.warn(text, TrainerConfigWarning, stacklevel=2)


def load_run_options(path: str) -> RunOptions:
    """Read a configuration file, as ``mlagents-learn`` does without further options.

    Raises:
        TrainerConfigError: the file cannot be read, or cannot be used.
    """
    file = read_configuration(path)
    return build_run_options(file.data, Origin(path, file.lines))


def read_configuration(
    path: str, *, curriculum: str | None = None, sampler: str | None = None, advise: bool = True
) -> YamlFile:
    """Read a configuration of any generation; an old one is converted, with warnings that say so.

    Args:
        path: the configuration.
        curriculum: old curriculum file, or folder of them, to merge in.
        sampler: old sampler file to merge in.
        advise: tell how to write an old one in the present form.

    Returns:
        The map in the present schema; its lines are those of the values in the old file.

    Raises:
        TrainerConfigError: a file cannot be read or converted.
    """
    file = read_yaml_file(path)
    result = upgrade(file.data, path)
    if result.generation is not Generation.CURRENT and advise:
        warn(
            f"{path} has the format of {result.generation}; it is converted in memory. Write the present "
            f"form with: mlagents-upgrade-config {path} NEW.yaml"
        )
    if curriculum is not None:
        _merge_file(result, add_curriculum, read_curriculum(curriculum), curriculum)
    if sampler is not None:
        _merge_file(result, add_samplers, read_yaml_file(sampler).data, sampler)
    for note in result.notes:
        warn(note)
    return YamlFile(path, result.data, translated_lines(file.lines, result.moved), result.files)


def _merge_file(
    result: Upgrade, merge: Callable[[Upgrade, Mapping[str, Any], str], None], raw: dict[str, Any], path: str
) -> None:
    """Merge another file into a configuration, and note which parameters came from it."""
    before = dict(result.data.get("environment_parameters") or {})
    merge(result, raw, path)
    for name, parameter in result.data.get("environment_parameters", {}).items():
        if parameter is not before.get(name):
            result.files["environment_parameters", name] = path


def build_run_options(data: Mapping[str, Any], origin: Origin | None = None) -> RunOptions:
    """Validate the raw map of a whole configuration; ``origin`` says where its values came from.

    Warns with :class:`TrainerConfigWarning` about unknown keys that tolerant sections ignore and about
    doubtful values.

    Raises:
        TrainerConfigError: unknown keys, values out of range, contradictions, or settings that are not
            available in this version; one line each, at most five.
    """
    origin = origin or Origin()
    raw = copy.deepcopy(dict(data))
    _drop_framework(raw, origin)
    options = _validate(raw, origin)
    problems = [*contradictions(options), *unavailable(options)]
    if problems:
        raise origin.error(problems)
    for text in dict.fromkeys(map(origin.describe, doubts(options))):
        warn(text)
    return options


def _validate(data: Mapping[str, Any], origin: Origin) -> RunOptions:
    try:
        return RunOptions.model_validate(data)
    except ValidationError as error:
        fatal, ignorable = problems_of(error)
    if fatal:
        raise origin.error(fatal)
    for text in dict.fromkeys(map(origin.describe, ignorable)):
        warn(text)
    try:
        return RunOptions.model_validate(data, context={DROP_UNKNOWN: True})
    except ValidationError as error:
        # What a section with unknown keys could not report in the first pass.
        raise origin.error(problems_of(error)[0]) from None


def _drop_framework(data: dict[str, Any], origin: Origin) -> None:
    behaviors = data.get("behaviors")
    sections: dict[Location, object] = {("default_settings",): data.get("default_settings")}
    if isinstance(behaviors, dict):
        sections |= {("behaviors", name): behavior for name, behavior in behaviors.items()}
    for location, section in sections.items():
        if isinstance(section, dict) and section.pop("framework", None) is not None:
            warn(origin.describe(Problem((*location, "framework"), "ignored, PyTorch is the only framework")))
