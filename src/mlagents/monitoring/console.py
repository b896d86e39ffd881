"""Statistics as lines for a person."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping

from mlagents.monitoring.stats import StatsPropertyType, StatsSummary, StatsWriter, flatten_settings

_REWARD = "Environment/Cumulative Reward"
_GROUP_REWARD = "Environment/Group Cumulative Reward"
_ELO = "Self-play/ELO"
_IS_TRAINING = "Is Training"


class ConsoleWriter(StatsWriter):
    """Prints one line per summary, in the form that log readers of the original toolkit parse.

    Args:
        emit: takes each finished line; for instance the ``log`` method of a progress display.
        now: clock in seconds; elapsed time counts from construction.

    Attributes:
        emit: takes each finished line; may be replaced.
    """

    def __init__(
        self, emit: Callable[[str], None] = print, now: Callable[[], float] = time.perf_counter
    ) -> None:
        self.emit = emit
        self._now = now
        self._start = now()

    def write_stats(self, category: str, values: dict[str, StatsSummary], step: int) -> None:
        """Print the line of one summary."""
        parts = [category, f"Step: {step}", f"Time Elapsed: {self._now() - self._start:.3f} s"]
        if _REWARD in values:
            reward = values[_REWARD]
            parts.append(f"Mean Reward: {reward.mean:.3f}")
            if _GROUP_REWARD in values:
                parts.append(f"Mean Group Reward: {values[_GROUP_REWARD].mean:.3f}")
            else:
                parts.append(f"Std of Reward: {reward.std:.3f}")
        else:
            parts.append("No episode was completed since last summary")
        is_training = _IS_TRAINING in values and values[_IS_TRAINING].aggregated_value > 0.0
        parts.append("Training" if is_training else "Not Training")
        if _ELO in values:
            parts.append(f"ELO: {values[_ELO].mean:.3f}")
        self.emit(f"[INFO] {'. '.join(parts)}.")

    def add_property(self, category: str, property_type: StatsPropertyType, value: object) -> None:
        """Print hyperparameters, one per line; other properties do not change the lines."""
        if property_type is StatsPropertyType.HYPERPARAMETERS and isinstance(value, Mapping):
            lines = [f"[INFO] Hyperparameters of behavior {category}:", *flatten_settings(value, indent=1)]
            self.emit("\n".join(lines))
