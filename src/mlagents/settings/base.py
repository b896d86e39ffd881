"""The base of every settings class: immutable, typed, and particular about its keys."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from pydantic import BaseModel, ConfigDict, ValidationError, ValidationInfo, model_validator
from pydantic_core import ErrorDetails, InitErrorDetails, PydanticCustomError

from mlagents_envs.near_names import nearest

DROP_UNKNOWN = "drop_unknown_keys"
"""Key of the validation context. Where it is true, tolerant sections drop unknown keys."""

SETTING = "setting"
UNKNOWN = "unknown_keys"
IGNORABLE = "ignorable_keys"
"""Types of our own validation errors, beside those of pydantic."""


class Settings(BaseModel):
    """Base of all settings classes.

    Unknown keys are errors. In the sections where the original toolkit ignored them (``tolerant``),
    a file is accepted with a warning; see :func:`mlagents.settings.loading.validate`.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    tolerant: ClassVar[bool] = False

    @model_validator(mode="before")
    @classmethod
    def _check_keys(cls, data: Any, info: ValidationInfo) -> Any:  # noqa: ANN401
        if not isinstance(data, Mapping):
            return data
        unknown = [str(key) for key in data if key not in cls.model_fields]
        if not unknown:
            return data
        if cls.tolerant and (info.context or {}).get(DROP_UNKNOWN):
            return {key: value for key, value in data.items() if key in cls.model_fields}
        known = {key: nearest(key, cls.model_fields) for key in unknown}
        raise PydanticCustomError(
            IGNORABLE if cls.tolerant else UNKNOWN,
            "unknown keys",
            {"nearest": known, "known": sorted(cls.model_fields)},
        )


def validate_entries(
    entries: Mapping[str, object], classes: Mapping[str, type[Settings]], info: ValidationInfo
) -> dict[str, Settings]:
    """Validate a map whose keys choose the class of their values.

    Raises:
        ValidationError: the problems of all entries, each located under its key.
    """
    settings: dict[str, Settings] = {}
    problems: list[InitErrorDetails] = []
    for name, raw in entries.items():
        try:
            settings[name] = classes[name].model_validate(raw, context=info.context)
        except ValidationError as error:
            problems.extend(_located_under(name, details) for details in error.errors(include_url=False))
    if problems:
        raise ValidationError.from_exception_data("entries", problems)
    return settings


def _located_under(name: str, details: ErrorDetails) -> InitErrorDetails:
    kind: str | PydanticCustomError = details["type"]
    context = details.get("ctx", {})
    if kind in {SETTING, UNKNOWN, IGNORABLE}:
        kind = PydanticCustomError(kind, "{text}" if kind == SETTING else "unknown keys", context)
    return {"type": kind, "loc": (name, *details["loc"]), "input": details["input"], "ctx": context}
