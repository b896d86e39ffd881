from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from mlagents_envs.base_env import (
    ActionSpec,
    BehaviorSpec,
    DecisionSteps,
    DimensionProperty,
    ObservationSpec,
    ObservationType,
    TerminalSteps,
)
from mlagents_envs.exception import UnityPolicyException
from mlagents_envs.inference import OnnxPolicy

MODELS = {
    # name: observation shapes, continuous size, discrete branches, memory size, deterministic outputs
    "3DBall": ([(8,)], 2, (), 0, True),
    "Crawler": ([(126,), (32,)], 20, (), 0, False),
    "Hallway": ([(105,), (3,)], 0, (5,), 128, False),
    "PushBlock": ([(105,), (105,)], 0, (7,), 0, True),
    "SmallWallJump": ([(210,), (210,), (24,)], 0, (3, 3, 3, 2), 0, True),
    "SoccerTwosCommunity": ([(264,), (72,)], 0, (3, 3, 3), 0, True),
    "deterContinuous2vis8vec2action_v2_0": ([(8,)], 2, (), 0, True),
    "deterDiscrete1obs3action_v2_0": ([(20,)], 0, (3,), 0, True),
    "hybrid0vis8vec_2c_2_3d_v2_0": ([(8,)], 2, (2, 3), 128, False),
}


def behavior(shapes: list[tuple[int, ...]], continuous: int, branches: tuple[int, ...]) -> BehaviorSpec:
    specs = [
        ObservationSpec(
            shape, (DimensionProperty.NONE,) * len(shape), ObservationType.DEFAULT, f"sensor{index}"
        )
        for index, shape in enumerate(shapes)
    ]
    return BehaviorSpec(specs, ActionSpec(continuous, branches))


def decisions(
    obs: list[np.ndarray[Any, Any]],
    agent_id: list[int] | None = None,
    action_mask: list[np.ndarray[Any, Any]] | None = None,
) -> DecisionSteps:
    n = len(obs[0])
    ids = np.arange(n, dtype=np.int32) if agent_id is None else np.asarray(agent_id, np.int32)
    zeros = np.zeros(n, np.float32)
    return DecisionSteps(obs, zeros, ids, action_mask, np.zeros(n, np.int32), zeros)


def terminals(agent_id: list[int], width: int = 2) -> TerminalSteps:
    n = len(agent_id)
    zeros, ids = np.zeros(n, np.float32), np.asarray(agent_id, np.int32)
    obs = [np.zeros((n, width), np.float32)]
    return TerminalSteps(obs, zeros, np.zeros(n, bool), ids, np.zeros(n, np.int32), zeros)


def model_path(shared_data: Path, name: str) -> Path:
    return shared_data / "models" / f"{name}.onnx"


