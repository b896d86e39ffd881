"""What the settings of all learned reward signals have in common."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from typing import Any

from pydantic import field_validator, model_validator

from mlagents.networks.settings import NetworkSettings
from mlagents.settings.base import Settings
from mlagents.settings.errors import TrainerConfigWarning
from mlagents.settings.types import NonNegativeFloat, UnitFloat


class LearnedSignalSettings(Settings):
    """Settings of a reward signal with a network of its own.

    The old key ``encoding_size`` is taken for ``network_settings.hidden_units`` where there are no
    ``network_settings``.
    """

    gamma: UnitFloat = 0.99
    """Discount per decision; 0 to 1."""
    strength: NonNegativeFloat = 1.0
    """Factor applied to the reward; 0 or more."""
    network_settings: NetworkSettings = NetworkSettings()
    """Network of the signal; ``memory`` is ignored, ``normalize`` concerns its own observations only."""
    learning_rate: NonNegativeFloat = 3e-4
    """Step size of Adam, constant; 0 or more."""

    @model_validator(mode="before")
    @classmethod
    def _take_encoding_size(cls, data: Any) -> Any:  # noqa: ANN401
        if not isinstance(data, Mapping) or "encoding_size" not in data:
            return data
        rest = {key: value for key, value in data.items() if key != "encoding_size"}
        if "network_settings" in rest:
            _warn("encoding_size of a reward signal is ignored, because it has network_settings")
            return rest
        _warn("encoding_size of a reward signal is deprecated; write network_settings: {hidden_units: ...}")
        return {**rest, "network_settings": {"hidden_units": data["encoding_size"]}}

    @field_validator("network_settings")
    @classmethod
    def _without_memory(cls, value: NetworkSettings) -> NetworkSettings:
        if value.memory is None:
            return value
        _warn("memory in the network_settings of a reward signal is ignored")
        return value.model_copy(update={"memory": None})


def _warn(text: str) -> None:
    warnings.warn(text, TrainerConfigWarning, stacklevel=2)
