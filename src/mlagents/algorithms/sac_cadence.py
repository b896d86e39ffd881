"""How many updates an off-policy trainer owes for the steps that were taken."""

from __future__ import annotations

from typing import Any

from mlagents.algorithms.sac_settings import SACSettings

REFILL_SHARE = 0.1
"""Part of ``buffer_size`` that a run resumed without its replay collects before it learns again."""


class Cadence:
    """Counts updates of the policy and of the reward signals against steps.

    With n updates made, another is owed while ``(step - buffer_init_steps) / (n + 1) > steps_per_update``;
    reward signals have a count and a ratio of their own. Steps during which an emptied replay is filled again
    are owed nothing.

    Args:
        settings: hyperparameters.

    Attributes:
        updates: updates of the policy so far.
        signal_updates: updates of the reward signals so far.
    """

    def __init__(self, settings: SACSettings) -> None:
        self.updates = 0
        self.signal_updates = 0
        self._settings = settings
        self._step = 0
        self._free_steps = 0.0
        self._free_signal_steps = 0.0
        self._refill = 0

    def observe(self, step: int, num_stored: int) -> None:
        """Take note of the step, and of how many decisions are remembered."""
        self._step = step
        if self._refill and num_stored >= self._refill:
            self._refill = 0
            self._free_steps = max(self._free_steps, self._credit())
            self._free_signal_steps = max(self._free_signal_steps, self._signal_credit())

    def wait_for_refill(self, num_stored: int) -> None:
        """Owe nothing until a replay that was emptied is filled again.

        Args:
            num_stored: decisions that it remembered before.
        """
        settings = self._settings
        needed = max(settings.buffer_init_steps, int(REFILL_SHARE * settings.buffer_size))
        self._refill = min(num_stored, max(needed, settings.batch_size))

    def _credit(self) -> float:
        """Steps beyond those that updates were made for, and are owed nothing yet."""
        settings = self._settings
        return self._step - settings.buffer_init_steps - settings.steps_per_update * (self.updates + 1)

    def _signal_credit(self) -> float:
        settings = self._settings
        ratio = settings.reward_signal_steps_per_update
        return self._step - settings.buffer_init_steps - ratio * (self.signal_updates + 1)

    @property
    def owes_update(self) -> bool:
        """Whether another update of the policy is due."""
        return not self._refill and self._credit() > self._free_steps

    @property
    def owes_signal_update(self) -> bool:
        """Whether another update of the reward signals is due."""
        return not self._refill and self._signal_credit() > self._free_signal_steps

    def count_update(self) -> None:
        """An update of the policy was made."""
        self.updates += 1

    def count_signal_update(self) -> None:
        """An update of the reward signals was made."""
        self.signal_updates += 1

    def get_state(self) -> dict[str, Any]:
        """All counts."""
        return {
            "updates": self.updates,
            "signal_updates": self.signal_updates,
            "step": self._step,
            "free_steps": self._free_steps,
            "free_signal_steps": self._free_signal_steps,
            "refill": self._refill,
        }

    def set_state(self, state: dict[str, Any]) -> None:
        """Continue from a state returned by :meth:`get_state`."""
        self.updates = int(state["updates"])
        self.signal_updates = int(state["signal_updates"])
        self._step = int(state["step"])
        self._free_steps = float(state["free_steps"])
        self._free_signal_steps = float(state["free_signal_steps"])
        self._refill = int(state["refill"])
