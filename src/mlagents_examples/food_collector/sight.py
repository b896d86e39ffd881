"""How agents of FoodCollector see: three versions of the environment that differ in nothing else."""

from __future__ import annotations

from dataclasses import dataclass

from mlagents_envs.base_env import ActionSpec
from mlagents_examples.food_collector.area import TAGS, FoodCollectorArea
from mlagents_sdk import Agent, BehaviorParameters
from mlagents_sdk.physics import Body, Camera
from mlagents_sdk.sensors.camera import CameraSensorComponent
from mlagents_sdk.sensors.grid import GridSensorComponent
from mlagents_sdk.sensors.ray_perception import RayPerceptionSensorComponent

ACTIONS = ActionSpec.create_hybrid(3, (2,))
"""Forward, right and turn left, in -1 to 1; whether to shoot."""

IMAGE_SIZE = 84
"""Pixels along either side of the pictures."""

SKY = (0.467, 0.565, 0.608)
"""Background of the pictures."""


@dataclass(frozen=True, slots=True)
class Sight:
    """One way to see.

    Attributes:
        behavior: name of the behavior and number of floats beside the sensor.
        num_areas: areas of the scene.
        agents_per_area: agents in each.
    """

    behavior: BehaviorParameters
    num_areas: int
    agents_per_area: int


GRID = Sight(BehaviorParameters("GridFoodCollector", vector_observation_size=0, action_spec=ACTIONS), 4, 5)
"""A grid of 40 by 40 cells of a metre around the agent, ``(5, 40, 40)``."""

RAYS = Sight(BehaviorParameters("FoodCollector", vector_observation_size=4, action_spec=ACTIONS), 4, 5)
"""Seven rays, 49 floats; then velocity to the right and ahead, whether frozen, whether shooting."""

CAMERA = Sight(
    BehaviorParameters("VisualFoodCollector", vector_observation_size=1, action_spec=ACTIONS), 2, 4
)
"""A picture ``(3, 84, 84)`` taken from the agent; then whether it is frozen."""


def add_sensor(sight: Sight, agent: Agent, area: FoodCollectorArea, body: Body) -> None:
    """Give an agent the sensor that belongs to a way to see."""
    if sight is GRID:
        GridSensorComponent(agent, body, TAGS, cell_scale=(1.0, 0.01, 1.0), grid_size=(40, 1, 40))
    elif sight is RAYS:
        RayPerceptionSensorComponent(
            agent,
            body,
            TAGS,
            rays_per_direction=3,
            max_ray_degrees=70.0,
            sphere_cast_radius=0.5,
            ray_length=50.0,
        )
    else:
        camera = Camera(area.area, (0.0, 0.0, 0.15), body=body, field_of_view=60.0, background=SKY)
        CameraSensorComponent(agent, camera, width=IMAGE_SIZE, height=IMAGE_SIZE)
