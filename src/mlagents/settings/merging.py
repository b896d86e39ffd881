"""How behaviors inherit from ``default_settings``, as raw maps before any default is filled in."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Any

from mlagents.settings.registry import trainer_settings

DEFAULT_TRAINER = "ppo"


def deep_merge(base: Mapping[str, Any], override: Mapping[str, Any]) -> dict[str, Any]:
    """``override`` over ``base``: maps key by key, everything else replaced. Neither is changed."""
    merged = dict(base)
    for key, value in override.items():
        inherited = merged.get(key)
        if isinstance(inherited, Mapping) and isinstance(value, Mapping):
            merged[key] = deep_merge(inherited, value)
        else:
            merged[key] = copy.deepcopy(value)
    return merged


def inherit_default_settings(data: Mapping[str, Any]) -> dict[str, Any]:
    """The map of a whole configuration, with ``default_settings`` merged under every behavior.

    A behavior of another trainer type inherits only the hyperparameters that its trainer has. Parts
    that are not maps are left as they are; their validation reports them.
    """
    merged = dict(data)
    default, behaviors = data.get("default_settings"), data.get("behaviors")
    if isinstance(default, Mapping) and isinstance(behaviors, Mapping):
        merged["behaviors"] = {
            name: _merge_behavior(default, behavior) if isinstance(behavior, Mapping) else behavior
            for name, behavior in behaviors.items()
        }
    return merged


def _merge_behavior(default: Mapping[str, Any], behavior: Mapping[str, Any]) -> dict[str, Any]:
    inherited = default.get("trainer_type", DEFAULT_TRAINER)
    trainer_type = behavior.get("trainer_type", inherited)
    hyperparameters = default.get("hyperparameters")
    settings_class = trainer_settings(trainer_type) if isinstance(trainer_type, str) else None
    if trainer_type != inherited and settings_class and isinstance(hyperparameters, Mapping):
        kept = {key: value for key, value in hyperparameters.items() if key in settings_class.model_fields}
        default = {**default, "hyperparameters": kept}
    return deep_merge(default, behavior)