@pytest.mark.parametrize("deterministic", [False, True])
@pytest.mark.parametrize("name", MODELS)
def test_recorded_models_play(
    name: str, deterministic: bool, shared_data: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shapes, continuous, branches, memory, offers_deterministic = MODELS[name]
    policy = OnnxPolicy(model_path(shared_data, name), deterministic)
    assert policy.version == 3
    assert policy.observation_shapes == shapes
    assert (policy.continuous_size, policy.discrete_branches) == (continuous, branches)
    assert policy.memory_size == memory
    assert policy.deterministic is (deterministic and offers_deterministic)
    warned = "deterministic" in capsys.readouterr().out
    assert warned is (deterministic and not offers_deterministic)
    policy.check(behavior(shapes, continuous, branches))
    rng = np.random.default_rng(0)
    for n in (1, 7, 0, 7):
        for scale in (0.0, 1.0):
            obs = [scale * rng.normal(size=(n, *shape)).astype(np.float32) for shape in shapes]
            action = policy.act(decisions(obs))
            assert action.continuous.shape == (n, continuous)
            assert action.continuous.dtype == np.float32
            assert (np.abs(action.continuous) <= 1.0).all()
            assert action.discrete.shape == (n, len(branches))
            assert action.discrete.dtype == np.int32
            assert (action.discrete >= 0).all()
            assert (action.discrete < np.asarray(branches)).all()


@pytest.mark.parametrize("name", ["3DBall", "PushBlock", "SoccerTwosCommunity"])
def test_deterministic_actions_do_not_depend_on_the_batch(name: str, shared_data: Path) -> None:
    policy = OnnxPolicy(model_path(shared_data, name), deterministic=True)
    rng = np.random.default_rng(1)
    obs = [rng.normal(size=(7, *shape)).astype(np.float32) for shape in MODELS[name][0]]
    together = policy.act(decisions(obs))
    for row in range(7):
        alone = policy.act(decisions([column[row : row + 1] for column in obs]))
        np.testing.assert_allclose(alone.continuous[0], together.continuous[row], atol=1e-5)
        np.testing.assert_array_equal(alone.discrete[0], together.discrete[row])
    if not MODELS[name][1]:
        assert len(np.unique(together.discrete, axis=0)) > 1
    else:
        assert together.continuous.std(axis=0).min() > 0.01


@pytest.mark.parametrize("name", ["3DBall", "SoccerTwosCommunity", "hybrid0vis8vec_2c_2_3d_v2_0"])
def test_sampling_follows_the_seed(name: str, shared_data: Path) -> None:
    def play(seed: int) -> list[list[float]]:
        policy = OnnxPolicy(model_path(shared_data, name), seed=seed)
        obs = [np.zeros((16, *shape), np.float32) for shape in MODELS[name][0]]
        actions = [policy.act(decisions(obs)) for _ in range(3)]
        return [np.concatenate([a.continuous, a.discrete], axis=1).ravel().tolist() for a in actions]

    first = play(5)
    assert play(5) == first
    assert play(6) != first
    assert first[0] != first[1]


@pytest.mark.parametrize("deterministic", [False, True])
def test_forbidden_actions_are_never_chosen(deterministic: bool, shared_data: Path) -> None:
    policy = OnnxPolicy(model_path(shared_data, "SmallWallJump"), deterministic)
    rng = np.random.default_rng(2)
    obs = [rng.normal(size=(200, *shape)).astype(np.float32) for shape in MODELS["SmallWallJump"][0]]
    masks = [np.zeros((200, size), bool) for size in MODELS["SmallWallJump"][2]]
    masks[0][:, 1:] = True  # only action 0 of branch 0 is left
    masks[3][:100, 0] = True  # half of the agents must choose 1 in branch 3
    action = policy.act(decisions(obs, action_mask=masks))
    assert (action.discrete[:, 0] == 0).all()
    assert (action.discrete[:100, 3] == 1).all()
    free = policy.act(decisions(obs))
    assert (free.discrete[:, 0] != 0).any()
    assert (free.discrete[:100, 3] != 1).any()


def constant(name: str, values: list[float], shape: list[int]) -> onnx.TensorProto:
    return helper.make_tensor(name, TensorProto.FLOAT, shape, values)


def save_model(
    path: Path,
    *,
    version: float = 3.0,
    memory: int = 0,
    branches: tuple[int, ...] = (),
    batch: int | str = "batch",
    without: tuple[str, ...] = (),
    extra_input: str = "",
    scale: float = 1.0,
) -> Path:
    """A model whose actions are its two observations (plus its memory, which counts decisions)."""

    def info(name: str, shape: list[int | str], kind: int = TensorProto.FLOAT) -> onnx.ValueInfoProto:
        return helper.make_tensor_value_info(name, kind, shape)

    inputs = [info("obs_0", [batch, 2])]
    nodes = [helper.make_node("Mul", ["obs_0", "scale"], ["scaled"])]
    initializers = [constant("scale", [scale], [1])]
    outputs = []
    for name, values, shape in (
        ("version_number", [version], [1]),
        ("memory_size", [float(memory)], [1]),
        ("continuous_action_output_shape", [2.0], [1]),
    ):
        initializers.append(constant(f"{name}_value", values, shape))
        nodes.append(helper.make_node("Identity", [f"{name}_value"], [name]))
        outputs.append(info(name, list(shape)))
    if memory:
        inputs.append(info("recurrent_in", [batch, 1, memory]))
        initializers.append(constant("one", [1.0], [1]))
        initializers.append(helper.make_tensor("axes", TensorProto.INT64, [1], [1]))
        nodes.append(helper.make_node("Add", ["recurrent_in", "one"], ["recurrent_out"]))
        nodes.append(helper.make_node("ReduceMax", ["recurrent_in"], ["most"], axes=[1, 2], keepdims=0))
        nodes.append(helper.make_node("Unsqueeze", ["most", "axes"], ["column"]))
        nodes.append(helper.make_node("Add", ["scaled", "column"], ["continuous_actions"]))
        outputs.append(info("recurrent_out", [batch, 1, memory]))
    else:
        nodes.append(helper.make_node("Identity", ["scaled"], ["continuous_actions"]))
    outputs.append(info("continuous_actions", [batch, 2]))
    if branches:
        inputs.append(info("action_masks", [batch, sum(branches)]))
        initializers.append(constant("branches", [float(size) for size in branches], [1, len(branches)]))
        nodes.append(helper.make_node("Identity", ["branches"], ["discrete_action_output_shape"]))
        nodes.append(helper.make_node("ArgMax", ["action_masks"], ["discrete_actions"], axis=1))
        outputs.append(info("discrete_action_output_shape", [1, len(branches)]))
        outputs.append(info("discrete_actions", [batch, 1], TensorProto.INT64))
    if extra_input:
        inputs.append(info(extra_input, [batch, 2]))
    graph = helper.make_graph(
        nodes,
        "test",
        [value for value in inputs if value.name not in without],
        [value for value in outputs if value.name not in without],
        initializers + [constant(name, [0.0], [1, 1]) for name in without if name == "action_masks"],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)
    path.write_bytes(model.SerializeToString())
    return path


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "made.onnx"


def test_actions_are_what_the_model_says_in_the_order_of_the_agents(path: Path) -> None:
    policy = OnnxPolicy(save_model(path))
    obs = np.array([[0.5, -7.0], [3.0, 4.0]])  # neither clipped nor reordered; float64 is cast
    np.testing.assert_array_equal(policy.act(decisions([obs], [9, 3])).continuous, obs)


def test_memory_belongs_to_the_agent_and_ends_with_its_episode(path: Path) -> None:
    policy = OnnxPolicy(save_model(path, memory=4))

    def counts(ids: list[int], ended: list[int] | None = None) -> list[float]:
        steps = decisions([np.zeros((len(ids), 2), np.float32)], ids)
        action = policy.act(steps, None if ended is None else terminals(ended))
        return [float(value) for value in action.continuous[:, 0]]

    assert counts([5, 6, 7]) == [0, 0, 0]
    assert counts([7, 5]) == [1, 1]
    assert counts([5, 6, 8]) == [2, 1, 0]
    assert counts([5, 6], ended=[5, 7]) == [0, 2]  # 5 ended and began anew in the same step
    assert counts([7, 5], ended=[]) == [0, 1]
    assert counts(list(range(100))) == [
        2.0 if i == 5 else 3.0 if i == 6 else 1.0 if i in (7, 8) else 0.0 for i in range(100)
    ]
    assert counts([], ended=[5]) == []
    assert counts([5]) == [0]
    policy.reset()
    assert counts([6, 50]) == [0, 0]


def test_check_lists_every_difference(path: Path) -> None:
    policy = OnnxPolicy(save_model(path, branches=(3,)))
    policy.check(behavior([(2,)], 2, (3,)))
    with pytest.raises(UnityPolicyException) as caught:
        policy.check(behavior([(5,)], 4, (2, 2)), "Ball?team=0")
    message = str(caught.value)
    for part in (
        str(path),
        "behavior Ball?team=0",
        "observation 0: (2,) in the model, (5,) in the behavior (sensor 'sensor0')",
        "continuous actions: 2 in the model, 4 in the behavior",
        "discrete branches: (3,) in the model, (2, 2) in the behavior",
    ):
        assert part in message
    with pytest.raises(UnityPolicyException, match=r"1 observations of the shapes .* in the model, 2 of"):
        policy.check(behavior([(2,), (2,)], 2, (3,)))
    with pytest.raises(UnityPolicyException, match=r"\(2,\) in the model, \(2, 1\) in the behavior"):
        policy.check(behavior([(2, 1)], 2, (3,)))


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        ({"version": 1.0}, r"version 1, .*too old.*2 to 3"),
        ({"version": 2.0}, r"version 2, .*'action'"),
        ({"version": 4.0}, r"version 4, .*newer.*2 to 3"),
        ({"without": ("version_number",)}, "lacks the output version_number"),
        ({"without": ("memory_size",)}, "lacks the output memory_size"),
        ({"without": ("continuous_action_output_shape",)}, "lacks the output continuous_action_output_shape"),
        ({"branches": (3,), "without": ("discrete_action_output_shape",)}, "discrete_action_output_shape"),
        ({"without": ("continuous_actions",)}, "continuous_actions or discrete_actions"),
        ({"memory": 4, "without": ("recurrent_out",)}, "lacks the output recurrent_out"),
        ({"branches": (1,), "without": ("action_masks",)}, "lacks the input action_masks"),
        ({"extra_input": "vector_observation"}, "vector_observation"),
        ({"extra_input": "obs_2"}, "obs_2"),
        ({"batch": 1}, r"fixes the number of agents in the inputs \['obs_0'\]"),
    ],
)
def test_models_that_do_not_fit_the_contract_are_refused(
    options: dict[str, Any], problem: str, path: Path
) -> None:
    with pytest.raises(UnityPolicyException, match=problem) as caught:
        OnnxPolicy(save_model(path, **options))
    assert str(path) in str(caught.value)


