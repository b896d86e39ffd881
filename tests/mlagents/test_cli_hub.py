"""Sharing runs on the hub, against a stand-in of its API."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml
from hub_stand_in import StandIn, hub

from mlagents.hub.card import model_card, read_run
from mlagents.settings.errors import UnityTrainerException

pytest.importorskip("huggingface_hub", reason="the optional package huggingface-hub is not installed")


@pytest.fixture
def server() -> Iterator[StandIn]:
    with hub() as running:
        yield running


@pytest.fixture
def run_folder(tmp_path: Path) -> Path:
    folder = tmp_path / "results" / "ball1"
    (folder / "run_logs").mkdir(parents=True)
    behaviors = {"3DBall": {"trainer_type": "ppo"}, "Other": {"trainer_type": "sac"}}
    (folder / "configuration.yaml").write_text(yaml.safe_dump({"behaviors": behaviors}, sort_keys=False))
    (folder / "3DBall.onnx").write_bytes(b"a model" * 100)
    status = {"3DBall": {"final_checkpoint": {"reward": 99.5}}}
    (folder / "run_logs" / "training_status.json").write_text(json.dumps(status))
    return folder


def command(name: str, server: StandIn, tmp_path: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run a command in a process of its own: the client reads the hub's address when it is imported."""
    environment = {
        **os.environ,
        "HF_ENDPOINT": server.address,
        "HF_HOME": str(tmp_path / "hf"),
        "HF_HUB_DISABLE_XET": "1",
        "HF_TOKEN": "secret",
    }
    code = f"import sys; from mlagents.cli.hub import {name}; sys.exit({name}(sys.argv[1:]))"
    return subprocess.run(
        [sys.executable, "-c", code, *arguments],
        env=environment,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def test_a_run_goes_to_the_hub_and_comes_back(server: StandIn, run_folder: Path, tmp_path: Path) -> None:
    server.token = "secret"
    pushed = command(
        "push", server, tmp_path, "--run-id=ball1", f"--local-dir={run_folder}", "--repo-id=me/ball",
        "--commit-message=First ball",
    )  # fmt: skip
    assert pushed.returncode == 0, pushed.stderr + str(server.unknown)
    assert server.messages == ["First ball"]
    files = server.files["me/ball"]
    assert {"README.md", "config.json", "3DBall.onnx", "configuration.yaml"} <= files.keys()
    assert "ML-Agents-3DBall" in files["README.md"].decode()

    loaded = command("load", server, tmp_path, "--repo-id=me/ball", f"--local-dir={tmp_path / 'down'}")
    assert loaded.returncode == 0, loaded.stderr + str(server.unknown)
    assert (tmp_path / "down" / "ball" / "3DBall.onnx").read_bytes() == b"a model" * 100
    assert "is in" in loaded.stdout


def test_mistakes_are_one_line(server: StandIn, run_folder: Path, tmp_path: Path) -> None:
    missing = command("load", server, tmp_path, "--repo-id=me/nothing", f"--local-dir={tmp_path}")
    assert missing.returncode == 1
    assert "error: The hub has no repository me/nothing" in missing.stderr
    assert "Traceback" not in missing.stderr
    server.token = "another"
    refused = command(
        "push", server, tmp_path, "--run-id=ball1", f"--local-dir={run_folder}", "--repo-id=me/ball"
    )
    assert refused.returncode == 1
    assert "hf auth login" in refused.stderr
    bad = command("load", server, tmp_path, "--repo-id=../up")
    assert (bad.returncode, bad.stderr) == (1, "error: '../up' is not a repository; write it as user/name.\n")


def test_without_a_connection(server: StandIn, tmp_path: Path) -> None:
    server.server_close()
    result = command("load", server, tmp_path, "--repo-id=me/ball", f"--local-dir={tmp_path}")
    assert result.returncode == 1
    assert "error: me/ball could not be transferred" in result.stderr
    assert "Traceback" not in result.stderr


def test_cards_say_how_to_file_and_play_a_model(run_folder: Path) -> None:
    card = model_card(read_run(run_folder, "configuration.yaml"), "me/ball")
    metadata = yaml.safe_load(card.split("---")[1])
    assert metadata["library_name"] == "ml-agents"
    assert metadata["tags"] == [
        "3DBall",
        "deep-reinforcement-learning",
        "reinforcement-learning",
        "ML-Agents-3DBall",
    ]
    assert "trained with PPO" in card
    assert "99.500" in card


def test_what_cannot_be_shared_is_named(tmp_path: Path) -> None:
    with pytest.raises(UnityTrainerException, match="There is no results folder"):
        read_run(tmp_path / "none", "configuration.yaml")
    with pytest.raises(UnityTrainerException, match=r"has no other\.yaml"):
        read_run(tmp_path, "other.yaml")
    (tmp_path / "empty.yaml").write_text("behaviors: {}")
    with pytest.raises(UnityTrainerException, match="lists no behaviors"):
        read_run(tmp_path, "empty.yaml")
