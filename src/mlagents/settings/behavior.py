"""Settings of one behavior: its trainer, networks, reward signals and schedule."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from pydantic import Field, SerializeAsAny, ValidationInfo, field_validator, model_validator

from mlagents.imitation.alignment import DemonstrationAlignment
from mlagents.networks.settings import NetworkSettings
from mlagents.settings.base import Settings, validate_entries
from mlagents.settings.registry import (
    REWARD_SIGNAL_SETTINGS,
    UNAVAILABLE_REWARD_SIGNALS,
    missing_name_text,
    missing_trainer_text,
    trainer_settings,
)
from mlagents.settings.types import (
    Bool,
    Float,
    Int,
    NonNegativeFloat,
    NonNegativeInt,
    PositiveInt,
    PositiveInt32,
    Text,
    problem,
)


class SelfPlaySettings(Settings):
    """Playing against earlier versions of oneself."""

    tolerant: ClassVar[bool] = True

    save_steps: PositiveInt = 20000
    """Interval between snapshots of the policy, trainer steps; 1 or more."""
    team_change: PositiveInt = Field(default=None, validate_default=True)
    """Interval between changes of the learning team, trainer steps; default 5 times save_steps."""
    swap_steps: PositiveInt = 2000
    """Interval between changes of the opponent, steps of the other teams; 1 or more."""
    window: PositiveInt32 = 10
    """Number of snapshots kept; 1 or more."""
    play_against_latest_model_ratio: Float = 0.5
    """Probability of meeting the current policy instead of a snapshot; 0 to 1."""
    initial_elo: Float = 1200.0
    """Rating at the start of training."""

    @field_validator("team_change", mode="before")
    @classmethod
    def _five_snapshots(cls, value: object, info: ValidationInfo) -> object:
        return 5 * int(info.data.get("save_steps", 20000)) if value is None else value


class BehavioralCloningSettings(Settings):
    """Imitation of demonstrations beside the trainer's own updates."""

    tolerant: ClassVar[bool] = True

    demo_path: Text
    """Demonstration file, or a folder of them."""
    demo_alignment: DemonstrationAlignment = DemonstrationAlignment.AUTO
    """To which observation a recorded action belongs; found out per file by default."""
    steps: NonNegativeInt = 0
    """Steps over which imitation fades out, trainer steps; 0 means never."""
    strength: NonNegativeFloat = 1.0
    """Learning rate relative to that of the trainer; 0 or more."""
    samples_per_update: NonNegativeInt = 0
    """Most demonstration steps used per update; 0 means all."""
    num_epoch: PositiveInt32 | None = None
    """Passes over the demonstrations per update; null means 3."""
    batch_size: PositiveInt32 | None = None
    """Demonstration steps per gradient step; null means the trainer's."""


class BehaviorSettings(Settings):
    """How one behavior is trained.

    ``hyperparameters`` has the class registered for ``trainer_type``, each entry of ``reward_signals``
    the class registered for its name; both accept plain maps.
    """

    trainer_type: Text = "ppo"
    """Name of the trainer."""
    hyperparameters: SerializeAsAny[Settings] = Field(default={}, validate_default=True)
    """Hyperparameters of that trainer."""
    network_settings: NetworkSettings = NetworkSettings()
    """Shape of actor and critic."""
    reward_signals: dict[str, SerializeAsAny[Settings]] = Field(
        default={"extrinsic": {}}, validate_default=True
    )
    """Reward signals by name; at least one."""
    max_steps: PositiveInt = 500_000
    """Length of training, agent-steps; 1 or more."""
    time_horizon: PositiveInt32 = 64
    """Longest trajectory segment before its value is bootstrapped, decisions; 1 or more."""
    summary_freq: PositiveInt = 50_000
    """Interval between summaries, agent-steps; 1 or more."""
    keep_checkpoints: Int = 5
    """Number of checkpoints kept, the oldest goes first; 0 or less keeps all."""
    even_checkpoints: Bool = False
    """Whether ``checkpoint_interval`` becomes max_steps / keep_checkpoints."""
    checkpoint_interval: PositiveInt = Field(default=500_000, validate_default=True)
    """Interval between checkpoints, agent-steps; 1 or more."""
    init_path: Text | None = None
    """Checkpoint whose weights training starts from."""
    threaded: Bool = False
    """Whether updates run beside the collection of experience, which is faster where both take long. The
    policy that acts is then up to one update behind, and a run no longer repeats bit for bit."""
    self_play: SelfPlaySettings | None = None
    """Self-play; null means none."""
    behavioral_cloning: BehavioralCloningSettings | None = None
    """Imitation of demonstrations; null means none."""

    @model_validator(mode="before")
    @classmethod
    def _hyperparameters_need_their_trainer(cls, data: Any) -> Any:  # noqa: ANN401
        if not isinstance(data, Mapping) or "trainer_type" in data:
            return data
        if isinstance(data.get("hyperparameters"), Mapping):
            raise problem("hyperparameters needs a trainer_type beside it, such as 'trainer_type: ppo'")
        return data

    @field_validator("trainer_type")
    @classmethod
    def _known_trainer(cls, value: str) -> str:
        if trainer_settings(value) is None:
            raise problem(missing_trainer_text(value))
        return value

    @field_validator("hyperparameters", mode="before")
    @classmethod
    def _of_trainer(cls, value: object, info: ValidationInfo) -> object:
        settings_class = trainer_settings(info.data.get("trainer_type", ""))
        if settings_class is None:  # reported at trainer_type
            return Settings()
        return settings_class.model_validate(value, context=info.context)

    @field_validator("reward_signals", mode="before")
    @classmethod
    def _of_signal(cls, value: object, info: ValidationInfo) -> object:
        if not isinstance(value, Mapping):
            return value
        if not value:
            raise problem("it must name at least one reward signal; leave it out for 'extrinsic'")
        for name in value:
            if name not in REWARD_SIGNAL_SETTINGS:
                text = missing_name_text(
                    str(name), REWARD_SIGNAL_SETTINGS, UNAVAILABLE_REWARD_SIGNALS, "reward signal"
                )
                raise problem(f"'{name}': {text}")
        return validate_entries(value, REWARD_SIGNAL_SETTINGS, info)

    @field_validator("checkpoint_interval")
    @classmethod
    def _spread_evenly(cls, value: int, info: ValidationInfo) -> int:
        steps, kept = info.data.get("max_steps"), info.data.get("keep_checkpoints")
        if not info.data.get("even_checkpoints") or steps is None or kept is None:
            return value
        if kept < 1:
            raise problem("even_checkpoints divides max_steps by keep_checkpoints, which must be at least 1")
        return max(1, int(steps) // int(kept))
