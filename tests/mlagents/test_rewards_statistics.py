"""Whitening of observations and scaling of rewards, against independent formulas."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from imitation_helpers import CPU, image_spec, saved
from numpy.testing import assert_allclose, assert_array_equal
from trainer_helpers import observation_spec

from mlagents.rewards.statistics import (
    VECTORS,
    VECTORS_AND_IMAGES,
    ObservationStatistics,
    RewardScale,
    discounted_sums,
)
from mlagents_envs.base_env import DimensionProperty, ObservationSpec, ObservationType


def test_discounted_sums_of_two_agents_by_hand() -> None:
    rewards = np.array([1.0, 2.0, 3.0, 4.0])
    following = np.array([2, 3, -1, -1])
    assert_array_equal(discounted_sums(rewards, following, 0.5), [1.0, 2.0, 0.5 * 1 + 3, 0.5 * 2 + 4])
    assert_array_equal(discounted_sums(rewards, None, 0.5), rewards)


@pytest.mark.parametrize("links", [[0, -1], [1, 5], [-1, 0]])
def test_links_must_point_forward(links: list[int]) -> None:
    with pytest.raises(ValueError, match="later rows"):
        discounted_sums(np.ones(2), np.array(links), 0.9)


@pytest.mark.parametrize(("size", "offset"), [(1e-5, 0.0), (1.0, 0.0), (1.0, 1e4)])
def test_deviation_is_that_of_all_sums(size: float, offset: float) -> None:
    rng = np.random.default_rng(1)
    scale = RewardScale(0.9)
    sums = []
    for _ in range(5):
        rewards = (rng.random(40) * size + offset).astype(np.float32)
        chain = np.append(np.arange(1, 40), -1)
        scale.fold(torch.from_numpy(rewards), torch.from_numpy(chain))
        total = 0.0
        for reward in rewards.astype(float):
            total = 0.9 * total + reward
            sums.append(total)
    assert scale.deviation == pytest.approx(np.std(sums), rel=1e-9)


def test_scale_before_anything_and_of_nothing_but_equal_rewards() -> None:
    scale = RewardScale(0.9)
    assert scale.deviation == 1.0
    scale.fold(torch.zeros(0), None)
    assert scale.deviation == 1.0
    scale.fold(torch.full((9,), 3.0), None)
    assert 0.0 < scale.deviation < 1e-6


def test_scale_continues_from_its_state() -> None:
    one, other = RewardScale(0.5), RewardScale(0.5)
    one.fold(torch.tensor([1.0, 5.0]), None)
    other.set_state(saved(one))
    for scale in (one, other):
        scale.fold(torch.tensor([2.0]), None)
    assert one.deviation == other.deviation


def entities() -> ObservationSpec:
    properties = (DimensionProperty.VARIABLE_SIZE, DimensionProperty.NONE)
    return ObservationSpec((2, 3), properties, ObservationType.DEFAULT, "others")


def test_each_number_of_vectors_and_images_gets_mean_0_and_deviation_1() -> None:
    specs = [observation_spec(2), image_spec(5, 4), entities()]
    rng = np.random.default_rng(2)
    columns = [torch.from_numpy(rng.normal(7, 3, (4000, *each.shape)).astype(np.float32)) for each in specs]
    statistics = ObservationStatistics(specs, VECTORS_AND_IMAGES, CPU)
    statistics.fold(columns)
    vector, image, others = statistics.normalize(columns)
    for scaled in (vector, image):
        assert scaled.dtype == torch.float32
        assert_allclose(scaled.mean(dim=0), 0.0, atol=5e-3)
        assert_allclose(scaled.std(dim=0), 1.0, atol=1e-2)
    assert others is columns[2]
    far = [torch.full_like(column[:1], 1e6) for column in columns]
    assert statistics.normalize(far)[0].tolist() == [[5.0, 5.0]]


def test_images_pass_where_only_vectors_are_scaled() -> None:
    specs = [observation_spec(2), image_spec(5, 4)]
    statistics = ObservationStatistics(specs, VECTORS, CPU)
    columns = [torch.full((10, *each.shape), 3.0) for each in specs]
    statistics.fold(columns)
    vector, image = statistics.normalize(columns)
    assert image is columns[1]
    assert (vector != 3.0).all()


def test_statistics_continue_from_their_state() -> None:
    specs = [observation_spec(2)]
    one, other = (ObservationStatistics(specs, VECTORS, CPU) for _ in range(2))
    first, second = torch.randn(2, 9, 2)
    one.fold([first])
    other.set_state(saved(one))  # type: ignore[arg-type]
    for statistics in (one, other):
        statistics.fold([second])
    assert torch.equal(one.normalize([first])[0], other.normalize([first])[0])
