"""``mlagents.Policy``: models and checkpoints played with plain arrays."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from api_helpers import small_run
from toy_envs import DriftEnv
from toy_tasks import ChoiceEnv

from mlagents import Policy
from mlagents.settings import UnityTrainerException
from mlagents_envs.base_env import ActionSpec
from mlagents_envs.exception import UnityPolicyException

HYBRID = ActionSpec.create_hybrid(1, (3,))


@pytest.fixture(scope="module")
def drift(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Results of a short run with continuous and discrete actions."""
    normalized = {"network_settings": {"hidden_units": 16, "normalize": True}, "max_steps": 1000}
    return small_run(
        tmp_path_factory.mktemp("drift"), lambda: DriftEnv(action_spec=HYBRID), normalized
    ).folder


@pytest.fixture(scope="module")
def recurrent(tmp_path_factory: pytest.TempPathFactory) -> Path:
    memory = {"network_settings": {"hidden_units": 16, "memory": {"memory_size": 8, "sequence_length": 8}}}
    behavior = {**memory, "max_steps": 600}
    return small_run(tmp_path_factory.mktemp("memory"), lambda: ChoiceEnv("memory", 8), behavior).folder


def observations(count: int, size: int = 3) -> np.ndarray:
    return np.random.default_rng(0).standard_normal((count, size)).astype(np.float32)


def test_all_files_of_a_state_play_alike(drift: Path) -> None:
    seen = observations(7)
    final = Policy.load(drift / "Drift.onnx", deterministic=True)
    assert (final.observation_shapes, final.continuous_size, final.discrete_branches) == ([(3,)], 1, (3,))
    (numbered,) = drift.glob("Drift/Drift-*.pt")
    for path in (drift / "Drift" / "checkpoint.pt", numbered, numbered.with_suffix(".onnx")):
        policy = Policy.load(path, deterministic=True)
        assert policy.path == path
        np.testing.assert_allclose(policy.act(seen).continuous, final.act(seen).continuous, atol=1e-6)
        np.testing.assert_array_equal(policy.act(seen).discrete, final.act(seen).discrete)


def test_one_agent_or_a_batch(drift: Path) -> None:
    policy = Policy.load(drift / "Drift.onnx", deterministic=True)
    seen = observations(4)
    batch = policy.act([seen])
    for form in (seen[2], seen[2].tolist(), [seen[2]], (seen[2].astype(np.float64),)):
        one = policy.act(form)
        assert one.continuous.shape == one.discrete.shape == (1, 1)
        np.testing.assert_allclose(one.continuous[0], batch.continuous[2], atol=1e-6)
    assert policy.act(seen[:0]).continuous.shape == (0, 1)


def test_masks_are_obeyed(drift: Path) -> None:
    policy = Policy.load(drift / "Drift.onnx", seed=3)
    forbidden = np.array([[True, True, False], [False, True, True]])
    for _ in range(20):
        assert policy.act(observations(2), action_masks=[forbidden]).discrete.tolist() == [[2], [0]]
    assert policy.act(observations(1)[0], action_masks=[[True, False, True]]).discrete.tolist() == [[1]]
    with pytest.raises(UnityPolicyException, match=r"masks have the shapes \[\(2, 2\)\]"):
        policy.act(observations(2), action_masks=[np.zeros((2, 2))])


def test_deterministic_as_loaded_or_as_asked(drift: Path) -> None:
    sampled = Policy.load(drift / "Drift.onnx", seed=5)
    again = Policy.load(drift / "Drift.onnx", seed=5)
    greedy = Policy.load(drift / "Drift.onnx", deterministic=True)
    seen = observations(200)
    first = sampled.act(seen)
    np.testing.assert_array_equal(first.continuous, again.act(seen).continuous)
    assert not np.array_equal(first.continuous, sampled.act(seen).continuous)
    best = greedy.act(seen).continuous
    np.testing.assert_array_equal(best, greedy.act(seen).continuous)
    np.testing.assert_array_equal(best, sampled.act(seen, deterministic=True).continuous)
    assert not np.array_equal(best, greedy.act(seen, deterministic=False).continuous)


def test_memory_belongs_to_rows_or_to_named_agents(recurrent: Path) -> None:
    policy = Policy.load(recurrent / "Task" / "checkpoint.pt", deterministic=True)
    model = Policy.load(recurrent / "Task.onnx")
    assert policy.memory_size == model.memory_size == 8
    raw = policy._model

    def remembered(agent: int) -> list[float]:
        return raw._memories.read([agent])[0].tolist()

    cue, nothing = np.array([[1.0, 0, 0], [0, 1.0, 0]], np.float32), np.zeros((2, 3), np.float32)
    policy.act(cue)
    first, second = remembered(0), remembered(1)
    assert first != second
    policy.act(nothing[:1], agents=[1])  # a named agent goes on with its own memory
    assert remembered(0) == first
    assert remembered(1) != second
    policy.reset([1])
    assert remembered(1) == [0.0] * 8
    assert remembered(0) == first
    policy.reset()
    assert remembered(0) == [0.0] * 8
    policy.act(cue)
    assert remembered(0) == pytest.approx(first, abs=1e-6)


