"""Which settings class belongs to which trainer type and reward signal.

Whoever adds a trainer or a reward signal adds its settings class here; nothing else in this package
knows their names.
"""

from __future__ import annotations

from mlagents.algorithms.ppo_settings import PPOSettings
from mlagents.rewards.extrinsic import ExtrinsicSettings
from mlagents.settings.base import Settings, nearest

TRAINER_SETTINGS: dict[str, type[Settings]] = {"ppo": PPOSettings}
"""Hyperparameter class of every trainer type that can train."""

REWARD_SIGNAL_SETTINGS: dict[str, type[Settings]] = {"extrinsic": ExtrinsicSettings}
"""Settings class of every reward signal that can be used; each has gamma, strength, network_settings."""

UNAVAILABLE_TRAINERS = frozenset({"sac", "poca"})
UNAVAILABLE_REWARD_SIGNALS = frozenset({"curiosity", "gail", "rnd"})


def register_trainer_settings(trainer_type: str, settings_class: type[Settings]) -> None:
    """Make ``trainer_type`` usable in configurations, with these hyperparameters.

    Raises:
        ValueError: the name is taken by another class.
    """
    if TRAINER_SETTINGS.setdefault(trainer_type, settings_class) is not settings_class:
        raise ValueError(f"Trainer type '{trainer_type}' is already registered.")


def missing_name_text(name: str, known: dict[str, type[Settings]], later: frozenset[str], what: str) -> str:
    """Why ``name`` cannot be used: not available yet, or unknown; completes "``path`` is ``name``; ..."."""
    available = ", ".join(sorted(known))
    if name in later:
        return f"this {what} is not available yet in this version (available: {available})"
    suggestion = nearest(name, [*known, *later])
    hint = f"; did you mean '{suggestion}'?" if suggestion else ""
    return f"there is no such {what} (available: {available}){hint}"
