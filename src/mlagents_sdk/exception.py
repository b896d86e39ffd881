"""Exceptions of the SDK."""

from __future__ import annotations

from mlagents_envs.exception import UnityException


class AgentsError(UnityException):
    """The SDK was used in a way that cannot work; the message names the culprit and the remedy."""
