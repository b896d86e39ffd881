"""Sensors of images, and how their observations are compressed."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from mlagents_envs.base_env import DimensionProperty, ObservationSpec, ObservationType
from mlagents_envs.exception import UnityObservationException
from mlagents_envs.images import PNG_SIGNATURE, process_pixels
from mlagents_sdk import (
    Academy,
    ActionSpec,
    Agent,
    AgentsError,
    BehaviorParameters,
    DecisionRequester,
    SdkEnvironment,
    StackingSensor,
)
from mlagents_sdk.physics import Camera, Lighting, Motion, PhysicsWorld, Scene
from mlagents_sdk.sensors.camera import CameraSensor, CameraSensorComponent
from mlagents_sdk.sensors.compression import (
    UNCOMPRESSED,
    CompressionSpec,
    CompressionType,
    PngEncoder,
    compression_of,
)
from mlagents_sdk.sensors.render_texture import RenderTextureSensor, RenderTextureSensorComponent
from mlagents_sdk.sensors.sensor import Sensor

PNG = CompressionSpec(CompressionType.PNG)
COLOR = (1.0, 0.5, 0.2)  # 255, 128, 51


def camera() -> Camera:
    """A box that fills the right half of the picture."""
    scene = Scene(lighting=Lighting(intensity=0.0, ambient=1.0))
    scene.add_box("box", (100, 200, 1), (50, 0, 5), color=COLOR, motion=Motion.SCRIPTED)
    return Camera(PhysicsWorld(scene).areas[0], orthographic_size=1.0)


def observe(sensor: Sensor) -> NDArray[np.float32]:
    out = np.full(sensor.get_observation_spec().shape, np.nan, np.float32)
    sensor.update()
    assert sensor.write(out) == out.size
    return out


def decoded(sensor: Sensor, image: NDArray[np.float32]) -> NDArray[np.float32]:
    """What a trainer makes of the PNGs of an image."""
    compression = compression_of(sensor)
    data = PngEncoder("x", compression, len(image)).encode(image)
    return process_pixels(data, len(image), compression.channel_mapping)


def test_camera_sensor_shows_channels_first_floats_with_the_top_row_first() -> None:
    sensor = CameraSensor(camera(), height=6, width=8)
    spec = sensor.get_observation_spec()
    moves = DimensionProperty.TRANSLATIONAL_EQUIVARIANCE
    assert spec == ObservationSpec(
        (3, 6, 8), (DimensionProperty.NONE, moves, moves), ObservationType.DEFAULT, "CameraSensor"
    )
    image = observe(sensor)
    assert image.dtype == np.float32
    assert (image[:, :, :4] == 0.0).all()
    for channel, byte in enumerate((255, 128, 51)):
        assert (image[channel, :, 4:] == np.float32(byte) / np.float32(255)).all()
    sensor.camera.area.transform("box").position = (0, 100, 5)  # the top half
    assert observe(sensor)[0, :, 3].tolist() == [1, 1, 1, 0, 0, 0]


def test_default_camera_sensor_is_84_by_84_and_sent_as_png() -> None:
    sensor = CameraSensor(camera())
    assert sensor.get_observation_spec().shape == (3, 84, 84)
    assert sensor.get_compression_spec() == PNG
    assert CameraSensor(camera(), compression="none").get_compression_spec() == UNCOMPRESSED


def test_grayscale_is_the_mean_of_the_colours() -> None:
    image = observe(CameraSensor(camera(), height=4, width=4, grayscale=True))
    assert image.shape == (1, 4, 4)
    assert (image[0, :, 2:] == np.float32(145) / np.float32(255)).all()  # (255 + 128 + 51) / 3 = 144.67
    texture = np.zeros((1, 3, 3), np.uint8)
    texture[0, 0], texture[0, 1], texture[0, 2] = (1, 0, 0), (1, 1, 0), (255, 255, 255)
    gray = observe(RenderTextureSensor(texture, grayscale=True))
    assert np.round(gray[0, 0] * 255).tolist() == [0, 1, 255]


def test_picture_is_taken_at_the_update_and_shows_the_camera_as_it_is_then() -> None:
    sensor = CameraSensor(camera(), height=4, width=4)
    before = observe(sensor)
    sensor.camera.background = (0.2, 0.2, 0.2)
    out = np.empty_like(before)
    sensor.write(out)
    np.testing.assert_array_equal(out, before)
    assert observe(sensor)[0, 0, 0] == pytest.approx(0.2)


def test_texture_is_read_when_it_is_written() -> None:
    texture = np.zeros((2, 3, 3), np.uint8)
    sensor = RenderTextureSensor(texture)
    assert sensor.get_observation_spec().shape == (3, 2, 3)
    assert sensor.get_name() == "RenderTextureSensor"
    sensor.update()
    texture[0, 2] = (51, 102, 255)
    out = np.empty((3, 2, 3), np.float32)
    sensor.write(out)
    np.testing.assert_allclose(out[:, 0, 2], [0.2, 0.4, 1.0])
    assert out.sum() == pytest.approx(1.6)
    images = iter([texture, texture // 2, texture])
    changing = RenderTextureSensor(lambda: next(images))
    changing.write(out)
    assert out[2, 0, 2] == np.float32(127 / 255)


def test_bad_textures_are_refused_by_name() -> None:
    for texture, message in (
        (np.zeros((2, 3, 3)), "array of uint8 .* not ndarray of float64 with shape"),
        (np.zeros((2, 3), np.uint8), "axes height, width and colour"),
        (np.zeros((2, 3, 4), np.uint8), "has 3 colours, not 4"),
        (lambda: None, "not NoneType"),
    ):
        with pytest.raises(AgentsError, match=f"Sensor T: .*{message}"):
            RenderTextureSensor(texture, "T")  # type: ignore[arg-type]
    shapes = iter([(2, 3, 3), (3, 2, 3)])
    growing = RenderTextureSensor(lambda: np.zeros(next(shapes), np.uint8), "T")
    with pytest.raises(AgentsError, match="texture is 2 x 3 pixels now, but was 3 x 2"):
        growing.write(np.empty((3, 2, 3), np.float32))


def test_bad_arguments_are_refused_by_name() -> None:
    with pytest.raises(AgentsError, match="Sensor Eye: the image is 0 x 84"):
        CameraSensor(camera(), "Eye", width=0)
    with pytest.raises(AgentsError, match="Sensor Eye: the image is 84 x 5000"):
        CameraSensor(camera(), "Eye", height=5000)
    with pytest.raises(AgentsError, match="Sensor Eye: compression is 'jpeg'; it must be one of none, png"):
        CameraSensor(camera(), "Eye", compression="jpeg")  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("channels", "stacks", "mapping"),
    [
        (1, 2, (0, 0, 0, 1, 1, 1)),
        (3, 2, (0, 1, 2, 3, 4, 5)),
        (4, 2, (0, 1, 2, 3, -1, -1, 4, 5, 6, 7, -1, -1)),
        (2, 3, (0, 1, -1, 2, 3, -1, 4, 5, -1)),
    ],
)
def test_mapping_of_stacked_channels(channels: int, stacks: int, mapping: tuple[int, ...]) -> None:
    assert PNG.stacked(channels, stacks).channel_mapping == mapping
    assert UNCOMPRESSED.stacked(channels, stacks) == UNCOMPRESSED
    own = CompressionSpec(CompressionType.PNG, (1, 0, -1))
    assert own.stacked(2, 2).channel_mapping == (1, 0, -1, 3, 2, -1)


@pytest.mark.parametrize("grayscale", [False, True])
def test_stacked_pictures_come_oldest_first_and_survive_compression(grayscale: bool) -> None:
    """Two pictures of four: the two that are missing are black PNGs."""
    wrapped = CameraSensor(camera(), height=5, width=7, grayscale=grayscale)
    sensor = StackingSensor(wrapped, 4)
    channels = 1 if grayscale else 3
    first = observe(sensor)[-channels:]
    wrapped.camera.background = (0.4, 0.6, 0.8)
    image = observe(sensor)
    assert image.shape == (4 * channels, 5, 7)
    assert (image[: 2 * channels] == 0.0).all()
    np.testing.assert_array_equal(image[2 * channels : 3 * channels], first)
    assert (image[3 * channels :] != first).any()
    compression = compression_of(sensor)
    data = PngEncoder("x", compression, len(image)).encode(image)
    assert data.count(PNG_SIGNATURE) == 4
    np.testing.assert_allclose(decoded(sensor, image), image, rtol=0, atol=1e-7)


def test_every_level_of_every_channel_survives_compression_exactly() -> None:
    levels = np.arange(256, dtype=np.float32) / np.float32(255)
    rng = np.random.default_rng(0)
    for channels in (1, 2, 3, 4, 7):
        image = np.stack([rng.permutation(levels).reshape(8, 32) for _ in range(channels)])
        data = PngEncoder("x", PNG, channels).encode(image)
        assert data.count(PNG_SIGNATURE) == -(-channels // 3)
        again = process_pixels(data, channels)
        np.testing.assert_allclose(again, image, rtol=0, atol=6e-8 if channels == 1 else 0)


def test_encoder_compresses_again_only_what_changed(monkeypatch: pytest.MonkeyPatch) -> None:
    from mlagents_sdk.sensors import compression

    made: list[int] = []
    to_png = compression._to_png
    monkeypatch.setattr(compression, "_to_png", lambda pixels: (made.append(1), to_png(pixels))[1])
    rng = np.random.default_rng(0)
    frames = [rng.integers(0, 256, (3, 4, 4)).astype(np.float32) / np.float32(255) for _ in range(5)]
    encoder = PngEncoder("x", PNG.stacked(3, 3), 9)
    for last in range(2, 5):
        encoder.next_round()
        image = np.concatenate(frames[last - 2 : last + 1])
        np.testing.assert_array_equal(process_pixels(encoder.encode(image), 9, tuple(range(9))), image)
    assert len(made) == 5
    encoder.next_round()
    encoder.next_round()
    encoder.encode(np.concatenate(frames[2:]))
    assert len(made) == 8  # forgotten, so that memory stays bounded


@pytest.mark.parametrize("value", [-0.01, 1.01, np.nan])
def test_values_that_no_png_can_hold_are_refused(value: float) -> None:
    image = np.full((3, 2, 2), 0.5, np.float32)
    image[1, 1, 1] = value
    with pytest.raises(UnityObservationException, match="Sensor Eye: its values range"):
        PngEncoder("Eye", PNG, 3).encode(image)


class LookingAgent(Agent):
    """Has all kinds of image sensors, and chooses the colour of the background."""

    def __init__(self, academy: Academy, eye: Camera) -> None:
        behavior = BehaviorParameters(
            "Look", vector_observation_size=0, action_spec=ActionSpec.create_continuous(1)
        )
        super().__init__(academy, behavior)
        self.eye = eye
        CameraSensorComponent(self, eye, "b", 5, 4, observation_stacks=2)
        goal = ObservationType.GOAL_SIGNAL
        CameraSensorComponent(self, eye, "a", 5, 4, True, observation_type=goal, compression="none")
        RenderTextureSensorComponent(self, lambda: eye.render(3, 3), "c", observation_stacks=2)

    def on_action_received(self, actions: Any) -> None:  # noqa: ANN401
        level = actions.continuous_actions[0]
        self.eye.background = (level, level, level)


def test_agents_observe_through_components_in_process_without_any_png(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from mlagents_sdk.sensors import compression

    monkeypatch.delattr(compression, "_to_png")
    academy = Academy()
    agent = LookingAgent(academy, camera())
    DecisionRequester(agent, decision_period=1)
    agent.enable()
    env = SdkEnvironment(academy, lambda: None)
    env.reset()
    (name,) = env.behavior_specs
    specs = env.behavior_specs[name].observation_specs
    assert [(spec.name, spec.shape, spec.observation_type.name) for spec in specs] == [
        ("a", (1, 4, 5), "GOAL_SIGNAL"),
        ("StackingSensor_size2_b", (6, 4, 5), "DEFAULT"),
        ("StackingSensor_size2_c", (6, 3, 3), "DEFAULT"),
    ]
    assert env.compression_specs(name) == [UNCOMPRESSED, PNG.stacked(3, 2), PNG.stacked(3, 2)]
    for level in (0.2, 0.6):
        action = env.behavior_specs[name].action_spec.empty_action(1)
        action.continuous[0] = level
        env.set_actions(name, action)
        env.step()
    gray, stacked, texture = env.get_steps(name)[0].obs
    assert gray[0, 0, 0, 0] == pytest.approx(0.6)
    for column in (stacked, texture):
        assert column[0, 0, 0, 0] == pytest.approx(0.2)
        assert column[0, 3, 0, 0] == pytest.approx(0.6)
        assert column[0, 0, 0, -1] == column[0, 3, 0, -1] == 1.0
