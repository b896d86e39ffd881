"""Guesses which known name somebody meant who typed another one, for the hints of error messages."""

from __future__ import annotations

import difflib
from collections.abc import Iterable

_CUTOFF = 0.6
"""Least similarity of a suggestion, as :func:`difflib.get_close_matches` measures it."""


def near_names(word: str, known: Iterable[str], limit: int = 3) -> list[str]:
    """The known names like ``word``, most alike first; upper and lower case are alike.

    Args:
        word: what was typed.
        known: names to choose from.
        limit: most names to return.

    Returns:
        Names that are spelt like ``word``; where there are none, those that begin with it.
    """
    typed = word.lower()
    by_lower: dict[str, list[str]] = {}
    for name in known:
        by_lower.setdefault(name.lower(), []).append(name)
    matches = difflib.get_close_matches(typed, by_lower, n=limit, cutoff=_CUTOFF)
    if not matches and len(typed) > 2:
        matches = [name for name in by_lower if name.startswith(typed)]
    return [name for match in matches for name in by_lower[match]][:limit]


def nearest(word: str, known: Iterable[str]) -> str | None:
    """The known name that ``word`` was probably meant to be, or None; see :func:`near_names`."""
    matches = near_names(word, known, limit=1)
    return matches[0] if matches else None
