"""FoodCollector: agents share a field, eat good food, avoid bad food, and may freeze one another."""

from __future__ import annotations

from mlagents_envs.base_env import BaseEnv
from mlagents_envs.registry.options import EnvironmentOptions
from mlagents_examples.food_collector.agent import FoodCollectorAgent
from mlagents_examples.food_collector.area import FoodCollectorArea, build_scene
from mlagents_examples.food_collector.hosting import DECISION_PERIOD, host
from mlagents_examples.food_collector.sight import CAMERA, GRID, RAYS, Sight

__all__ = [
    "CAMERA",
    "DECISION_PERIOD",
    "GRID",
    "RAYS",
    "FoodCollectorAgent",
    "FoodCollectorArea",
    "Sight",
    "build_scene",
    "make_environment",
    "make_grid_environment",
    "make_visual_environment",
]


def make_grid_environment(options: EnvironmentOptions) -> BaseEnv:
    """Build the version whose agents see a grid; registered as the environment ``GridFoodCollector``.

    Args:
        options: seed, number of areas and side channels are used.
    """
    return host(GRID, options)


def make_environment(options: EnvironmentOptions) -> BaseEnv:
    """Build the version whose agents see by rays; registered as the environment ``FoodCollector``.

    Args:
        options: seed, number of areas and side channels are used.
    """
    return host(RAYS, options)


def make_visual_environment(options: EnvironmentOptions) -> BaseEnv:
    """Build the version whose agents see pictures; registered as the environment ``VisualFoodCollector``.

    Args:
        options: seed, number of areas and side channels are used.
    """
    return host(CAMERA, options)
