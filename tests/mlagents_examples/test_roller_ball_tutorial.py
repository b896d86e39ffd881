"""The tutorial builds the RollerBall that ships, in as few lines as it promises."""

from __future__ import annotations

import math
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mlagents_envs.base_env import ActionTuple
from mlagents_envs.registry.options import EnvironmentOptions
from mlagents_examples.roller_ball import make_environment
from mlagents_sdk import Agent

PAGE = Path(__file__).resolve().parents[2] / "docs" / "tutorial-first-environment.md"
BEHAVIOR = "RollerBall?team=0"


@pytest.fixture(scope="module")
def blocks() -> list[str]:
    return re.findall(r"^```python\n(.*?)^```$", PAGE.read_text(), re.MULTILINE | re.DOTALL)


@pytest.fixture(scope="module")
def tutorial(blocks: list[str]) -> dict[str, Any]:
    """Names defined by the blocks up to the one that makes the environment."""
    namespace: dict[str, Any] = {"__name__": "tutorial"}
    while "make_environment" not in namespace:
        exec(blocks.pop(0), namespace)
    return namespace


def test_all_the_code_has_less_than_80_lines() -> None:
    text = PAGE.read_text()
    code = "".join(re.findall(r"^```python\n(.*?)^```$", text, re.MULTILINE | re.DOTALL))
    lines = [line for line in code.splitlines() if line.strip()]
    assert 40 < len(lines) < 80


def test_the_environment_of_the_tutorial_is_the_one_that_ships(tutorial: dict[str, Any]) -> None:
    options = EnvironmentOptions(seed=6, num_areas=5)
    envs = [tutorial["make_environment"](options), make_environment(options)]
    for env in envs:
        env.reset()
    assert envs[0].behavior_specs[BEHAVIOR] == envs[1].behavior_specs[BEHAVIOR]
    arrived = fallen = 0
    for step in range(200):
        (decisions, terminals), shipped = (env.get_steps(BEHAVIOR) for env in envs)
        for a, b in zip((decisions, terminals), shipped, strict=True):
            np.testing.assert_array_equal(a.obs[0], b.obs[0])
            np.testing.assert_array_equal(a.reward, b.reward)
            np.testing.assert_array_equal(a.agent_id, b.agent_id)
        arrived += int((terminals.reward == 1.0).sum())
        fallen += int((terminals.reward == 0.0).sum())
        push = np.float32([[math.sin(0.1 * step), math.cos(0.07 * step)]])
        for env in envs:
            env.set_actions(BEHAVIOR, ActionTuple(np.tile(push, (len(decisions), 1))))
            env.step()
    assert arrived > 0
    assert fallen > 0


def test_each_method_named_in_the_table_exists() -> None:
    rows = re.findall(r"^\| `[A-Z].*? \| (.*) \|$", PAGE.read_text(), re.MULTILINE)
    names = [name for row in rows for name in re.findall(r"`(\w+)[`(]", row)]
    assert len(names) > 24
    agent_only = set(names) - {"academy"}
    assert {name for name in agent_only if not hasattr(Agent, name)} == set()
