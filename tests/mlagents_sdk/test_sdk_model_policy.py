from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import pytest
from sdk_helpers import LoggingAgent, continuous
from tiny_model import save_tiny_model

from mlagents_envs.base_env import ActionTuple, DecisionSteps, TerminalSteps
from mlagents_envs.inference import OnnxPolicy
from mlagents_sdk import (
    Academy,
    ActionSpec,
    AgentsError,
    BehaviorParameters,
    BehaviorType,
    DecisionRequester,
    InferenceDevice,
    SdkEnvironment,
)

SHAPES = {"vector_observation_size": 1, "action_spec": ActionSpec.create_continuous(1)}


def inference(model: Path, name: str = "Test", **changes: Any) -> BehaviorParameters:  # noqa: ANN401
    behavior = BehaviorParameters(
        name,
        behavior_type=BehaviorType.INFERENCE_ONLY,
        model=model,
        **SHAPES,  # type: ignore[arg-type]
    )
    return replace(behavior, **changes)


def add_agent(
    academy: Academy, behavior: BehaviorParameters, value: float = 0.0, period: int = 1
) -> LoggingAgent:
    agent = LoggingAgent(academy, behavior)
    agent.value = value
    DecisionRequester(agent, period, take_actions_between_decisions=False)
    agent.enable()
    return agent


def taken(agent: LoggingAgent) -> list[float]:
    return [actions[0] for actions in agent.actions]


@pytest.fixture
def tiny(tmp_path: Path) -> Path:
    return save_tiny_model(tmp_path / "tiny.onnx")


@pytest.fixture
def counting(tmp_path: Path) -> Path:
    return save_tiny_model(tmp_path / "counting.onnx", memory=True)


@pytest.fixture
def batches(monkeypatch: pytest.MonkeyPatch) -> list[list[int]]:
    """Ids of the agents of each pass through a model."""
    seen: list[list[int]] = []
    act: Callable[..., ActionTuple] = OnnxPolicy.act

    def spy(self: OnnxPolicy, steps: DecisionSteps, ended: TerminalSteps | None = None) -> ActionTuple:
        seen.append(steps.agent_id.tolist())
        return act(self, steps, ended)

    monkeypatch.setattr(OnnxPolicy, "act", spy)
    return seen


def test_agents_do_what_the_model_says(tiny: Path) -> None:
    academy = Academy()
    agents = [add_agent(academy, inference(tiny), value) for value in (0.5, -2.0, 3.0)]
    academy.environment_step()
    agents[0].value = 1.0
    academy.environment_step()
    assert [taken(agent) for agent in agents] == [[5.0, 10.0], [-20.0, -20.0], [30.0, 30.0]]
    assert not any("heuristic" in entry for agent in agents for entry in agent.log)


def test_the_default_prefers_a_trainer_then_the_model_then_the_heuristic(tiny: Path) -> None:
    academy = Academy()
    agent = add_agent(academy, inference(tiny, behavior_type=BehaviorType.DEFAULT), value=0.5)
    assert not agent.is_in_heuristic_mode()
    academy.environment_step()
    env = SdkEnvironment(academy, lambda: None)
    env.reset()
    env.set_actions("Test?team=0", continuous(0.125))
    env.step()
    academy.finish_step()
    academy.disconnect()
    academy.environment_step()
    agent.set_model("Test", None)
    assert agent.is_in_heuristic_mode()
    academy.environment_step()
    assert taken(agent) == [5.0, 0.125, 0.0, 5.0, 0.25]


def test_a_model_beside_a_trainer(tiny: Path) -> None:
    """An opponent that plays a model is no behavior of the trainer's."""
    academy = Academy()
    learner = add_agent(academy, BehaviorParameters("Learner", **SHAPES))  # type: ignore[arg-type]
    opponent = add_agent(academy, inference(tiny), value=0.5)
    env = SdkEnvironment(academy, lambda: None)
    env.reset()
    for _ in range(2):
        env.set_actions("Learner?team=0", continuous(1.0))
        env.step()
    assert list(env.behavior_specs) == ["Learner?team=0"]
    assert taken(learner) == [1.0, 1.0]
    assert taken(opponent) == [5.0, 5.0]


def test_all_behaviors_of_a_model_share_it_and_one_batch(tiny: Path, batches: list[list[int]]) -> None:
    academy = Academy()
    agents = [
        add_agent(academy, inference(tiny, name, team_id=team), value)
        for name, team, value in (("A", 0, 1.0), ("A", 1, 2.0), ("B", 0, 3.0), ("A", 0, 4.0))
    ]
    academy.environment_step()
    assert batches == [[0, 3, 1, 2]]
    assert [taken(agent) for agent in agents] == [[10.0], [20.0], [30.0], [40.0]]
    academy.environment_step()
    assert len(batches) == 2
    assert academy.policies.inference_seed == 1


def test_other_flags_take_another_runner(tmp_path: Path, batches: list[list[int]]) -> None:
    """The first agent's flag would win if both shared one."""
    model = save_tiny_model(tmp_path / "noisy.onnx", noise=True)
    academy = Academy()
    sampled = add_agent(academy, inference(model, "A"))
    certain = add_agent(academy, inference(model, "B", deterministic_inference=True))
    for _ in range(3):
        academy.environment_step()
    assert len(batches) == 6
    assert taken(certain) == [0.0, 0.0, 0.0]
    assert len(set(taken(sampled))) == 3


