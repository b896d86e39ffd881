from __future__ import annotations

import errno
import os
from pathlib import Path

import numpy as np
import pytest
from sdk_helpers import CONTINUOUS, HEURISTIC, LoggingAgent, continuous

from mlagents_envs.base_env import ActionTuple, DimensionProperty, ObservationSpec, ObservationType
from mlagents_envs.communicator_objects.agent_info_action_pair_pb2 import AgentInfoActionPairProto
from mlagents_envs.communicator_objects.observation_pb2 import PNG
from mlagents_envs.demonstrations import DemonstrationError, judge_alignment, read_demonstration, transitions
from mlagents_sdk import (
    Academy,
    ActionBuffers,
    ActionSpec,
    AgentsError,
    BehaviorParameters,
    BehaviorType,
    DecisionRequester,
    DemonstrationRecorder,
    DiscreteActionMask,
    SdkEnvironment,
)
from mlagents_sdk.sensors.compression import CompressionSpec, CompressionType
from mlagents_sdk.sensors.sensor import Sensor


class CountingAgent(LoggingAgent):
    """Observes how many decisions it has made, and decides that number plus one."""

    def initialize(self) -> None:
        self.decisions = 0

    def heuristic(self, actions_out: ActionBuffers) -> None:
        self.decisions += 1
        actions_out.continuous_actions[0] = float(self.decisions)
        self.value = float(self.decisions)

    def on_action_received(self, actions: ActionBuffers) -> None:
        self.add_reward(0.125)
        self.on_action()


class Scene:
    """A counting agent with a recorder."""

    def __init__(self, folder: Path, period: int = 1, max_step: int = 0, **recorder: object) -> None:
        self.academy = Academy()
        self.agent = CountingAgent(self.academy, HEURISTIC, max_step)
        DecisionRequester(self.agent, period)
        settings = {"record": True, "demonstration_directory": folder} | recorder
        self.recorder = DemonstrationRecorder(self.agent, **settings)  # type: ignore[arg-type]
        self.agent.enable()

    def run(self, steps: int) -> None:
        for _ in range(steps):
            self.academy.environment_step()


def test_each_observation_is_recorded_with_its_own_action(tmp_path: Path) -> None:
    scene = Scene(tmp_path, max_step=4)
    scene.run(10)
    scene.academy.dispose()
    demo = read_demonstration(tmp_path / "Test.demo")
    assert demo.behavior_name == "Test?team=0"
    # Two episodes of four decisions and their ends, then two decisions of a third.
    assert demo.done.tolist() == [False] * 4 + [True] + [False] * 4 + [True] + [False] * 2
    assert demo.interrupted.tolist() == demo.done.tolist()
    np.testing.assert_array_equal(demo.obs[0][:, 0], [0, 1, 2, 3, 4, 4, 5, 6, 7, 8, 8, 9])
    decided = ~demo.done
    np.testing.assert_array_equal(demo.continuous_actions[decided, 0], demo.obs[0][decided, 0] + 1)
    np.testing.assert_array_equal(demo.continuous_actions[demo.done, 0], [4, 8])  # the last ones once more
    np.testing.assert_array_equal(demo.reward, [0] + [0.125] * 4 + [0] + [0.125] * 4 + [0, 0.125])
    assert demo.metadata.number_steps == 12
    assert demo.metadata.number_episodes == 2
    assert demo.metadata.mean_reward == pytest.approx(9 * 0.125 / 2)
    assert demo.metadata.demonstration_name == "Test"
    finding = judge_alignment(demo)
    assert finding.alignment == "aligned"
    assert transitions(demo, finding).observed.tolist() == [0, 1, 2, 3, 5, 6, 7, 8, 10]


def test_actions_between_decisions_are_no_records(tmp_path: Path) -> None:
    scene = Scene(tmp_path, period=3)
    scene.run(7)
    scene.recorder.close()
    demo = read_demonstration(tmp_path / "Test.demo")
    assert demo.continuous_actions[:, 0].tolist() == [1, 2, 3]
    assert demo.reward.tolist() == [0.0, 0.375, 0.375]


def test_a_killed_recorder_leaves_all_but_the_latest_record(tmp_path: Path) -> None:
    scene = Scene(tmp_path)
    scene.run(5)
    demo = read_demonstration(tmp_path / "Test.demo")
    assert not demo.is_closed
    assert demo.continuous_actions[:, 0].tolist() == [1, 2, 3, 4]
    scene.recorder.close()
    assert len(read_demonstration(tmp_path / "Test.demo")) == 5


def test_the_actions_of_a_trainer_are_recorded(tmp_path: Path) -> None:
    academy = Academy()
    agent = LoggingAgent(academy, CONTINUOUS)
    DecisionRequester(agent, 1)
    DemonstrationRecorder(agent, record=True, demonstration_directory=tmp_path)
    agent.enable()
    env = SdkEnvironment(academy, lambda: None)
    env.reset()
    for value in (0.5, -0.25, 1.0):
        agent.value = 10 * value  # seen by the decision after this one
        env.set_actions("Test?team=0", continuous(value))
        env.step()
    env.close()
    demo = read_demonstration(tmp_path / "Test.demo")
    assert demo.obs[0][:, 0].tolist() == [0.0, 5.0, -2.5]
    assert demo.continuous_actions[:, 0].tolist() == [0.5, -0.25, 1.0]


