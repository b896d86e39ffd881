from __future__ import annotations

import hashlib
import io
import os
import stat
import subprocess
import sys
import threading
import time
import types
import zipfile
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from mlagents_envs.exception import UnityEnvironmentException
from mlagents_envs.registry import BaseRegistryEntry, UnityEnvRegistry, binary_utils, downloads, unpacking
from mlagents_envs.registry.binary_utils import get_local_binary_path
from mlagents_envs.registry.manifest import parse_manifest
from mlagents_envs.registry.remote_registry_entry import RemoteRegistryEntry
from mlagents_envs.registry.unity_env_registry import _installed_environments

Answer = Callable[[BaseHTTPRequestHandler], None]


class Site:
    """A web server on this machine; ``answers`` by path, ``hits`` counts requests."""

    def __init__(self) -> None:
        self.answers: dict[str, bytes | Answer] = {}
        self.hits: list[str] = []
        site = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                site.hits.append(self.path)
                answer = site.answers.get(self.path)
                if callable(answer):
                    answer(self)
                elif answer is None:
                    self.send_error(404)
                else:
                    self.send_response(200)
                    self.send_header("Content-Length", str(len(answer)))
                    self.end_headers()
                    self.wfile.write(answer)

            def log_message(self, *_: object) -> None: ...

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.thread = threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.02})
        self.thread.start()
        self.root = f"http://127.0.0.1:{self.server.server_port}"

    def stop(self) -> None:
        self.server.shutdown()
        self.server.server_close()
        self.thread.join()


@pytest.fixture
def site(monkeypatch: pytest.MonkeyPatch) -> Iterator[Site]:
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    monkeypatch.setattr(downloads, "RETRY_DELAY", 0.001)
    site = Site()
    yield site
    if site.thread.is_alive():
        site.stop()


def archive(files: dict[str, str | bytes], links: dict[str, str] | None = None) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as zipped:
        for name, content in files.items():
            zipped.writestr(name, content)
        for name, target in (links or {}).items():
            info = zipfile.ZipInfo(name)
            info.external_attr = (stat.S_IFLNK | 0o777) << 16
            zipped.writestr(info, target)
    return buffer.getvalue()


GAME = archive({"Build/Game.x86_64": "#!/bin/sh\n", "Build/Game_Data/level": "1", "Build/other.txt": "x"})


def fetch(url: str, folder: Path, sha256: str | None = None) -> Path:
    return Path(get_local_binary_path("Game", url, str(folder), platform="linux", sha256=sha256))


def test_an_executable_is_fetched_once_and_then_works_offline(site: Site, tmp_path: Path) -> None:
    url = f"{site.root}/game.zip"
    site.answers["/game.zip"] = GAME
    path = fetch(url, tmp_path, sha256=hashlib.sha256(GAME).hexdigest().upper())
    digest = hashlib.md5(url.encode()).hexdigest()
    folder = tmp_path / "ml-agents-binaries" / "binaries" / f"Game-{digest}"
    assert path == folder / "Build" / "Game.x86_64"
    assert all(stat.S_IMODE(p.stat().st_mode) == 0o755 for p in [folder, *folder.rglob("*")])
    assert subprocess.run([path], check=False).returncode == 0
    assert not list((tmp_path / "ml-agents-binaries" / "tmp").iterdir())
    site.stop()
    assert fetch(url, tmp_path) == path
    assert len(site.hits) == 1


def test_a_half_empty_cache_is_filled_again(site: Site, tmp_path: Path) -> None:
    site.answers["/game.zip"] = GAME
    path = fetch(f"{site.root}/game.zip", tmp_path)
    path.unlink()
    assert fetch(f"{site.root}/game.zip", tmp_path) == path
    assert path.exists()


