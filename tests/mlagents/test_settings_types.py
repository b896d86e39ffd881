from __future__ import annotations

from typing import Any

import pytest
from pydantic_core import PydanticCustomError

from mlagents.settings.types import describe_range, to_bool, to_float, to_int, to_text


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (64, 64),
        ("5e4", 50_000),
        ("5.0e4", 50_000),
        (5e4, 50_000),
        (" 12 ", 12),
        ("-3", -3),
        ("9007199254740993", 2**53 + 1),
        (2**63 - 1, 2**63 - 1),
    ],
)
def test_whole_numbers(value: object, expected: int) -> None:
    result = to_int(value)
    assert result == expected
    assert type(result) is int


@pytest.mark.parametrize(
    "value", [1.5, "1.5", "x", "", True, None, [1], "inf", "nan", "1e400", 2**63, "9" * 9999]
)
def test_not_whole_numbers(value: object) -> None:
    with pytest.raises(PydanticCustomError, match="whole number"):
        to_int(value)


@pytest.mark.parametrize(("value", "expected"), [("3e-4", 3e-4), (1, 1.0), ("1_000", 1000.0), (-0.5, -0.5)])
def test_numbers(value: object, expected: float) -> None:
    assert to_float(value) == expected


@pytest.mark.parametrize("value", ["inf", float("nan"), "nan", "1e999", 10**400, True, None, "3e-4x", {}])
def test_not_numbers(value: object) -> None:
    with pytest.raises(PydanticCustomError, match="number"):
        to_float(value)


@pytest.mark.parametrize("word", [True, 1, "true", "True", "YES", "on", "1"])
def test_words_for_true(word: object) -> None:
    assert to_bool(word) is True


@pytest.mark.parametrize("word", [False, 0, "false", "No", "off", "0"])
def test_words_for_false(word: object) -> None:
    assert to_bool(word) is False


@pytest.mark.parametrize("word", ["maybe", "", 2, None, 1.0, []])
def test_not_switches(word: object) -> None:
    with pytest.raises(PydanticCustomError, match="true or false"):
        to_bool(word)


def test_text() -> None:
    assert to_text("run") == "run"
    assert to_text(5) == "5"
    for value in ("", "  ", True, None, ["a"], "a\0b"):
        with pytest.raises(PydanticCustomError):
            to_text(value)


@pytest.mark.parametrize(
    ("bounds", "text"),
    [
        ({"ge": 1}, "at least 1"),
        ({"ge": 0, "le": 1}, "between 0 and 1"),
        ({"gt": 0}, "greater than 0"),
        ({"gt": 0, "lt": 2}, "greater than 0 and less than 2"),
        ({"ge": -1, "le": 2**31 - 1}, "between -1 and 2147483647"),
        ({"le": 0.25}, "at most 0.25"),
    ],
)
def test_ranges_in_words(bounds: dict[str, Any], text: str) -> None:
    assert describe_range(**bounds) == text
