from __future__ import annotations

import io
import struct
import zlib

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from mlagents_envs.base_env import ActionSpec, DimensionProperty, ObservationType
from mlagents_envs.communicator_objects.agent_info_pb2 import AgentInfoProto
from mlagents_envs.communicator_objects.brain_parameters_pb2 import BrainParametersProto
from mlagents_envs.communicator_objects.observation_pb2 import PNG, ObservationProto
from mlagents_envs.exception import UnityObservationException
from mlagents_envs.images import PNG_SIGNATURE, ImageLayout, image_layout
from mlagents_envs.rpc_utils import (
    behavior_spec_from_proto,
    observation_from_proto,
    observation_spec_from_proto,
    process_pixels,
)

HEIGHT, WIDTH = 4, 6


def pixels(channels: int, seed: int = 0) -> NDArray[np.uint8]:
    """Random image ``(height, width, channels)``."""
    return np.random.default_rng(seed).integers(0, 256, (HEIGHT, WIDTH, channels), dtype=np.uint8)


def png(image: NDArray[np.uint8], mode: str | None = None) -> bytes:
    file = io.BytesIO()
    picture = Image.fromarray(image.squeeze())
    (picture if mode is None else picture.convert(mode)).save(file, "PNG")
    return file.getvalue()


def chw(image: NDArray[np.uint8]) -> NDArray[np.float32]:
    return image.transpose(2, 0, 1).astype(np.float32) / np.float32(255)


def test_one_png_becomes_channels_first() -> None:
    image = pixels(3)
    result = process_pixels(png(image), 3)
    assert result.dtype == np.float32
    np.testing.assert_array_equal(result, chw(image))


def test_one_expected_channel_is_the_mean_of_the_colours_of_the_first_image() -> None:
    image = pixels(3)
    result = process_pixels(png(image) + png(pixels(3, 1)), 1)
    np.testing.assert_allclose(result, chw(image).mean(axis=0, keepdims=True), rtol=1e-6)


def test_transparency_is_no_colour() -> None:
    image = pixels(4)
    np.testing.assert_array_equal(process_pixels(png(image), 3), chw(image)[:3])
    np.testing.assert_allclose(
        process_pixels(png(image), 1), chw(image)[:3].mean(0, keepdims=True), rtol=1e-6
    )


def test_several_pngs_are_concatenated_and_padding_is_dropped() -> None:
    first, second = pixels(3, 0), pixels(3, 1)
    result = process_pixels(png(first) + png(second), 4)
    np.testing.assert_array_equal(result, np.concatenate([chw(first), chw(second)])[:4])


def test_a_signature_inside_the_data_of_an_image_does_not_cut_it() -> None:
    image = pixels(3)
    data = png(image)
    text = b"tEXt" + b"Comment\0" + PNG_SIGNATURE
    chunk = struct.pack(">I", len(text) - 4) + text + struct.pack(">I", zlib.crc32(text))
    data = data[:33] + chunk + data[33:]  # after the header chunk
    np.testing.assert_array_equal(process_pixels(data, 3), chw(image))


def test_a_mapping_averages_channels_into_their_targets() -> None:
    first, second = pixels(3, 0), pixels(3, 1)
    result = process_pixels(png(first) + png(second), 2, [0, 0, 0, 1, 1, 1])
    expected = np.stack([chw(first).mean(axis=0), chw(second).mean(axis=0)])
    np.testing.assert_allclose(result, expected, rtol=1e-6)


def test_a_mapping_drops_negative_targets_and_reorders() -> None:
    first, second = pixels(3, 0), pixels(3, 1)
    every = np.concatenate([chw(first), chw(second)])
    result = process_pixels(png(first) + png(second), 4, [3, 1, 2, 0, -1, -1])
    np.testing.assert_array_equal(result, every[[3, 1, 2, 0]])


@pytest.mark.parametrize("mapping", [[0, 1], [0, 0, 2], [0, 1, 2, 3], [1, 1, 1]])
def test_impossible_mappings_are_refused(mapping: list[int]) -> None:
    with pytest.raises(UnityObservationException, match="mapping"):
        process_pixels(png(pixels(3)), max(mapping) + 1, mapping)


def test_grey_and_palette_images_are_read_by_their_colour_type() -> None:
    grey = pixels(1)
    np.testing.assert_array_equal(process_pixels(png(grey), 1), chw(grey))
    flat = np.full((HEIGHT, WIDTH, 3), (255, 51, 0), dtype=np.uint8)
    np.testing.assert_array_equal(process_pixels(png(flat, "P"), 3), chw(flat))


def test_sixteen_bit_images_are_scaled_by_their_own_range() -> None:
    file = io.BytesIO()
    Image.fromarray(np.full((HEIGHT, WIDTH), 65535, dtype=np.uint16)).save(file, "PNG")
    np.testing.assert_array_equal(process_pixels(file.getvalue(), 1), np.ones((1, HEIGHT, WIDTH), np.float32))


@pytest.mark.parametrize(
    ("data", "problem"),
    [
        (b"", "no PNG at byte 0"),
        (b"GIF89a", "no PNG at byte 0"),
        (PNG_SIGNATURE, "cannot be decoded"),
        (png(pixels(3))[:60], "cannot be decoded"),
        (png(pixels(1)), "1 channels, but 3"),
        (png(pixels(3)) + png(pixels(3).repeat(2, axis=0)), "different sizes"),
    ],
)
def test_damaged_images_are_refused(data: bytes, problem: str) -> None:
    with pytest.raises(UnityObservationException, match=problem):
        process_pixels(data, 3)