def test_an_environment_reset_ends_the_episode_with_the_last_observation(tmp_path: Path) -> None:
    academy = Academy()
    agent = LoggingAgent(academy, CONTINUOUS)
    DecisionRequester(agent, 1)
    DemonstrationRecorder(agent, record=True, demonstration_directory=tmp_path)
    agent.enable()
    env = SdkEnvironment(academy, lambda: None)
    env.reset()
    for value in (1.0, 2.0):
        agent.value = value
        env.step()
    env.reset()
    agent.value = 3.0
    env.step()
    env.close()
    demo = read_demonstration(tmp_path / "Test.demo")
    assert demo.obs[0][:, 0].tolist() == [0.0, 1.0, 2.0, 2.0]
    assert demo.done.tolist() == [False, False, True, False]
    assert demo.interrupted.tolist() == demo.done.tolist()


def test_a_host_that_resets_between_steps_loses_one_decision(tmp_path: Path) -> None:
    scene = Scene(tmp_path)
    scene.run(3)
    scene.academy.environment_reset()
    scene.run(2)
    scene.recorder.close()
    demo = read_demonstration(tmp_path / "Test.demo")
    assert demo.obs[0][:, 0].tolist() == [0, 1, 2, 3, 4]
    assert demo.done.tolist() == [False, False, True, False, False]


def test_recording_goes_on_when_the_agent_is_enabled_again(tmp_path: Path) -> None:
    scene = Scene(tmp_path)
    scene.run(2)
    scene.agent.disable()
    scene.run(3)
    scene.agent.enable()
    scene.run(2)
    scene.recorder.close()
    demo = read_demonstration(tmp_path / "Test.demo")
    assert demo.done.tolist() == [False, False, True, False, False]
    assert not demo.interrupted.any()
    assert demo.agent_id.tolist() == [0, 0, 0, 1, 1]


def test_recording_can_be_switched(tmp_path: Path) -> None:
    scene = Scene(tmp_path, record=False)
    scene.run(3)
    assert list(tmp_path.iterdir()) == []
    scene.recorder.record = True
    scene.run(3)
    scene.recorder.record = False
    scene.run(3)
    scene.recorder.record = True
    scene.run(2)
    scene.recorder.close()
    demo = read_demonstration(tmp_path / "Test.demo")
    assert demo.obs[0][:, 0].tolist() == [3, 4, 5, 9, 10]
    assert demo.done.tolist() == [False, False, True, False, False]  # no decision leads from 5 to 9


def test_the_number_of_steps_ends_the_recording(tmp_path: Path) -> None:
    scene = Scene(tmp_path, num_steps_to_record=5, max_step=3)
    finished: list[int] = []
    scene.recorder.on_finished.append(lambda: finished.append(scene.recorder.num_steps))
    scene.run(20)
    assert finished == [5]
    assert scene.recorder.is_closed
    assert not scene.recorder.record
    demo = read_demonstration(tmp_path / "Test.demo")
    assert demo.is_closed
    assert demo.done.tolist() == [False, False, False, True, False]
    scene.academy.dispose()


def test_names_and_numbers_of_files(tmp_path: Path) -> None:
    scenes = [Scene(tmp_path, demonstration_name="My_demo/of a very long name") for _ in range(3)]
    for scene in scenes:
        scene.run(1)
        scene.academy.dispose()
    names = ["Mydemoof a very .demo", "Mydemoof a very _0.demo", "Mydemoof a very _1.demo"]
    assert sorted(file.name for file in tmp_path.iterdir()) == names
    assert [scene.recorder.paths for scene in scenes] == [[tmp_path / name] for name in names]
    assert read_demonstration(tmp_path / names[2]).metadata.demonstration_name == "Mydemoof a very "
    with pytest.raises(AgentsError, match="no characters that file names keep"):
        Scene(tmp_path, demonstration_name="___")
    with pytest.raises(AgentsError, match="num_steps_to_record is -1"):
        Scene(tmp_path, num_steps_to_record=-1)


def test_the_default_folder_is_made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    scene = Scene(tmp_path, demonstration_directory=None)
    scene.run(2)
    scene.academy.dispose()
    assert len(read_demonstration(tmp_path / "Demonstrations" / "Test.demo")) == 2


def test_another_behavior_name_gets_another_file(tmp_path: Path) -> None:
    scene = Scene(tmp_path)
    scene.run(2)
    scene.agent.set_model("Other", None)
    scene.run(2)
    scene.academy.dispose()
    first, second = (read_demonstration(tmp_path / f"{name}.demo") for name in ("Test", "Other"))
    assert first.done.tolist() == [False, False, True]
    assert second.behavior_name == "Other?team=0"
    assert second.obs[0][:, 0].tolist() == [2, 3]
    assert scene.recorder.paths == [tmp_path / "Test.demo", tmp_path / "Other.demo"]


