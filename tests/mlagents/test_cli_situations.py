"""Every situation in which a run cannot start: one clear line that names the culprit, and exit code 1."""

from __future__ import annotations

from pathlib import Path

import pytest

from mlagents.cli.learn import main

YAML = """
behaviors:
  Basic:
    trainer_type: ppo
    hyperparameters: {batch_size: 16, buffer_size: 64}
    max_steps: 100
"""


@pytest.fixture(autouse=True)
def workplace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "basic.yaml").write_text(YAML)
    return tmp_path


def refusal(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    """The one line with which the command refuses; no traceback, exit code 1."""
    assert main(list(arguments)) == 1
    captured = capsys.readouterr()
    assert "Traceback" not in captured.out + captured.err
    (line,) = [line for line in captured.err.splitlines() if not line.startswith("warning: ")]
    return line


BASIC = ("basic.yaml", "--env=Basic")


def test_run_that_exists(workplace: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (workplace / "results" / "a").mkdir(parents=True)
    line = refusal(capsys, *BASIC, "--run-id=a")
    for part in ("'a' exists already", "--run-id", "--resume", "--force"):
        assert part in line


def test_nothing_to_resume(capsys: pytest.CaptureFixture[str]) -> None:
    assert "no run 'a' to resume" in refusal(capsys, *BASIC, "--run-id=a", "--resume")


def test_run_to_initialize_from_is_absent(capsys: pytest.CaptureFixture[str]) -> None:
    assert "no run 'b'" in refusal(capsys, *BASIC, "--run-id=a", "--initialize-from=b")


def test_weights_to_initialize_from_are_absent(workplace: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (workplace / "results" / "b").mkdir(parents=True)
    line = refusal(capsys, *BASIC, "--run-id=a", "--initialize-from=b")
    assert str(Path("results/b/Basic/checkpoint.pt")) in line
    assert "behavior Basic" in line


def test_weights_are_no_checkpoint(workplace: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (workplace / "init.yaml").write_text(YAML + "    init_path: models/old.nn\n")
    line = refusal(capsys, "init.yaml", "--env=Basic")
    assert "models/old.nn" in line
    assert "must be a .pt file" in line
    (workplace / "init.yaml").write_text(YAML + "    init_path: ./broken.pt\n")
    (workplace / "broken.pt").write_bytes(b"junk")
    assert "broken.pt" in refusal(capsys, "init.yaml", "--env=Basic", "--force")


@pytest.mark.parametrize(
    ("name", "content", "parts"),
    [
        ("absent.yaml", None, ["absent.yaml", "no such file"]),
        (".", None, ["folder"]),
        ("bad.yaml", b"behaviors: [", ["bad.yaml", "line 1", "not valid YAML"]),
        ("bytes.yaml", b"behaviors:\n  B\xe9: {}\n", ["bytes.yaml", "line 2", "UTF-8"]),
        ("list.yaml", b"- a\n", ["list.yaml"]),
        ("key.yaml", b"behaviours: {}\n", ["behaviours", "did you mean 'behaviors'?"]),
        ("type.yaml", b"behaviors: {A: {trainer_type: pppo}}\n", ["trainer_type", "did you mean 'ppo'?"]),
        (
            "enum.yaml",
            b"behaviors: {A: {network_settings: {vis_encode_type: big}}}\n",
            ["vis_encode_type", "simple"],
        ),
        ("null.yaml", b"behaviors: {A: null}\n", ["behaviors.A", "map"]),
        (
            "missing.yaml",
            b"behaviors: {A: {reward_signals: {gail: {}}}}\n",
            ["reward_signals.gail.demo_path", "missing"],
        ),
    ],
)
def test_configuration_that_cannot_be_used(
    name: str, content: bytes | None, parts: list[str], workplace: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    if content is not None:
        (workplace / name).write_bytes(content)
    line = refusal(capsys, name, "--env=Basic")
    for part in parts:
        assert part in line


def test_executable_that_is_absent(capsys: pytest.CaptureFixture[str]) -> None:
    assert "./Game.x86_64" in refusal(capsys, "basic.yaml", "--env=./Game.x86_64")


def test_executable_that_may_not_run(workplace: Path, capsys: pytest.CaptureFixture[str]) -> None:
    game = workplace / "Game.x86_64"
    game.write_text("#!/bin/sh\nexit 0\n")
    game.chmod(0o644)
    line = refusal(capsys, "basic.yaml", f"--env={game}", "--timeout-wait=2", "--base-port=6105")
    assert str(game) in line


def test_executable_that_never_connects(workplace: Path, capsys: pytest.CaptureFixture[str]) -> None:
    game = workplace / "Game.x86_64"
    game.write_text("#!/bin/sh\nexec sleep 30\n")
    game.chmod(0o755)
    line = refusal(capsys, "basic.yaml", f"--env={game}", "--timeout-wait=1", "--base-port=6115")
    assert "connect" in line


def test_editor_that_never_connects(capsys: pytest.CaptureFixture[str]) -> None:
    assert "connect" in refusal(capsys, "basic.yaml", "--timeout-wait=1", "--base-port=6125")


def test_behavior_that_is_not_in_the_file(workplace: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (workplace / "other.yaml").write_text(YAML.replace("Basic", "Basik"))
    line = refusal(capsys, "other.yaml", "--env=Basic")
    assert "'Basic'" in line
    assert "'Basik' misspelt" in line
    assert "default_settings" in line


def test_no_file_at_all_warns_and_trains(
    workplace: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    from mlagents.run.training_run import TrainingRun

    monkeypatch.setattr(TrainingRun, "_is_done", lambda self: self.behaviors["Basic"].trainer.step > 20)
    assert main(["--env=Basic", "--run-id=a"]) == 0
    assert "warning: no configuration file" in capsys.readouterr().err
    assert (workplace / "results" / "a" / "Basic.onnx").is_file()


@pytest.mark.parametrize(
    ("arguments", "part"),
    [
        (["--num-envs=0"], "--num-envs"),
        (["--num-areas=0"], "--num-areas"),
        (["--seed=-5"], "--seed"),
        (["--num-envs=2"], "num_envs is 2, but no environment is named"),
    ],
)
def test_values_out_of_range(arguments: list[str], part: str, capsys: pytest.CaptureFixture[str]) -> None:
    environment = [] if "--num-envs=2" in arguments else ["--env=Basic"]
    assert part in refusal(capsys, "basic.yaml", *environment, *arguments)


@pytest.mark.parametrize(
    "arguments", [["--num-envs=two"], ["--stop-at-reward=high"], ["--unknown"], ["a.yaml", "b.yaml"]]
)
def test_wrong_usage_is_two(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(arguments)
    assert ended.value.code == 2
    assert "error: " in capsys.readouterr().err