def test_samples_follow_the_seed_of_the_academy(tmp_path: Path) -> None:
    model = save_tiny_model(tmp_path / "noisy.onnx", noise=True)

    def play(seed: int) -> list[float]:
        academy = Academy(seed)
        agent = add_agent(academy, inference(model))
        for _ in range(5):
            academy.environment_step()
        return taken(agent)

    assert play(7) == play(7)
    assert play(7) != play(8)
    play(-1)  # whatever the seed, the model has one
    play(2**40)


def test_memory_lasts_as_long_as_the_episode(counting: Path) -> None:
    academy = Academy()
    agents = [add_agent(academy, inference(counting)) for _ in range(3)]
    for _ in range(3):
        academy.environment_step()
    agents[1].end_episode()
    academy.environment_step()
    agents[2].disable()
    agents[2].enable()
    for _ in range(2):
        academy.environment_step()
    assert taken(agents[0]) == [0, 1, 2, 3, 4, 5]
    assert taken(agents[1]) == [0, 1, 2, 0, 1, 2]
    assert taken(agents[2]) == [0, 1, 2, 3, 0, 1]
    academy.environment_reset()
    academy.environment_step()
    assert [taken(agent)[-1] for agent in agents] == [0, 0, 0]


def test_an_end_without_any_decision_in_that_step_is_noticed(counting: Path) -> None:
    academy = Academy()
    agent = add_agent(academy, inference(counting), period=3)
    academy.environment_step()
    agent.end_episode()
    for _ in range(3):
        academy.environment_step()
    assert taken(agent) == [0.0, 0.0]


def test_an_agent_that_ends_after_it_asked_begins_without_memory(counting: Path) -> None:
    """Its row is still in the batch, whose outcome must not become the new episode's memory."""
    academy = Academy()
    agent, other = (add_agent(academy, inference(counting)) for _ in range(2))
    academy.environment_step()
    academy.begin_step()
    agent.end_episode()
    academy.finish_step()
    academy.environment_step()
    assert taken(agent) == [0, 0]
    assert taken(other) == [0, 1, 2]


def test_memory_is_saved_and_put_back(counting: Path) -> None:
    def build() -> tuple[Academy, LoggingAgent]:
        academy = Academy()
        return academy, add_agent(academy, inference(counting))

    academy, _ = build()
    for _ in range(3):
        academy.environment_step()
    state = academy.get_state()
    academy.environment_step()
    again, agent = build()
    again.set_state(state)
    again.environment_step()
    assert taken(agent) == [3.0]


def test_models_that_do_not_suit_are_refused_by_sensor(tmp_path: Path) -> None:
    model = save_tiny_model(tmp_path / "wide.onnx", size=4)
    academy = Academy()
    agent = LoggingAgent(academy, inference(model))
    with pytest.raises(
        AgentsError, match=r"Test\?team=0, agent 0 cannot play the model .*wide\.onnx.*VectorSensor_size1"
    ):
        agent.enable()
    assert not agent.enabled
    garbage = tmp_path / "garbage.onnx"
    garbage.write_bytes(b"no model")
    with pytest.raises(AgentsError, match=r"garbage\.onnx cannot be read as an ONNX model"):
        LoggingAgent(academy, inference(garbage)).enable()


def test_a_wish_that_cannot_be_granted_is_logged(
    shared_data: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Hallway's model has no deterministic outputs."""
    behavior = BehaviorParameters(
        "Hallway",
        behavior_type=BehaviorType.INFERENCE_ONLY,
        vector_observation_size=3,
        action_spec=ActionSpec.create_discrete((5,)),
        model=shared_data / "models" / "Hallway.onnx",
        deterministic_inference=True,
    )
    from mlagents_sdk.sensors.vector_sensor import VectorSensorComponent

    agent = LoggingAgent(Academy(), behavior)
    VectorSensorComponent(agent, 105, "A")
    agent.enable()
    assert "lacks the output deterministic_discrete_actions" in capsys.readouterr().out


@pytest.mark.skipif(
    "CUDAExecutionProvider" in onnxruntime.get_available_providers(), reason="there is a GPU for models"
)
def test_a_gpu_that_is_not_there_is_named(tiny: Path) -> None:
    behavior = inference(tiny, inference_device=InferenceDevice.GPU)
    with pytest.raises(AgentsError, match=r"cannot run on a GPU here.*onnxruntime-gpu"):
        LoggingAgent(Academy(), behavior).enable()


def test_a_model_trained_in_the_original_balances_the_ball(shared_data: Path) -> None:
    """The policy of 3DBall, played by the agents themselves, keeps every ball for 300 physics steps."""
    from mlagents_envs.registry import EnvironmentOptions, make_environment

    env = make_environment("3DBall", EnvironmentOptions(seed=1, num_areas=3))
    assert isinstance(env, SdkEnvironment)
    academy = env.academy
    academy.disconnect()
    for runtime in academy._agents:
        runtime.agent.behavior_parameters = replace(
            runtime.behavior,
            model=shared_data / "models" / "3DBall.onnx",
            behavior_type=BehaviorType.INFERENCE_ONLY,
            deterministic_inference=True,
        )
    for _ in range(300):
        env.tick()
    rewards = [runtime.cumulative_reward for runtime in academy._agents]
    assert [runtime.completed_episodes for runtime in academy._agents] == [0, 0, 0]
    np.testing.assert_allclose(rewards, 6.0, atol=1e-6)  # 0.1 for each of 60 decisions
    env.close()
