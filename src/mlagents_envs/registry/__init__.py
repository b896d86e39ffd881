"""Names to environments: what is installed, and how to build it."""

from mlagents_envs.registry.base_registry_entry import BaseRegistryEntry
from mlagents_envs.registry.factory import (
    UnknownEnvironmentException,
    known_environments,
    make_environment,
)
from mlagents_envs.registry.options import EnvironmentFactory, EnvironmentOptions
from mlagents_envs.registry.unity_env_registry import UnityEnvRegistry, default_registry

__all__ = [
    "BaseRegistryEntry",
    "EnvironmentFactory",
    "EnvironmentOptions",
    "UnityEnvRegistry",
    "UnknownEnvironmentException",
    "default_registry",
    "known_environments",
    "make_environment",
]
