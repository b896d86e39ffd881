"""Running statistics and the encoder that applies them."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal
from trainer_helpers import few_examples, observation_spec

from mlagents.networks.normalizer import RunningNormalizer
from mlagents.networks.observations import ObservationEncoder


def expected_moments(samples: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Mean and variance of the samples together with one of mean 0 that carries a squared deviation of 1."""
    total = len(samples) + 1
    mean = samples.sum(axis=0, dtype=np.longdouble) / total
    deviations = samples.astype(np.longdouble) - mean
    return mean, (1.0 + mean**2 + (deviations**2).sum(axis=0)) / total


def moments(normalizer: RunningNormalizer) -> tuple[np.ndarray, np.ndarray]:
    return normalizer.mean, normalizer.sum_of_squares / normalizer.count


@few_examples
@given(st.lists(st.integers(0, 40), min_size=1, max_size=5), st.integers(0, 2**32 - 1))
def test_folds_of_any_size_equal_the_moments_of_all_samples(sizes: list[int], seed: int) -> None:
    rng = np.random.default_rng(seed)
    batches = [(rng.normal(size=(size, 3)) * [1, 10, 0.1] + [0, 5, -2]).astype(np.float32) for size in sizes]
    normalizer = RunningNormalizer(3)
    for batch in batches:
        normalizer.fold(batch)
    mean, variance = expected_moments(np.concatenate(batches))
    assert normalizer.count == 1 + sum(sizes)
    assert_allclose(normalizer.mean, mean, rtol=1e-12, atol=1e-14)
    assert_allclose(moments(normalizer)[1], variance, rtol=1e-12)


def test_two_samples_worked_by_hand() -> None:
    normalizer = RunningNormalizer(1)
    normalizer.fold(np.array([[3.0], [6.0]], dtype=np.float32))
    # 0, 3, 6: mean 3; squared deviations 9 + 0 + 9, and 1 of the first sample itself
    assert (normalizer.count, normalizer.mean[0], normalizer.sum_of_squares[0]) == (3, 3.0, 19.0)
    out = np.empty((1, 1), dtype=np.float32)
    normalizer.normalize(np.array([[4.0]], dtype=np.float32), out)
    assert_allclose(out, [[1.0 / np.sqrt(19.0 / 3.0)]], rtol=1e-6)


def test_large_offset_keeps_its_precision_over_many_folds() -> None:
    rng = np.random.default_rng(0)
    batches = [(1e6 + rng.normal(size=(500, 1))).astype(np.float32) for _ in range(200)]
    normalizer = RunningNormalizer(1)
    for batch in batches:
        normalizer.fold(batch)
    mean, variance = expected_moments(np.concatenate(batches))
    # the samples themselves contribute 100,000 to a sum of squares of 10^12; single precision would drown
    # them in an error of about 10^5
    error = abs(float(normalizer.sum_of_squares[0] - variance[0] * normalizer.count))
    assert error < 1.0
    assert abs(float(normalizer.mean[0] - mean[0])) < 1e-6


def test_begins_as_identity_and_clamps_at_five() -> None:
    normalizer = RunningNormalizer(2)
    x = np.array([[0.25, -3.0], [7.0, -1e30]], dtype=np.float32)
    out = np.empty_like(x)
    normalizer.normalize(x, out)
    assert_array_equal(out, [[0.25, -3.0], [5.0, -5.0]])


def test_normalising_moves_no_statistics() -> None:
    normalizer = RunningNormalizer(2)
    normalizer.fold(np.ones((3, 2), dtype=np.float32))
    before = {key: np.copy(value) for key, value in normalizer.get_state().items()}
    x = np.full((5, 2), 9.0, dtype=np.float32)
    normalizer.normalize(x, np.empty_like(x))
    for key, value in normalizer.get_state().items():
        assert_array_equal(value, before[key])
    assert_array_equal(x, 9.0)


