from __future__ import annotations

import math
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sdk_helpers import CONTINUOUS

from mlagents_sdk import Academy, Agent, AgentsError
from mlagents_sdk.physics import Drive, Joint, Motion, PhysicsWorld, Scene, TrainingArea, Vector
from mlagents_sdk.physics.rotations import IDENTITY, euler_rotation, multiply, rotate, yaw_rotation
from mlagents_sdk.sensors.physics_body import (
    PhysicsBodySensor,
    PhysicsBodySensorComponent,
    PhysicsSensorSettings,
)

ALL = PhysicsSensorSettings(*[True] * 6)
JOINTS = PhysicsSensorSettings(False, False, use_joint_positions_and_angles=True, use_joint_forces=True)
HALF = math.sqrt(0.5)


def arm() -> TrainingArea:
    scene = Scene()
    for index, name in enumerate(("base", "upper", "lower")):
        scene.add_box(name, (1, 1, 1), (0.0, 0.0, 5.0 * index), motion=Motion.DYNAMIC)
    return PhysicsWorld(scene, 1).areas[0]


def sensor_of(area: TrainingArea, settings: PhysicsSensorSettings) -> PhysicsBodySensor:
    base, upper, lower = (area.body(name) for name in ("base", "upper", "lower"))
    return PhysicsBodySensor(base, {upper: base, lower: upper}, settings)


def written(sensor: PhysicsBodySensor) -> list[float]:
    out = np.full(sensor.get_observation_spec().shape, np.nan, dtype=np.float32)
    assert sensor.write(out) == out.size
    floats: list[float] = out.tolist()
    return floats


def test_position_and_rotation_seen_from_the_root_by_default() -> None:
    area = arm()
    area.body("base").position, area.body("base").rotation = (1.0, 2.0, 3.0), yaw_rotation(90.0)
    area.body("upper").position, area.body("upper").rotation = (1.0, 2.0, 5.0), yaw_rotation(90.0)
    area.body("lower").position, area.body("lower").rotation = (4.0, 2.0, 3.0), yaw_rotation(180.0)
    # The root looks along +x, so +z lies to its left and +x ahead.
    expected = [-2, 0, 0, 0, 0, 0, 1, 0, 0, 3, 0, HALF, 0, HALF]
    np.testing.assert_allclose(written(sensor_of(area, PhysicsSensorSettings())), expected, atol=1e-6)


def test_groups_follow_one_another() -> None:
    area = arm()
    base, upper, lower = (area.body(name) for name in ("base", "upper", "lower"))
    base.velocity, upper.velocity, lower.velocity = (1.0, 0.0, 0.0), (1.0, 2.0, 0.0), (0.0, 2.0, 3.0)
    upper.rotation = yaw_rotation(90.0)
    turned = [0, HALF, 0, HALF]
    expected = [
        *(0, 0, 5, *turned, 0, 0, 10, 0, 0, 0, 1),  # poses from the root
        *(0, 2, 0, -1, 2, 3),  # velocities from the root
        *(0, 0, 5, *turned, -5, 0, 0, 0, -HALF, 0, HALF),  # poses from the parents
        *(0, 2, 0, -3, 0, -1),  # velocities from the parents
    ]
    np.testing.assert_allclose(written(sensor_of(area, ALL)), expected, atol=1e-6)


@pytest.mark.parametrize(
    ("settings", "floats"),
    [
        (PhysicsSensorSettings(), 7),
        (PhysicsSensorSettings(use_model_space_rotations=False), 3),
        (PhysicsSensorSettings(use_model_space_linear_velocity=True, use_local_space_rotations=True), 14),
        (ALL, 20),
    ],
)
def test_sizes(settings: PhysicsSensorSettings, floats: int) -> None:
    sensor = sensor_of(arm(), settings)
    assert sensor.get_observation_spec().shape == (2 * floats,)
    assert len(written(sensor)) == 2 * floats


@given(
    st.tuples(*[st.floats(-10.0, 10.0)] * 3),
    st.tuples(*[st.floats(-180.0, 180.0)] * 3),
)
def test_moving_and_turning_everything_together_changes_nothing(shift: Vector, angles: Vector) -> None:
    area = arm()
    bodies = [area.body(name) for name in ("base", "upper", "lower")]
    for index, body in enumerate(bodies):
        body.rotation = euler_rotation(20.0 * index, 50.0 * index, 5.0)
        body.velocity = (1.0 * index, 2.0, -1.0)
    sensor = sensor_of(area, ALL)
    before = written(sensor)
    turn = euler_rotation(*angles)
    for body in bodies:
        x, y, z = rotate(turn, body.position)
        body.position = (x + shift[0], y + shift[1], z + shift[2])
        body.rotation = multiply(turn, body.rotation)
        body.velocity = rotate(turn, body.velocity)
    np.testing.assert_allclose(written(sensor), before, atol=1e-4)


