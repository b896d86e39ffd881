"""Settings of the run as a whole: environment, engine window, checkpoints, compute device."""

from __future__ import annotations

from pathlib import PurePath
from typing import Annotated, ClassVar

from pydantic import BeforeValidator, field_validator

from mlagents.settings.base import Settings
from mlagents.settings.types import (
    AreaCount,
    Bool,
    Float,
    Int32,
    IntOrMinusOne,
    PositiveFloat32,
    PositiveInt,
    PositiveInt32,
    Seed,
    Text,
    problem,
    to_int,
    within,
)

LONGEST_NAME = 200
"""Bytes of the name of a folder; file systems allow 255, and the files in it have longer names."""

Port = Annotated[int, BeforeValidator(to_int), within(ge=1, le=65535)]


class EnvironmentSettings(Settings):
    """Which environment runs, and how often (``env_settings``)."""

    env_path: Text | None = None
    """Name of a registered environment, or path of an executable; null waits for the Unity Editor."""
    env_args: tuple[Text, ...] | None = None
    """Arguments handed to the environment."""
    base_port: Port = 5005
    """TCP port of worker 0, worker i listens on base_port + i; 1 to 65535."""
    num_envs: PositiveInt = 1
    """Environments side by side, workers; 1 or more."""
    num_areas: AreaCount | None = None
    """Training areas per environment; 1 to 1000000, null means the scene's own number."""
    seed: Seed = -1
    """Seed of every random generator; 0 to 2147483647, -1 draws one of 0 to 9999."""
    timeout_wait: PositiveInt32 = 60
    """How long the environment may take to start or answer, seconds; 1 or more."""
    max_lifetime_restarts: IntOrMinusOne = 10
    """Crashes tolerated per worker; -1 means any number."""
    restarts_rate_limit_n: IntOrMinusOne = 1
    """Crashes tolerated per worker and period; -1 means any number."""
    restarts_rate_limit_period_s: PositiveInt = 60
    """That period, seconds; 1 or more."""


class EngineSettings(Settings):
    """Window and clock of the game engine (``engine_settings``)."""

    width: PositiveInt32 = 84
    """Width of the window, pixels; 1 or more."""
    height: PositiveInt32 = 84
    """Height of the window, pixels; 1 or more."""
    quality_level: Int32 = 5
    """Quality level of the engine's rendering."""
    time_scale: PositiveFloat32 = 20.0
    """Speed of simulated time relative to real time; above 0."""
    target_frame_rate: Int32 = -1
    """Frame rate that the engine aims at, frames per second; -1 means as fast as possible."""
    capture_frame_rate: Int32 = 60
    """Simulated frames per simulated second, frames per second."""
    no_graphics: Bool = False
    """Whether the engine runs without a window and without rendering."""
    no_graphics_monitor: Bool = False
    """Whether only worker 0 renders."""


class CheckpointSettings(Settings):
    """Where results go and where weights come from (``checkpoint_settings``)."""

    run_id: Text = "ppo"
    """Name of the run, also of its folder below ``results_dir``."""
    initialize_from: Text | None = None
    """Run whose weights this run starts from, at step 0."""
    load_model: Bool = False
    """Deprecated: means ``resume``."""
    resume: Bool = False
    """Whether the run of this name is continued."""
    force: Bool = False
    """Whether a run of this name may be started over."""
    train_model: Bool = False
    """Deprecated: has no effect."""
    inference: Bool = False
    """Whether the agents only act and never learn."""
    results_dir: Text = "results"
    """Folder that holds the folders of all runs."""
    stop_at_reward: Float | None = None
    """Mean return of the last 100 episodes of every behavior at which the run ends; null means never."""
    wandb: Bool = False
    """Whether statistics go to Weights & Biases too."""

    @field_validator("run_id", "initialize_from")
    @classmethod
    def _inside_results(cls, value: str | None) -> str | None:
        if value is None:
            return value
        if not value.isprintable():
            raise problem("it names a folder and must not contain line breaks or control characters")
        path = PurePath(value)
        if path.is_absolute() or ".." in path.parts or not path.parts:
            raise problem("it must name a folder inside the results folder")
        if any(len(part.encode("utf-8", "replace")) > LONGEST_NAME for part in path.parts):
            raise problem(f"it names a folder and must have at most {LONGEST_NAME} letters")
        return value


class TorchSettings(Settings):
    """Where tensors live (``torch_settings``)."""

    tolerant: ClassVar[bool] = True

    device: Text | None = None
    """Device of the learner, such as ``cpu``, ``cuda`` or ``cuda:1``; null means cuda where there is one."""
