from __future__ import annotations

import subprocess
import sys
from importlib import metadata
from pathlib import Path

import pytest

from mlagents_envs.base_env import ActionTuple, BaseEnv, BehaviorMapping, DecisionSteps, TerminalSteps
from mlagents_envs.exception import UnityEnvironmentException
from mlagents_envs.registry import (
    BaseRegistryEntry,
    EnvironmentOptions,
    UnityEnvRegistry,
    UnknownEnvironmentException,
    known_environments,
    make_environment,
)
from mlagents_envs.registry.unity_env_registry import _installed_environments
from mlagents_envs.side_channel.stats_side_channel import StatsSideChannel


class NothingEnv(BaseEnv):
    """Environment without behaviors that remembers its options."""

    def __init__(self, options: EnvironmentOptions) -> None:
        self.options = options

    def step(self) -> None: ...
    def reset(self) -> None: ...
    def close(self) -> None: ...

    @property
    def behavior_specs(self) -> BehaviorMapping:
        return BehaviorMapping({})

    def set_actions(self, behavior_name: str, action: ActionTuple) -> None: ...
    def set_action_for_agent(self, behavior_name: str, agent_id: int, action: ActionTuple) -> None: ...

    def get_steps(self, behavior_name: str) -> tuple[DecisionSteps, TerminalSteps]:
        raise NotImplementedError


NOT_CALLABLE = "just a string"


def makes_no_environment(options: EnvironmentOptions) -> object:
    return 3


def entry_point(name: str, target: str) -> metadata.EntryPoint:
    return metadata.EntryPoint(name, target, "mlagents.environments")


@pytest.fixture(autouse=True)
def installed(monkeypatch: pytest.MonkeyPatch) -> list[metadata.EntryPoint]:
    """Replaces what is installed; the test may add to it."""
    here = __name__
    found = [
        entry_point("Nothing", f"{here}:NothingEnv"),
        entry_point("3DBall", f"{here}:NothingEnv"),
        entry_point("Text", f"{here}:NOT_CALLABLE"),
        entry_point("Number", f"{here}:makes_no_environment"),
        entry_point("Missing", "no_such_package.module:make"),
        entry_point("Renamed", f"{here}:no_such_name"),
    ]
    monkeypatch.setattr(
        metadata, "entry_points", lambda group: found if group == "mlagents.environments" else []
    )
    return found


def test_known_names_are_listed_and_built() -> None:
    assert known_environments() == ["3DBall", "Missing", "Nothing", "Number", "Renamed", "Text"]
    options = EnvironmentOptions(seed=4, num_areas=2)
    env = make_environment("Nothing", options)
    assert isinstance(env, NothingEnv)
    assert env.options is options


def test_default_options() -> None:
    env = make_environment("Nothing")
    assert isinstance(env, NothingEnv)
    assert env.options == EnvironmentOptions(seed=0, worker_id=0, num_areas=None)


def test_options_refuse_impossible_areas() -> None:
    with pytest.raises(ValueError, match="num_areas is 0"):
        EnvironmentOptions(num_areas=0)


@pytest.mark.parametrize("typo", ["3dball", "3DBal", "3D-Ball"])
def test_an_unknown_name_lists_the_known_ones_and_the_nearest(typo: str) -> None:
    with pytest.raises(UnknownEnvironmentException) as caught:
        make_environment(typo)
    message = str(caught.value)
    assert repr(typo) in message
    assert "Did you mean '3DBall'?" in message
    for name in known_environments():
        assert name in message
    assert isinstance(caught.value, UnityEnvironmentException)


def test_a_name_like_no_other_gets_no_suggestion() -> None:
    with pytest.raises(UnknownEnvironmentException) as caught:
        make_environment("Zzzzqqq")
    assert "Did you mean" not in str(caught.value)


def test_without_any_environment_the_message_says_so(installed: list[metadata.EntryPoint]) -> None:
    installed.clear()
    with pytest.raises(UnknownEnvironmentException, match="installed"):
        make_environment("3DBall")


