"""Everything that a training run is told, as one immutable object."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import yaml
from pydantic import Field, field_validator, model_validator

from mlagents.settings.base import Settings
from mlagents.settings.behavior import BehaviorSettings
from mlagents.settings.errors import TrainerConfigError
from mlagents.settings.merging import inherit_default_settings
from mlagents.settings.parameters import EnvironmentParameterSettings
from mlagents.settings.sections import (
    CheckpointSettings,
    EngineSettings,
    EnvironmentSettings,
    TorchSettings,
)
from mlagents.settings.types import Bool
from mlagents_envs.files import atomic_write_text
from mlagents_envs.near_names import nearest


class RunOptions(Settings):
    """The resolved options of one run.

    Built from the raw map of a configuration file. Behaviors inherit from ``default_settings`` while
    they are still raw maps, so that what depends on another setting follows the merged value.
    """

    default_settings: BehaviorSettings | None = None
    """Settings of behaviors that ``behaviors`` does not name; null means that there are none."""
    behaviors: dict[str, BehaviorSettings] = Field(default={})
    """Settings of each behavior by name."""
    env_settings: EnvironmentSettings = EnvironmentSettings()
    """The environment."""
    engine_settings: EngineSettings = EngineSettings()
    """Window and clock of the game engine."""
    environment_parameters: dict[str, EnvironmentParameterSettings] | None = None
    """Parameters sent to the environment, by name."""
    checkpoint_settings: CheckpointSettings = CheckpointSettings()
    """Results and weights."""
    torch_settings: TorchSettings = TorchSettings()
    """Compute device."""
    debug: Bool = False
    """Whether the log is detailed and errors show their traceback."""

    @model_validator(mode="before")
    @classmethod
    def _inherit(cls, data: Any) -> Any:  # noqa: ANN401
        return inherit_default_settings(data) if isinstance(data, Mapping) else data

    @field_validator("environment_parameters")
    @classmethod
    def _name_lessons(
        cls, value: dict[str, EnvironmentParameterSettings] | None
    ) -> dict[str, EnvironmentParameterSettings] | None:
        return {name: parameter.named(name) for name, parameter in value.items()} if value else value

    def behavior(self, name: str) -> BehaviorSettings:
        """Settings of the behavior ``name`` (without ``?team=n``).

        Raises:
            TrainerConfigError: neither listed nor covered by ``default_settings``.
        """
        if name in self.behaviors:
            return self.behaviors[name]
        if self.default_settings is not None:
            return self.default_settings
        suggestion = nearest(name, self.behaviors)
        hint = f" (is '{suggestion}' misspelt?)" if suggestion else ""
        raise TrainerConfigError(
            f"the environment has the behavior '{name}', but the configuration lists "
            f"{', '.join(self.behaviors) or 'none'}{hint}; add it below 'behaviors:', or add "
            "'default_settings:' for all behaviors"
        )

    def with_behaviors(self, names: Iterable[str]) -> RunOptions:
        """A copy that lists these behaviors explicitly, taking ``default_settings`` where needed.

        Raises:
            TrainerConfigError: a behavior is neither listed nor covered by ``default_settings``.
        """
        return self.model_copy(
            update={"behaviors": {**self.behaviors, **{name: self.behavior(name) for name in names}}}
        )

    def with_sampler_seeds(self, run_seed: int) -> RunOptions:
        """A copy in which every sampler has a seed.

        Those without one get ``run_seed`` plus a running index over them, in file order; it wraps around
        after the largest seed that environments are sent, 2³¹ - 1.
        """
        offset = 0
        parameters = {}
        for name, parameter in (self.environment_parameters or {}).items():
            lessons = []
            for lesson in parameter.curriculum:
                value = lesson.value
                if value.seed == -1:
                    value = value.with_seed((run_seed + offset) % 2**31)
                    offset += 1
                lessons.append(lesson.model_copy(update={"value": value}))
            parameters[name] = parameter.model_copy(update={"curriculum": tuple(lessons)})
        return self.model_copy(update={"environment_parameters": parameters or None})

    def to_yaml(self) -> str:
        """All options as YAML: enums as text, nulls kept; loading the text gives an equal object."""
        return yaml.safe_dump(self.model_dump(mode="json"), sort_keys=False, allow_unicode=True)

    def write_configuration(self, path: Path | str) -> None:
        """Write :meth:`to_yaml` to ``path``, replacing the file in one step.

        Raises:
            OSError: the folder does not exist or cannot be written.
        """
        atomic_write_text(path, self.to_yaml())