class ListWriter:
    """A custom writer."""

    def __init__(self) -> None:
        self.records: list[AgentInfoActionPairProto] = []
        self.closed = 0

    def write(self, record: AgentInfoActionPairProto) -> None:
        self.records.append(record)

    def close(self) -> None:
        self.closed += 1


def test_custom_writers_get_every_record(tmp_path: Path) -> None:
    scene = Scene(tmp_path)
    writer = ListWriter()
    scene.recorder.add_writer(writer)
    scene.run(3)
    scene.academy.dispose()
    scene.academy.dispose()
    assert [record.action_info.continuous_actions[0] for record in writer.records] == [1, 2, 3]
    assert writer.closed == 1


def test_a_full_disk_stops_the_recording_and_keeps_the_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    scene = Scene(tmp_path)
    scene.run(4)
    real = os.write

    def fill(file: int, data: memoryview) -> int:
        if len(data) > 40:
            raise OSError(errno.ENOSPC, "No space left on device")
        return real(file, data)

    monkeypatch.setattr(os, "write", fill)
    with pytest.raises(DemonstrationError, match=r"Test\.demo: No space left on device.*first 3 records"):
        scene.run(1)
    monkeypatch.undo()
    assert not scene.recorder.record
    scene.run(3)  # the agent goes on without being recorded
    demo = read_demonstration(tmp_path / "Test.demo")
    assert demo.is_closed
    assert demo.continuous_actions[:, 0].tolist() == [1, 2, 3]


class Screen:
    """A sensor of a grey image that is sent compressed."""

    def __init__(self, agent: LoggingAgent) -> None:
        self.agent = agent

    def create_sensors(self) -> list[Sensor]:
        return [self]

    def get_name(self) -> str:
        return "Screen"

    def get_observation_spec(self) -> ObservationSpec:
        return ObservationSpec((1, 4, 6), (DimensionProperty(1),) * 3, ObservationType.DEFAULT, "Screen")

    def get_compression_spec(self) -> CompressionSpec:
        return CompressionSpec(CompressionType.PNG)

    def update(self) -> None: ...

    def reset(self) -> None: ...

    def write(self, out: np.ndarray) -> int:  # type: ignore[type-arg]
        out[...] = 0.3001  # no multiple of 1/255
        return out.size


def test_compressed_sensors_masks_and_hybrid_actions(tmp_path: Path) -> None:
    class Masking(LoggingAgent):
        def write_discrete_action_mask(self, mask: DiscreteActionMask) -> None:  # type: ignore[override]
            mask.set_action_enabled(0, 2, False)

        def heuristic(self, actions_out: ActionBuffers) -> None:
            actions_out.continuous_actions[0] = 0.5
            actions_out.discrete_actions[0] = 1

    academy = Academy()
    behavior = BehaviorParameters(
        "Hybrid",
        behavior_type=BehaviorType.HEURISTIC_ONLY,
        action_spec=ActionSpec.create_hybrid(1, (3,)),
    )
    agent = Masking(academy, behavior)
    agent.add_component(Screen(agent))
    recorder = DemonstrationRecorder(agent, record=True, demonstration_directory=tmp_path)
    writer = ListWriter()
    recorder.add_writer(writer)
    DecisionRequester(agent, 1)
    agent.enable()
    for _ in range(3):
        academy.environment_step()
    academy.dispose()
    demo = read_demonstration(tmp_path / "Hybrid.demo")
    names = [spec.name for spec in demo.behavior_spec.observation_specs]
    assert names == ["Screen", "VectorSensor_size1"]
    assert writer.records[0].agent_info.observations[0].compression_type == PNG
    np.testing.assert_allclose(demo.obs[0], 77 / 255, atol=1e-6)
    assert demo.behavior_spec.action_spec == ActionSpec(1, (3,))
    assert demo.discrete_actions.tolist() == [[1]] * 3
    assert demo.action_mask is not None
    assert demo.action_mask[0].tolist() == [[False, False, True]] * 3


def test_recording_changes_nothing_for_the_trainer(tmp_path: Path) -> None:
    def play(record: bool) -> list[list[float]]:
        academy = Academy()
        agent = LoggingAgent(academy, CONTINUOUS, max_step=3)
        DecisionRequester(agent, 1)
        DemonstrationRecorder(agent, record=record, demonstration_directory=tmp_path)
        agent.enable()
        env = SdkEnvironment(academy, lambda: None)
        env.reset()
        seen = []
        for step in range(9):
            decisions, terminals = env.get_steps("Test?team=0")
            seen.append([*decisions.obs[0].ravel().tolist(), -1.0, *terminals.obs[0].ravel().tolist()])
            agent.value = float(step)
            env.set_actions(
                "Test?team=0", ActionTuple(continuous=np.full((len(decisions), 1), 0.5, np.float32))
            )
            env.step()
        env.close()
        return seen

    assert play(record=True) == play(record=False)
    assert len(list(tmp_path.iterdir())) == 1