def test_decompression_bombs_are_refused_by_their_header() -> None:
    with pytest.raises(UnityObservationException, match="claims 6 x 4 pixels; more than 23"):
        process_pixels(png(pixels(3)), 3, max_pixels=23)


def compressed(shape: tuple[int, ...], data: bytes, properties: tuple[int, ...] = ()) -> ObservationProto:
    return ObservationProto(
        shape=shape,
        compression_type=PNG,
        compressed_data=data,
        dimension_properties=properties,
        name="camera",
    )


def plain(image: NDArray[np.float32], properties: tuple[int, ...] = ()) -> ObservationProto:
    return ObservationProto(
        shape=image.shape,
        float_data=ObservationProto.FloatData(data=image.ravel()),
        dimension_properties=properties,
        name="camera",
    )


@pytest.mark.parametrize("properties", [(), (2, 2, 1), (1, 2, 2), (0, 0, 0)])
@pytest.mark.parametrize("shape", [(3, HEIGHT, WIDTH), (HEIGHT, WIDTH, 3)])
def test_compressed_images_tell_their_layout_by_their_size(
    shape: tuple[int, ...], properties: tuple[int, ...]
) -> None:
    image = pixels(3)
    observation = compressed(shape, png(image), properties)
    spec = observation_spec_from_proto(observation)
    assert spec.shape == (3, HEIGHT, WIDTH)
    np.testing.assert_array_equal(observation_from_proto(observation, spec), chw(image))


@pytest.mark.parametrize(("properties", "channels_last"), [((), True), ((2, 2, 1), True), ((1, 2, 2), False)])
def test_plain_images_tell_their_layout_by_their_properties(
    properties: tuple[int, ...], channels_last: bool
) -> None:
    image = chw(pixels(3))
    stored = image.transpose(1, 2, 0) if channels_last else image
    observation = plain(stored, properties)
    spec = observation_spec_from_proto(observation)
    assert spec.shape == (3, HEIGHT, WIDTH)
    np.testing.assert_array_equal(observation_from_proto(observation, spec), image)


def test_plain_images_without_a_clue_have_fewer_channels_than_pixels() -> None:
    assert image_layout(plain(np.zeros((3, 8, 9), np.float32), (0, 0, 0))) is ImageLayout.CHW
    assert image_layout(plain(np.zeros((8, 9, 3), np.float32), (0, 0, 0))) is ImageLayout.HWC


def test_properties_follow_the_axes() -> None:
    none, spatial = DimensionProperty.NONE, DimensionProperty.TRANSLATIONAL_EQUIVARIANCE
    last = observation_spec_from_proto(plain(np.zeros((8, 9, 3), np.float32), (2, 2, 1)))
    assert last.dimension_property == (none, spatial, spatial)
    bare = observation_spec_from_proto(plain(np.zeros((8, 9, 3), np.float32)))
    assert bare.dimension_property == (DimensionProperty.UNSPECIFIED,) * 3


def test_behavior_spec_of_current_clients() -> None:
    brain = BrainParametersProto(
        brain_name="Ball",
        action_spec={"num_continuous_actions": 2, "num_discrete_actions": 2, "discrete_branch_sizes": [3, 4]},
    )
    info = AgentInfoProto(
        observations=[
            {"shape": [5], "dimension_properties": [1], "name": "vector", "observation_type": 1},
            {"shape": [20, 4], "dimension_properties": [4, 1], "name": "buffer"},
        ]
    )
    spec = behavior_spec_from_proto(brain, info)
    assert spec.action_spec == ActionSpec(2, (3, 4))
    vector, buffer = spec.observation_specs
    assert (vector.name, vector.shape, vector.observation_type) == (
        "vector",
        (5,),
        ObservationType.GOAL_SIGNAL,
    )
    assert buffer.dimension_property == (DimensionProperty.VARIABLE_SIZE, DimensionProperty.NONE)


@pytest.mark.parametrize(("kind", "expected"), [(1, (2, ())), (0, (0, (2, 3)))])
def test_behavior_spec_of_early_clients(kind: int, expected: tuple[int, tuple[int, ...]]) -> None:
    sizes = [2] if kind else [2, 3]
    brain = BrainParametersProto(
        vector_action_size_deprecated=sizes,
        vector_action_space_type_deprecated=kind,  # type: ignore[arg-type]
    )
    assert behavior_spec_from_proto(brain, AgentInfoProto()).action_spec == ActionSpec(*expected)


def test_observations_of_another_shape_are_refused_by_name() -> None:
    spec = observation_spec_from_proto(plain(np.zeros(5, np.float32)))
    with pytest.raises(UnityObservationException, match=r"'camera'.*\(4,\).*\(5,\)"):
        observation_from_proto(plain(np.zeros(4, np.float32)), spec)
    short = plain(np.zeros(5, np.float32))
    del short.float_data.data[-1]
    with pytest.raises(UnityObservationException, match="needs 5 numbers, but has 4"):
        observation_from_proto(short, spec)


def test_only_images_may_be_compressed() -> None:
    observation = compressed((5,), png(pixels(3)))
    with pytest.raises(UnityObservationException, match="only images"):
        observation_from_proto(observation, observation_spec_from_proto(observation))


def test_observations_of_no_numbers_are_legal() -> None:
    observation = plain(np.zeros(0, np.float32))
    assert observation_from_proto(observation, observation_spec_from_proto(observation)).shape == (0,)
