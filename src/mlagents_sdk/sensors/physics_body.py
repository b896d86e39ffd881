"""A sensor of how the bodies of a creature or machine are placed and move.

Poses are told in two ways: seen from a root, which all bodies share, and seen from the body's own
parent in the tree of bodies. The root may be a body or anything with a pose, such as a frame that
looks where the creature should go. Of the joints that hold the bodies together, the sensor can tell how they
stand and what their drives do.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from mlagents_envs.base_env import ObservationSpec
from mlagents_sdk.components import ComponentOwner
from mlagents_sdk.exception import AgentsError
from mlagents_sdk.physics import JointHandle, Transform, Vector
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
        use_joint_positions_and_angles: of each joint, sine and cosine of each free angle; of a slider its
            place between its limits as -1 to 1, or without limits the hyperbolic tangent of its position
            in metres.
        use_joint_forces: of each joint, beside that, hyperbolic tangents of what its drive gives along or
            about each free axis, N or N m.
    """

    use_model_space_translations: bool = True
    use_model_space_rotations: bool = True
    use_model_space_linear_velocity: bool = False
    use_local_space_translations: bool = False
    use_local_space_rotations: bool = False
    use_local_space_linear_velocity: bool = False
    use_joint_positions_and_angles: bool = False
    use_joint_forces: bool = False

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

    def floats_of_joint(self, joint: JointHandle) -> int:
        """Floats that one joint adds."""
        per_axis = 1 if joint.is_slider else 2
        told = per_axis * self.use_joint_positions_and_angles + self.use_joint_forces
        return told * len(joint.free_axes)


class PhysicsBodySensor:
    """Poses and velocities of bodies as one vector.

    Args:
        root: what they are seen from; it is not told of itself.
        parents: for each body its parent, which is the root or another of the bodies; in the order of
            the observation.
        settings: what is told.
        name: name of the sensor.
        joints: what is told after the bodies, one joint after another.

    Raises:
        AgentsError: a parent is neither, or nothing is told.
    """

    def __init__(
        self,
        root: Pose,
        parents: Mapping[Transform, Pose],
        settings: PhysicsSensorSettings,
        name: str = "PhysicsBodySensor",
        joints: Sequence[JointHandle] = (),
    ) -> None:
        for body, parent in parents.items():
            if parent is not root and parent not in parents:
                raise AgentsError(
                    f"Sensor {name}: the parent of {body} is {parent}, which is neither the root nor one of "
                    "the bodies."
                )
        size = len(parents) * settings.floats_per_body
        size += sum(map(settings.floats_of_joint, joints))
        if size == 0:
            raise AgentsError(f"Sensor {name} tells nothing; give it bodies and switch something on.")
        self._root = root
        self._parents = list(parents.items())
        self._joints = list(joints)
        self._settings = settings
        self._spec = vector_spec(size, name)

    def get_name(self) -> str:
        """Name of the sensor."""
        return self._spec.name

    def get_observation_spec(self) -> ObservationSpec:
        """Shape ``(bodies · floats per body + floats of the joints,)``."""
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
        for joint in self._joints:
            if told.use_joint_positions_and_angles:
                yield from _places(joint)
            if told.use_joint_forces:
                yield from (math.tanh(joint.current_torque[axis]) for axis in joint.free_axes)


class PhysicsBodySensorComponent:
    """Adds a physics-body sensor to an agent.

    Args:
        agent: what gets the sensor.
        root: what the bodies are seen from.
        parents: for each body its parent; in the order of the observation.
        settings: what is told.
        sensor_name: name of the sensor.
        joints: what is told after the bodies.
    """

    def __init__(
        self,
        agent: ComponentOwner,
        root: Pose,
        parents: Mapping[Transform, Pose],
        settings: PhysicsSensorSettings | None = None,
        sensor_name: str = "PhysicsBodySensor",
        joints: Sequence[JointHandle] = (),
    ) -> None:
        self._sensor = PhysicsBodySensor(
            root, parents, settings or PhysicsSensorSettings(), sensor_name, joints
        )
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


def _places(joint: JointHandle) -> Iterator[float]:
    """How the free axes of a joint stand, one or two floats for each."""
    if not joint.is_slider:
        angles = joint.angles
        for axis in joint.free_axes:
            angle = math.radians(angles[axis])
            yield math.sin(angle)
            yield math.cos(angle)
    elif joint.free_axes:
        limits = joint.limits[0]
        if limits is None:
            yield math.tanh(joint.position)
        else:
            low, high = limits
            yield 2.0 * (joint.position - low) / (high - low) - 1.0


def _velocity(pose: Pose) -> Vector:
    """Velocity of a body; frames and bodies without dynamics have none."""
    return pose.velocity if isinstance(pose, Body) else (0.0, 0.0, 0.0)


def _difference(a: Vector, b: Vector) -> Vector:
    return (a[0] - b[0], a[1] - b[1], a[2] - b[2])