def test_plays_an_environment(drift: Path) -> None:
    policy = Policy.load(drift / "Drift.onnx", seed=1)
    env = DriftEnv(action_spec=HYBRID)
    env.reset()
    for _ in range(30):  # forbidden actions would raise nothing, but the masks are used: see above
        decision, terminal = env.get_steps(env.behavior)
        env.set_actions(env.behavior, policy.act_on(decision, terminal))
        assert decision.action_mask is not None
        chosen = env._actions.discrete[:, 0]
        assert not decision.action_mask[0][np.arange(len(chosen)), chosen].any()
        env.step()


@pytest.mark.parametrize(
    ("seen", "text"),
    [
        (np.zeros(4), r"observation 0 has the shape \(4,\); it must be \(3,\)"),
        (np.zeros((2, 4)), r"observation 0 has the shape \(2, 4\)"),
        (np.zeros((1, 2, 3)), "observation 0 has the shape"),
    ],
)
def test_wrong_shapes_are_named(seen: np.ndarray, text: str, drift: Path) -> None:
    with pytest.raises(UnityPolicyException, match=text):
        Policy.load(drift / "Drift.onnx").act(seen)


def test_wrong_numbers_are_named(drift: Path, tmp_path: Path) -> None:
    policy = Policy.load(drift / "Drift.onnx")
    with pytest.raises(UnityPolicyException, match="2 observations, but 3 agents"):
        policy.act(observations(2), agents=[1, 2, 3])
    two = small_run(tmp_path, lambda: ChoiceEnv("goal", 8), {"max_steps": 300}).policies["Task"]
    assert two.observation_shapes == [(1,), (2,)]
    assert two.act([np.zeros((5, 1)), np.zeros((5, 2))]).discrete.shape == (5, 1)
    assert two.act([[0.5], [1.0, 0.0]]).discrete.shape == (1, 1)
    with pytest.raises(UnityPolicyException, match="a list of 2 observations"):
        two.act([np.zeros((5, 1))])
    with pytest.raises(UnityPolicyException, match="observation 1"):
        two.act([np.zeros((5, 1)), np.zeros((4, 2))])


def test_files_that_cannot_be_played(drift: Path, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"neither an \.onnx model nor a \.pt checkpoint"):
        Policy.load(tmp_path / "model.txt")
    with pytest.raises(UnityPolicyException, match="no model file"):
        Policy.load(tmp_path / "model.onnx")
    with pytest.raises(UnityTrainerException, match="no checkpoint"):
        Policy.load(tmp_path / "model.pt")
    saved = torch.load(drift / "Drift" / "checkpoint.pt", weights_only=True)
    old = {**saved, "Training": {k: v for k, v in saved["Training"].items() if k != "behavior"}}
    torch.save(old, tmp_path / "old.pt")
    with pytest.raises(UnityTrainerException, match="does not say what its behavior observes"):
        Policy.load(tmp_path / "old.pt")
    saved["Training"]["behavior"]["settings"]["trainer_type"] = "of_a_plugin"
    torch.save(saved, tmp_path / "plugin.pt")
    with pytest.raises(
        UnityTrainerException, match=r"trainer_type is .of_a_plugin.; there is no such trainer"
    ):
        Policy.load(tmp_path / "plugin.pt")
    saved["Training"]["behavior"]["settings"]["trainer_type"] = "ppo"
    saved["Training"]["behavior"]["settings"]["network_settings"]["hidden_units"] = 17
    torch.save(saved, tmp_path / "other.pt")
    with pytest.raises(UnityTrainerException, match="does not fit the behavior Drift"):
        Policy.load(tmp_path / "other.pt")


def test_models_of_the_original_play(shared_data: Path) -> None:
    played = 0
    for path in sorted((shared_data / "models").rglob("*.onnx")):
        try:
            policy = Policy.load(path)
        except UnityPolicyException:  # of versions that are not played
            continue
        seen = [
            np.zeros((2, *(size or 1 for size in shape)), np.float32) for shape in policy.observation_shapes
        ]
        actions = policy.act(seen)
        assert actions.continuous.shape == (2, policy.continuous_size)
        assert actions.discrete.shape == (2, len(policy.discrete_branches))
        played += 1
    assert played > 3
