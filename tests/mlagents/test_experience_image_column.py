"""Images as bytes: nothing is lost, and what bytes cannot hold turns the column into floats."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_array_equal
from trainer_helpers import behavior_spec, few_examples

from mlagents.experience.image_column import ImageColumn, decode_levels, make_column, raw_rows
from mlagents.experience.store import RolloutStore, slack_rows

SHAPE = (1, 2, 3)
ALL_LEVELS = (np.arange(256, dtype=np.float32) / np.float32(255)).reshape(-1, 1, 1, 1)


def images(*firsts: float) -> np.ndarray:
    """Images whose first number tells them apart."""
    column = np.zeros((len(firsts), *SHAPE), dtype=np.float32)
    column[:, 0, 0, 0] = firsts
    return column


def test_every_level_comes_back_bit_for_bit() -> None:
    column = ImageColumn(256, (1, 1, 1))
    column[0:256] = ALL_LEVELS
    assert column.data.dtype == np.uint8
    assert_array_equal(column[0:256].view(np.int32), ALL_LEVELS.view(np.int32))
    decoded = decode_levels(torch.from_numpy(column.data)).numpy()
    assert_array_equal(decoded.view(np.int32), ALL_LEVELS.view(np.int32))
    assert column[np.array([255, 0, 7])].ravel().tolist() == [1.0, 0.0, float(ALL_LEVELS[7, 0, 0, 0])]


@few_examples
@given(st.floats(width=32))
def test_whatever_is_written_is_read(value: float) -> None:
    column = ImageColumn(3, SHAPE)
    column[0:2] = images(3 / np.float32(255), 1.0)
    column[2:3] = images(value)
    assert_array_equal(column[0:3], images(3 / np.float32(255), 1.0, value))


@pytest.mark.parametrize("value", [0.5, -1 / 255, 256 / 255, math.nan, math.inf, 1e-9])
def test_other_numbers_turn_the_column_into_floats_for_good(value: float) -> None:
    column = ImageColumn(4, SHAPE)
    column[0:2] = images(0.0, 1.0)
    column[2:3] = images(value)
    assert column.data.dtype == np.float32
    column[3:4] = images(1.0)
    assert column.data.dtype == np.float32
    assert_array_equal(column[0:4], images(0.0, 1.0, value, 1.0))
    assert decode_levels(torch.from_numpy(column.data)).data_ptr() == torch.from_numpy(column.data).data_ptr()


@pytest.mark.parametrize("value", [1.0, 0.5])
def test_growth_and_restored_columns_keep_values_and_form(value: float) -> None:
    column = ImageColumn(2, SHAPE)
    column[0:2] = images(value, 0.0)
    bigger = column.grown(5)
    assert len(bigger) == 5
    assert bigger.data.dtype == column.data.dtype
    assert_array_equal(bigger[0:2], column[0:2])
    for before in (0.5, 1.0):  # whatever form the other one had
        other = ImageColumn(4, SHAPE)
        other[0:4] = images(*[before] * 4)
        other.restore(column.data)
        assert other.data.dtype == column.data.dtype
        assert_array_equal(other[0:2], column[0:2])


def test_only_images_are_kept_as_bytes() -> None:
    assert isinstance(make_column(2, (3, 4, 4)), ImageColumn)
    for shape in ((4,), (5, 2)):
        column = make_column(2, shape)
        assert isinstance(column, np.ndarray)
        assert raw_rows(column, slice(0, 1)).base is not None


# -- in a store ----------------------------------------------------------------------------------------

SPEC = behavior_spec(sizes=(2, SHAPE))


def append(store: RolloutStore, *firsts: float) -> None:
    count = len(firsts)
    vectors = np.array(firsts, dtype=np.float32)[:, None].repeat(2, axis=1)
    slots = np.arange(count)
    store.append([vectors, images(*firsts)], slots, np.zeros(count, dtype=np.int32), 0)


@pytest.mark.parametrize("special", [0.2, 0.3])  # 51/255, and a number between two levels
def test_store_grows_compacts_and_saves_images(special: float) -> None:
    store = RolloutStore(SPEC, 2)
    append(store, 0.0, 1.0, 0.2)
    append(store, special)
    rows = np.array([0, 2])
    store.complete[rows] = True
    store.num_complete = 2
    store.add_bootstrap([np.zeros((1, 2), dtype=np.float32), images(special)], rows[:1])
    kind = np.uint8 if special == 0.2 else np.float32
    assert store.raw_observations(slice(0, 4))[1].dtype == kind
    assert store.raw_final_observations()[1].dtype == kind
    other = RolloutStore(SPEC, 9)
    other.set_state(store.get_state())
    for each in (store, other):
        assert_array_equal(each.observations[1][0:4], images(0.0, 1.0, 0.2, special))
        assert_array_equal(each.bootstrap_observations[1][0:1], images(special))
        each.keep_unready()
        assert_array_equal(each.observations[1][0:2], images(1.0, special))
        assert_array_equal(each.observations[0][0:2, 0], np.array([1.0, special], dtype=np.float32))


def test_room_beyond_the_buffer_is_modest_for_images() -> None:
    assert slack_rows(behavior_spec(sizes=(8,))) == 4096
    big = behavior_spec(sizes=((3, 200, 200),))
    assert slack_rows(big) * 3 * 200 * 200 <= 32 << 20
    assert slack_rows(behavior_spec(sizes=((3, 2000, 2000),))) == 256
