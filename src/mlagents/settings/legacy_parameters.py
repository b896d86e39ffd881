"""Curriculum and sampler files of earlier versions, converted to ``environment_parameters``."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mlagents.settings.errors import CurriculumConfigError, TrainerConfigError
from mlagents.settings.yaml_file import read_yaml_file
from mlagents_envs.near_names import nearest

_CURRICULUM_KEYS = ("measure", "thresholds", "min_lesson_length", "signal_smoothing", "parameters")
_SAMPLER_TYPE = ("sampler-type", "sampler_type")
_SAMPLER_PARAMETERS = "sampler_parameters"


def read_curriculum(path: str) -> dict[str, Any]:
    """Read a curriculum file, or a folder with one JSON file per behavior (up to 0.13).

    Raises:
        TrainerConfigError: nothing readable is there.
    """
    folder = Path(path)
    if not folder.is_dir():
        return read_yaml_file(path).data
    files = sorted(folder.glob("*.json"))
    if not files:
        raise TrainerConfigError(f"{path}: the folder holds no curriculum (one JSON file per behavior)")
    curricula = {}
    for file in files:
        try:
            curricula[file.stem] = json.loads(file.read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            raise TrainerConfigError(f"{file}: cannot be read as JSON ({error})") from None
    return curricula


def convert_curriculum(raw: Mapping[str, Any], path: str) -> tuple[dict[str, Any], list[str]]:
    """Lessons per parameter from curricula per behavior.

    A curriculum of n thresholds has n + 1 values for each of its parameters.

    Args:
        raw: ``{behavior: {measure, thresholds, min_lesson_length, signal_smoothing, parameters}}``.
        path: name of the file for messages.

    Returns:
        Environment parameters in the present schema, and notes.

    Raises:
        CurriculumConfigError: a part is missing or has the wrong type, or the number of values is wrong.
    """
    parameters: dict[str, Any] = {}
    notes: list[str] = []
    for behavior, curriculum in raw.items():
        place = f"{path}: the curriculum of '{behavior}'"
        thresholds, values = _parts(curriculum, place)
        for key in curriculum:
            if key not in _CURRICULUM_KEYS:
                suggestion = nearest(str(key), _CURRICULUM_KEYS)
                hint = f"; did you mean '{suggestion}'?" if suggestion else ""
                notes.append(f"{place}: {key}: unknown key (ignored){hint}")
        for name, lesson_values in values.items():
            if not isinstance(lesson_values, list) or len(lesson_values) != len(thresholds) + 1:
                count = len(lesson_values) if isinstance(lesson_values, list) else "no list of"
                raise CurriculumConfigError(
                    f"{place} gives '{name}' {count} values; {len(thresholds)} thresholds need "
                    f"{len(thresholds) + 1}"
                )
            if name in parameters:
                notes.append(f"{place} describes '{name}' a second time; the first curriculum is used")
                continue
            parameters[name] = {"curriculum": _lessons(behavior, curriculum, thresholds, lesson_values)}
    return parameters, notes


def _parts(curriculum: object, place: str) -> tuple[list[Any], dict[str, Any]]:
    if not isinstance(curriculum, Mapping):
        raise CurriculumConfigError(f"{place} must be a map with thresholds and parameters")
    thresholds, values = curriculum.get("thresholds"), curriculum.get("parameters")
    if not isinstance(thresholds, list):
        raise CurriculumConfigError(f"{place} needs a list of thresholds")
    if not isinstance(values, Mapping) or not values:
        raise CurriculumConfigError(f"{place} needs parameters, with one value per lesson")
    return thresholds, {str(name): value for name, value in values.items()}


def _lessons(
    behavior: str, curriculum: Mapping[str, Any], thresholds: list[Any], values: list[Any]
) -> list[dict[str, Any]]:
    lessons: list[dict[str, Any]] = []
    for index, value in enumerate(values):
        lesson: dict[str, Any] = {"name": f"Lesson{index}"}
        if index < len(thresholds):
            lesson["completion_criteria"] = {
                "behavior": behavior,
                "measure": curriculum.get("measure", "reward"),
                "threshold": thresholds[index],
                "min_lesson_length": curriculum.get("min_lesson_length", 1),
                "signal_smoothing": curriculum.get("signal_smoothing", False),
            }
        lesson["value"] = value
        lessons.append(lesson)
    return lessons


def begin_at_lesson(data: dict[str, Any], lesson: int) -> bool:
    """Let every curriculum begin at its lesson number ``lesson``, counted from 0, in place.

    Earlier lessons are taken out; a curriculum that is shorter keeps its last lesson.

    Returns:
        False where a later lesson was asked for, but there is no curriculum.
    """
    if lesson <= 0:
        return True
    parameters = data.get("environment_parameters")
    found = False
    for parameter in parameters.values() if isinstance(parameters, dict) else ():
        lessons = parameter.get("curriculum") if isinstance(parameter, dict) else None
        if isinstance(lessons, list):
            del lessons[: min(lesson, len(lessons) - 1)]
            found = True
    return found


def convert_samplers(raw: Mapping[str, Any], path: str) -> tuple[dict[str, Any], list[str]]:
    """Samplers per parameter, in the present schema.

    Args:
        raw: ``{parameter: {sampler-type, arguments...}}``; arguments may also stand in
            ``sampler_parameters``. ``resampling-interval`` is dropped: values are drawn when they are read.
        path: name of the file for messages.

    Returns:
        Environment parameters, and notes.

    Raises:
        TrainerConfigError: a parameter is no map, or has no type.
    """
    parameters: dict[str, Any] = {}
    notes: list[str] = []
    for name, sampler in raw.items():
        if name in {"resampling-interval", "resampling_interval"}:
            notes.append(f"{path}: {name} is left out; an environment draws whenever it reads a parameter")
            continue
        if isinstance(sampler, int | float) and not isinstance(sampler, bool):
            parameters[name] = sampler
            continue
        kind = next((sampler[k] for k in _SAMPLER_TYPE if k in sampler), None) if _is_map(sampler) else None
        if kind is None:
            raise TrainerConfigError(f"{path}: the parameter '{name}' needs a sampler-type")
        arguments = {k: v for k, v in sampler.items() if k not in (*_SAMPLER_TYPE, _SAMPLER_PARAMETERS)}
        nested = sampler.get(_SAMPLER_PARAMETERS)
        if _is_map(nested):
            arguments |= nested
        parameters[name] = {
            "sampler_type": "multirangeuniform" if kind == "multirange_uniform" else kind,
            _SAMPLER_PARAMETERS: arguments,
        }
    return parameters, notes


def _is_map(value: object) -> bool:
    return isinstance(value, Mapping)
