from __future__ import annotations

import pytest

from mlagents.settings import RunOptions, TrainerConfigError, TrainerConfigWarning, build_run_options
from mlagents.settings.parameters import (
    ConstantParameters,
    EnvironmentParameterSettings,
    GaussianParameters,
    MultiRangeUniformParameters,
    SamplerSettings,
    SamplerType,
    UniformParameters,
)
from mlagents.settings.problems import Origin
from mlagents.settings.yaml_file import parse_yaml


def load(body: str) -> RunOptions:
    file = parse_yaml(
        "environment_parameters:\n" + "".join(f"  {line}\n" for line in body.splitlines()), "run.yaml"
    )
    return build_run_options(file.data, Origin(file.path, file.lines))


def only_sampler(body: str, name: str = "p") -> SamplerSettings:
    parameters = load(body).environment_parameters
    assert parameters is not None
    (lesson,) = parameters[name].curriculum
    assert lesson.name == name
    return lesson.value


def error_of(body: str) -> str:
    with pytest.raises(TrainerConfigError) as caught:
        load(body)
    message = str(caught.value)
    assert "\n" not in message
    return message


@pytest.mark.parametrize("number", ["3", "3.0", "'3e0'"])
def test_number_is_a_constant(number: str) -> None:
    sampler = only_sampler(f"p: {number}")
    assert sampler.sampler_type is SamplerType.CONSTANT
    assert sampler.sampler_parameters == ConstantParameters(value=3.0)


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ("sampler_type: constant, sampler_parameters: {value: 2}", ConstantParameters(value=2)),
        ("sampler_type: uniform, sampler_parameters: {}", UniformParameters(min_value=0, max_value=1)),
        (
            "sampler_type: gaussian, sampler_parameters: {mean: 4, seed: 9}",
            GaussianParameters(mean=4, seed=9),
        ),
        (
            "sampler_type: multirangeuniform, sampler_parameters: {intervals: [[1, 2], [4, 5]]}",
            MultiRangeUniformParameters(intervals=((1, 2), (4, 5))),
        ),
        (
            "sampler_type: multirange_uniform, sampler_parameters: {intervals: [[1, 2]]}",
            MultiRangeUniformParameters(intervals=((1, 2),)),
        ),
    ],
)
def test_samplers(body: str, expected: object) -> None:
    assert only_sampler(f"p: {{{body}}}").sampler_parameters == expected


@pytest.mark.parametrize(
    ("body", "path", "text"),
    [
        (
            "p: {sampler_type: uniform, sampler_parameters: {min_value: 2, max_value: 1}}",
            "environment_parameters.p.sampler_parameters.max_value is 1",
            "at least min_value, which is 2",
        ),
        (
            "p: {sampler_type: multirangeuniform, sampler_parameters: {intervals: [[2, 1]]}}",
            "sampler_parameters.intervals",
            "[2.0, 1.0] is not an interval",
        ),
        (
            "p: {sampler_type: multirangeuniform, sampler_parameters: {intervals: [[1, 2, 3]]}}",
            "sampler_parameters.intervals",
            "not an interval",
        ),
        (
            "p: {sampler_type: multirangeuniform, sampler_parameters: {intervals: []}}",
            "sampler_parameters.intervals",
            "at least one interval",
        ),
        ("p: {sampler_type: normal, sampler_parameters: {}}", 'p.sampler_type is "normal"', "gaussian"),
        ("p: {sampler_type: uniform}", "environment_parameters.p.sampler_parameters", "missing"),
        ("p: {sampler_parameters: {}}", "environment_parameters.p.sampler_type", "missing"),
        ("p: {sampler_type: uniform, sampler_parameters: null}", "sampler_parameters is null", "map"),
        ("p: heavy", 'environment_parameters.p is "heavy"', "number"),
        ("p: null", "environment_parameters.p is null", "number"),
        ("p: true", "environment_parameters.p is true", "number"),
        ("p: {curriculum: []}", "environment_parameters.p.curriculum", "at least one lesson"),
        ("p: {curriculum: null}", "environment_parameters.p.curriculum is null", "list"),
        ("p: {curriculum: [{value: 1}]}", "environment_parameters.p.curriculum[0].name", "missing"),
        ("p: {curriculum: [{name: a, value: x}]}", "curriculum[0].value is", "number"),
        ("p: {curriculum: [{name: a, value: 1}], seed: 3}", "environment_parameters.p.seed", "unknown key"),
        (
            "p: {curriculum: [{name: a, value: 1}, {name: b, value: 2}]}",
            "environment_parameters.p.curriculum",
            "lesson 'a' needs completion_criteria",
        ),
        (
            "p: {curriculum: [{name: a, value: 1, completion_criteria: "
            "{behavior: B, measure: progress, threshold: 2}}, {name: b, value: 2}]}",
            "curriculum[0].completion_criteria.threshold is 2",
            "between 0 and 1",
        ),
    ],
)
def test_refused(body: str, path: str, text: str) -> None:
    message = error_of(body)
    assert path in message
    assert text in message


def test_criteria_of_the_last_lesson_are_ignored_with_a_warning() -> None:
    with pytest.warns(TrainerConfigWarning, match=r"p\.curriculum\[0\]\.completion_criteria: ignored"):
        load("p: {curriculum: [{name: a, value: 1, completion_criteria: {behavior: B}}]}")


def test_a_curriculum_keeps_the_names_of_its_lessons() -> None:
    options = load("p: {curriculum: [{name: value, value: 1}]}")
    assert options.environment_parameters is not None
    assert options.environment_parameters["p"].curriculum[0].name == "value"


def test_seeds_run_over_the_samplers_that_lack_one() -> None:
    options = load(
        "a: 1\n"
        "b: {sampler_type: uniform, sampler_parameters: {seed: 5}}\n"
        "c: {sampler_type: gaussian, sampler_parameters: {}}\n"
    )
    seeded = options.with_sampler_seeds(100).environment_parameters
    assert seeded is not None
    assert {name: parameter.curriculum[0].value.seed for name, parameter in seeded.items()} == {
        "a": 100,
        "b": 5,
        "c": 101,
    }
    original = options.environment_parameters
    assert original is not None
    assert original["a"].curriculum[0].value.seed == -1


def test_no_parameters() -> None:
    assert RunOptions().with_sampler_seeds(3) == RunOptions()
    assert EnvironmentParameterSettings.model_validate(2).curriculum[0].value.seed == -1
