"""Fields and properties of an agent as observations.

A behavior whose ``observable_attribute_handling`` says so has a sensor for each of them::

    class Car(Agent):
        fuel = Observable(1.0)

        @property
        @observable(num_stacked_observations=3)
        def speed(self) -> float:
            return self.body.speed

Their values at the time when the agent is enabled, after ``initialize``, decide their sizes.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import Enum, Flag
from typing import Any, Generic, TypeVar, overload

import numpy as np
from numpy.typing import NDArray

from mlagents_envs.base_env import ObservationSpec
from mlagents_envs.exception import EnvironmentWarning
from mlagents_sdk.behavior import ObservableAttributeHandling
from mlagents_sdk.exception import AgentsError
from mlagents_sdk.sensors.sensor import Sensor, vector_spec
from mlagents_sdk.sensors.stacking_sensor import StackingSensor

_T = TypeVar("_T")
_Marked = TypeVar("_Marked", bound=property | Callable[..., Any])
_MARK = "__observable__"
_VECTOR_SIZES = (2, 3, 4)


@dataclass(frozen=True, slots=True)
class ObservableSettings:
    """How a field or property is observed.

    Attributes:
        name: name of the sensor; None for ``ObservableAttribute:<class>.<member>``.
        num_stacked_observations: how many successive values make one observation, 1-50.
    """

    name: str | None
    num_stacked_observations: int


class Observable(Generic[_T]):
    """A field that is observed, written in the body of an agent's class.

    Args:
        default: value until the agent assigns another: a number, a bool, a sequence of 2 to 4 numbers,
            a member of an ``Enum`` (one-hot of all members) or ``Flag`` (1 for each contained member).
        name: name of the sensor; None for ``ObservableAttribute:<class>.<field>``.
        num_stacked_observations: how many successive values make one observation, 1-50.
    """

    def __init__(self, default: _T, name: str | None = None, num_stacked_observations: int = 1) -> None:
        self.settings = ObservableSettings(name, num_stacked_observations)
        self._default = default
        self._member = ""

    def __set_name__(self, owner: type, member: str) -> None:
        self._member = member

    @overload
    def __get__(self, instance: None, owner: type) -> Observable[_T]: ...
    @overload
    def __get__(self, instance: object, owner: type) -> _T: ...
    def __get__(self, instance: object | None, owner: type) -> Observable[_T] | _T:
        if instance is None:
            return self
        value: _T = instance.__dict__.get(self._member, self._default)
        return value

    def __set__(self, instance: object, value: _T) -> None:
        instance.__dict__[self._member] = value


def observable(name: str | None = None, num_stacked_observations: int = 1) -> Callable[[_Marked], _Marked]:
    """Decorator that makes a property of an agent observed; written below or above ``@property``.

    Args:
        name: name of the sensor; None for ``ObservableAttribute:<class>.<property>``.
        num_stacked_observations: how many successive values make one observation, 1-50.
    """

    def mark(member: _Marked) -> _Marked:
        getter = member.fget if isinstance(member, property) else member
        setattr(getter, _MARK, ObservableSettings(name, num_stacked_observations))
        return member

    return mark


def observable_sensors(owner: object, handling: ObservableAttributeHandling, label: str) -> list[Sensor]:
    """Sensors of all observed fields and properties, one each.

    Args:
        owner: the agent.
        handling: whether inherited ones count, or none at all.
        label: the agent, for messages.
    """
    if handling is ObservableAttributeHandling.IGNORE:
        return []
    kind = type(owner)
    declaring = [kind] if handling is ObservableAttributeHandling.EXCLUDE_INHERITED else kind.__mro__
    sensors: list[Sensor] = []
    seen: set[str] = set()
    for parent in declaring:
        for member, declared in vars(parent).items():
            settings = _settings_of(declared)
            if member not in seen and settings is not None:
                name = settings.name or f"ObservableAttribute:{parent.__name__}.{member}"
                sensors += _make_sensor(owner, member, name, settings, label)
            seen.add(member)
    return sensors


class ObservableSensor:
    """A vector made from one field or property of an agent, read when it is written.

    Args:
        owner: the agent.
        member: name of the field or property.
        name: name of the sensor.
        encode: floats of a value.
        size: number of floats.
    """

    def __init__(
        self, owner: object, member: str, name: str, encode: Callable[[Any], Sequence[float]], size: int
    ) -> None:
        self._owner = owner
        self._member = member
        self._encode = encode
        self._size = size
        self._spec = vector_spec(size, name)

    def get_name(self) -> str:
        """Name of the sensor."""
        return self._spec.name

    def get_observation_spec(self) -> ObservationSpec:
        """A vector."""
        return self._spec

    def update(self) -> None:
        """Nothing yet: the value is read when it is written."""

    def reset(self) -> None:
        """Nothing to forget."""

    def write(self, out: NDArray[np.float32]) -> int:
        """Write the value as it is now.

        Raises:
            AgentsError: it is of another kind or size than when the agent was enabled.
        """
        value = getattr(self._owner, self._member)
        try:
            floats = self._encode(value)
            fits = len(floats) == self._size
        except (TypeError, ValueError):
            fits = False
        if not fits:
            raise AgentsError(
                f"Sensor {self._spec.name}: {type(self._owner).__name__}.{self._member} is {value!r}, which "
                f"does not make {self._size} floats as it did when the agent was enabled. Keep its kind and "
                "size."
            )
        out[...] = floats
        return self._size


def _settings_of(declared: object) -> ObservableSettings | None:
    if isinstance(declared, Observable):
        return declared.settings
    getter = declared.fget if isinstance(declared, property) else None
    return getattr(getter, _MARK, None)


def _make_sensor(
    owner: object, member: str, name: str, settings: ObservableSettings, label: str
) -> list[Sensor]:
    value = getattr(owner, member)
    encode = _encoder(value)
    if encode is None:
        warnings.warn(
            f"{label}: {type(owner).__name__}.{member} is {value!r}, which cannot be observed; it gets no "
            "sensor. Numbers, bools, 2 to 4 numbers and enumerations can; set the value in initialize() at "
            "the latest.",
            EnvironmentWarning,
            stacklevel=2,
        )
        return []
    sensor = ObservableSensor(owner, member, name, encode, len(encode(value)))
    if settings.num_stacked_observations == 1:
        return [sensor]
    return [StackingSensor(sensor, settings.num_stacked_observations)]


def _encoder(value: object) -> Callable[[Any], Sequence[float]] | None:
    """How values like ``value`` become floats; None when they cannot."""
    if isinstance(value, Flag):
        flags = list(dict.fromkeys(type(value).__members__.values()))
        return lambda now: [float((now & flag) == flag) for flag in flags]
    if isinstance(value, Enum):
        members = list(type(value))
        return lambda now: [float(now is member) for member in members]
    if isinstance(value, (bool, int, float, np.bool_, np.integer, np.floating)):
        return lambda now: (float(now),)
    if isinstance(value, (Sequence, np.ndarray)) and len(value) in _VECTOR_SIZES:
        return _vector_floats if _is_vector(value) else None
    return None


def _is_vector(value: Sequence[Any] | NDArray[Any]) -> bool:
    try:
        _vector_floats(value)
    except (TypeError, ValueError):
        return False
    return not isinstance(value, str)


def _vector_floats(value: Sequence[Any] | NDArray[Any]) -> list[float]:
    return [float(number) for number in value]
