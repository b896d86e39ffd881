"""Which settings class belongs to which trainer type and reward signal.

This is the one place where the settings look up, to the classes that stand beside the code they
configure: whoever adds a trainer or a reward signal adds its settings class here, and nothing else in this
package knows their names. Registration by that code itself would turn the imports around, but then a
configuration could be validated only after all that code was loaded, PyTorch included, and its meaning would
depend on what had been imported before. The modules imported here hold settings only.
"""

from __future__ import annotations

from mlagents.algorithms.ppo_settings import PPOSettings
from mlagents.algorithms.sac_settings import SACSettings
from mlagents.rewards.curiosity_settings import CuriositySettings
from mlagents.rewards.extrinsic import ExtrinsicSettings
from mlagents.rewards.gail_settings import GAILSettings
from mlagents.rewards.rnd_settings import RNDSettings
from mlagents.settings.base import Settings
from mlagents.settings.trainer_plugins import plugin_trainers
from mlagents_envs.near_names import nearest

TRAINER_SETTINGS: dict[str, type[Settings]] = {"ppo": PPOSettings, "sac": SACSettings}
"""Hyperparameter class of every built-in trainer type that can train."""

REWARD_SIGNAL_SETTINGS: dict[str, type[Settings]] = {
    "extrinsic": ExtrinsicSettings,
    "curiosity": CuriositySettings,
    "rnd": RNDSettings,
    "gail": GAILSettings,
}
"""Settings class of every reward signal that can be used; each has gamma, strength, network_settings."""

UNAVAILABLE_TRAINERS = frozenset({"poca"})
UNAVAILABLE_REWARD_SIGNALS: frozenset[str] = frozenset()

ON_POLICY_TRAINERS = frozenset({"ppo", "poca"})
"""Trainers that learn once ``buffer_size`` experiences are there; for others that is what they remember."""


def trainer_settings(name: str) -> type[Settings] | None:
    """Hyperparameter class of a trainer type, built in or of a plugin; None where there is none."""
    if name in TRAINER_SETTINGS:
        return TRAINER_SETTINGS[name]
    if name in UNAVAILABLE_TRAINERS:
        return None
    plugin = plugin_trainers().get(name)
    return plugin.settings if plugin else None


def missing_trainer_text(name: str) -> str:
    """Why a trainer type cannot be used."""
    plugins = {known: plugin.settings for known, plugin in plugin_trainers().items()}
    return missing_name_text(name, {**plugins, **TRAINER_SETTINGS}, UNAVAILABLE_TRAINERS, "trainer")


def missing_name_text(name: str, known: dict[str, type[Settings]], later: frozenset[str], what: str) -> str:
    """Why ``name`` cannot be used: not available yet, or unknown; completes "``path`` is ``name``; ..."."""
    available = ", ".join(sorted(known))
    if name in later:
        return f"this {what} is not available yet in this version (available: {available})"
    suggestion = nearest(name, [*known, *later])
    hint = f"; did you mean '{suggestion}'?" if suggestion else ""
    return f"there is no such {what} (available: {available}){hint}"
