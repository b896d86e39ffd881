"""Exported models play as the policies did that they were made from, each agent with its own memory."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from export_networks import CASES, Case, make_general, make_inputs
from numpy.typing import NDArray

from mlagents.export.from_network import export_network
from mlagents.networks.acting import ActionColumns
from mlagents.networks.flat_parameters import FlatParameters
from mlagents.networks.general_acting import GeneralActingPolicy
from mlagents.networks.general_actor_critic import GeneralActorCritic
from mlagents.networks.observations import ObservationEncoder
from mlagents_envs.base_env import ActionSpec, ActionTuple, BehaviorSpec, DecisionSteps, TerminalSteps
from mlagents_envs.inference import OnnxPolicy

STEPS = 50
TOLERANCE = 2e-5
PLAYED = [
    "simple",
    "resnet",
    "two_lists",
    "goal",
    "memory",
    "memory_image",
    "memory_entities",
    "everything",
    "everything_discrete",
    "shared_critic_memory",
]


@pytest.fixture(autouse=True)
def _one_thread() -> None:
    torch.set_num_threads(1)


def steps_of(
    case: Case, agents: list[int], ended: list[int], columns: dict[str, NDArray[Any]]
) -> tuple[DecisionSteps, TerminalSteps]:
    """What an environment reports: agents that ask, and agents whose episode ended."""
    spec = BehaviorSpec(case.specs, case.actions)
    n, zeros = len(agents), np.zeros(len(agents), dtype=np.float32)
    branches = case.actions.discrete_branches
    masks = None
    if branches:
        allowed = np.split(columns["action_masks"], np.cumsum(branches)[:-1], axis=1)
        masks = [mask == 0.0 for mask in allowed]
    observations = [columns[f"obs_{index}"] for index in range(len(case.specs))]
    ids = np.array(agents, dtype=np.int32)
    decisions = DecisionSteps(observations, zeros, ids, masks, np.zeros(n, dtype=np.int32), zeros)
    empty = TerminalSteps.empty(spec)
    k, nothing = len(ended), np.zeros(len(ended), dtype=np.float32)
    last = [np.zeros((k, *each.shape), dtype=np.float32) for each in case.specs]
    terminal = TerminalSteps(
        last, nothing, nothing > 0, np.array(ended, dtype=np.int32), np.zeros(k, dtype=np.int32), nothing
    )
    return decisions, terminal if ended else empty


class TorchPlayer:
    """The acting side of a trainer, with a memory for each agent."""

    def __init__(self, network: GeneralActorCritic, encoder: ObservationEncoder) -> None:
        self._policy = GeneralActingPolicy(network, encoder, np.random.default_rng(0), deterministic=True)
        self._spec: ActionSpec = network.action_spec
        self._size = network.actor_memory_size
        self.memories: dict[int, NDArray[np.float32]] = {}

    def act(self, decisions: DecisionSteps, terminal: TerminalSteps) -> ActionTuple:
        for agent in terminal.agent_id.tolist():
            self.memories.pop(agent, None)
        agents = decisions.agent_id.tolist()
        n, spec = len(agents), self._spec
        nothing = np.zeros(self._size, dtype=np.float32)
        memory = np.array([self.memories.get(agent, nothing) for agent in agents]) if self._size else None
        allowed = [~mask for mask in decisions.action_mask or []]
        columns = ActionColumns(
            np.empty((n, spec.continuous_size), dtype=np.float32),
            np.empty((n, spec.discrete_size), dtype=np.int32),
            np.empty((n, spec.continuous_size + spec.discrete_size), dtype=np.float32),
            np.concatenate(allowed, axis=1) if allowed else np.ones((n, 0), dtype=np.bool_),
            memory,
        )
        action = self._policy.act(list(decisions.obs), columns)
        if memory is not None:
            self.memories.update(zip(agents, memory, strict=True))
        return action


@pytest.mark.parametrize("name", PLAYED)
def test_equals_the_trainer_while_agents_come_and_go(name: str, tmp_path: Path) -> None:
    case = CASES[name]
    network, encoder = make_general(case)
    path = tmp_path / "Ball.onnx"
    export_network(network, encoder, path)
    onnx_policy = OnnxPolicy(path, deterministic=True)
    onnx_policy.check(BehaviorSpec(case.specs, case.actions), "Ball")
    assert onnx_policy.memory_size == network.actor_memory_size
    FlatParameters(network)
    torch_player = TorchPlayer(network, encoder)
    rng = np.random.default_rng(7)
    running: set[int] = set()
    restarted, newest, sizes = 0, 0, set()
    for _ in range(STEPS):
        ended = [agent for agent in sorted(running) if rng.random() < 0.15]
        running -= set(ended)
        again = [agent for agent in ended if rng.random() < 0.5]  # in the same step, under the same id
        restarted += len(again)
        running |= set(again)
        for _ in range(int(rng.integers(0, 2)) + 2 * (not running)):
            running.add(newest)
            newest += 1
        asking = [agent for agent in sorted(running) if rng.random() < 0.8] or sorted(running)[:1]
        rng.shuffle(asking)
        sizes.add(len(asking))
        columns = make_inputs(case, len(asking), rng)
        decisions, terminal = steps_of(case, asking, ended, columns)
        found, wanted = onnx_policy.act(decisions, terminal), torch_player.act(decisions, terminal)
        np.testing.assert_allclose(found.continuous, wanted.continuous, atol=TOLERANCE)
        np.testing.assert_array_equal(found.discrete, wanted.discrete)
    assert restarted > 3
    assert len(sizes) > 2
    if network.actor_memory_size:
        state = onnx_policy.get_memories()
        for agent, memory in zip(state["agent_id"].tolist(), state["values"], strict=True):
            np.testing.assert_allclose(memory, torch_player.memories[agent], rtol=1e-4, atol=TOLERANCE)


def test_an_episode_begins_without_memory(tmp_path: Path) -> None:
    """The same observation gives the same action at the start of every episode, and another one later."""
    case = CASES["memory"]
    network, encoder = make_general(case)
    path = tmp_path / "Ball.onnx"
    export_network(network, encoder, path)
    policy = OnnxPolicy(path, deterministic=True)
    columns = make_inputs(case, 1, np.random.default_rng(0))
    first = policy.act(*steps_of(case, [4], [], columns)).continuous
    second = policy.act(*steps_of(case, [4], [], columns)).continuous
    begun = policy.act(*steps_of(case, [4], [4], columns)).continuous
    assert np.abs(second - first).max() > 1e-3
    np.testing.assert_array_equal(begun, first)
    policy.reset()
    np.testing.assert_array_equal(policy.act(*steps_of(case, [4], [], columns)).continuous, first)
