"""What the scripted games say, as plain values.

Read by two interpreters: the game's, which is the original's, turns the values into messages; the test
compares them with the columns that came out at the other end.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from wire_vocabulary import Behavior, Scenario, Sensor, random_agent, random_ticks

RAW_CHANNEL = "621f0a70-4f87-11ea-a6bf-784f4387d1f7"
CUSTOM_CHANNEL = "0b9a2f2c-79a3-4f0e-8d0c-5f7a8a8f3c11"
UNKNOWN_CHANNEL = "3f1d4c5e-0000-4000-8000-00c0ffee0000"
STATS_CHANNEL = "a1d8f7b7-cec8-50f9-b78b-d3e165a78520"
FLOAT_PROPERTIES_CHANNEL = "60ccf7d0-4f7e-11ea-b238-784f4387d1f7"
ENGINE_CHANNEL = "e951342c-4f7e-11ea-b238-784f4387d1f7"
PARAMETERS_CHANNEL = "534c891e-810f-11ea-a9d0-822485860400"
ANALYTICS_CHANNEL = "b664a4a9-d86f-5a5f-95cb-e8353a7e8356"


def vectors() -> Scenario:
    """Vectors of several sizes, large ids, a changing number of agents, sometimes none."""
    sensors = (Sensor("position", (3,)), Sensor("none", (0,)), Sensor("many", (40,)))
    behavior = Behavior("Vector?team=0", sensors)
    ids = [[0, 7, 300], [7], [], [2_000_000_000, 0, 1, 2, 3, 4, 5, 6, 7, 8], [70_000]]
    return Scenario((behavior,), random_ticks(behavior, ids))


CURRENT = (1, 2, 2)
EARLY = (2, 2, 1)


def images() -> Scenario:
    """Images of current packages in every form that they come in."""
    sensors = (
        Sensor("grey", (1, 5, 4), CURRENT, modes=("RGB",)),
        Sensor("true grey", (1, 4, 6), CURRENT, modes=("L",)),
        Sensor("colour", (3, 7, 6), CURRENT, modes=("RGB",)),
        Sensor("palette", (3, 4, 5), CURRENT, modes=("P",)),
        Sensor("transparent", (4, 4, 5), CURRENT, modes=("RGBA",)),
        Sensor("grid", (4, 6, 5), CURRENT, modes=("RGB", "RGB")),
        Sensor("mapped grid", (4, 6, 5), CURRENT, modes=("RGB", "RGB"), mapping=(0, 1, 2, 3, -1, -1)),
        Sensor("stacked", (9, 5, 3), CURRENT, modes=("RGB",) * 3, mapping=tuple(range(9))),
        Sensor("unmapped stack", (9, 3, 8), CURRENT, modes=("RGB",) * 3),
        Sensor("stacked grey", (2, 6, 4), CURRENT, modes=("RGB", "RGB"), mapping=(0, 0, 0, 1, 1, 1)),
        Sensor("floats", (3, 6, 5), CURRENT),
        Sensor("floats without properties", (3, 6, 5), ()),
        Sensor("carelessly ported", (3, 7, 6), CURRENT, modes=("RGB",), channels_last=True),
        Sensor("vector", (2,)),
    )
    behavior = Behavior("Image?team=0", sensors)
    return Scenario((behavior,), random_ticks(behavior, [[1, 2], [2, 1, 3], [3]]))


def channels_last(package: str, communication: str, properties: tuple[int, ...]) -> Scenario:
    """Images of packages before 3.0, which declare the channels last.

    Args:
        package: version of the game package.
        communication: version of the protocol.
        properties: dimension properties of the images; the first packages send none.
    """
    common: dict[str, Any] = {"properties": properties, "channels_last": True}
    sensors = (
        Sensor("colour", (3, 7, 6), modes=("RGB",), **common),
        Sensor("cube", (3, 3, 3), modes=("RGB",), **common),
        Sensor("grey", (1, 6, 8), modes=("RGB",), **common),
        Sensor("grid", (4, 3, 5), modes=("RGB", "RGB"), **common),
        Sensor("stacked", (9, 5, 4), modes=("RGB",) * 3, **common),
        Sensor("floats", (3, 6, 5), **common),
        Sensor("tall floats", (8, 3, 2), **common),
        Sensor("vector", (2,), properties=properties[:1] and (1,)),
    )
    hybrid = communication >= "1.3.0"
    behavior = Behavior("Early?team=0", sensors, early=not hybrid)
    return Scenario(
        (behavior,),
        random_ticks(behavior, [[1, 2], [2, 1, 3], [3]]),
        communication_version=communication,
        package_version=package,
        has_capabilities=communication >= "1.1.0",
        newest_python=(0, 25, 999) if package.startswith("1.0.") else None,
    )


def large() -> Scenario:
    """A message beyond gRPC's default limit of 4 MiB."""
    behavior = Behavior("Large?team=0", (Sensor("floats", (3, 700, 700), CURRENT),))
    return Scenario((behavior,), random_ticks(behavior, [[1]]))


