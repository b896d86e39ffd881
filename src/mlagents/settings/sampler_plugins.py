"""Samplers of installed packages, found through the entry-point group ``mlagents.samplers``.

An entry point is a function without arguments that returns a map from sampler type to a subclass of
:class:`CustomSampler`. The fields of the class are the ``sampler_parameters`` of the YAML file.

Environments know four distributions and draw from them on their own. They cannot know others, so the trainer
draws from a custom one and sends the number: one when an environment starts, one when a lesson begins, and
one with the step after any of its episodes ended. An area that begins an episode reads the latest number.
"""

from __future__ import annotations

import functools
import math
from abc import abstractmethod
from collections.abc import Mapping
from importlib.metadata import entry_points
from typing import TYPE_CHECKING

from mlagents.settings.base import Settings
from mlagents.settings.errors import TrainerConfigError
from mlagents.settings.limits import FLOAT32_MAX
from mlagents.settings.types import Seed
from mlagents_envs.logging_util import get_logger

if TYPE_CHECKING:
    import numpy as np

GROUP = "mlagents.samplers"
_LOGGER = get_logger(__name__)
_registered: dict[str, type[CustomSampler]] = {}


class CustomSampler(Settings):
    """Base of samplers that plugins add; its fields are the parameters in the YAML file."""

    seed: Seed = -1
    """Seed of the draws; -1 derives one from the seed of the run."""

    @abstractmethod
    def draw(self, rng: np.random.Generator) -> float:
        """Draw one value.

        Args:
            rng: source of randomness; with it alone, runs are repeatable.
        """

    def value(self, name: str, worker: int, count: int) -> float:
        """The draw of this number for one environment; it depends on nothing else.

        Args:
            name: parameter, for messages.
            worker: index of the environment.
            count: how many values it was sent before.

        Raises:
            TrainerConfigError: the value is not finite, or no float32.
        """
        import numpy as np  # configurations are read without it

        value = float(self.draw(np.random.default_rng([self.seed, worker, count])))
        if not math.isfinite(value) or abs(value) > FLOAT32_MAX:
            raise TrainerConfigError(
                f"environment_parameters.{name}: the sampler {type(self).__name__} drew {value}, which "
                "cannot be sent"
            )
        return value


def register_sampler(name: str, sampler: type[CustomSampler]) -> None:
    """Make a sampler known to this process, as an entry point would to all.

    Raises:
        TypeError: the class is no :class:`CustomSampler`.
    """
    _registered[name] = _checked(name, sampler)
    plugin_samplers.cache_clear()


@functools.cache
def plugin_samplers() -> Mapping[str, type[CustomSampler]]:
    """All sampler types of plugins; one that fails to load is logged and left out."""
    found: dict[str, type[CustomSampler]] = {}
    for entry_point in entry_points(group=GROUP):
        try:
            found |= {name: _checked(name, sampler) for name, sampler in entry_point.load()().items()}
        except Exception as error:  # whatever a plugin does wrong must not end runs that do not need it
            _LOGGER.error(
                "The sampler plugin %s (%s) was left out: %s: %s.",
                entry_point.name,
                entry_point.value,
                type(error).__name__,
                error,
            )
    return found | _registered


def _checked(name: str, sampler: type[CustomSampler]) -> type[CustomSampler]:
    if not (isinstance(sampler, type) and issubclass(sampler, CustomSampler)):
        raise TypeError(f"the class of '{name}' is no mlagents.plugins.CustomSampler")
    return sampler
