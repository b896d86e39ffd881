"""Field types of the settings: numbers, switches and words as people write them in YAML.

YAML 1.1 reads ``5e4`` as text and ``yes`` as true, and quoted values always arrive as text. The types
here take what was obviously meant and refuse the rest with a sentence that names the allowed range.
"""

from __future__ import annotations

import math
from decimal import Decimal, InvalidOperation
from enum import StrEnum
from typing import Annotated

from pydantic import AfterValidator, BeforeValidator
from pydantic_core import PydanticCustomError

from mlagents.settings.base import SETTING
from mlagents.settings.limits import (
    FLOAT32_MAX,
    INT32_MAX,
    INT64_MAX,
    MAX_AREAS,
    MAX_LAYER_WIDTH,
    MAX_LAYERS,
)

TRUE_WORDS = frozenset({"true", "yes", "on", "y", "1"})
FALSE_WORDS = frozenset({"false", "no", "off", "n", "0"})


class ScheduleType(StrEnum):
    """How a quantity changes between step 0 and ``max_steps``."""

    CONSTANT = "constant"
    LINEAR = "linear"


def problem(text: str) -> PydanticCustomError:
    """An exception for validators; ``text`` completes the sentence "``path`` is ``value``; ..."."""
    return PydanticCustomError(SETTING, "{text}", {"text": text})


def to_int(value: object) -> int:
    """Read a whole number: ``64``, ``6.4e1``, ``"5e4"``.

    Raises:
        PydanticCustomError: not a whole number, or beyond 64 bits.
    """
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        raise problem("it must be a whole number")
    try:
        number = Decimal(value.strip() if isinstance(value, str) else value)
    except InvalidOperation:
        raise problem("it must be a whole number") from None
    if not number.is_finite() or number != number.to_integral_value():
        raise problem("it must be a whole number")
    if abs(number) > INT64_MAX:
        raise problem(f"it must be a whole number between -{INT64_MAX} and {INT64_MAX}")
    return int(number)


def to_float(value: object) -> float:
    """Read a finite number: ``0.5``, ``3``, ``"3e-4"``.

    Raises:
        PydanticCustomError: not a number, infinite, or NaN.
    """
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        raise problem("it must be a number")
    try:
        number = float(value)
    except (ValueError, OverflowError):
        raise problem("it must be a number") from None
    if not math.isfinite(number):
        raise problem("it must be a finite number")
    return number


def to_bool(value: object) -> bool:
    """Read a switch: a boolean, 0 or 1, or one of the words true, false, yes, no, on, off.

    Raises:
        PydanticCustomError: anything else.
    """
    if isinstance(value, bool):
        return value
    word = str(value).strip().lower() if isinstance(value, str | int) else ""
    if word in TRUE_WORDS:
        return True
    if word in FALSE_WORDS:
        return False
    raise problem("it must be true or false")


def to_text(value: object) -> str:
    """Read a word or a path; numbers become their text.

    Raises:
        PydanticCustomError: empty, a switch, null, a list or a map, or with a null character.
    """
    if isinstance(value, bool):
        raise problem("it must be text; put it in quotes")
    if not isinstance(value, str | int | float):
        raise problem("it must be text")
    if not str(value).strip():
        raise problem("it must not be empty; leave the line out instead")
    if "\0" in str(value):  # no file, argument or name may hold one
        raise problem("it must not contain a null character")
    return str(value)


def describe_range(
    ge: float | None = None, gt: float | None = None, le: float | None = None, lt: float | None = None
) -> str:
    """The allowed range in words: "at least 1", "between 0 and 1"."""
    if ge is not None and le is not None:
        return f"between {_bound_text(ge)} and {_bound_text(le)}"
    bounds = [("at least", ge), ("greater than", gt), ("at most", le), ("less than", lt)]
    return " and ".join(f"{word} {_bound_text(bound)}" for word, bound in bounds if bound is not None)


def _bound_text(bound: float) -> str:
    """Whole numbers in full: 2147483647 and not 2.14748e+09."""
    return str(bound) if isinstance(bound, int) else f"{bound:g}"


def within(
    ge: float | None = None, gt: float | None = None, le: float | None = None, lt: float | None = None
) -> AfterValidator:
    """A range check whose message states the whole range, not only the bound that was broken."""

    def check(value: float) -> float:
        inside = (
            (ge is None or value >= ge)
            and (gt is None or value > gt)
            and (le is None or value <= le)
            and (lt is None or value < lt)
        )
        if not inside:
            raise problem(f"it must be {describe_range(ge, gt, le, lt)}")
        return value

    return AfterValidator(check)


Int = Annotated[int, BeforeValidator(to_int)]
Int32 = Annotated[int, BeforeValidator(to_int), within(ge=-INT32_MAX - 1, le=INT32_MAX)]
PositiveInt = Annotated[int, BeforeValidator(to_int), within(ge=1)]
PositiveInt32 = Annotated[int, BeforeValidator(to_int), within(ge=1), within(le=INT32_MAX)]
NonNegativeInt = Annotated[int, BeforeValidator(to_int), within(ge=0)]
IntOrMinusOne = Annotated[int, BeforeValidator(to_int), within(ge=-1)]
Seed = Annotated[int, BeforeValidator(to_int), within(ge=-1, le=INT32_MAX)]
LayerWidth = Annotated[int, BeforeValidator(to_int), within(ge=1), within(le=MAX_LAYER_WIDTH)]
LayerCount = Annotated[int, BeforeValidator(to_int), within(ge=0), within(le=MAX_LAYERS)]
AreaCount = Annotated[int, BeforeValidator(to_int), within(ge=1), within(le=MAX_AREAS)]
Float = Annotated[float, BeforeValidator(to_float)]
PositiveFloat = Annotated[float, BeforeValidator(to_float), within(gt=0)]
NonNegativeFloat = Annotated[float, BeforeValidator(to_float), within(ge=0)]
UnitFloat = Annotated[float, BeforeValidator(to_float), within(ge=0, le=1)]
Float32 = Annotated[float, BeforeValidator(to_float), within(ge=-FLOAT32_MAX, le=FLOAT32_MAX)]
NonNegativeFloat32 = Annotated[float, BeforeValidator(to_float), within(ge=0), within(le=FLOAT32_MAX)]
PositiveFloat32 = Annotated[float, BeforeValidator(to_float), within(gt=0), within(le=FLOAT32_MAX)]
Bool = Annotated[bool, BeforeValidator(to_bool)]
Text = Annotated[str, BeforeValidator(to_text)]
