"""Networks and buffers that cannot be allocated end in one line that says what to lower."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch
from trainer_helpers import behavior_settings, behavior_spec

from mlagents.algorithms.ppo_trainer import PPOTrainer
from mlagents.networks.encoders import CONVOLUTIONS, RESIDUAL_CHANNELS
from mlagents.networks.settings import EncoderType
from mlagents.settings import TrainerError
from mlagents.settings import memory as memory_module
from mlagents.settings.memory import (
    explaining_memory,
    is_out_of_memory,
    machine_memory,
    network_and_buffer_bytes,
)
from mlagents_envs.base_env import BehaviorSpec, ObservationType


def ask_python() -> object:
    return bytearray(2**60)


def ask_numpy() -> object:
    return np.zeros(2**50)


def ask_numpy_beyond_counting() -> object:
    return np.zeros((2**60, 2**5))


def ask_torch() -> object:
    return torch.zeros(2**50)


def ask_torch_beyond_counting() -> object:
    return torch.zeros(2**62, 2**10)


@pytest.mark.parametrize(
    "ask", [ask_python, ask_numpy, ask_numpy_beyond_counting, ask_torch, ask_torch_beyond_counting]
)
def test_refused_memory_names_the_behavior_and_the_settings(ask: Callable[[], object]) -> None:
    with pytest.raises(TrainerError, match="behavior Ball") as caught, explaining_memory("Ball"):
        ask()
    message = str(caught.value)
    for part in ("not enough memory", "hidden_units", "buffer_size"):
        assert part in message
    assert "\n" not in message
    assert "enforce fail" not in message
    assert is_out_of_memory(caught.value.__cause__)


@pytest.mark.parametrize("error", [ValueError("oops"), RuntimeError("shapes differ"), KeyError("x")])
def test_other_errors_pass(error: Exception) -> None:
    with pytest.raises(type(error)) as caught, explaining_memory("Ball"):
        raise error
    assert caught.value is error


def test_what_the_machine_does_not_have_is_refused_before_it_is_asked_for(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(memory_module, "machine_memory", lambda: 10**9)
    with explaining_memory("Ball", 10**9):
        pass
    with (
        pytest.raises(TrainerError, match=r"Ball needs at least 2\.5 GB .* has 1\.0 GB\. Lower hidden_units"),
        explaining_memory("Ball", 2_500_000_000),
    ):
        raise AssertionError("the body must not run")
    monkeypatch.setattr(memory_module, "machine_memory", lambda: None)
    with explaining_memory("Ball", 10**18):
        pass


def test_machine_memory_is_plausible() -> None:
    memory = machine_memory()
    assert memory is None or 10**8 < memory < 10**15


NETWORKS = {
    "vectors": ([5, 2], {}, {}),
    "shared": ([5, 2], {}, {"shared_critic": True}),
    "memory": ([5], {"memory": {"memory_size": 64, "sequence_length": 8}}, {}),
    "images": ([(3, 30, 40), 4], {}, {}),
    "resnet": ([(1, 31, 40)], {"vis_encode_type": "resnet"}, {}),
    "match3": ([(6, 9, 8)], {"vis_encode_type": "match3"}, {}),
    "nature": ([(3, 36, 36)], {"vis_encode_type": "nature_cnn"}, {}),
}


@pytest.mark.parametrize("layers", [1, 3])
@pytest.mark.parametrize("case", NETWORKS)
def test_estimate_is_what_a_trainer_really_allocates(case: str, layers: int) -> None:
    shapes, network, hyperparameters = NETWORKS[case]
    settings = behavior_settings(
        {"buffer_size": 2000, **hyperparameters}, {"hidden_units": 32, "num_layers": layers, **network}
    )
    spec = behavior_spec(sizes=shapes)
    trainer = PPOTrainer("Ball", spec, settings, seed=0)
    weights = 6 * trainer.flat.values.numel() * 4
    store = trainer.store
    columns = [*store.raw_observations(slice(0, 1)), *(getattr(store, name)[:1] for name in ROW_COLUMNS)]
    row = sum(column.nbytes for column in columns)
    estimate = network_and_buffer_bytes(settings, spec)
    assert 0.9 * (weights + 2000 * row) < estimate <= weights + 2000 * row
    on_gpu = network_and_buffer_bytes(settings, spec, device="cuda")
    assert 0 < estimate - on_gpu <= 4 * trainer.flat.values.numel() * 4


def test_goals_that_make_weights_are_counted() -> None:
    settings = behavior_settings(network={"hidden_units": 64, "num_layers": 2})
    plain = behavior_spec(sizes=(5, 3))
    vector, goal = plain.observation_specs
    spec = BehaviorSpec(
        [vector, goal._replace(observation_type=ObservationType.GOAL_SIGNAL)], plain.action_spec
    )
    trainer = PPOTrainer("Ball", spec, settings, seed=0)
    weights = 6 * trainer.flat.values.numel() * 4
    assert 0.9 * weights < network_and_buffer_bytes(settings, spec) < 1.01 * weights
    assert network_and_buffer_bytes(settings, spec) > 10 * network_and_buffer_bytes(settings, plain)


def test_convolutions_are_those_of_the_encoders() -> None:
    for kind, layers in CONVOLUTIONS.items():
        assert memory_module._CONVOLUTIONS[kind] == layers
    assert [channels for channels, _, _ in memory_module._CONVOLUTIONS[EncoderType.RESNET]] == list(
        RESIDUAL_CHANNELS
    )


ROW_COLUMNS = (
    "continuous_actions",
    "log_probs",
    "rewards",
    "complete",
    "next_row",
    "begins",
    "done",
    "bootstrap_row",
    "trace_cut",
    "agent_slot",
    "group_id",
    "tick",
    "memory",
    "critic_memory",
)


def test_the_largest_allowed_network_is_beyond_an_ordinary_machine() -> None:
    settings = behavior_settings(network={"hidden_units": 65536, "num_layers": 128})
    assert network_and_buffer_bytes(settings, behavior_spec(sizes=(8,))) > 10**13