def masks() -> Scenario:
    """Masks of some agents, of others none, and one of a length that cannot be."""
    behavior = Behavior("Masked?team=0", (Sensor("vector", (2,)),), continuous=0, branches=(3, 2, 4))
    rng = np.random.RandomState(1)
    first = [True, False, False, False, True, False, False, True, True]
    second = [False, True, True, True, False, True, True, True, False]
    told = [[first, [], second, [False] * 9], [[]], [second, first], [[True] * 4, first]]
    ticks = [
        {behavior.name: [random_agent(rng, behavior, number, mask=mask) for number, mask in enumerate(tick)]}
        for tick in told
    ]
    return Scenario((behavior,), ticks)


def groups() -> Scenario:
    """Groups and their rewards, in the middle of episodes and at their ends."""
    behavior = Behavior("Team?team=1", (Sensor("vector", (3,)),))
    rng = np.random.RandomState(2)
    told = [
        [(1, 1, 0.0, False), (2, 1, 0.0, False), (3, 2, 0.5, False), (4, 0, 0.0, False)],
        [(1, 1, 1.25, True), (2, 1, 1.25, True), (3, 2, -0.5, False), (4, 0, 0.0, True), (4, 0, 0.0, False)],
        [(5, 70_000, 0.1, False), (6, 70_000, 0.1, False), (3, 2, -1e-3, False)],
    ]
    ticks = [
        {
            behavior.name: [
                random_agent(rng, behavior, number, group_id=group, group_reward=reward, done=done)
                for number, group, reward, done in tick
            ]
        }
        for tick in told
    ]
    return Scenario((behavior,), ticks)


def actions() -> Scenario:
    """Behaviors with every kind of action."""
    sensor = (Sensor("vector", (1,)),)
    behaviors = (
        Behavior("Continuous?team=0", sensor, continuous=3),
        Behavior("Discrete?team=0", sensor, continuous=0, branches=(3, 200)),
        Behavior("Hybrid?team=0", sensor, continuous=2, branches=(2, 3, 4)),
        Behavior("Early continuous?team=0", sensor, continuous=2, early=True),
        Behavior("Early discrete?team=0", sensor, continuous=0, branches=(4, 2), early=True),
    )
    rng = np.random.RandomState(3)
    ticks = []
    for count in (2, 1, 3, 2):
        tick = {b.name: [random_agent(rng, b, number) for number in range(count)] for b in behaviors}
        ticks.append(tick)
    ticks[2][behaviors[1].name] = []
    ticks[2][behaviors[2].name][1].done = True  # the others' actions match by position
    return Scenario(behaviors, ticks)


def variable_and_goal() -> Scenario:
    """A variable number of entities, and a goal, as vector and as image."""
    sensors = (
        Sensor("entities", (5, 3), (4, 1)),
        Sensor("plain table", (2, 3), (0, 0)),
        Sensor("goal", (4,), goal=True),
        Sensor("goal image", (3, 5, 4), CURRENT, goal=True, modes=("RGB",)),
        Sensor("vector", (2,)),
    )
    behavior = Behavior("Entities?team=0", sensors, continuous=1)
    ticks = random_ticks(behavior, [[1, 2, 3], [1, 2, 3], [3]])
    for number, agent in enumerate(agent for tick in ticks for agent in tick[behavior.name]):
        agent.observations[0][number % 6 :] = 0.0  # padding
    return Scenario((behavior,), ticks)