@pytest.mark.parametrize(
    "path", ["./Game", "builds/Game", "C:\\Games\\Game", "Game.x86_64", "Game.exe", "Game.app"]
)
def test_paths_mean_executables(path: str) -> None:
    with pytest.raises(UnityEnvironmentException, match="There is no executable") as caught:
        make_environment(path)
    assert repr(path) in str(caught.value)


@pytest.mark.parametrize(("file", "asked"), [("Game", "Game"), ("Game.x86_64", "Game"), ("Game.app", "Game")])
def test_files_on_disk_mean_executables(
    file: str, asked: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path(file).write_bytes(b"")
    with pytest.raises(UnityEnvironmentException, match=r"no executable|may not be executed") as caught:
        make_environment(asked)
    assert not isinstance(caught.value, UnknownEnvironmentException)


def test_a_known_name_wins_over_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("Nothing").write_bytes(b"")
    assert isinstance(make_environment("Nothing"), NothingEnv)


@pytest.mark.parametrize(
    ("name", "target", "problem"),
    [
        ("Missing", "no_such_package.module:make", "ModuleNotFoundError"),
        ("Renamed", ":no_such_name", "AttributeError"),
        ("Text", ":NOT_CALLABLE", "is a str and not a function"),
        ("Number", ":makes_no_environment", "returned a int and not a BaseEnv"),
    ],
)
def test_broken_entry_points_are_named(name: str, target: str, problem: str) -> None:
    with pytest.raises(UnityEnvironmentException) as caught:
        make_environment(name)
    message = str(caught.value)
    assert repr(name) in message
    assert target in message
    assert problem in message


def test_two_distributions_with_one_name_are_refused(installed: list[metadata.EntryPoint]) -> None:
    installed.append(entry_point("Nothing", f"{__name__}:NothingEnv"))  # listed twice: harmless
    make_environment("Nothing")
    installed.append(entry_point("Nothing", "other_package:make"))
    with pytest.raises(UnityEnvironmentException, match=r"more than once.*other_package:make"):
        make_environment("Nothing")


def registry_of_installed() -> UnityEnvRegistry:
    return UnityEnvRegistry(_installed_environments)


def test_registry_entries_make_environments() -> None:
    entry = registry_of_installed()["Nothing"]
    assert entry.identifier == "Nothing"
    assert entry.description is not None
    assert "NothingEnv" in entry.description
    channel = StatsSideChannel()
    env = entry.make(
        seed=3,
        worker_id=2,
        num_areas=5,
        side_channels=[channel],
        additional_args=["--level", "2"],
        no_graphics=True,
        base_port=5005,
        timeout_wait=60,
    )
    assert isinstance(env, NothingEnv)
    assert env.options == EnvironmentOptions(3, 2, 5, (channel,), ("--level", "2"))
    with pytest.raises(TypeError, match="num_area"):
        entry.make(num_area=3)


def test_registry_is_a_mapping_that_can_be_changed() -> None:
    class Mine(BaseRegistryEntry):
        def make(self, **kwargs: object) -> BaseEnv:
            return NothingEnv(EnvironmentOptions())

    registry = registry_of_installed()
    mine = Mine("Nothing", 0.5, "my own")
    registry.register(mine)
    assert registry["Nothing"] is mine
    assert mine.expected_reward == 0.5
    assert sorted(registry) == known_environments()
    assert len(registry) == 6
    with pytest.raises(KeyError, match=r"Other.*3DBall"):
        registry["Other"]
    registry.clear()
    assert len(registry) == 0


def test_a_registry_looks_up_its_source_once_and_only_when_used() -> None:
    calls = []

    def source() -> list[BaseRegistryEntry]:
        calls.append(1)
        return list(_installed_environments())

    registry = UnityEnvRegistry(source)
    assert not calls
    assert len(registry) == 6
    assert "Text" in registry
    assert len(calls) == 1


def test_importing_the_registry_imports_no_environment() -> None:
    program = (
        "import sys, mlagents_envs.registry as r; r.known_environments(); len(r.default_registry); "
        "heavy = ('mlagents_examples', 'mlagents_sdk', 'torch', 'grpc'); "
        "assert not [m for m in sys.modules if m.startswith(heavy)]"
    )
    subprocess.run([sys.executable, "-c", program], check=True, timeout=60)