def test_a_frame_may_be_the_root() -> None:
    area = arm()
    upper = area.body("upper")
    upper.velocity = (1.0, 0.0, 0.0)
    frame = SimpleNamespace(position=(0.0, 0.0, 1.0), rotation=IDENTITY)
    settings = PhysicsSensorSettings(use_model_space_rotations=False, use_model_space_linear_velocity=True)
    assert written(PhysicsBodySensor(frame, {upper: frame}, settings)) == [0, 0, 4, 1, 0, 0]


def test_the_component_adds_the_sensor_by_name() -> None:
    area, agent = arm(), Agent(Academy(), CONTINUOUS)
    base, upper = area.body("base"), area.body("upper")
    component = PhysicsBodySensorComponent(agent, base, {upper: base}, sensor_name="Body")
    (sensor,) = component.create_sensors()
    assert (sensor.get_name(), sensor.get_observation_spec().shape) == ("Body", (7,))
    assert agent.runtime.parts.components == [component]


def test_trees_with_unknown_parents_and_empty_ones_are_refused() -> None:
    area = arm()
    base, upper, lower = (area.body(name) for name in ("base", "upper", "lower"))
    with pytest.raises(
        AgentsError, match=r"PhysicsBodySensor: the parent of Body\('lower'.* is Body\('upper'"
    ):
        PhysicsBodySensor(base, {lower: upper}, PhysicsSensorSettings())
    with pytest.raises(AgentsError, match="tells nothing"):
        PhysicsBodySensor(base, {}, PhysicsSensorSettings())
    with pytest.raises(AgentsError, match="tells nothing"):
        PhysicsBodySensor(base, {upper: base}, PhysicsSensorSettings(False, False))


def test_joints_tell_angles_places_and_forces() -> None:
    scene = Scene(gravity=(0.0, 0.0, 0.0))
    drive = Drive(20.0, 1.0)
    for index, name in enumerate(("base", "upper", "lower", "cart", "loose")):
        scene.add_box(name, (1, 1, 1), (0.0, 0.0, 5.0 * index), motion=Motion.DYNAMIC)
    hip = Joint.configurable(x=(-60.0, 0.0), z=20.0, drive=drive)
    scene.add_joint("hip", hip, "upper", "base").add_joint("weld", Joint.fixed(), "lower", "upper")
    scene.add_joint("rail", Joint.slider(limits=(-1.0, 3.0), drive=drive), "cart", "base")
    scene.add_joint("free", Joint.slider(), "loose", "base")
    area = PhysicsWorld(scene, 1).areas[0]
    area.joint("hip").set_target_angles(-50.0, 0.0, 10.0)
    area.joint("rail").target_position = 2.0
    for _ in range(20):
        area.world.step()
    base, upper = area.body("base"), area.body("upper")
    joints = [area.joint(name) for name in ("weld", "rail", "hip", "free")]
    x, y, z = (math.radians(angle) for angle in area.joint("hip").angles)
    tx, _, tz = area.joint("hip").current_torque
    assert x < -0.05  # the drive has moved it
    assert y == 0.0
    assert z > 0.005
    expected = [
        *(2.0 * (area.joint("rail").position + 1.0) / 4.0 - 1.0, math.tanh(area.joint("rail").current_force)),
        *(math.sin(x), math.cos(x), math.sin(z), math.cos(z), math.tanh(tx), math.tanh(tz)),
        *(math.tanh(area.joint("free").position), 0.0),
    ]
    sensor = PhysicsBodySensor(base, {upper: base}, JOINTS, joints=joints)
    np.testing.assert_allclose(written(sensor), expected, atol=1e-6)
    both = PhysicsSensorSettings(use_joint_positions_and_angles=True)
    assert PhysicsBodySensor(base, {upper: base}, both, joints=joints).get_observation_spec().shape == (
        7 + 6,
    )
    with pytest.raises(AgentsError, match="tells nothing"):
        PhysicsBodySensor(base, {upper: base}, JOINTS, joints=joints[:1])
