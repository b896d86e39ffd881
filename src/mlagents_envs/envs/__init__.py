"""Environments seen as Gymnasium and PettingZoo environments, and the other way round.

Importing this package registers every installed environment with Gymnasium
(:mod:`mlagents_envs.envs.registration`). It also has one :class:`PettingZooEnvFactory` per registered
environment, made when asked for: ``from mlagents_envs.envs import ThreeDBall``. Names that begin with a
digit spell it out; names that are no Python identifiers even so are left out with a warning.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from mlagents_envs.envs.registration import register_environments
from mlagents_envs.logging_util import get_logger
from mlagents_envs.registry import default_registry

if TYPE_CHECKING:
    from mlagents_envs.envs.pettingzoo_env_factory import PettingZooEnvFactory

_LOGGER = get_logger(__name__)
_DIGITS = ("Zero", "One", "Two", "Three", "Four", "Five", "Six", "Seven", "Eight", "Nine")

register_environments()


def factory_name(identifier: str) -> str:
    """Name of the factory of an environment in this package: ``ThreeDBall`` for ``3DBall``."""
    return _DIGITS[int(identifier[0])] + identifier[1:] if identifier[:1] in "0123456789" else identifier


def __getattr__(name: str) -> PettingZooEnvFactory:
    if not name.startswith("_"):
        for identifier in default_registry:
            if factory_name(identifier) == name:
                from mlagents_envs.envs.pettingzoo_env_factory import PettingZooEnvFactory

                return PettingZooEnvFactory(identifier)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    names = {identifier: factory_name(identifier) for identifier in default_registry}
    for identifier, name in names.items():
        if not name.isidentifier():
            _LOGGER.warning("The environment %r has no factory here: it is no Python name.", identifier)
    return sorted([*globals(), *(name for name in names.values() if name.isidentifier())])