def test_another_address_is_another_executable(site: Site, tmp_path: Path) -> None:
    site.answers |= {"/1.zip": GAME, "/2.zip": GAME}
    assert fetch(f"{site.root}/1.zip", tmp_path) != fetch(f"{site.root}/2.zip", tmp_path)


@pytest.mark.parametrize(
    ("platform", "expected"),
    [("linux", "a/Game.x86_64"), ("darwin", "Game.app"), ("win32", "b/Game.exe")],
)
def test_what_is_looked_for(site: Site, tmp_path: Path, platform: str, expected: str) -> None:
    site.answers["/game.zip"] = archive(
        {
            "a/Game.x86_64": "",
            "a/deep/Another.x86_64": "",
            "Game.app/Contents/MacOS/Game": "",
            "UnityCrashHandler64.exe": "",
            "b/Game.exe": "",
        }
    )
    path = get_local_binary_path("Game", f"{site.root}/game.zip", str(tmp_path), platform=platform)
    assert path.endswith(expected)


def test_processes_wait_for_each_other(site: Site, tmp_path: Path) -> None:
    def slowly(handler: BaseHTTPRequestHandler) -> None:
        time.sleep(0.3)
        handler.send_response(200)
        handler.end_headers()
        handler.wfile.write(GAME)

    site.answers["/game.zip"] = slowly
    program = (
        "import sys; from mlagents_envs.registry.binary_utils import get_local_binary_path as g; "
        "print(g('Game', sys.argv[1], sys.argv[2], platform='linux'))"
    )
    arguments = [sys.executable, "-c", program, f"{site.root}/game.zip", str(tmp_path)]
    environment = {**os.environ, "no_proxy": "127.0.0.1"}
    running = [
        subprocess.Popen(arguments, stdout=subprocess.PIPE, text=True, env=environment) for _ in range(2)
    ]
    found = {process.communicate(timeout=60)[0] for process in running}
    assert len(found) == 1
    assert "Game.x86_64" in found.pop()
    assert len(site.hits) == 1