def several_behaviors() -> Scenario:
    """Behaviors that come late, fall silent, and share the numbers of their agents."""
    first = Behavior("First?team=0", (Sensor("vector", (2,)),))
    second = Behavior("First?team=1", (Sensor("vector", (2,)),))
    third = Behavior("Late?team=0", (Sensor("a", (1,)), Sensor("b", (6,))), continuous=0, branches=(2,))
    rng = np.random.RandomState(4)
    told: list[list[tuple[Behavior, int]]] = [
        [(first, 2), (second, 1)],
        [(second, 3), (third, 0)],
        [(third, 2), (first, 1)],
        [(third, 1)],
        [(first, 1), (second, 2), (third, 3)],
    ]
    ticks = [{b.name: [random_agent(rng, b, i) for i in range(count)] for b, count in tick} for tick in told]
    return Scenario((first, second, third), ticks)


def episodes() -> Scenario:
    """Episodes end, by themselves or interrupted, and the next ones begin in the same message."""
    behavior = Behavior("Ends?team=0", (Sensor("vector", (3,)),))
    rng = np.random.RandomState(5)
    told = [
        [(1, False, False), (2, False, False), (3, False, False)],
        [(2, True, False), (1, False, False), (2, False, False), (3, True, True), (3, False, False)],
        [(1, True, True), (2, True, False), (3, True, False)],
        [(1, False, False), (2, False, False), (3, False, False)],
    ]
    ticks = [
        {
            behavior.name: [
                random_agent(rng, behavior, number, done=done, interrupted=interrupted)
                for number, done, interrupted in tick
            ]
        }
        for tick in told
    ]
    return Scenario((behavior,), ticks)


def quitting() -> Scenario:
    """A game that ends by itself."""
    behavior = Behavior("Quits?team=0", (Sensor("vector", (3,)),))
    return Scenario((behavior,), random_ticks(behavior, [[1], [1]]), quits=True)


def side_channels() -> Scenario:
    """Messages on all channels that a game sends on."""
    behavior = Behavior("Talks?team=0", (Sensor("vector", (1,)),))
    custom = [
        ("bool", True),
        ("int32", -123_456),
        ("float32", 0.15625),
        ("float32_list", [1.5, -2.25, 3e-5]),
        ("string", "a word"),
        ("float32_list", []),
        ("string", ""),
        ("bool", False),
    ]
    return Scenario(
        (behavior,),
        random_ticks(behavior, [[1]] * 4),
        side_channel={
            0: [
                (STATS_CHANNEL, [("string", "Goals"), ("float32", 2.5), ("int32", 0)]),
                (STATS_CHANNEL, [("string", "Goals"), ("float32", 3.5), ("int32", 0)]),
                (STATS_CHANNEL, [("string", "Level"), ("float32", 7.0), ("int32", 1)]),
                (CUSTOM_CHANNEL, custom),
            ],
            1: [
                (UNKNOWN_CHANNEL, [("int32", 1)]),
                (RAW_CHANNEL, [("bytes", list(b"\x00\xff raw"))]),
                (RAW_CHANNEL, [("bytes", [])]),
                (FLOAT_PROPERTIES_CHANNEL, [("string", "gravity"), ("float32", -9.8125)]),
            ],
            3: [
                (STATS_CHANNEL, [("string", "Sum"), ("float32", 1.0), ("int32", 2)]),
                (STATS_CHANNEL, [("string", "Spread"), ("float32", -4.0), ("int32", 3)]),
                (FLOAT_PROPERTIES_CHANNEL, [("string", "gravity"), ("float32", -1.5)]),
            ],
        },
    )


EARLY_PACKAGES: dict[str, tuple[str, str, tuple[int, ...]]] = {
    "package 1.0": ("1.0.8", "1.0.0", ()),
    "package 1.4": ("1.4.0-preview", "1.1.0", ()),
    "package 1.6": ("1.6.0-preview", "1.2.0", ()),
    "package 1.8": ("1.8.1-preview", "1.4.0", ()),
    "package 2.0": ("2.0.1", "1.5.0", EARLY),
}
"""Versions of the game package and of the protocol, and the dimension properties of their images."""


def _early_package(name: str) -> Callable[[], Scenario]:
    return lambda: channels_last(*EARLY_PACKAGES[name])


SCENARIOS: dict[str, Callable[[], Scenario]] = {
    "vectors": vectors,
    "images": images,
    "large": large,
    "masks": masks,
    "groups": groups,
    "actions": actions,
    "variable_and_goal": variable_and_goal,
    "several_behaviors": several_behaviors,
    "episodes": episodes,
    "quitting": quitting,
    "side_channels": side_channels,
    **{name: _early_package(name) for name in EARLY_PACKAGES},
}
