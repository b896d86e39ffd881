"""The words in which a scripted game is written: sensors, agents, behaviors, messages."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

MODE_PLANES = {"L": 1, "RGB": 3, "RGBA": 4, "P": 3}
"""Kinds of PNG, and how many planes of numbers each holds; P names colours of a palette."""


@dataclass(frozen=True)
class Sensor:
    """A sensor of a behavior.

    Attributes:
        name: its name.
        shape: shape of one observation as the columns have it: images channels first.
        properties: dimension properties as the game declares them, none for games that know none.
        goal: whether it is the goal.
        modes: kinds of the PNGs, back to back, that one observation is sent as; none to send floats.
        mapping: channel mapping of the PNGs.
        channels_last: declared, and floats sent, as height, width, channels.
    """

    name: str
    shape: tuple[int, ...]
    properties: tuple[int, ...] = (1,)
    goal: bool = False
    modes: tuple[str, ...] = ()
    mapping: tuple[int, ...] = ()
    channels_last: bool = False

    @property
    def num_planes(self) -> int:
        """Planes of all PNGs together."""
        return sum(MODE_PLANES[mode] for mode in self.modes)

    @property
    def declared_shape(self) -> tuple[int, ...]:
        """Shape in the message."""
        return (*self.shape[1:], self.shape[0]) if self.channels_last else self.shape


@dataclass
class Agent:
    """One record of an agent.

    Attributes:
        id: its number.
        observations: one array per sensor: float32 of the sensor's shape, or uint8
            ``(planes, height, width)`` where it sends PNGs.
        reward: its reward.
        done: whether its episode ended.
        interrupted: whether it was ended from outside.
        mask: forbidden actions of all branches in a row, empty for none.
        group_id: its group, 0 for none.
        group_reward: reward of the group.
    """

    id: int
    observations: list[np.ndarray]
    reward: float = 0.0
    done: bool = False
    interrupted: bool = False
    mask: list[bool] = field(default_factory=list)
    group_id: int = 0
    group_reward: float = 0.0


@dataclass(frozen=True)
class Behavior:
    """A behavior.

    Attributes:
        name: fully qualified name.
        sensors: its sensors.
        continuous: number of continuous actions.
        branches: sizes of the discrete branches.
        early: its actions are declared in the fields of the first versions.
    """

    name: str
    sensors: tuple[Sensor, ...]
    continuous: int = 2
    branches: tuple[int, ...] = ()
    early: bool = False


Tick = dict[str, list[Agent]]
"""Agents by behavior."""
Record = tuple[str, list[tuple[str, Any]]]
"""A side-channel message: channel, and the values in it with their types."""


@dataclass
class Scenario:
    """A whole game.

    Attributes:
        behaviors: announced each with its first agents.
        ticks: what it sends, message by message.
        communication_version: of the protocol.
        package_version: of the game package.
        has_capabilities: whether it says what it can do; the first versions say nothing.
        side_channel: messages on side channels by tick.
        quits: after the last tick it announces its end.
        newest_python: leaves a trainer whose package is newer than this.
    """

    behaviors: tuple[Behavior, ...]
    ticks: list[Tick]
    communication_version: str = "1.5.0"
    package_version: str = "3.0.0"
    has_capabilities: bool = True
    side_channel: dict[int, list[Record]] = field(default_factory=dict)
    quits: bool = False
    newest_python: tuple[int, int, int] | None = None


def random_agent(rng: np.random.RandomState, behavior: Behavior, agent_id: int, **others: Any) -> Agent:  # noqa: ANN401
    """An agent with random observations and reward."""
    observations = []
    for sensor in behavior.sensors:
        if sensor.modes:
            planes = rng.randint(0, 256, (sensor.num_planes, *sensor.shape[1:]))
            observations.append(planes.astype(np.uint8))
        else:
            observations.append(rng.standard_normal(sensor.shape).astype(np.float32))
    others.setdefault("reward", float(np.float32(rng.standard_normal())))
    return Agent(agent_id, observations, **others)


def random_ticks(behavior: Behavior, agent_ids: Iterable[Iterable[int]], seed: int = 0) -> list[Tick]:
    """Messages in which these agents of one behavior ask for decisions."""
    rng = np.random.RandomState(seed)
    return [{behavior.name: [random_agent(rng, behavior, i) for i in ids]} for ids in agent_ids]
