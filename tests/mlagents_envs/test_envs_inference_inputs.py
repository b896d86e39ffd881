from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import TensorProto, helper

from mlagents_envs.base_env import DecisionSteps
from mlagents_envs.exception import UnityPolicyException
from mlagents_envs.inference import OnnxPolicy
from mlagents_envs.inference_inputs import AgentMemories


def save_old_model(path: Path) -> Path:
    """A model with the inputs of earlier exporters.

    The continuous action is epsilon plus a hundred times the batch size plus the sequence length; the
    discrete one is the previous one plus one.
    """

    def info(name: str, shape: list[int | str], kind: int = TensorProto.FLOAT) -> onnx.ValueInfoProto:
        return helper.make_tensor_value_info(name, kind, shape)

    constants = {
        "version_number": [3.0],
        "memory_size": [0.0],
        "continuous_action_output_shape": [1.0],
        "discrete_action_output_shape": [9.0],
    }
    initializers = [
        helper.make_tensor(f"{name}_value", TensorProto.FLOAT, [1], values)
        for name, values in constants.items()
    ]
    initializers.append(helper.make_tensor("hundred", TensorProto.FLOAT, [1], [100.0]))
    initializers.append(helper.make_tensor("one", TensorProto.FLOAT, [1], [1.0]))
    initializers.append(helper.make_tensor("zero", TensorProto.FLOAT, [1], [0.0]))
    initializers.append(helper.make_tensor("axes", TensorProto.INT64, [1], [1]))
    nodes = [helper.make_node("Identity", [f"{name}_value"], [name]) for name in constants]
    nodes += [
        helper.make_node("Cast", ["batch_size"], ["batch_float"], to=TensorProto.FLOAT),
        helper.make_node("Cast", ["sequence_length"], ["length_float"], to=TensorProto.FLOAT),
        helper.make_node("Mul", ["batch_float", "hundred"], ["hundreds"]),
        helper.make_node("Add", ["hundreds", "length_float"], ["sizes"]),
        helper.make_node("Add", ["epsilon", "sizes"], ["with_sizes"]),
        helper.make_node("ReduceSum", ["obs_0", "axes"], ["sums"]),
        helper.make_node("Mul", ["sums", "zero"], ["nothing"]),
        helper.make_node("Add", ["with_sizes", "nothing"], ["continuous_actions"]),
        helper.make_node("ReduceSum", ["action_masks", "axes"], ["allowed"]),
        helper.make_node("Mul", ["allowed", "zero"], ["nothing_either"]),
        helper.make_node("Add", ["prev_action", "nothing_either"], ["previous"]),
        helper.make_node("Add", ["previous", "one"], ["next"]),
        helper.make_node("Cast", ["next"], ["discrete_actions"], to=TensorProto.INT32),
    ]
    inputs = [
        info("obs_0", ["batch", 2]),
        info("action_masks", ["batch", 9]),
        info("prev_action", ["batch", 1]),
        info("epsilon", ["batch", 1]),
        info("batch_size", [1], TensorProto.INT64),
        info("sequence_length", [1], TensorProto.INT32),
    ]
    outputs = [info(name, [1]) for name in constants]
    outputs.append(info("continuous_actions", ["batch", 1]))
    outputs.append(info("discrete_actions", ["batch", 1], TensorProto.INT32))
    graph = helper.make_graph(nodes, "old", inputs, outputs, initializers)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)
    path.write_bytes(model.SerializeToString())
    return path


def asking(*ids: int) -> DecisionSteps:
    n = len(ids)
    zeros = np.zeros(n, np.float32)
    agent_id = np.array(ids, np.int32)
    return DecisionSteps([np.zeros((n, 2), np.float32)], zeros, agent_id, None, np.zeros(n, np.int32), zeros)


@pytest.fixture
def old(tmp_path: Path) -> Path:
    return save_old_model(tmp_path / "old.onnx")


def test_sizes_and_noise_are_filled_in(old: Path) -> None:
    first = OnnxPolicy(old, seed=4).act(asking(1, 2, 3)).continuous - 301.0
    assert first.shape == (3, 1)
    assert np.abs(first).max() < 5.0
    assert len(set(first.ravel().tolist())) == 3
    np.testing.assert_array_equal(OnnxPolicy(old, seed=4).act(asking(1, 2, 3)).continuous - 301.0, first)
    assert (OnnxPolicy(old, seed=5).act(asking(1, 2, 3)).continuous - 301.0 != first).any()


def test_noise_is_standard_normal(old: Path) -> None:
    noise = OnnxPolicy(old).act(asking(*range(2000))).continuous - 200_001.0
    assert abs(noise.mean()) < 0.1
    assert abs(noise.std() - 1.0) < 0.1


def test_previous_actions_are_those_of_the_agent_and_its_episode(old: Path) -> None:
    policy = OnnxPolicy(old)

    def act(*ids: int) -> list[int]:
        return [int(action) for action in policy.act(asking(*ids)).discrete[:, 0]]

    assert act(5, 6) == [1, 1]
    assert act(6, 7) == [2, 1]
    assert act(5, 6, 7) == [2, 3, 2]
    policy.forget([6])
    assert act(7, 6, 5) == [3, 1, 3]
    policy.reset()
    assert act(5, 6, 7) == [1, 1, 1]


def test_memories_are_saved_by_agent() -> None:
    memories = AgentMemories(2)
    memories.write([4, 9], np.array([[1.0, 2.0], [3.0, 4.0]]))
    memories.drop([4])
    memories.write([7], np.array([[5.0, 6.0]]))
    state = memories.get_state()
    other = AgentMemories(2)
    other.write([1, 2, 7], np.full((3, 2), 8.0))
    other.set_state(state)
    assert other.read([9, 7, 1, 4]).tolist() == [[3, 4], [5, 6], [0, 0], [0, 0]]


@pytest.mark.skipif(
    "CUDAExecutionProvider" in onnxruntime.get_available_providers(), reason="there is a GPU for models"
)
def test_a_gpu_that_is_not_there_is_named(old: Path) -> None:
    with pytest.raises(UnityPolicyException, match=r"old\.onnx cannot run on a GPU here.*onnxruntime-gpu"):
        OnnxPolicy(old, device="cuda")
