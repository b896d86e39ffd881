"""Sampling of actions, their log-probabilities, and what reaches the environment."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal
from numpy.typing import NDArray
from torch.distributions import Categorical, Normal
from trainer_helpers import ACTION_SPECS, few_examples, observation_spec

from mlagents.networks.acting import ActingPolicy, ActionColumns, NonFiniteActionError
from mlagents.networks.action_kernels import sample_continuous, sample_discrete
from mlagents.networks.actor_critic import ActorCritic
from mlagents.networks.flat_parameters import FlatParameters
from mlagents.networks.observations import ObservationEncoder
from mlagents_envs.base_env import ActionSpec


@pytest.fixture(autouse=True)
def _one_thread() -> None:
    torch.set_num_threads(1)


# -- continuous ----------------------------------------------------------------------------------------


def continuous(
    means: NDArray[np.float32], log_sigma: list[float], noise: NDArray[np.float32], extra_columns: int = 0
) -> tuple[bool, NDArray[np.float32], NDArray[np.float32], NDArray[np.float32]]:
    """Sample with ``extra_columns`` logits and log-probabilities of discrete branches beside."""
    outputs = np.pad(means, ((0, 0), (0, extra_columns)), constant_values=7.0)
    log_probs = np.full_like(outputs, 7.0)
    actions, sent = np.empty_like(means), np.empty_like(means)
    finite = sample_continuous(
        outputs, np.array(log_sigma, dtype=np.float32), noise, actions, log_probs, sent
    )
    if extra_columns:
        assert (log_probs[:, means.shape[1] :] == 7.0).all()
    return finite, actions, log_probs[:, : means.shape[1]], sent


@few_examples
@given(st.integers(0, 2**32 - 1), st.integers(1, 4), st.integers(0, 2))
def test_continuous_log_probs_equal_torch(seed: int, size: int, extra: int) -> None:
    rng = np.random.default_rng(seed)
    means = rng.normal(0, 2, (9, size)).astype(np.float32)
    log_sigma = rng.normal(0, 0.7, size).astype(np.float32)
    noise = rng.standard_normal((9, size), dtype=np.float32)
    finite, actions, log_probs, sent = continuous(means, log_sigma.tolist(), noise, extra)
    assert finite
    assert_allclose(actions, means + np.exp(log_sigma) * noise, rtol=1e-5, atol=1e-6)
    normal = Normal(torch.from_numpy(means).double(), torch.from_numpy(log_sigma).double().exp())
    assert_allclose(log_probs, normal.log_prob(torch.from_numpy(actions).double()), rtol=1e-4, atol=1e-4)
    assert_allclose(sent, np.clip(actions, -3, 3) / 3, rtol=1e-6)


def test_actions_are_clamped_to_three_and_divided_by_it() -> None:
    means = np.array([[0.0, 1.5, 3.0, 4.0, -3.5]], dtype=np.float32)
    _, actions, _, sent = continuous(means, [0.0] * 5, np.zeros((1, 5), np.float32))
    assert_array_equal(actions, means)  # raw ones stay as they are
    assert_array_equal(sent, [[0.0, 0.5, 1.0, 1.0, -1.0]])


@pytest.mark.parametrize(("mean", "log_sigma"), [(math.nan, 0.0), (math.inf, 0.0), (0.0, math.nan)])
def test_continuous_action_that_is_not_finite_is_noticed(mean: float, log_sigma: float) -> None:
    means = np.array([[0.0], [mean], [0.0]], dtype=np.float32)
    noise = np.ones((3, 1), dtype=np.float32)
    assert not continuous(means, [log_sigma], noise)[0]


# -- discrete ------------------------------------------------------------------------------------------


def discrete(
    logits: NDArray[np.float32],
    branches: tuple[int, ...],
    allowed: NDArray[np.bool_] | None = None,
    uniforms: NDArray[np.float64] | None = None,
    deterministic: bool = False,
    first_logit: int = 0,
) -> tuple[bool, NDArray[np.int32], NDArray[np.float32]]:
    count = len(logits)
    outputs = np.pad(logits, ((0, 0), (first_logit, 0)), constant_values=50.0)
    actions = np.full((count, len(branches)), -9, dtype=np.int32)
    log_probs = np.full((count, first_logit + len(branches)), 7.0, dtype=np.float32)
    finite = sample_discrete(
        outputs,
        first_logit,
        np.cumsum(branches),
        np.ones_like(logits, dtype=np.bool_) if allowed is None else allowed,
        np.zeros((count, len(branches))) if uniforms is None else uniforms,
        deterministic,
        actions,
        log_probs,
    )
    assert (log_probs[:, :first_logit] == 7.0).all()
    return finite, actions, log_probs[:, first_logit:]


@pytest.mark.parametrize("mask", [[1, 1, 1, 1], [1, 0, 1, 1], [0, 1, 1, 0], [0, 0, 0, 1]])
def test_frequencies_equal_the_masked_softmax(mask: list[int]) -> None:
    logits = np.array([1.0, 0.5, -1.0, 2.0], dtype=np.float32)
    count = 20_000
    # evenly spread draws: every frequency is exact to one in `count`, without chance
    uniforms = ((np.arange(count) + 0.5) / count)[:, None]
    allowed = np.tile(np.array(mask, dtype=np.bool_), (count, 1))
    _, actions, _ = discrete(np.tile(logits, (count, 1)), (4,), allowed, uniforms)
    weights = np.exp(logits.astype(np.float64)) * mask
    frequencies = np.bincount(actions[:, 0], minlength=4) / count
    assert_allclose(frequencies, weights / weights.sum(), atol=1.5 / count)


@st.composite
def branches_with_masks(
    draw: st.DrawFn,
) -> tuple[tuple[int, ...], NDArray[np.float32], NDArray[np.bool_], int]:
    branches = tuple(draw(st.lists(st.integers(1, 5), min_size=1, max_size=3)))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    logits = (rng.normal(size=(7, sum(branches))) * draw(st.sampled_from([0.1, 3.0, 40.0]))).astype(
        np.float32
    )
    allowed = rng.random(logits.shape) < 0.6
    begin = 0
    for size in branches:  # at least one choice of each branch is allowed
        allowed[np.arange(7), begin + rng.integers(0, size, 7)] = True
        begin += size
    return branches, logits, allowed, draw(st.integers(0, 2))


@few_examples
@given(branches_with_masks(), st.integers(0, 2**32 - 1), st.booleans())
def test_discrete_log_probs_equal_torch_and_nothing_forbidden_is_taken(
    case: tuple[tuple[int, ...], NDArray[np.float32], NDArray[np.bool_], int], seed: int, deterministic: bool
) -> None:
    branches, logits, allowed, first_logit = case
    uniforms = np.random.default_rng(seed).random((len(logits), len(branches)))
    finite, actions, log_probs = discrete(logits, branches, allowed, uniforms, deterministic, first_logit)
    assert finite
    masked = np.where(allowed, logits, -np.inf)
    begin = 0
    for branch, size in enumerate(branches):
        part = masked[:, begin : begin + size]
        chosen = actions[:, branch]
        assert np.isfinite(part[np.arange(len(part)), chosen]).all(), "a forbidden action was taken"
        expected = Categorical(logits=torch.from_numpy(part).double()).log_prob(torch.from_numpy(chosen))
        assert_allclose(log_probs[:, branch], expected, rtol=1e-4, atol=1e-5)
        if deterministic:
            assert_array_equal(chosen, part.argmax(axis=1))
        begin += size


@pytest.mark.parametrize("uniform", [0.0, np.nextafter(1.0, 0.0)])
def test_extreme_draws_take_the_first_and_the_last_allowed_choice(uniform: float) -> None:
    allowed = np.array([[False, True, True, True, False]])
    _, actions, _ = discrete(np.zeros((1, 5), np.float32), (5,), allowed, np.array([[uniform]]))
    assert actions[0, 0] == (1 if uniform == 0.0 else 3)


def test_choice_without_probability_is_never_taken() -> None:
    logits = np.array([[-2000.0, 0.0, -2000.0]], dtype=np.float32)  # exp(-2000) is 0 in double precision
    for uniform in (0.0, np.nextafter(1.0, 0.0)):
        _, actions, log_probs = discrete(logits, (3,), uniforms=np.array([[uniform]]))
        assert (actions[0, 0], log_probs[0, 0]) == (1, 0.0)


@pytest.mark.parametrize("deterministic", [False, True])
def test_branch_that_forbids_everything_takes_the_first_choice(deterministic: bool) -> None:
    logits = np.array([[1.0, 2.0, 0.0, 9.0]], dtype=np.float32)
    allowed = np.array([[False, False, True, False]])
    finite, actions, log_probs = discrete(logits, (2, 2), allowed, deterministic=deterministic)
    assert finite
    assert_array_equal(actions, [[0, 0]])
    assert_array_equal(log_probs, [[0.0, 0.0]])


@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_logit_that_is_not_finite_is_noticed(value: float) -> None:
    logits = np.zeros((3, 4), dtype=np.float32)
    assert discrete(logits, (2, 2))[0]
    logits[1, 2] = value
    assert not discrete(logits, (2, 2))[0]


# -- the acting policy ---------------------------------------------------------------------------------


def make_policy(
    actions: ActionSpec, seed: int = 0, deterministic: bool = False, normalize: bool = False
) -> tuple[ActingPolicy, ActorCritic, FlatParameters]:
    def network(weights: int) -> ActorCritic:
        return ActorCritic(3, actions, 8, 1, 1, torch.Generator().manual_seed(weights))

    learner = network(5)
    flat = FlatParameters(learner)
    with torch.no_grad():  # larger weights than initial ones, so that outputs differ between rows
        flat.values.mul_(4.0).add_(0.05)
    encoder = ObservationEncoder("Ball", [observation_spec(2), observation_spec(1)], normalize=normalize)
    rng = np.random.default_rng(seed)
    policy = ActingPolicy(network(6), encoder, rng, deterministic=deterministic)
    policy.load_weights(flat)
    return policy, learner, flat


def make_columns(actions: ActionSpec, count: int) -> ActionColumns:
    components = actions.continuous_size + actions.discrete_size
    return ActionColumns(
        np.full((count, actions.continuous_size), np.nan, dtype=np.float32),
        np.full((count, actions.discrete_size), -1, dtype=np.int32),
        np.full((count, components), np.nan, dtype=np.float32),
        np.ones((count, sum(actions.discrete_branches)), dtype=np.bool_),
    )


def make_observations(count: int) -> list[NDArray[np.float32]]:
    rng = np.random.default_rng(8)
    return [rng.normal(size=(count, size)).astype(np.float32) for size in (2, 1)]


@pytest.mark.parametrize("kind", ACTION_SPECS)
def test_actions_come_from_the_learners_weights(kind: str) -> None:
    spec = ACTION_SPECS[kind]
    policy, learner, flat = make_policy(spec, deterministic=True)
    observations, columns = make_observations(6), make_columns(spec, 6)
    for _ in range(2):
        sent = policy.act(observations, columns)
        outputs = learner.actor(torch.from_numpy(np.concatenate(observations, axis=1))).detach().numpy()
        size = spec.continuous_size
        assert_allclose(columns.continuous, outputs[:, :size], rtol=1e-4, atol=1e-5)
        assert_allclose(sent.continuous, np.clip(columns.continuous, -3, 3) / 3, rtol=1e-6)
        begin = size
        for branch, choices in enumerate(spec.discrete_branches):
            assert_array_equal(
                columns.discrete[:, branch], outputs[:, begin : begin + choices].argmax(axis=1)
            )
            begin += choices
        assert_array_equal(sent.discrete, columns.discrete)
        assert np.isfinite(columns.log_probs).all()
        flat.values.neg_()  # the learner moves; the policy follows when told
        policy.load_weights(flat)


def test_acting_is_one_step_behind_until_weights_are_loaded() -> None:
    spec = ACTION_SPECS["continuous"]
    policy, _, flat = make_policy(spec, deterministic=True)
    observations, columns = make_observations(4), make_columns(spec, 4)
    before = policy.act(observations, columns).continuous.copy()
    flat.values.zero_()
    assert_array_equal(policy.act(observations, columns).continuous, before)


def test_continuous_noise_is_standard_normal_times_sigma() -> None:
    spec = ActionSpec.create_continuous(2)
    policy, learner, flat = make_policy(spec)
    with torch.no_grad():
        learner.log_sigma.copy_(torch.tensor([-1.0, 0.5]))
    policy.load_weights(flat)
    count = 20_000
    observations = [np.ones((count, size), dtype=np.float32) for size in (2, 1)]
    columns = make_columns(spec, count)
    policy.act(observations, columns)
    means = learner.actor(torch.ones(1, 3)).detach().numpy()
    z = (columns.continuous - means) / np.exp([-1.0, 0.5])
    # 20,000 draws: standard errors 0.007 of the mean, 0.005 of the deviation
    assert_allclose(z.mean(axis=0), 0.0, atol=0.035)
    assert_allclose(z.std(axis=0), 1.0, atol=0.025)
    assert abs(np.corrcoef(z.T)[0, 1]) < 0.035


def test_same_seed_same_actions() -> None:
    spec = ACTION_SPECS["hybrid"]
    results = []
    for seed in (3, 3, 4):
        policy, _, _ = make_policy(spec, seed=seed)
        sent = policy.act(make_observations(50), make_columns(spec, 50))
        results.append(np.concatenate([sent.continuous, sent.discrete], axis=1))
    assert_array_equal(results[0], results[1])
    assert (results[0] != results[2]).any()


def test_masks_in_the_columns_are_respected() -> None:
    spec = ACTION_SPECS["hybrid"]  # branches of 2 and 4 choices
    policy, _, _ = make_policy(spec)
    columns = make_columns(spec, 300)
    columns.allowed[:, [0, 2, 3, 5]] = False
    policy.act(make_observations(300), columns)
    assert (columns.discrete == [1, 2]).all()
    assert_array_equal(columns.log_probs[:, 2:], 0.0)  # there was no choice


def test_actions_sent_are_no_views_of_the_store() -> None:
    spec = ACTION_SPECS["hybrid"]
    policy, _, _ = make_policy(spec)
    columns = make_columns(spec, 5)
    sent = policy.act(make_observations(5), columns)
    kept = columns.continuous.copy(), columns.discrete.copy()
    sent.continuous[:] = 9.0
    sent.discrete[:] = 9
    assert_array_equal(columns.continuous, kept[0])
    assert_array_equal(columns.discrete, kept[1])


@pytest.mark.parametrize("kind", ACTION_SPECS)
def test_nan_observation_is_an_error(kind: str) -> None:
    spec = ACTION_SPECS[kind]
    policy, _, _ = make_policy(spec, normalize=True)
    observations = make_observations(4)
    observations[1][2, 0] = np.nan
    with pytest.raises(NonFiniteActionError):
        policy.act(observations, make_columns(spec, 4))
