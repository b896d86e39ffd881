"""Every code block of the documentation runs."""

from __future__ import annotations

import re
import shlex
import shutil
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest
import yaml

from mlagents.cli.doctor import main as doctor_main
from mlagents.cli.evaluate import main as evaluate_main
from mlagents.cli.learn import main as learn_main
from mlagents.cli.run_experiment import main as run_experiment_main
from mlagents.cli.upgrade_config import main as upgrade_config_main
from mlagents.settings import sampler_plugins, trainer_plugins
from mlagents.settings.loading import build_run_options
from mlagents_sdk.cli.envs import main as envs_main

REPOSITORY = Path(__file__).resolve().parents[1]
PAGES = [REPOSITORY / "README.md", *sorted((REPOSITORY / "docs").glob("*.md"))]
FENCE = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
FILE_NAME = re.compile(r"# ([\w/.-]+\.yaml)\n")
"""The first line of a YAML block that readers are to save under this name."""
NOT_RUN = {"mermaid"}
COMMANDS = {
    "mlagents-learn": learn_main,
    "mlagents-evaluate": evaluate_main,
    "mlagents-envs": envs_main,
    "mlagents-upgrade-config": upgrade_config_main,
    "mlagents-run-experiment": run_experiment_main,
    "mlagents-doctor": doctor_main,
}


class Block(NamedTuple):
    language: str
    code: str
    line: int


def blocks(page: Path) -> list[Block]:
    text = page.read_text()
    return [Block(m[1], m[2], text.count("\n", 0, m.start()) + 2) for m in FENCE.finditer(text)]


def run_command_line(line: str) -> None:
    """Run one documented command in this process; training is cut short by the shortened YAML."""
    program, *arguments = shlex.split(line)
    name = program.rsplit("/", 1)[-1]
    if name == "tensorboard":
        assert Path(arguments[-1]).is_dir(), line
    elif name in COMMANDS:
        assert COMMANDS[name](arguments) == 0, line
    else:
        pytest.fail(f"no way to run: {line}")


def run(block: Block, page: Path, namespace: dict[str, object]) -> None:
    if block.language == "python":
        exec(compile("\n" * (block.line - 1) + block.code, str(page), "exec"), namespace)
    elif block.language == "bash":
        for line in block.code.strip().splitlines():
            run_command_line(line)
    elif block.language == "yaml":
        if name := FILE_NAME.match(block.code):
            Path(name[1]).write_text(block.code)
        build_run_options(yaml.safe_load(block.code))
    elif block.language == "toml":
        tomllib.loads(block.code)
    else:
        assert block.language in NOT_RUN or page.name == "fidelity-3dball.md", f"unknown block in {page.name}"


@pytest.fixture
def own_plugins(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """What a page registers is gone after it."""
    caches = trainer_plugins.plugin_trainers, sampler_plugins.plugin_samplers
    for module in (trainer_plugins, sampler_plugins):
        monkeypatch.setattr(module, "_registered", {})
    yield
    for cache in caches:
        cache.cache_clear()


@pytest.mark.usefixtures("own_plugins")
@pytest.mark.parametrize("page", [p for p in PAGES if blocks(p)], ids=lambda page: page.name)
def test_code_blocks_run(page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shutil.copytree(REPOSITORY / "config", tmp_path / "config")
    shutil.copytree(REPOSITORY / "docs" / "examples", tmp_path / "docs" / "examples")
    monkeypatch.setattr("sys.path", sys.path.copy())  # which pages may add to
    shipped = tmp_path / "config" / "ppo" / "3DBall.yaml"
    short = shipped.read_text().replace("max_steps: 500000", "max_steps: 2400").replace("12000", "1200")
    assert "max_steps: 2400" in short
    shipped.write_text(short)
    monkeypatch.chdir(tmp_path)
    namespace: dict[str, object] = {"__name__": "documentation"}
    for block in blocks(page):
        run(block, page, namespace)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\(([^)#]+)", page.read_text()):
        if "://" not in target:
            assert (page.parent / target).exists(), f"{page.name}: {target}"
