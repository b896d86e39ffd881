"""A small server that speaks as much of the hub's API as uploading and downloading a folder needs."""

from __future__ import annotations

import base64
import hashlib
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import unquote, urlparse

COMMIT = "a" * 40


class StandIn(ThreadingHTTPServer):
    """Keeps repositories in memory: ``files[repo_id][path]``."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.files: dict[str, dict[str, bytes]] = {}
        self.messages: list[str] = []
        self.token: str | None = None
        self.unknown: list[str] = []

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"


@contextmanager
def hub() -> Iterator[StandIn]:
    server = StandIn()
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()


class _Handler(BaseHTTPRequestHandler):
    server: StandIn
    protocol_version = "HTTP/1.1"

    def log_message(self, *_: object) -> None:
        pass

    def _answer(self, content: object, status: int = 200, headers: dict[str, str] | None = None) -> None:
        body = content if isinstance(content, bytes) else json.dumps(content).encode()
        self.send_response(status)
        kind = "application/octet-stream" if isinstance(content, bytes) else "application/json"
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def _refused(self) -> bool:
        token = self.server.token
        if token is None or self.headers.get("Authorization") == f"Bearer {token}":
            return False
        self._answer({"error": "Invalid username or password."}, 401)
        return True

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        if self._refused():
            return
        path = urlparse(self.path).path
        if path == "/api/repos/create":
            asked = json.loads(body)
            repo = f"{asked.get('organization') or 'me'}/{asked['name']}"
            self.server.files.setdefault(repo, {})
            self._answer({"url": f"{self.server.address}/{repo}", "name": repo, "id": repo})
        elif path == "/api/validate-yaml":
            self._answer({"errors": [], "warnings": []})
        elif "/preupload/" in path:
            files = json.loads(body)["files"]
            modes = [{"path": f["path"], "uploadMode": "regular", "shouldIgnore": False} for f in files]
            self._answer({"files": modes})
        elif "/commit/" in path:
            self._commit("/".join(path.split("/")[3:5]), body)
        else:
            self.server.unknown.append(f"POST {path}")
            self._answer({"error": "unknown"}, 404)

    def _commit(self, repo: str, body: bytes) -> None:
        for line in body.decode().splitlines():
            entry: dict[str, Any] = json.loads(line)
            if entry["key"] == "header":
                self.server.messages.append(entry["value"]["summary"])
            elif entry["key"] == "file":
                content = base64.b64decode(entry["value"]["content"])
                self.server.files[repo][entry["value"]["path"]] = content
        url = f"{self.server.address}/{repo}/commit/{COMMIT}"
        self._answer({"commitUrl": url, "commitOid": COMMIT, "pullRequestUrl": None})

    def do_HEAD(self) -> None:
        self.do_GET()

    def do_GET(self) -> None:
        if self._refused():
            return
        path = unquote(urlparse(self.path).path)
        parts = path.strip("/").split("/")
        if path.startswith("/api/models/"):
            self._describe("/".join(parts[2:4]), tree="tree" in parts[4:5])
        elif len(parts) > 4 and parts[2] == "resolve":
            self._send_file("/".join(parts[:2]), "/".join(parts[4:]))
        else:
            self.server.unknown.append(f"GET {path}")
            self._answer({"error": "unknown"}, 404)

    def _describe(self, repo: str, *, tree: bool) -> None:
        files = self.server.files.get(repo)
        if files is None:
            self._answer({"error": "Repository not found"}, 404, {"X-Error-Code": "RepoNotFound"})
        elif tree:
            self._answer(
                [
                    {"type": "file", "path": name, "size": len(content), "oid": _etag(content)}
                    for name, content in files.items()
                ]
            )
        else:
            siblings = [{"rfilename": name} for name in files]
            self._answer({"id": repo, "modelId": repo, "sha": COMMIT, "private": False, "siblings": siblings})

    def _send_file(self, repo: str, name: str) -> None:
        content = self.server.files.get(repo, {}).get(name)
        if content is None:
            self._answer({"error": "Entry not found"}, 404, {"X-Error-Code": "EntryNotFound"})
            return
        headers = {"ETag": f'"{_etag(content)}"', "X-Repo-Commit": COMMIT, "X-Linked-Size": str(len(content))}
        self._answer(content, headers=headers)


def _etag(content: bytes) -> str:
    return hashlib.sha1(content, usedforsecurity=False).hexdigest()
