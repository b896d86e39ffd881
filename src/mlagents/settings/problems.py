"""Turns what is wrong with a configuration into lines for its author."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import Enum

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from mlagents.settings.base import IGNORABLE, SETTING, UNKNOWN
from mlagents.settings.errors import TrainerConfigError
from mlagents.settings.yaml_file import Location

MAX_LINES = 5
NO_VALUE = object()
"""Marks a problem that is not about one value."""


@dataclass(frozen=True)
class Problem:
    """Something that is wrong, or doubtful, at one place of the configuration.

    Attributes:
        location: keys from the top down to the value.
        text: completes the sentence "``path`` is ``value``; ..." or, without value, "``path``: ...".
        value: the value, where naming it helps.
    """

    location: Location
    text: str
    value: object = NO_VALUE


@dataclass(frozen=True)
class Origin:
    """Where the values of a configuration came from.

    Attributes:
        path: the YAML file; None when there was none.
        lines: line of each value in the file.
        typed: option that a value was typed with, such as ``--num-areas``.
        files: the file that a map and all in it came from, where it is not that at ``path``.
    """

    path: str | None = None
    lines: Mapping[Location, int] = field(default_factory=dict)
    typed: Mapping[Location, str] = field(default_factory=dict)
    files: Mapping[Location, str] = field(default_factory=dict)

    def resolve(self, location: Location) -> Location:
        """The location where the file says it: inherited values stand in ``default_settings``."""
        if len(location) > 2 and location[0] == "behaviors" and location not in self.lines:
            inherited = ("default_settings", *location[2:])
            if inherited in self.lines:
                return inherited
        return location

    def line(self, location: Location) -> int | None:
        """Line of the value, or of the nearest map around it; None without a file."""
        for length in range(len(location), 0, -1):
            if location[:length] in self.lines:
                return self.lines[location[:length]]
        return None

    def describe(self, problem: Problem) -> str:
        """The problem as one line."""
        location = self.resolve(problem.location)
        option = self.typed.get(problem.location)
        subject = option or path_text(location)
        line = None if option else self.line(location)
        place = f"{self.path}, line {line}: " if line else ""
        for length in range(len(location), 0, -1):
            if location[:length] in self.files:
                place = f"{self.files[location[:length]]}: "
        if problem.value is NO_VALUE:
            text = f"{place}{subject}: {problem.text}" if subject else f"{place}{problem.text}"
        else:
            text = f"{place}{subject} is {value_text(problem.value)}; {problem.text}"
        return one_line(text)

    def error(self, problems: Iterable[Problem]) -> TrainerConfigError:
        """One exception for all problems, a line each, in the order of the file."""
        ordered = sorted(problems, key=lambda p: self.line(self.resolve(p.location)) or 0)
        lines = list(dict.fromkeys(map(self.describe, ordered)))
        if len(lines) > MAX_LINES:
            lines[MAX_LINES - 1 :] = [f"and {len(lines) - MAX_LINES + 1} more problems like these"]
        return TrainerConfigError("\n".join(lines))


def path_text(location: Location) -> str:
    """``behaviors.3DBall.hyperparameters``; list items as ``curriculum[0]``."""
    return "".join(f"[{key}]" if isinstance(key, int) else f".{_key(key)}" for key in location).removeprefix(
        "."
    )


def _key(key: str) -> str:
    return shorten(key if key.isprintable() else repr(key))


def one_line(text: str) -> str:
    """The text with line breaks and control characters, which names may hold, written as escapes."""
    return "".join(letter if letter.isprintable() else repr(letter)[1:-1] for letter in text)


def shorten(text: str) -> str:
    """At most 60 characters of the text."""
    return text if len(text) <= 60 else f"{text[:57]}..."


def value_text(value: object) -> str:
    """The value as YAML would write it, on one line and not too long."""
    plain = value.value if isinstance(value, Enum) else value
    return shorten(json.dumps(plain, ensure_ascii=False, default=str))


def problems_of(error: ValidationError) -> tuple[list[Problem], list[Problem]]:
    """Sort the findings of a validation.

    Returns:
        What makes the configuration unusable, and keys that are merely unknown to tolerant sections.
    """
    fatal: list[Problem] = []
    ignorable: list[Problem] = []
    for details in error.errors(include_url=False):
        if details["type"] == IGNORABLE:
            ignorable.extend(_unknown_keys(details, " (ignored)"))
        elif details["type"] == UNKNOWN:
            fatal.extend(_unknown_keys(details))
        else:
            fatal.append(_problem(details))
    return fatal, ignorable


def _unknown_keys(details: ErrorDetails, consequence: str = "") -> Iterable[Problem]:
    context = details["ctx"]
    for key, suggestion in context["nearest"].items():
        hint = f"did you mean '{suggestion}'?" if suggestion else f"known keys: {', '.join(context['known'])}"
        yield Problem((*details["loc"], key), f"unknown key{consequence}; {hint}")


def _problem(details: ErrorDetails) -> Problem:
    location, value = details["loc"], details["input"]
    match details["type"]:
        case "missing":
            return Problem(location, "this key is missing")
        case "enum":
            expected = details["ctx"]["expected"].replace(" or ", ", ").replace("'", "")
            return Problem(location, f"it must be one of {expected}", value)
        case "model_type" | "model_attributes_type" | "dict_type" | "tuple_type" as kind:
            wanted = "a list" if kind == "tuple_type" else "a map of settings"
            text = f"it must be {wanted}"
            return Problem(location, f"{text}, or leave the line out" if value is None else text, value)
        case kind if kind == SETTING:
            is_scalar = value is None or isinstance(value, bool | int | float | str)
            return Problem(location, details["ctx"]["text"], value if is_scalar else NO_VALUE)
    return Problem(location, details["msg"][:1].lower() + details["msg"][1:], value)
