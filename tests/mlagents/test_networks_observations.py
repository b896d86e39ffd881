"""Which observations are taken, and what becomes of each on the way to a network."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from network_helpers import (
    NONE,
    SHIFT,
    UNSPECIFIED,
    VARIABLE,
    entities,
    image,
    network_settings,
    observations,
    spec,
    vector,
)
from numpy.testing import assert_allclose, assert_array_equal

from mlagents.networks.observation_kinds import ObservationKind, kind_of
from mlagents.networks.observations import ObservationEncoder, UnsupportedObservationError
from mlagents_envs.base_env import DimensionProperty, ObservationSpec


@pytest.mark.parametrize(
    ("properties", "kind"),
    [
        ((NONE,), ObservationKind.VECTOR),
        ((UNSPECIFIED,), ObservationKind.VECTOR),
        ((NONE, SHIFT, SHIFT), ObservationKind.IMAGE),
        ((UNSPECIFIED, UNSPECIFIED, UNSPECIFIED), ObservationKind.IMAGE),
        ((VARIABLE, NONE), ObservationKind.ENTITIES),
    ],
)
def test_kinds(properties: tuple[DimensionProperty, ...], kind: ObservationKind) -> None:
    assert kind_of(spec((4,) * len(properties), properties, "s"), 0) is kind


@pytest.mark.parametrize(
    "properties",
    [
        (SHIFT,),
        (VARIABLE,),
        (NONE, NONE),
        (UNSPECIFIED, UNSPECIFIED),
        (NONE, VARIABLE),
        (NONE, NONE, NONE),
        (SHIFT, SHIFT, NONE),
        (VARIABLE, SHIFT, SHIFT),
        (NONE, NONE, NONE, NONE),
    ],
)
def test_other_shapes_are_refused_by_name(properties: tuple[DimensionProperty, ...]) -> None:
    shape = tuple(range(30, 30 + len(properties)))
    specs = [vector(2), spec(shape, properties, "odd")]
    with pytest.raises(UnsupportedObservationError) as caught:
        ObservationEncoder("Ball", specs, normalize=False)
    message = str(caught.value)
    assert message.startswith(f"behavior Ball: observation 1 (odd) has shape {shape} with")
    assert f"({', '.join(str(p.name) for p in properties)})" in message


def test_properties_that_do_not_match_the_shape_are_refused() -> None:
    with pytest.raises(UnsupportedObservationError, match=r"observation 0 \(odd\) has shape \(3, 4\)"):
        kind_of(spec((3, 4), (NONE,), "odd"), 0)


def test_behavior_without_observations_is_refused() -> None:
    for specs in ([], [vector(0)], [entities(0, 4)]):
        with pytest.raises(UnsupportedObservationError, match="behavior Ball: its agents observe nothing"):
            ObservationEncoder("Ball", specs, normalize=True)


@pytest.mark.parametrize(
    ("specs", "is_flat"),
    [
        ([vector(2)], True),
        ([vector(2), vector(3)], True),
        ([vector(2), vector(3, goal=True)], False),
        ([image(3, 20, 20)], False),
        ([vector(2), entities(4, 2)], False),
    ],
)
def test_only_vectors_without_goals_are_joined(specs: list[ObservationSpec], is_flat: bool) -> None:
    encoder = ObservationEncoder("Ball", specs, normalize=False)
    assert encoder.is_flat == is_flat
    columns = [x.numpy() for x in observations(specs, 5)]
    encoded = encoder.encode(columns)
    assert [x.shape[1:] for x in encoded] == [each.shape for each in encoder.input_specs]
    if is_flat:
        assert_array_equal(encoded[0], np.concatenate(columns, axis=1))
    else:
        for mine, theirs in zip(encoded, columns, strict=True):
            assert_array_equal(mine, theirs)


def test_vectors_and_goals_are_normalised_and_nothing_else() -> None:
    specs = [image(1, 20, 20), vector(2), entities(3, 2), vector(3, goal=True)]
    encoder = ObservationEncoder("Ball", specs, normalize=True)
    columns = [3.0 * x.numpy() + 10.0 for x in observations(specs, 200)]
    encoder.fold(columns)
    for _ in range(2):
        encoded = encoder.encode(columns)
        assert encoded[0] is columns[0]
        assert encoded[2] is columns[2]
        for index in (1, 3):
            assert_allclose(encoded[index].mean(axis=0), 0.0, atol=0.05)
            assert_allclose(encoded[index].std(axis=0), 1.0, atol=0.25)
            assert encoded[index].dtype == np.float32
        assert columns[1].mean() > 5.0  # the observations themselves stay as they are
    assert encoder.normalizer_of(0) is encoder.normalizer_of(2) is None
    assert encoder.normalizer_of(1) is encoder.normalizers[0]
    assert encoder.normalizer_of(3) is encoder.normalizers[1]
    other = ObservationEncoder("Ball", specs, normalize=True)
    other.set_state(encoder.get_state())
    for mine, theirs in zip(encoder.encode(columns), other.encode(columns), strict=True):
        assert_array_equal(mine, theirs)


def test_without_normalisation_nothing_changes() -> None:
    specs = [vector(2), image(1, 20, 20)]
    encoder = ObservationEncoder("Ball", specs, normalize=False)
    columns = [x.numpy() for x in observations(specs, 5)]
    encoder.fold(columns)
    assert encoder.get_state() == []
    assert encoder.normalizer_of(0) is None
    assert all(mine is theirs for mine, theirs in zip(encoder.encode(columns), columns, strict=True))


def test_columns_that_are_views_become_contiguous() -> None:
    encoder = ObservationEncoder("Ball", [image(1, 20, 20), vector(2)], normalize=False)
    wide = np.zeros((4, 1, 20, 40), dtype=np.float32)
    encoded = encoder.encode([wide[:, :, :, ::2], np.zeros((4, 2), np.float32)])
    assert encoded[0].flags.c_contiguous
    assert torch.from_numpy(encoded[0]).is_contiguous()


def test_check_names_behavior_sensor_type_and_minimum() -> None:
    encoder = ObservationEncoder("Ball", [vector(2), image(3, 19, 60)], normalize=False)
    message = (
        r"^behavior Ball: observation 1 \(camera\) is an image of height 19 and width 60, but "
        r"vis_encode_type simple needs at least 20 by 20; set it to fully_connected or match3 or resnet$"
    )
    with pytest.raises(UnsupportedObservationError, match=message):
        encoder.check(network_settings())
    encoder.check(network_settings(vis_encode_type="resnet"))


def test_goals_of_variable_length_are_refused_where_they_would_make_weights() -> None:
    encoder = ObservationEncoder("Ball", [vector(2), entities(4, 2, goal=True)], normalize=False)
    message = r"behavior Ball: observation 1 \(others\) is a goal .*set goal_conditioning_type to none"
    with pytest.raises(UnsupportedObservationError, match=message):
        encoder.check(network_settings())
    encoder.check(network_settings(goal_conditioning_type="none"))
