"""What a check found."""

from __future__ import annotations

from enum import StrEnum
from typing import NamedTuple


class Verdict(StrEnum):
    """How a check ended."""

    OK = "ok"
    NOTE = "note"
    """Works, but something is worth knowing."""
    PROBLEM = "problem"
    """Something does not work."""


class Finding(NamedTuple):
    """The result of one check.

    Attributes:
        subject: what was checked, such as "PyTorch".
        verdict: how it ended.
        text: what was found.
        advice: what to do about it; empty where nothing is to be done.
    """

    subject: str
    verdict: Verdict
    text: str
    advice: str = ""


def ok(subject: str, text: str) -> Finding:
    """A check that found everything in order."""
    return Finding(subject, Verdict.OK, text)


def note(subject: str, text: str, advice: str = "") -> Finding:
    """A check that found something worth knowing."""
    return Finding(subject, Verdict.NOTE, text, advice)


def problem(subject: str, text: str, advice: str) -> Finding:
    """A check that found something broken."""
    return Finding(subject, Verdict.PROBLEM, text, advice)