def test_empty_fold_changes_nothing() -> None:
    normalizer = RunningNormalizer(2)
    normalizer.fold(np.zeros((0, 2), dtype=np.float32))
    assert normalizer.count == 1
    assert_array_equal(normalizer.mean, 0.0)


def test_feature_that_never_varies_stays_finite() -> None:
    normalizer = RunningNormalizer(1)
    normalizer.count = 10**12  # as after a very long run, when the first pseudo-sample has faded
    normalizer.sum_of_squares[:] = 0.0
    normalizer.fold(np.zeros((4, 1), dtype=np.float32))
    out = np.empty((1, 1), dtype=np.float32)
    normalizer.normalize(np.zeros((1, 1), dtype=np.float32), out)
    assert out[0, 0] == 0.0
    assert np.isfinite(normalizer.shift_and_scale[1]).all()


def test_state_round_trip_continues_identically() -> None:
    rng = np.random.default_rng(1)
    first, second = rng.normal(3, 2, size=(2, 50, 2)).astype(np.float32)
    normalizer, other = RunningNormalizer(2), RunningNormalizer(2)
    normalizer.fold(first)
    other.set_state(normalizer.get_state())
    for each in (normalizer, other):
        each.fold(second)
    assert other.count == normalizer.count == 101
    assert_array_equal(other.mean, normalizer.mean)
    assert_array_equal(other.shift_and_scale, normalizer.shift_and_scale)


def test_encoder_concatenates_in_the_order_of_the_sensors() -> None:
    specs = [observation_spec(2), observation_spec(1), observation_spec(3)]
    encoder = ObservationEncoder("Ball", specs, normalize=False)
    columns = [np.full((4, size), size, dtype=np.float32) for size in (2, 1, 3)]
    encoded = encoder.encode(columns)[0]
    assert_array_equal(encoded, np.tile(np.array([2, 2, 1, 3, 3, 3], dtype=np.float32), (4, 1)))
    assert encoded.dtype == np.float32
    assert encoder.size == 6
    encoder.fold(columns)
    assert_array_equal(encoder.encode(columns)[0], encoded)
    assert encoder.get_state() == []


@pytest.mark.parametrize("normalize", [False, True])
def test_encoder_of_one_sensor(normalize: bool) -> None:
    encoder = ObservationEncoder("Ball", [observation_spec(2)], normalize=normalize)
    column = np.array([[0.5, -1.0]], dtype=np.float32)
    assert_array_equal(encoder.encode([column])[0], column)


def test_encoder_normalises_each_sensor_by_its_own_statistics() -> None:
    rng = np.random.default_rng(2)
    specs = [observation_spec(2), observation_spec(1)]
    encoder = ObservationEncoder("Ball", specs, normalize=True)
    columns = [rng.normal([3, -40], [1, 7], (500, 2)), rng.normal(0.5, 0.01, (500, 1))]
    columns = [column.astype(np.float32) for column in columns]
    encoder.fold(columns)
    expected = []
    for column in columns:
        mean, variance = expected_moments(column)
        expected.append(np.clip((column - mean) / np.sqrt(variance), -5, 5))
    assert_allclose(encoder.encode(columns)[0], np.concatenate(expected, axis=1), rtol=1e-4, atol=1e-4)
    other = ObservationEncoder("Ball", specs, normalize=True)
    other.set_state(encoder.get_state())
    assert_array_equal(other.encode(columns)[0], encoder.encode(columns)[0])


def test_a_state_in_which_nothing_was_seen_changes_nothing() -> None:
    normalizer = RunningNormalizer(2)
    normalizer.set_state({"count": 0, "mean": np.zeros(2), "sum_of_squares": np.zeros(2)})
    out = np.empty((1, 2), dtype=np.float32)
    normalizer.normalize(np.array([[0.5, -2.0]], dtype=np.float32), out)
    np.testing.assert_array_equal(out, [[0.5, -2.0]])
