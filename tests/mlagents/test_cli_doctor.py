"""``mlagents-doctor`` and its checks."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path

import pytest

from mlagents.cli import doctor
from mlagents.doctor import environments, installation
from mlagents.doctor.findings import Verdict


def test_a_working_installation(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    assert doctor.main(["--env=Basic", f"--results-dir={tmp_path}"]) == 0
    out = capsys.readouterr().out
    for part in (
        "ok      Python: 3.",
        "torch ",
        "processor: ",
        "environments: 3DBall",
        "behavior Basic?team=0:",
    ):
        assert part in out
    assert "VectorSensor_size20 20; acts by" in out
    assert "agent-steps/s" in out
    assert "PROBLEM" not in out


def test_an_environment_that_is_not_there(capsys: pytest.CaptureFixture[str]) -> None:
    assert doctor.main(["--env=Basics"]) == 1
    out = capsys.readouterr().out
    assert "PROBLEM Basics: does not start: There is no environment named 'Basics'" in out
    assert "1 to mend" in out


def test_ports_that_are_taken_are_named() -> None:
    with socket.socket() as other:
        try:
            other.bind(("127.0.0.1", 5011))
        except OSError:
            pytest.skip("port 5011 is taken already")
        other.listen()
        (finding,) = installation.check_ports()
    assert finding.verdict is Verdict.NOTE
    assert "5011" in finding.text
    assert "--base-port" in finding.advice


def test_a_package_that_cannot_be_imported(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(installation.PACKAGES, "no_such_module", "some-package")
    findings = list(installation.check_packages())
    (broken,) = (f for f in findings if f.verdict is Verdict.PROBLEM)
    assert broken.subject == "some-package"
    assert broken.advice == "Run: pip install --upgrade some-package"


def test_a_folder_that_cannot_be_written(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def refuse(**_: object) -> object:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(installation.tempfile, "TemporaryFile", refuse)
    (finding,) = installation.check_disk(str(tmp_path / "not" / "there"))
    assert finding.verdict is Verdict.PROBLEM
    assert str(tmp_path) in finding.text


def test_checks_of_other_packages(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    entry = metadata.EntryPoint("mine", "test_cli_doctor:check_mine", doctor.CHECKS_GROUP)
    broken = metadata.EntryPoint("broken", "test_cli_doctor:not_there", doctor.CHECKS_GROUP)
    real = metadata.entry_points
    monkeypatch.setattr(
        doctor.metadata,
        "entry_points",
        lambda group: [entry, broken] if group == doctor.CHECKS_GROUP else real(group=group),
    )
    assert doctor.main([]) == 1
    out = capsys.readouterr().out
    assert "note    rendering: slow\n        -> Buy a faster one." in out
    assert "PROBLEM check: failed (AttributeError" in out


def check_mine() -> Iterator[tuple[str, str, str, str]]:
    yield "rendering", "note", "slow", "Buy a faster one."


def test_broken_entry_points_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    entry = metadata.EntryPoint("Mine", "no_such_module:make", "mlagents.environments")
    monkeypatch.setattr(environments, "find_entry_points", lambda: {"Mine": [entry]})
    (finding,) = environments.check_registered()
    assert finding.verdict is Verdict.PROBLEM
    assert "no_such_module" in finding.text
