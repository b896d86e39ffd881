"""Which lesson each environment parameter is in, and when the next one begins.

Every parameter has a curriculum of its own; a number or a sampler is a curriculum of one lesson. A lesson
ends when the behavior that it names has done well enough, after enough episodes; one lesson ends at a time.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from typing import Any, NamedTuple, Protocol

from mlagents.settings.parameters import (
    CompletionCriteria,
    EnvironmentParameterSettings,
    Measure,
    SamplerSettings,
)
from mlagents_envs.logging_util import get_logger

_LOGGER = get_logger(__name__)
SMOOTHING = 0.25
"""Share of the previous measure that is kept where ``signal_smoothing`` is on."""


class Progress(Protocol):
    """What a lesson may measure of a behavior."""

    @property
    def fraction_done(self) -> float:
        """Steps done, as a fraction of ``max_steps``."""

    @property
    def rating(self) -> float | None:
        """Rating in self-play, None without it."""


class LessonChange(NamedTuple):
    """What a test of the lessons led to.

    Attributes:
        parameters: parameters whose next lesson begins.
        must_reset: whether the environment is to be reset.
    """

    parameters: list[str]
    must_reset: bool


class Lessons:
    """The lessons of all environment parameters of a run.

    Args:
        parameters: curricula by parameter; samplers have their seeds already.

    Attributes:
        numbers: number of the present lesson by parameter, from 0.
    """

    def __init__(self, parameters: Mapping[str, EnvironmentParameterSettings]) -> None:
        self._parameters = dict(parameters)
        self.numbers = dict.fromkeys(self._parameters, 0)
        self._smoothed = dict.fromkeys(self._parameters, 0.0)
        self._returns: dict[str, deque[float]] = {}
        for parameter in self._parameters.values():
            for lesson in parameter.curriculum[:-1]:
                criteria = lesson.completion_criteria
                if criteria is not None:
                    self._reserve(criteria)

    def _reserve(self, criteria: CompletionCriteria) -> None:
        known = self._returns.get(criteria.behavior)
        size = max(1, criteria.min_lesson_length, known.maxlen or 1 if known is not None else 1)
        self._returns[criteria.behavior] = deque(maxlen=size)

    @property
    def names(self) -> list[str]:
        """All parameters."""
        return list(self._parameters)

    @property
    def is_over(self) -> bool:
        """Whether every parameter is in its last lesson, so that there is nothing to test."""
        return all(self._is_last(name) for name in self._parameters)

    def _is_last(self, name: str) -> bool:
        return self.numbers[name] >= len(self._parameters[name].curriculum) - 1

    def sampler(self, name: str) -> SamplerSettings:
        """The present value or sampler of a parameter."""
        return self._parameters[name].curriculum[self.numbers[name]].value

    def lesson_name(self, name: str) -> str:
        """Name of the present lesson of a parameter."""
        return self._parameters[name].curriculum[self.numbers[name]].name

    def add_returns(self, behavior: str, returns: list[float]) -> None:
        """Count episodes that ended, with their undiscounted returns."""
        if behavior in self._returns:
            self._returns[behavior].extend(returns)

    def advance(self, behaviors: Mapping[str, Progress]) -> LessonChange:
        """Test the present lessons, and begin the next one where the present one is passed.

        On any change the returns collected so far are forgotten: they belong to the finished lesson.

        Args:
            behaviors: the behaviors seen so far, by name.
        """
        changed: list[str] = []
        must_reset = False
        for name, parameter in self._parameters.items():
            if self._is_last(name):
                continue
            criteria = parameter.curriculum[self.numbers[name]].completion_criteria
            if criteria is None or criteria.behavior not in behaviors:
                continue
            if self._is_passed(name, criteria, behaviors[criteria.behavior]):
                self.numbers[name] += 1
                changed.append(name)
                must_reset |= criteria.require_reset
                _LOGGER.info(
                    "Parameter '%s' begins lesson '%s' (%d of %d).",
                    name,
                    self.lesson_name(name),
                    self.numbers[name] + 1,
                    len(parameter.curriculum),
                )
        if changed:
            for returns in self._returns.values():
                returns.clear()
        return LessonChange(changed, must_reset)

    def _is_passed(self, name: str, criteria: CompletionCriteria, progress: Progress) -> bool:
        returns = self._returns[criteria.behavior]
        if len(returns) < criteria.min_lesson_length:
            return False
        if criteria.measure is Measure.PROGRESS:
            return progress.fraction_done > criteria.threshold
        if criteria.measure is Measure.ELO:
            return progress.rating is not None and progress.rating > criteria.threshold
        if not returns:
            return False
        measure = sum(returns) / len(returns)
        if criteria.signal_smoothing:
            measure = SMOOTHING * self._smoothed[name] + (1.0 - SMOOTHING) * measure
            self._smoothed[name] = measure
        return measure > criteria.threshold

    def get_state(self) -> dict[str, Any]:
        """Lesson numbers and what was measured so far."""
        return {
            "numbers": dict(self.numbers),
            "smoothed": dict(self._smoothed),
            "returns": {behavior: list(returns) for behavior, returns in self._returns.items()},
        }

    def set_state(self, state: Mapping[str, Any]) -> None:
        """Continue from a state of :meth:`get_state`; what the configuration no longer has is dropped.

        A curriculum that became shorter is in its last lesson.
        """
        for name, number in state.get("numbers", {}).items():
            if name in self.numbers:
                self.numbers[name] = min(int(number), len(self._parameters[name].curriculum) - 1)
        for name, value in state.get("smoothed", {}).items():
            if name in self._smoothed:
                self._smoothed[name] = float(value)
        for behavior, returns in state.get("returns", {}).items():
            self.add_returns(behavior, [float(value) for value in returns])
