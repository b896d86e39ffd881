"""Environment parameters: numbers, samplers, and curricula of lessons."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Any, ClassVar

from pydantic import Field, SerializeAsAny, ValidationInfo, field_validator, model_validator
from pydantic_core import PydanticCustomError

from mlagents.settings.base import Settings
from mlagents.settings.sampler_plugins import plugin_samplers
from mlagents.settings.types import (
    Bool,
    Float,
    Float32,
    NonNegativeFloat32,
    NonNegativeInt,
    Seed,
    Text,
    problem,
    to_float,
)


class SamplerType(StrEnum):
    """How an environment draws the value of a parameter."""

    CONSTANT = "constant"
    UNIFORM = "uniform"
    GAUSSIAN = "gaussian"
    MULTIRANGEUNIFORM = "multirangeuniform"


class ConstantParameters(Settings):
    """Always the same value."""

    seed: Seed = -1
    """Unused; every sampler has one."""
    value: Float32 = 0.0
    """The value."""


class UniformParameters(Settings):
    """Uniform between two bounds."""

    seed: Seed = -1
    """Seed of the draws; -1 derives one from the seed of the run."""
    min_value: Float32 = 0.0
    """Lower bound."""
    max_value: Float32 = Field(default=1.0, validate_default=True)
    """Upper bound; at least ``min_value``."""

    @field_validator("max_value")
    @classmethod
    def _ordered(cls, value: float, info: ValidationInfo) -> float:
        if value < info.data.get("min_value", value):
            raise problem(f"it must be at least min_value, which is {info.data['min_value']:g}")
        return value


class GaussianParameters(Settings):
    """Normal distribution."""

    seed: Seed = -1
    """Seed of the draws; -1 derives one from the seed of the run."""
    mean: Float32 = 1.0
    """Mean."""
    st_dev: NonNegativeFloat32 = 1.0
    """Standard deviation; 0 or more."""


class MultiRangeUniformParameters(Settings):
    """Uniform over several intervals, each chosen in proportion to its length."""

    seed: Seed = -1
    """Seed of the draws; -1 derives one from the seed of the run."""
    intervals: tuple[tuple[Float32, ...], ...] = ((0.0, 1.0),)
    """Intervals as [low, high]; at least one."""

    @field_validator("intervals")
    @classmethod
    def _ordered_pairs(cls, value: tuple[tuple[float, ...], ...]) -> tuple[tuple[float, ...], ...]:
        if not value:
            raise problem("it must hold at least one interval [low, high]")
        for interval in value:
            if len(interval) != 2 or interval[0] > interval[1]:
                raise problem(f"{list(interval)} is not an interval [low, high]")
        return value


SAMPLER_PARAMETERS: dict[str, type[Settings]] = {
    SamplerType.CONSTANT: ConstantParameters,
    SamplerType.UNIFORM: UniformParameters,
    SamplerType.GAUSSIAN: GaussianParameters,
    SamplerType.MULTIRANGEUNIFORM: MultiRangeUniformParameters,
}


class SamplerSettings(Settings):
    """A sampler; a plain number stands for a constant one."""

    sampler_type: str
    """The distribution: a :class:`SamplerType`, or the name that a plugin gives to its own."""
    sampler_parameters: SerializeAsAny[Settings]
    """Its parameters, of the class that belongs to ``sampler_type``."""

    @model_validator(mode="before")
    @classmethod
    def _number_is_constant(cls, data: Any) -> Any:  # noqa: ANN401
        if isinstance(data, Mapping | Settings):
            return data
        try:
            value = to_float(data)
        except PydanticCustomError:
            raise problem("it must be a number, or a map with sampler_type and sampler_parameters") from None
        return {"sampler_type": SamplerType.CONSTANT, "sampler_parameters": {"value": value}}

    @field_validator("sampler_type", mode="plain")
    @classmethod
    def _known_sampler(cls, value: object) -> str:
        if value == "multirange_uniform":  # as the original's documentation spells it
            return SamplerType.MULTIRANGEUNIFORM
        if isinstance(value, str):
            if value in SAMPLER_PARAMETERS:
                return SamplerType(value)
            if value in plugin_samplers():
                return value
        raise problem(f"it must be one of {', '.join([*SamplerType, *plugin_samplers()])}")

    @field_validator("sampler_parameters", mode="before")
    @classmethod
    def _of_sampler(cls, value: object, info: ValidationInfo) -> object:
        sampler_type = info.data.get("sampler_type")
        if sampler_type is None:  # reported at sampler_type
            return Settings()
        settings_class = SAMPLER_PARAMETERS.get(sampler_type) or plugin_samplers()[sampler_type]
        return settings_class.model_validate(value, context=info.context)

    def with_seed(self, seed: int) -> SamplerSettings:
        """A copy that draws with this seed."""
        return self.model_copy(
            update={"sampler_parameters": self.sampler_parameters.model_copy(update={"seed": seed})}
        )

    @property
    def seed(self) -> int:
        """The seed of the draws; -1 where none was given."""
        return int(self.sampler_parameters.model_dump()["seed"])


class Measure(StrEnum):
    """What decides that a lesson is learned."""

    REWARD = "reward"
    PROGRESS = "progress"
    ELO = "Elo"


class CompletionCriteria(Settings):
    """When a lesson is learned."""

    tolerant: ClassVar[bool] = True

    behavior: Text
    """Behavior that is measured."""
    measure: Measure = Measure.REWARD
    """Mean return, fraction of ``max_steps`` done, or rating."""
    threshold: Float = Field(default=0.0, validate_default=True)
    """The measure must exceed it; 0 to 1 for ``progress``."""
    min_lesson_length: NonNegativeInt = 0
    """Episodes that must have ended before, episodes; 0 or more."""
    signal_smoothing: Bool = True
    """Whether a quarter of the previous measure is kept."""
    require_reset: Bool = False
    """Whether the environment is reset when the lesson ends."""

    @field_validator("threshold")
    @classmethod
    def _fraction_for_progress(cls, value: float, info: ValidationInfo) -> float:
        if info.data.get("measure") is Measure.PROGRESS and not 0 <= value <= 1:
            raise problem("for the measure 'progress' it must be between 0 and 1")
        return value


UNNAMED = ""
"""Name of the only lesson of a number or sampler until the parameter's name is known; no file can say it."""


