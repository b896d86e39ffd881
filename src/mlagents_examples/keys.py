"""What a person's keys mean in branches of discrete actions."""

from __future__ import annotations

from collections.abc import Iterable

from mlagents_sdk.input import Keyboard, any_pressed


def branch_of_keys(keyboard: Keyboard, first: Iterable[str], second: Iterable[str]) -> int:
    """1 or 2 by which of two groups of keys is held down, the first where both are, and 0 where none is."""
    if any_pressed(keyboard, first):
        return 1
    return 2 if any_pressed(keyboard, second) else 0