def test_a_download_is_tried_again(site: Site, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    tries = []

    def third_time_lucky(handler: BaseHTTPRequestHandler) -> None:
        tries.append(1)
        if len(tries) == 1:
            handler.send_error(503)
            return
        handler.send_response(200)
        handler.send_header("Content-Length", str(len(GAME)))
        handler.end_headers()
        handler.wfile.write(GAME if len(tries) == 3 else GAME[:-20])

    site.answers["/game.zip"] = third_time_lucky
    assert fetch(f"{site.root}/game.zip", tmp_path).exists()
    assert len(tries) == 3
    assert "Attempt 2 of 5" in capsys.readouterr().out


def test_some_answers_are_final_and_others_are_given_up(site: Site, tmp_path: Path) -> None:
    with pytest.raises(UnityEnvironmentException, match=r"nowhere.zip cannot be downloaded: .*404"):
        fetch(f"{site.root}/nowhere.zip", tmp_path)
    assert len(site.hits) == 1
    site.answers["/busy.zip"] = lambda handler: handler.send_error(503)
    with pytest.raises(UnityEnvironmentException, match=r"after 5 attempts: .*503"):
        fetch(f"{site.root}/busy.zip", tmp_path)
    assert len(site.hits) == 6
    assert not list(tmp_path.rglob("*.zip*"))


def test_a_wrong_checksum_leaves_nothing_behind(site: Site, tmp_path: Path) -> None:
    site.answers["/game.zip"] = GAME
    with pytest.raises(UnityEnvironmentException, match="checksum"):
        fetch(f"{site.root}/game.zip", tmp_path, sha256="0" * 64)
    assert not [path for path in tmp_path.rglob("*") if path.is_file() and path.suffix != ".lock"]
    assert len(site.hits) == 1


def test_sizes_are_bounded(site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def endless(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(200)
        handler.end_headers()
        for _ in range(100):
            handler.wfile.write(bytes(1 << 16))

    site.answers |= {
        "/announced.zip": bytes(5000),
        "/endless.zip": endless,
        "/bomb.zip": archive({"a": bytes(10**6)}),
    }
    monkeypatch.setattr(binary_utils, "MAX_ARCHIVE_BYTES", 4000)
    for name in ("announced", "endless"):
        with pytest.raises(UnityEnvironmentException, match="larger than 4000"):
            fetch(f"{site.root}/{name}.zip", tmp_path)
    monkeypatch.setattr(binary_utils, "MAX_UNPACKED_BYTES", 10**5)
    with pytest.raises(UnityEnvironmentException, match="unpacks to more than 100000"):
        fetch(f"{site.root}/bomb.zip", tmp_path)
    monkeypatch.setattr(unpacking, "MAX_ENTRIES", 2)
    site.answers["/many.zip"] = archive(dict.fromkeys("abc", ""))
    with pytest.raises(UnityEnvironmentException, match="3 entries"):
        fetch(f"{site.root}/many.zip", tmp_path)


def test_an_archive_that_lies_about_its_sizes_is_refused(tmp_path: Path) -> None:
    honest = archive({"a": bytes(10**5)})
    file = tmp_path / "lying.zip"
    file.write_bytes(honest.replace((10**5).to_bytes(4, "little"), (10).to_bytes(4, "little")))
    with pytest.raises(UnityEnvironmentException, match="no zip file that can be used"):
        unpacking.unpack(file, tmp_path / "out", max_bytes=1000)
    assert [path.name for path in tmp_path.iterdir()] == ["lying.zip"]


@pytest.mark.parametrize("name", ["../evil", "a/../../evil", "/evil", "C:/evil", "a\\..\\evil", "a/.."])
def test_names_that_lead_outside_are_refused(tmp_path: Path, name: str) -> None:
    file = tmp_path / "evil.zip"
    file.write_bytes(archive({"Game.x86_64": "", name: "evil"}))
    (tmp_path / "box").mkdir()
    with pytest.raises(UnityEnvironmentException, match="leads outside"):
        unpacking.unpack(file, tmp_path / "box" / "out", max_bytes=10**6)
    assert not list((tmp_path / "box").iterdir())
    assert sorted(path.name for path in tmp_path.iterdir()) == ["box", "evil.zip"]


@pytest.mark.parametrize(
    ("files", "links"),
    [
        ({}, {"link": "../outside"}),
        ({}, {"link": "/etc"}),
        ({"a/b/x": ""}, {"a/b/up": "../..", "jump": "a/b/up/../outside"}),
        ({}, {"one": "two", "two": "../outside"}),
    ],
)
def test_links_that_lead_outside_are_refused(
    tmp_path: Path, files: dict[str, str], links: dict[str, str]
) -> None:
    (tmp_path / "outside").mkdir()
    file = tmp_path / "evil.zip"
    file.write_bytes(archive(files, links))
    with pytest.raises(UnityEnvironmentException, match="leads outside"):
        unpacking.unpack(file, tmp_path / "out", max_bytes=10**6)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["evil.zip", "outside"]


def test_nothing_is_written_through_links(tmp_path: Path) -> None:
    (tmp_path / "outside").mkdir()
    file = tmp_path / "evil.zip"
    file.write_bytes(archive({"link/evil": "x"}, {"link": "../outside"}))
    with pytest.raises(UnityEnvironmentException, match="two entries for one place"):
        unpacking.unpack(file, tmp_path / "out", max_bytes=10**6)
    assert not list((tmp_path / "outside").iterdir())
    file.write_bytes(archive({"a": "1", "a/b": "2"}))
    with pytest.raises(UnityEnvironmentException, match="two entries for one place"):
        unpacking.unpack(file, tmp_path / "out", max_bytes=10**6)


def test_links_within_are_kept(tmp_path: Path) -> None:
    file = tmp_path / "mac.zip"
    file.write_bytes(
        archive({"F/Versions/A/lib": "code"}, {"F/Versions/Current": "A", "F/lib": "Versions/Current/lib"})
    )
    unpacking.unpack(file, tmp_path / "out", max_bytes=10**6)
    assert (tmp_path / "out" / "F" / "lib").read_text() == "code"
    assert (tmp_path / "out" / "F" / "lib").is_symlink()


def test_what_is_no_archive_or_holds_no_executable_is_refused(site: Site, tmp_path: Path) -> None:
    site.answers |= {"/text.zip": b"hello", "/empty.zip": archive({"readme": ""})}
    with pytest.raises(UnityEnvironmentException, match="no zip file"):
        fetch(f"{site.root}/text.zip", tmp_path)
    with pytest.raises(UnityEnvironmentException, match=r"no executable for this platform \(\*\.x86_64\)"):
        fetch(f"{site.root}/empty.zip", tmp_path)


@pytest.mark.parametrize("url", ["file:///etc/passwd", "ftp://127.0.0.1/x.zip", "/etc/passwd"])
def test_only_the_web_is_fetched_from(url: str, tmp_path: Path) -> None:
    with pytest.raises(UnityEnvironmentException, match="Only http and https"):
        fetch(url, tmp_path)


@pytest.mark.parametrize("name", ["../evil", "a/b", "", ".hidden"])
def test_names_of_environments_stay_in_the_folder(name: str, tmp_path: Path) -> None:
    with pytest.raises(UnityEnvironmentException, match="cannot be the name"):
        get_local_binary_path(name, "http://127.0.0.1/x.zip", str(tmp_path))


@pytest.mark.skipif(not hasattr(os, "geteuid"), reason="files have no owners here")
def test_a_cache_that_others_may_write_to_is_refused(tmp_path: Path) -> None:
    block = tmp_path / "ml-agents-binaries"
    block.mkdir()
    block.chmod(0o777)
    with pytest.raises(UnityEnvironmentException, match="not to be trusted"):
        fetch("http://127.0.0.1/x.zip", tmp_path)


@pytest.fixture
def unity_environment(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    """Replaces the class that starts executables; collects what it was told."""
    made: list[dict[str, Any]] = []
    module = types.ModuleType("mlagents_envs.environment")
    module.UnityEnvironment = lambda **kwargs: made.append(kwargs)  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "mlagents_envs.environment", module)
    monkeypatch.setattr(sys, "platform", "linux")
    return made


def test_an_entry_starts_what_it_fetched(
    site: Site, tmp_path: Path, unity_environment: list[dict[str, Any]]
) -> None:
    site.answers["/game.zip"] = GAME
    entry = RemoteRegistryEntry(
        "Game", 0.9, "A game.", f"{site.root}/game.zip", None, None, ["--level", "2"], str(tmp_path)
    )
    assert (entry.identifier, entry.expected_reward, entry.description) == ("Game", 0.9, "A game.")
    assert not site.hits
    entry.make(file_name="mine", additional_args=["--fast"], seed=3)
    entry.make()
    assert unity_environment[0].pop("file_name").endswith("Game.x86_64")
    assert unity_environment[0] == {"additional_args": ["--fast", "--level", "2"], "seed": 3}
    assert unity_environment[1]["additional_args"] == ["--level", "2"]
    assert site.hits == ["/game.zip"]
    elsewhere = RemoteRegistryEntry("Game", None, None, None, f"{site.root}/game.zip", None)
    with pytest.raises(FileNotFoundError, match=r"Game has no executable for linux; it has: darwin"):
        elsewhere.make()


MANIFEST = """\
environments:
  - Remote:
      expected_reward: 0.5
      description: From afar.
      linux_url: {root}/game.zip
      linux_sha256: {sha256}
      darwin_url: null
      win_url: {root}/win.zip
      additional_args: [--level, '2']
  - 3DBall:
      linux_url: {root}/ball.zip
"""


def test_a_manifest_is_read_when_it_is_needed_and_works_offline(
    site: Site,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    unity_environment: list[dict[str, Any]],
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    site.answers["/game.zip"] = GAME
    text = MANIFEST.format(root=site.root, sha256=hashlib.sha256(GAME).hexdigest())
    site.answers["/manifest.yaml"] = text.encode()
    registry = UnityEnvRegistry(_installed_environments)
    registry.register_from_yaml(f"{site.root}/manifest.yaml")
    assert not site.hits
    assert isinstance(registry["3DBall"], RemoteRegistryEntry)  # the last one counts
    assert site.hits == ["/manifest.yaml"]
    registry["Remote"].make()
    assert len(registry) == len(UnityEnvRegistry(_installed_environments)) + 1
    assert site.hits == ["/manifest.yaml", "/game.zip"]
    site.stop()
    monkeypatch.setattr(downloads, "NUMBER_ATTEMPTS", 1)
    later = UnityEnvRegistry()
    later.register_from_yaml(f"{site.root}/manifest.yaml")
    later["Remote"].make()
    assert len(unity_environment) == 2
    assert "The copy from last time is used" in capsys.readouterr().out


def test_a_manifest_that_cannot_be_read_is_tried_again(tmp_path: Path) -> None:
    path = tmp_path / "manifest.yaml"
    registry = UnityEnvRegistry()
    registry.register_from_yaml(str(path))
    for _ in range(2):
        with pytest.raises(UnityEnvironmentException, match=r"manifest\.yaml cannot be read"):
            registry["Remote"]
    path.write_text(MANIFEST.format(root="http://127.0.0.1", sha256="abc"))
    assert sorted(registry) == ["3DBall", "Remote"]
    assert registry["Remote"].description == "From afar."
    registry.register_from_yaml(str(tmp_path / "other.yaml"))
    registry.clear()
    assert len(registry) == 0


def test_registrations_keep_their_order(tmp_path: Path) -> None:
    class Mine(BaseRegistryEntry):
        def make(self, **kwargs: object) -> Any:  # noqa: ANN401
            return None

    path = tmp_path / "manifest.yaml"
    path.write_text(MANIFEST.format(root="http://127.0.0.1", sha256="abc"))
    registry = UnityEnvRegistry()
    before, after = Mine("Remote", None, None), Mine("3DBall", None, None)
    registry.register(before)
    registry.register_from_yaml(str(path))
    registry.register(after)
    assert isinstance(registry["Remote"], RemoteRegistryEntry)
    assert registry["3DBall"] is after


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("environments: {", "no YAML"),
        ("games: []", "no list 'environments'"),
        ("- a", "no list 'environments'"),
        ("environments:\n  - A: {}\n    B: {}", "no single name"),
        ("environments:\n  - A: 3", "environment A: a name with a map"),
        ("environments:\n  - A: {linux: x}", "environment A: there is no setting 'linux'.*'linux_url'"),
        ("environments:\n  - A: {linux_url: 3}", "linux_url must be a text"),
        ("environments:\n  - A: {expected_reward: much}", "expected_reward must be a number"),
        ("environments:\n  - A: {additional_args: --x}", "additional_args must be a list"),
        ("environments: !!python/object/apply:os.system ['true']", "no YAML"),
    ],
)
def test_mistakes_in_a_manifest_are_named(text: str, message: str) -> None:
    with pytest.raises(UnityEnvironmentException, match=f"The manifest here.*{message}"):
        parse_manifest(text, "here")


def test_a_manifest_is_bounded(tmp_path: Path) -> None:
    path = tmp_path / "manifest.yaml"
    path.write_bytes(bytes(2 << 20))
    registry = UnityEnvRegistry()
    registry.register_from_yaml(str(path))
    with pytest.raises(UnityEnvironmentException, match="larger than"):
        len(registry)