class Lesson(Settings):
    """One stage of a curriculum."""

    name: Text
    """Name in logs and statistics."""
    value: SamplerSettings
    """The parameter during this lesson."""
    completion_criteria: CompletionCriteria | None = None
    """When the next lesson begins; needed on all lessons but the last."""


class EnvironmentParameterSettings(Settings):
    """One parameter of the environment.

    Whatever its form in the file (a number, a sampler, a curriculum), it is kept as a curriculum; a
    number or a sampler is the only lesson, named like the parameter.
    """

    curriculum: tuple[Lesson, ...]
    """Lessons in order; at least one."""

    @model_validator(mode="before")
    @classmethod
    def _single_value_is_a_lesson(cls, data: Any, info: ValidationInfo) -> Any:  # noqa: ANN401
        if not isinstance(data, Settings) and not (isinstance(data, Mapping) and "curriculum" in data):
            sampler = SamplerSettings.model_validate(data, context=info.context)
            return {"curriculum": (Lesson.model_construct(name=UNNAMED, value=sampler),)}
        return data

    @field_validator("curriculum")
    @classmethod
    def _complete(cls, value: tuple[Lesson, ...]) -> tuple[Lesson, ...]:
        if not value:
            raise problem("it must hold at least one lesson")
        for lesson in value[:-1]:
            if lesson.completion_criteria is None:
                raise problem(f"lesson '{lesson.name}' needs completion_criteria (all but the last do)")
        return value

    def named(self, name: str) -> EnvironmentParameterSettings:
        """A copy whose lesson made from a number or sampler has the name of the parameter."""
        only = self.curriculum[0]
        if len(self.curriculum) > 1 or only.name != UNNAMED:
            return self
        return self.model_copy(update={"curriculum": (only.model_copy(update={"name": name}),)})