def test_files_that_are_no_models_are_refused(path: Path) -> None:
    with pytest.raises(UnityPolicyException, match="no model file"):
        OnnxPolicy(path)
    path.write_text("not a model")
    with pytest.raises(UnityPolicyException, match=r"made\.onnx cannot be loaded"):
        OnnxPolicy(path)


def test_observations_of_a_wrong_shape_are_refused_with_both_shapes(path: Path) -> None:
    policy = OnnxPolicy(save_model(path))
    with pytest.raises(UnityPolicyException, match=r"\(4, 3\)"):
        policy.act(decisions([np.zeros((4, 3), np.float32)]))


def test_actions_that_are_not_finite_are_refused(path: Path) -> None:
    policy = OnnxPolicy(save_model(path, scale=float("inf")), deterministic=False)
    with pytest.raises(UnityPolicyException, match="NaN or infinite"):
        policy.act(decisions([np.ones((1, 2), np.float32)]))


@pytest.mark.parametrize("seed", [-1, 2**31])
def test_seeds_out_of_range_are_refused(seed: int, path: Path) -> None:
    with pytest.raises(ValueError, match=f"seed is {seed}; it must be between 0 and 2147483647"):
        OnnxPolicy(save_model(path), seed=seed)


@pytest.mark.parametrize("seed", [0, 2**31 - 1])
def test_seeds_at_the_bounds_are_accepted(seed: int, path: Path) -> None:
    OnnxPolicy(save_model(path), seed=seed)


def test_a_file_that_is_no_model_comes_with_a_next_step(path: Path) -> None:
    path.write_text("not a model")
    with pytest.raises(UnityPolicyException, match=r"[^.]\. Check that it is the right file"):
        OnnxPolicy(path)
