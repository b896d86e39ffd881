"""When lessons end."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pytest

from mlagents.curriculum.lessons import Lessons
from mlagents.settings.parameters import EnvironmentParameterSettings


@dataclass
class Done:
    fraction_done: float = 0.0
    rating: float | None = None


def lessons(*criteria: dict[str, Any], name: str = "height") -> Lessons:
    curriculum = [
        {"name": f"L{i}", "value": float(i), "completion_criteria": {"behavior": "A", **c}}
        for i, c in enumerate(criteria)
    ]
    curriculum.append({"name": "last", "value": 99.0})
    return Lessons({name: EnvironmentParameterSettings.model_validate({"curriculum": curriculum})})


def value(lessons: Lessons, name: str = "height") -> float:
    return float(lessons.sampler(name).sampler_parameters.model_dump()["value"])


PLAIN = {"signal_smoothing": False, "min_lesson_length": 2}


def test_mean_return_of_enough_episodes_ends_a_lesson() -> None:
    it = lessons({**PLAIN, "threshold": 0.5})
    behaviors = {"A": Done()}
    assert it.advance(behaviors) == ([], False)
    it.add_returns("A", [9.0])
    assert it.advance(behaviors) == ([], False)  # one episode is not two
    it.add_returns("A", [0.1, 0.8])  # the oldest falls out
    assert it.advance(behaviors) == ([], False)
    it.add_returns("A", [0.3])  # mean 0.55
    assert it.advance(behaviors) == (["height"], False)
    assert (it.numbers, value(it), it.lesson_name("height")) == ({"height": 1}, 99.0, "last")
    assert it.is_over


def test_the_threshold_must_be_exceeded() -> None:
    it = lessons({**PLAIN, "threshold": 0.5})
    it.add_returns("A", [0.5, 0.5])
    assert it.advance({"A": Done()}).parameters == []


def test_smoothing_keeps_a_quarter_of_the_previous_measure() -> None:
    it = lessons({"min_lesson_length": 1, "threshold": 0.9})
    it.add_returns("A", [1.0])
    passed = [bool(it.advance({"A": Done()}).parameters) for _ in range(3)]  # 0.75, 0.9375 > 0.9
    assert passed == [False, True, False]


def test_progress_needs_the_episodes_too() -> None:
    it = lessons({**PLAIN, "measure": "progress", "threshold": 0.3})
    done = {"A": Done(0.31)}
    assert it.advance(done).parameters == []
    it.add_returns("A", [0.0, 0.0])
    assert it.advance({"A": Done(0.3)}).parameters == []
    assert it.advance(done).parameters == ["height"]


def test_ratings() -> None:
    it = lessons({"measure": "Elo", "threshold": 1300.0, "min_lesson_length": 0})
    assert it.advance({"A": Done(rating=None)}).parameters == []
    assert it.advance({"A": Done(rating=1300.0)}).parameters == []
    assert it.advance({"A": Done(rating=1301.0)}).parameters == ["height"]


def test_one_lesson_at_a_time_and_returns_start_anew() -> None:
    it = lessons({**PLAIN, "threshold": 0.5}, {**PLAIN, "threshold": 0.5, "require_reset": True})
    it.add_returns("A", [9.0, 9.0])
    assert it.advance({"A": Done()}) == (["height"], False)
    assert it.advance({"A": Done()}) == ([], False)
    it.add_returns("A", [9.0, 9.0])
    assert it.advance({"A": Done()}) == (["height"], True)


def test_a_behavior_not_seen_yet_passes_nothing() -> None:
    it = lessons({**PLAIN, "threshold": -1.0})
    it.add_returns("A", [0.0, 0.0])
    assert it.advance({}).parameters == []


def test_the_longest_lesson_of_a_behavior_sets_how_many_returns_are_kept() -> None:
    it = lessons({**PLAIN, "threshold": 0.5}, {**PLAIN, "min_lesson_length": 4, "threshold": 0.5})
    it.add_returns("A", [-3.0, 0.0, 9.0, 9.0])  # all four count in the first lesson too
    assert it.advance({"A": Done()}).parameters == ["height"]
    it.add_returns("A", [0.0, 0.0, 9.0])
    assert it.advance({"A": Done()}).parameters == []


@pytest.mark.parametrize("steps", [1, 2, 3])
def test_state(steps: int) -> None:
    def make() -> Lessons:
        return lessons(
            {"min_lesson_length": 2, "threshold": 0.9}, {"min_lesson_length": 2, "threshold": 0.95}
        )

    def go(it: Lessons, n: int) -> list[Any]:
        seen = []
        for i in range(n):
            it.add_returns("A", [0.5 + 0.2 * i])
            seen.append((it.advance({"A": Done()}), dict(it.numbers)))
        return seen

    straight, stopped, resumed = make(), make(), make()
    expected = go(straight, steps) + go(straight, 6)
    first = go(stopped, steps)
    resumed.set_state(stopped.get_state())
    assert first + go(resumed, 6) == expected
    assert straight.numbers["height"] > 0


def test_state_of_another_configuration() -> None:
    it = lessons({**PLAIN, "threshold": 0.5})
    it.set_state({"numbers": {"height": 7, "gone": 2}, "smoothed": {"gone": 1.0}, "returns": {"B": [1.0]}})
    assert it.numbers == {"height": 1}
