"""A sensor of how the bodies of a creature or machine are placed and move.

Poses are told in two ways: seen from a root, which all bodies share, and seen from the body's own
parent in the tree of bodies. The root may be a body or anything with a pose, such as a frame that
looks where the creature should go.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from mlagents_envs.base_env import ObservationSpec
from mlagents_sdk.components import ComponentOwner
from mlagents_sdk.exception import AgentsError
from mlagents_sdk.physics import Transform, Vector
from mlagents_sdk.physics.body import Body
from mlagents_sdk.physics.rotations import Quaternion, conjugate, multiply, rotate
from mlagents_sdk.sensors.sensor import Sensor, vector_spec


class Pose(Protocol):
    """Something that is somewhere: a body, or a frame that moves by a rule of its own."""

    @property
    def position(self) -> Vector:
        """Where it is, metres, in the frame of the area."""

    @property
    def rotation(self) -> Quaternion:
        """How it is turned, ``(x, y, z, w)``."""


_Pairs = list[tuple[Transform, Pose]]


@dataclass(frozen=True, slots=True)
class PhysicsSensorSettings:
    """What is told of each body, one group of all bodies after another in this order.

    Attributes:
        use_model_space_translations: position seen from the root, 3 floats, metres.
        use_model_space_rotations: rotation seen from the root, 4 floats; beside the position where both
            are told.
        use_model_space_linear_velocity: velocity less the root's, in the frame of the root, 3 floats, m/s.
        use_local_space_translations: position seen from the parent, 3 floats.
        use_local_space_rotations: rotation seen from the parent, 4 floats.
        use_local_space_linear_velocity: velocity less the parent's, in the frame of the parent, 3 floats.
    """

    use_model_space_translations: bool = True
    use_model_space_rotations: bool = True
    use_model_space_linear_velocity: bool = False
    use_local_space_translations: bool = False
    use_local_space_rotations: bool = False
    use_local_space_linear_velocity: bool = False

    @property
    def floats_per_body(self) -> int:
        """Floats that one body adds."""
        threes = (
            self.use_model_space_translations
            + self.use_model_space_linear_velocity
            + self.use_local_space_translations
            + self.use_local_space_linear_velocity
        )
        return 3 * threes + 4 * (self.use_model_space_rotations + self.use_local_space_rotations)


class PhysicsBodySensor:
    """Poses and velocities of bodies as one vector.

    Args:
        root: what they are seen from; it is not told of itself.
        parents: for each body its parent, which is the root or another of the bodies; in the order of
            the observation.
        settings: what is told.
        name: name of the sensor.

    Raises:
        AgentsError: a parent is neither, or nothing is told.
    """

    def __init__(
        self,
        root: Pose,
        parents: Mapping[Transform, Pose],
        settings: PhysicsSensorSettings,
        name: str = "PhysicsBodySensor",
    ) -> None:
        for body, parent in parents.items():
            if parent is not root and parent not in parents:
                raise AgentsError(
                    f"Sensor {name}: the parent of {body} is {parent}, which is neither the root nor one of "
                    "the bodies."
                )
        size = len(parents) * settings.floats_per_body
        if size == 0:
            raise AgentsError(f"Sensor {name} tells nothing; give it bodies and switch something on.")
        self._root = root
        self._parents = list(parents.items())
        self._settings = settings
        self._spec = vector_spec(size, name)

    def get_name(self) -> str:
        """Name of the sensor."""
        return self._spec.name

    def get_observation_spec(self) -> ObservationSpec:
        """Shape ``(bodies · floats per body,)``."""
        return self._spec

    def update(self) -> None:
        """Nothing yet: the bodies are looked at when the observation is written."""

    def reset(self) -> None:
        """Nothing to forget."""

    def write(self, out: NDArray[np.float32]) -> int:
        """Write how the bodies are now."""
        out[...] = list(self._floats())
        return out.size

    def _floats(self) -> Iterator[float]:
        told, root = self._settings, self._root
        from_root = [(body, root) for body, _ in self._parents]
        yield from _poses(from_root, told.use_model_space_translations, told.use_model_space_rotations)
        if told.use_model_space_linear_velocity:
            yield from _velocities(from_root)
        yield from _poses(self._parents, told.use_local_space_translations, told.use_local_space_rotations)
        if told.use_local_space_linear_velocity:
            yield from _velocities(self._parents)


class PhysicsBodySensorComponent:
    """Adds a physics-body sensor to an agent.

    Args:
        agent: what gets the sensor.
        root: what the bodies are seen from.
        parents: for each body its parent; in the order of the observation.
        settings: what is told.
        sensor_name: name of the sensor.
    """

    def __init__(
        self,
        agent: ComponentOwner,
        root: Pose,
        parents: Mapping[Transform, Pose],
        settings: PhysicsSensorSettings | None = None,
        sensor_name: str = "PhysicsBodySensor",
    ) -> None:
        self._sensor = PhysicsBodySensor(root, parents, settings or PhysicsSensorSettings(), sensor_name)
        agent.add_component(self)

    def create_sensors(self) -> list[Sensor]:
        """The sensor."""
        return [self._sensor]


def _poses(pairs: _Pairs, positions: bool, rotations: bool) -> Iterator[float]:
    """Position and rotation of each body as seen from what is paired with it."""
    if not (positions or rotations):
        return
    for body, seen_from in pairs:
        turned_back = conjugate(seen_from.rotation)
        if positions:
            yield from rotate(turned_back, _difference(body.position, seen_from.position))
        if rotations:
            yield from multiply(turned_back, body.rotation)


def _velocities(pairs: _Pairs) -> Iterator[float]:
    """Velocity of each body less that of what is paired with it, in the latter's frame."""
    for body, seen_from in pairs:
        difference = _difference(_velocity(body), _velocity(seen_from))
        yield from rotate(conjugate(seen_from.rotation), difference)


def _velocity(pose: Pose) -> Vector:
    """Velocity of a body; frames and bodies without dynamics have none."""
    return pose.velocity if isinstance(pose, Body) else (0.0, 0.0, 0.0)


def _difference(a: Vector, b: Vector) -> Vector:
    return (a[0] - b[0], a[1] - b[1], a[2] - b[2])
