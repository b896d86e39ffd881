"""Configuration files of earlier versions of the original toolkit, converted to the present schema.

Three generations are told apart by their keys (see :func:`detect_generation`). Conversion works on raw maps
and keeps, for every value, where it stood in the old file, so that later messages can name the right line.
What has no equivalent is left out with a note; what cannot work any more is an error.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from mlagents.settings.errors import TrainerConfigError
from mlagents.settings.legacy_behavior import FLAT_KEYS, BehaviorConversion
from mlagents.settings.legacy_parameters import convert_curriculum, convert_samplers
from mlagents.settings.yaml_file import Location

TOP_LEVEL = frozenset(
    {
        "default_settings",
        "behaviors",
        "env_settings",
        "engine_settings",
        "environment_parameters",
        "checkpoint_settings",
        "torch_settings",
        "debug",
    }
)
OLD_TOP_LEVEL = ("curriculum", "parameter_randomization")
_MARKERS = FLAT_KEYS - {"gamma"}


class Generation(StrEnum):
    """Age of a configuration file."""

    CURRENT = "current"
    BEHAVIORS_AT_TOP = "ML-Agents 0.16 or older"
    """Behaviors at the top level, with all their keys in one flat map."""
    SEPARATE_PARAMETERS = "ML-Agents 0.17 or 0.18"
    """``behaviors``, and beside them ``curriculum`` or ``parameter_randomization``."""
    FLAT_BEHAVIORS = "a version between ML-Agents 0.16 and 0.17"
    """Flat maps below ``behaviors``."""


@dataclass
class Upgrade:
    """A converted configuration.

    Attributes:
        data: the map in the present schema, without nulls.
        generation: what it was before.
        notes: what the author of the file should know, one line each.
        moved: for values that changed their place, the old location of each new one.
        files: the file that a parameter came from, where it is another one.
    """

    data: dict[str, Any]
    generation: Generation = Generation.CURRENT
    notes: list[str] = field(default_factory=list)
    moved: dict[Location, Location] = field(default_factory=dict)
    files: dict[Location, str] = field(default_factory=dict)


def detect_generation(data: Mapping[str, Any]) -> Generation:
    """How old a configuration is, by its keys."""
    behaviors = data.get("behaviors")
    if "behaviors" not in data:
        others = [section for name, section in data.items() if name not in TOP_LEVEL]
        return Generation.BEHAVIORS_AT_TOP if any(map(_is_flat, others)) else Generation.CURRENT
    sections = list(behaviors.values()) if isinstance(behaviors, Mapping) else []
    if any(map(_is_flat, sections)):
        return Generation.FLAT_BEHAVIORS
    inside = any(isinstance(s, Mapping) and any(key in s for key in OLD_TOP_LEVEL) for s in sections)
    if inside or any(key in data for key in OLD_TOP_LEVEL):
        return Generation.SEPARATE_PARAMETERS
    return Generation.CURRENT


def _is_flat(section: object) -> bool:
    return isinstance(section, Mapping) and any(key in section for key in _MARKERS)


def upgrade(data: Mapping[str, Any], path: str = "configuration") -> Upgrade:
    """Convert a configuration of any generation; a current one comes back as it is.

    Args:
        data: the raw map of the file.
        path: name of the file for messages.

    Raises:
        TrainerConfigError: a behavior without ``trainer``, or with one that no longer exists.
        CurriculumConfigError: a curriculum whose number of values does not fit its thresholds.
    """
    generation = detect_generation(data)
    result = Upgrade(copy.deepcopy(dict(data)), generation)
    if generation is Generation.BEHAVIORS_AT_TOP:
        _nest_behaviors(result, path)
    elif generation is Generation.FLAT_BEHAVIORS:
        _convert_behaviors(result, result.data["behaviors"], ("behaviors",), path)
    if generation is not Generation.CURRENT:
        _take_out_parameters(result, path)
    return result


def add_curriculum(result: Upgrade, raw: Mapping[str, Any], path: str) -> None:
    """Merge an old curriculum file into a configuration; parameters that it has already stay.

    Raises:
        CurriculumConfigError: the number of values does not fit the thresholds.
    """
    _merge_parameters(result, convert_curriculum(raw, path), path)


def add_samplers(result: Upgrade, raw: Mapping[str, Any], path: str) -> None:
    """Merge an old sampler file into a configuration; samplers win over what is there.

    Raises:
        TrainerConfigError: a parameter has no ``sampler-type``.
    """
    parameters, notes = convert_samplers(raw, path)
    result.notes += notes
    present = result.data.setdefault("environment_parameters", {})
    for name, sampler in parameters.items():
        if name in present:
            result.notes.append(f"{path}: '{name}' has a curriculum too; the sampler is used")
        present[name] = sampler


def translated_lines(
    lines: Mapping[Location, int], moved: Mapping[Location, Location]
) -> dict[Location, int]:
    """Line of each value of a converted configuration in the old file, where it is known.

    Args:
        lines: line of each value by its old location.
        moved: old location of each value that changed its place.
    """
    translated = dict(lines)
    for new, old in moved.items():
        for length in range(len(old), 0, -1):  # a value made from nothing stands with its behavior
            if old[:length] in lines:
                translated[new] = lines[old[:length]]
                break
    return translated


def _nest_behaviors(result: Upgrade, path: str) -> None:
    sections = {name: result.data.pop(name) for name in list(result.data) if name not in TOP_LEVEL}
    extras = {name: sections.pop(name) for name in OLD_TOP_LEVEL if name in sections}
    default = sections.pop("default", None)
    if default is not None and not isinstance(default, Mapping):
        raise TrainerConfigError(f"{path}: 'default' must be a map of settings")
    merged: dict[str, Any] = {}
    for name in sections:
        section = _followed(sections, name, path)
        if isinstance(section, Mapping):  # the old merge was shallow
            base = default if isinstance(default, Mapping) else {}
            merged[name] = {**base, **section}
        else:
            merged[name] = section
    _convert_behaviors(result, merged, (), path)
    if isinstance(default, Mapping):
        if "trainer" in default:
            conversion = BehaviorConversion(path, "default", ("default_settings",), ("default",))
            result.data["default_settings"] = conversion.convert(default)
            result.notes += conversion.notes
            result.moved |= conversion.moved
        else:
            result.notes.append(
                f"{path}: 'default' names no trainer, so it covers no behaviors beyond those in the file"
            )
    result.data |= extras


def _followed(sections: Mapping[str, Any], name: str, path: str) -> object:
    """The section of a behavior, which may be the name of another one."""
    seen = [name]
    section = sections[name]
    while isinstance(section, str):
        if section in seen or section not in sections:
            raise TrainerConfigError(
                f"{path}: '{seen[-1]}' refers to the section '{section}', which "
                + ("refers back to it" if section in seen else "does not exist")
            )
        seen.append(section)
        section = sections[section]
    return section


def _convert_behaviors(result: Upgrade, sections: Mapping[str, Any], prefix: Location, path: str) -> None:
    converted: dict[str, Any] = {}
    for name, section in sections.items():
        if not _is_flat(section):
            converted[name] = section
            continue
        conversion = BehaviorConversion(path, name, ("behaviors", name), (*prefix, name))
        converted[name] = conversion.convert(section)
        result.notes += conversion.notes
        result.moved |= conversion.moved
    result.data["behaviors"] = converted


def _take_out_parameters(result: Upgrade, path: str) -> None:
    """Turn ``curriculum`` and ``parameter_randomization``, wherever they stand, into parameters."""
    curricula: dict[str, Any] = dict(result.data.pop("curriculum", None) or {})
    samplers: dict[str, Any] = dict(result.data.pop("parameter_randomization", None) or {})
    for name, behavior in result.data.get("behaviors", {}).items():
        if not isinstance(behavior, dict):
            continue
        own = behavior.pop("curriculum", None)
        if own is not None:
            curricula[name] = own
        samplers |= behavior.pop("parameter_randomization", None) or {}
    if curricula:
        _merge_parameters(result, convert_curriculum(curricula, path), path)
    if samplers:
        add_samplers(result, samplers, path)


def _merge_parameters(result: Upgrade, converted: tuple[dict[str, Any], list[str]], path: str) -> None:
    parameters, notes = converted
    result.notes += notes
    present = result.data.setdefault("environment_parameters", {})
    for name, parameter in parameters.items():
        if name in present:
            result.notes.append(f"{path}: '{name}' is described already; its curriculum is left out")
        else:
            present[name] = parameter
