"""What a person does: keys held down, and how an agent's heuristic reads them.

Nothing here needs a window. A program with one tells the keyboard of the academy which keys are held
down; tests do the same.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Protocol

from mlagents_sdk.exception import AgentsError

LEFT_KEYS = ("a", "left")
RIGHT_KEYS = ("d", "right")
UP_KEYS = ("w", "up")
DOWN_KEYS = ("s", "down")

KEY_NAMES = frozenset(
    [
        *"abcdefghijklmnopqrstuvwxyz0123456789",
        *("left", "right", "up", "down"),
        *("space", "enter", "escape", "tab", "backspace"),
        *("shift", "control", "alt"),
    ]
)
"""Names of the keys: letters (lower case), digits and these words."""


class Keyboard(Protocol):
    """Tells which keys are held down now."""

    def is_pressed(self, key: str) -> bool:
        """Whether a key is held down; keys are named as in :data:`KEY_NAMES`."""


class VirtualKeyboard:
    """A keyboard whose keys a program holds down: a window, or a test."""

    def __init__(self) -> None:
        self._pressed: set[str] = set()

    def press(self, *keys: str) -> None:
        """Hold keys down until they are released.

        Raises:
            AgentsError: there is no such key.
        """
        self._pressed |= _checked(keys)

    def release(self, *keys: str) -> None:
        """Let keys go, those held down before and others.

        Raises:
            AgentsError: there is no such key.
        """
        self._pressed -= _checked(keys)

    def release_all(self) -> None:
        """Let all keys go."""
        self._pressed.clear()

    def is_pressed(self, key: str) -> bool:
        """Whether a key is held down.

        Raises:
            AgentsError: there is no such key.
        """
        if key not in self._pressed:
            _checked((key,))
            return False
        return True


def any_pressed(keyboard: Keyboard, keys: Iterable[str]) -> bool:
    """Whether one of several keys is held down."""
    return any(keyboard.is_pressed(key) for key in keys)


def axis(keyboard: Keyboard, negative: Iterable[str], positive: Iterable[str]) -> float:
    """-1.0, 0.0 or 1.0 by which of two groups of keys is held down; 0.0 when both are."""
    return float(any_pressed(keyboard, positive)) - float(any_pressed(keyboard, negative))


def horizontal(keyboard: Keyboard) -> float:
    """1.0 with D or the right arrow, -1.0 with A or the left arrow, else 0.0."""
    return axis(keyboard, LEFT_KEYS, RIGHT_KEYS)


def vertical(keyboard: Keyboard) -> float:
    """1.0 with W or the upward arrow, -1.0 with S or the downward arrow, else 0.0."""
    return axis(keyboard, DOWN_KEYS, UP_KEYS)


def _checked(keys: Iterable[str]) -> set[str]:
    names = set(keys)
    unknown = sorted(names - KEY_NAMES)
    if unknown:
        raise AgentsError(
            f"There is no key {unknown[0]!r}. Keys are called by their lower-case letter or digit, or one of "
            f"{', '.join(sorted(name for name in KEY_NAMES if len(name) > 1))}."
        )
    return names
