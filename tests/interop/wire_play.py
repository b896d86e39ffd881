"""Our trainer side plays a scripted game of the original's classes, and compares what comes out."""

from __future__ import annotations

import contextlib
import json
import shlex
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from wire_scenarios import SCENARIOS
from wire_vocabulary import Agent, Behavior, Scenario, Sensor

from mlagents_envs.base_env import (
    ActionSpec,
    ActionTuple,
    BehaviorSpec,
    DecisionSteps,
    ObservationType,
    TerminalSteps,
)
from mlagents_envs.environment import UnityEnvironment

HERE = Path(__file__).resolve().parent
SECONDS = 30
Line = dict[str, Any]


class Play:
    """One game: our environment, and what the game wrote down of it.

    Args:
        peer_python: the original's interpreter.
        folder: where the launcher and the transcript go.
        name: of the scenario.
    """

    def __init__(self, peer_python: Path, folder: Path, name: str) -> None:
        self.scenario: Scenario = SCENARIOS[name]()
        self.behaviors = {behavior.name: behavior for behavior in self.scenario.behaviors}
        self._transcript = folder / "transcript.jsonl"
        self._command = [str(peer_python), str(HERE / "peer_game.py"), "--scenario", name]
        self._command += ["--transcript", str(self._transcript)]
        self._launcher = folder / "game.x86_64"

    @contextlib.contextmanager
    def environment(self, **options: Any) -> Iterator[UnityEnvironment]:  # noqa: ANN401
        """Start the game through a launcher, as the executable of a build."""
        self._launcher.write_text(f'#!/bin/sh\nexec {shlex.join(self._command[:2])} "$@"\n')
        self._launcher.chmod(0o755)
        env = UnityEnvironment(
            str(self._launcher),
            base_port=0,
            timeout_wait=SECONDS,
            additional_args=self._command[2:],
            **options,
        )
        with contextlib.closing(env):
            yield env

    @contextlib.contextmanager
    def editor(self, port: int, **options: Any) -> Iterator[UnityEnvironment]:  # noqa: ANN401
        """Wait for the game as for an editor; somebody else has started it."""
        with subprocess.Popen([*self._command, "--mlagents-port", str(port)]) as game:
            with contextlib.closing(UnityEnvironment(base_port=port, timeout_wait=SECONDS, **options)) as env:
                yield env
            assert game.wait(SECONDS) == 0

    @property
    def lines(self) -> list[Line]:
        """What the game wrote down; complete once it has ended."""
        return [json.loads(line) for line in self._transcript.read_text().splitlines()]

    @property
    def commands(self) -> list[Line]:
        """What the trainer said from its first command on."""
        return [line for line in self.lines if line["kind"] == "command"]

    def check_tick(self, env: UnityEnvironment, number: int) -> None:
        """Compare all columns of all behaviors with what the game sent at a tick."""
        known = {name for tick in self.scenario.ticks[: number + 1] for name, infos in tick.items() if infos}
        assert set(env.behavior_specs) == known
        for name in known:
            check_steps(env, self.behaviors[name], self.scenario.ticks[number].get(name, []))

    def check_specs(self, env: UnityEnvironment) -> None:
        """Compare the specs of all behaviors that are known with what the game declared."""
        for name, spec in env.behavior_specs.items():
            check_spec(spec, self.behaviors[name])


def check_spec(spec: BehaviorSpec, behavior: Behavior) -> None:
    assert spec.action_spec == ActionSpec(behavior.continuous, behavior.branches)
    assert len(spec.observation_specs) == len(behavior.sensors)
    for found, sensor in zip(spec.observation_specs, behavior.sensors, strict=True):
        assert (found.name, found.shape) == (sensor.name, sensor.shape)
        properties = sensor.properties or (0,) * len(sensor.shape)
        if properties == (2, 2, 1):
            properties = (1, 2, 2)
        assert tuple(int(flag) for flag in found.dimension_property) == properties, sensor.name
        goal = ObservationType.GOAL_SIGNAL if sensor.goal else ObservationType.DEFAULT
        assert found.observation_type == goal


