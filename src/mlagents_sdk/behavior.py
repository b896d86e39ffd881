"""Parameters of a behavior: what its agents observe and do, and who decides for them."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from pathlib import Path

from mlagents_envs.base_env import ActionSpec

MAX_STACKED_OBSERVATIONS = 50
_NO_ACTIONS = ActionSpec(0, ())


class BehaviorType(Enum):
    """Who decides for the agents of a behavior."""

    DEFAULT = "Default"
    """The trainer if one is attached, else the model if there is one, else the heuristic."""
    HEURISTIC_ONLY = "HeuristicOnly"
    """Always the heuristic of the agent."""
    INFERENCE_ONLY = "InferenceOnly"
    """Always the model."""


class ObservableAttributeHandling(Enum):
    """Which observed fields and properties of an agent become sensors."""

    IGNORE = "Ignore"
    """None."""
    EXCLUDE_INHERITED = "ExcludeInherited"
    """Those that the agent's own class declares."""
    EXAMINE_ALL = "ExamineAll"
    """Those of the class and all that it is derived from."""


class InferenceDevice(Enum):
    """Where a model runs."""

    DEFAULT = "Default"
    """The CPU."""
    CPU = "CPU"
    """The CPU, which is the fastest place for small networks."""
    GPU = "GPU"
    """An NVIDIA GPU; needs the package onnxruntime-gpu."""


@dataclass(frozen=True, slots=True)
class BehaviorParameters:
    """Parameters of one behavior; immutable, so that its agents may share one object.

    Attributes:
        behavior_name: agents with the same name and team share a policy and need identical specs.
        team_id: team of the agents, at least 0.
        behavior_type: who decides for the agents.
        vector_observation_size: number of floats that ``collect_observations`` adds; 0 for no such
            sensor. Sensors added as components do not count.
        num_stacked_vector_observations: how many successive vectors make one observation, 1-50.
        action_spec: actions of the agent's own callbacks. Actuators added as components do not count.
        model: path of the model (``.onnx``) that decides when no trainer is attached.
        inference_device: where the model runs.
        deterministic_inference: whether the model's most likely action is taken instead of a sample.
        use_child_sensors: whether sensors of the agent's nodes count.
        use_child_actuators: whether actuators of the agent's nodes count.
        observable_attribute_handling: which observed fields and properties become sensors, see
            :mod:`mlagents_sdk.sensors.observable`.

    Raises:
        ValueError: a value is outside its range.
    """

    behavior_name: str = "My Behavior"
    team_id: int = 0
    behavior_type: BehaviorType = BehaviorType.DEFAULT
    vector_observation_size: int = 1
    num_stacked_vector_observations: int = 1
    action_spec: ActionSpec = _NO_ACTIONS
    model: Path | None = None
    inference_device: InferenceDevice = InferenceDevice.DEFAULT
    deterministic_inference: bool = False
    use_child_sensors: bool = True
    use_child_actuators: bool = True
    observable_attribute_handling: ObservableAttributeHandling = ObservableAttributeHandling.IGNORE

    def __post_init__(self) -> None:
        if not self.behavior_name:
            raise ValueError("behavior_name is empty; give the behavior a name.")
        if self.team_id < 0:
            raise ValueError(
                f"Behavior {self.behavior_name}: team_id is {self.team_id}; it must be at least 0."
            )
        if self.vector_observation_size < 0:
            raise ValueError(
                f"Behavior {self.behavior_name}: vector_observation_size is {self.vector_observation_size}; "
                "it must be at least 0."
            )
        if not 1 <= self.num_stacked_vector_observations <= MAX_STACKED_OBSERVATIONS:
            raise ValueError(
                f"Behavior {self.behavior_name}: num_stacked_vector_observations is "
                f"{self.num_stacked_vector_observations}; it must lie in 1-{MAX_STACKED_OBSERVATIONS}."
            )

    @property
    def fully_qualified_name(self) -> str:
        """Name under which trainers know the behavior: ``<behavior_name>?team=<team_id>``."""
        return f"{self.behavior_name}?team={self.team_id}"
