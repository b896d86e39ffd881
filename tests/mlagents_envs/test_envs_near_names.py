from __future__ import annotations

import pytest

from mlagents_envs.near_names import near_names, nearest

KNOWN = ["3DBall", "3DBallHard", "PushBlock", "hidden_units"]


@pytest.mark.parametrize(
    ("word", "meant"),
    [
        ("3dbal", "3DBall"),
        ("pushblok", "PushBlock"),
        ("HIDEN_UNITS", "hidden_units"),
        ("pus", "PushBlock"),
        ("p", None),
        ("zzzz", None),
        ("", None),
    ],
)
def test_nearest(word: str, meant: str | None) -> None:
    assert nearest(word, KNOWN) == meant


def test_nothing_is_known() -> None:
    assert nearest("x", []) is None


def test_several_are_ordered_by_likeness_and_limited() -> None:
    assert near_names("3DBallHart", KNOWN) == ["3DBallHard", "3DBall"]
    assert near_names("3DBallHart", KNOWN, limit=1) == ["3DBallHard"]
    assert near_names("ball", ["Ball", "BALL", "cube"]) == ["Ball", "BALL"]