def expected_observation(sensor: Sensor, values: NDArray[Any]) -> NDArray[Any]:
    """What the columns hold for one observation, computed in float64 from what was drawn."""
    if not sensor.modes:
        return values
    planes = values.astype(np.float64) / 255.0
    if sensor.mapping:
        image = np.zeros(sensor.shape)
        for channel in range(sensor.shape[0]):
            sources = [index for index, target in enumerate(sensor.mapping) if target == channel]
            image[channel] = sum(planes[index] for index in sources) / len(sources)
        return image
    if sensor.shape[0] == 1:
        first = planes[: 1 if sensor.modes[0] == "L" else 3]
        return first.sum(axis=0, keepdims=True) / len(first)
    return planes[: sensor.shape[0]]


def check_steps(env: UnityEnvironment, behavior: Behavior, agents: list[Agent]) -> None:
    decision_steps, terminal_steps = env.get_steps(behavior.name)
    asking = [agent for agent in agents if not agent.done]
    ended = [agent for agent in agents if agent.done]
    check_columns(decision_steps, behavior, asking)
    check_columns(terminal_steps, behavior, ended)
    assert terminal_steps.interrupted.dtype == np.bool_
    assert terminal_steps.interrupted.tolist() == [agent.interrupted for agent in ended]
    if not behavior.branches or not asking:
        assert decision_steps.action_mask is None
        return
    assert decision_steps.action_mask is not None
    assert len(decision_steps.action_mask) == len(behavior.branches)
    start = 0
    for column, size in zip(decision_steps.action_mask, behavior.branches, strict=True):
        masks = [
            a.mask if len(a.mask) == sum(behavior.branches) else [False] * sum(behavior.branches)
            for a in asking
        ]
        assert column.dtype == np.bool_
        assert column.tolist() == [mask[start : start + size] for mask in masks]
        start += size


def check_columns(steps: DecisionSteps | TerminalSteps, behavior: Behavior, agents: list[Agent]) -> None:
    columns = {
        "agent_id": (np.int32, [agent.id for agent in agents]),
        "reward": (np.float32, [agent.reward for agent in agents]),
        "group_id": (np.int32, [agent.group_id for agent in agents]),
        "group_reward": (np.float32, [agent.group_reward for agent in agents]),
    }
    assert len(steps) == len(agents)
    for name, (dtype, values) in columns.items():
        column = getattr(steps, name)
        assert column.dtype == dtype, name
        np.testing.assert_array_equal(column, np.array(values, dtype), name)
    assert len(steps.obs) == len(behavior.sensors)
    for index, (column, sensor) in enumerate(zip(steps.obs, behavior.sensors, strict=True)):
        assert column.dtype == np.float32
        assert column.shape == (len(agents), *sensor.shape)
        for row, agent in enumerate(agents):
            expected = expected_observation(sensor, agent.observations[index])
            message = f"{sensor.name} of agent {agent.id}"
            if sensor.modes:
                np.testing.assert_allclose(column[row], expected, rtol=0, atol=1e-6, err_msg=message)
            else:
                np.testing.assert_array_equal(column[row], expected, message)


def random_actions(env: UnityEnvironment, rng: np.random.Generator) -> dict[str, ActionTuple]:
    """Actions for all agents that ask for one."""
    chosen = {}
    for name, spec in env.behavior_specs.items():
        count = len(env.get_steps(name)[0])
        continuous = rng.standard_normal((count, spec.action_spec.continuous_size)).astype(np.float32)
        branches = spec.action_spec.discrete_branches
        discrete = rng.integers(0, branches or 1, (count, len(branches)), np.int32)
        chosen[name] = ActionTuple(continuous, discrete)
    return chosen


def as_received(chosen: dict[str, ActionTuple]) -> dict[str, list[dict[str, list[float]]]]:
    """What the game has to receive of these actions."""
    received = {}
    for name, action in chosen.items():
        if len(action.continuous):
            rows = zip(action.continuous.tolist(), action.discrete.tolist(), strict=True)
            received[name] = [{"continuous": c, "discrete": d, "deprecated": c + d} for c, d in rows]
    return received


def play_to_the_end(play: Play, env: UnityEnvironment) -> list[dict[str, ActionTuple]]:
    """Check all ticks, acting at random; the actions."""
    rng = np.random.default_rng(0)
    sent = []
    env.reset()
    for number in range(len(play.scenario.ticks)):
        if number:
            sent.append(random_actions(env, rng))
            for name, action in sent[-1].items():
                env.set_actions(name, action)
            env.step()
        play.check_tick(env, number)
    play.check_specs(env)
    return sent
