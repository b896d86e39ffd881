"""Our trainer side drives a game made of the original's generated classes; each column is compared."""

from __future__ import annotations

import socket
from collections.abc import Callable

import numpy as np
import pytest
from wire_play import Play, as_received, play_to_the_end
from wire_scenarios import EARLY_PACKAGES, SCENARIOS

from mlagents_envs.base_env import ActionTuple
from mlagents_envs.exception import UnityCommunicatorStoppedException

CAPABILITIES = (
    "baseRLCapabilities",
    "concatenatedPngObservations",
    "compressedChannelMapping",
    "hybridActions",
    "trainingAnalytics",
    "variableLengthObservation",
    "multiAgentGroups",
)
ORDINARY = [name for name in SCENARIOS if name not in ("quitting", *EARLY_PACKAGES)]


@pytest.mark.parametrize("name", ORDINARY)
def test_columns_are_what_the_game_sent_and_actions_arrive(play: Callable[[str], Play], name: str) -> None:
    game = play(name)
    with game.environment(seed=5, num_areas=3) as env:
        assert all(getattr(env.academy_capabilities, capability) for capability in CAPABILITIES)
        sent = play_to_the_end(game, env)
    introduction, *_, end = game.lines
    assert introduction == {
        "kind": "introduction",
        "seed": 5,
        "num_areas": 3,
        "communication_version": "1.5.0",
        "package_version": "1.1.0",
        "capabilities": dict.fromkeys(CAPABILITIES, True),
    }
    assert [line["command"] for line in game.commands] == ["RESET"] + ["STEP"] * len(sent)
    assert [line["actions"] for line in game.commands] == [{}, *map(as_received, sent)]
    assert end == {"kind": "closed", "status": 400}


@pytest.mark.parametrize("name", EARLY_PACKAGES)
def test_images_of_early_packages_come_out_channels_first(play: Callable[[str], Play], name: str) -> None:
    game = play(name)
    with game.environment() as env:
        sent = play_to_the_end(game, env)
    introduction, *_, end = game.lines
    # a game of package 1.0.x leaves a trainer that it takes for too new
    early = game.scenario.newest_python is not None
    assert introduction["package_version"] == ("0.20.0" if early else "1.1.0")
    assert [line["actions"] for line in game.commands] == [{}, *map(as_received, sent)]
    assert end == {"kind": "closed", "status": 400}


def test_agents_without_an_action_get_zeros_and_one_agent_can_be_told(play: Callable[[str], Play]) -> None:
    game = play("actions")
    name = "Hybrid?team=0"
    told = ActionTuple(np.array([[0.5, -1.5]], np.float32), np.array([[1, 2, 3]], np.int32))
    with game.environment() as env:
        env.reset()
        env.set_action_for_agent(name, 1, told)
        env.step()
    received = game.commands[1]["actions"]
    assert received[name] == [
        {"continuous": [0, 0], "discrete": [0, 0, 0], "deprecated": [0] * 5},
        {"continuous": [0.5, -1.5], "discrete": [1, 2, 3], "deprecated": [0.5, -1.5, 1, 2, 3]},
    ]
    assert (
        received["Continuous?team=0"]
        == [{"continuous": [0, 0, 0], "discrete": [], "deprecated": [0, 0, 0]}] * 2
    )


def test_reset_in_the_middle_of_episodes(play: Callable[[str], Play]) -> None:
    game = play("vectors")
    with game.environment() as env:
        env.reset()
        env.step()
        env.set_actions("Vector?team=0", env.behavior_specs["Vector?team=0"].action_spec.random_action(1))
        env.reset()  # what was set is for agents that are no more
        game.check_tick(env, 2)
        env.reset()
        game.check_tick(env, 3)
        env.step()
        game.check_tick(env, 4)
    assert [line["command"] for line in game.commands] == ["RESET", "STEP", "RESET", "RESET", "STEP"]
    counts = [{name: len(rows) for name, rows in line["actions"].items()} for line in game.commands]
    assert counts == [{}, {"Vector?team=0": 3}, {}, {}, {"Vector?team=0": 10}]


def test_a_game_that_quits_says_so(play: Callable[[str], Play]) -> None:
    game = play("quitting")
    with game.environment() as env:
        env.reset()
        env.step()
        game.check_tick(env, 1)
        with pytest.raises(UnityCommunicatorStoppedException, match="400"):
            env.step()
    assert [line["command"] for line in game.commands] == ["RESET", "STEP", "STEP"]


def test_a_game_started_by_somebody_else(play: Callable[[str], Play]) -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    game = play("vectors")
    with game.editor(port, seed=9) as env:
        play_to_the_end(game, env)
    assert game.lines[0]["seed"] == 9
    assert game.lines[-1] == {"kind": "closed", "status": 400}
