"""Manifests: YAML files that list remote environments.

The form is::

    environments:
      - GridWorld:
          expected_reward: 0.9
          description: Find the goal.
          linux_url: https://example.org/linux/GridWorld.zip
          darwin_url: https://example.org/darwin/GridWorld.zip
          win_url: https://example.org/windows/GridWorld.zip
          linux_sha256: 9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08
          additional_args: ["--level", "2"]

Checksums, arguments and addresses may be left out.
"""

from __future__ import annotations

import difflib
from pathlib import Path
from typing import Any

import yaml

from mlagents_envs.exception import UnityEnvironmentException
from mlagents_envs.registry.binary_utils import MAX_MANIFEST_BYTES, get_manifest
from mlagents_envs.registry.remote_registry_entry import RemoteRegistryEntry

_TEXTS = (
    "description",
    "linux_url",
    "darwin_url",
    "win_url",
    "linux_sha256",
    "darwin_sha256",
    "win_sha256",
)
_KEYS = (*_TEXTS, "expected_reward", "additional_args")


def load_manifest(path_or_url: str, tmp_dir: str | None = None) -> list[RemoteRegistryEntry]:
    """The entries of a manifest.

    Args:
        path_or_url: a file, or an address that begins with ``http``.
        tmp_dir: base folder of the cache of the entries and of manifests from the network.

    Raises:
        UnityEnvironmentException: it cannot be read, or has another form; the place is named.
    """
    if path_or_url.startswith("http"):
        text = get_manifest(path_or_url, tmp_dir)
    else:
        try:
            if Path(path_or_url).stat().st_size > MAX_MANIFEST_BYTES:
                raise UnityEnvironmentException(
                    f"The manifest {path_or_url} is larger than {MAX_MANIFEST_BYTES} bytes."
                )
            text = Path(path_or_url).read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise UnityEnvironmentException(f"The manifest {path_or_url} cannot be read: {error}") from error
    return parse_manifest(text, path_or_url, tmp_dir)


def parse_manifest(text: str, source: str, tmp_dir: str | None = None) -> list[RemoteRegistryEntry]:
    """The entries in the text of a manifest.

    Args:
        text: YAML.
        source: where it is from, for messages.
        tmp_dir: base folder of the cache of the entries.

    Raises:
        UnityEnvironmentException: it has another form; the place is named.
    """
    try:
        data = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise UnityEnvironmentException(f"The manifest {source} is no YAML: {error}") from error
    entries = data.get("environments") if isinstance(data, dict) else None
    if not isinstance(entries, list):
        raise UnityEnvironmentException(f"The manifest {source} has no list 'environments' at its top.")
    return [_entry(entry, f"The manifest {source}", tmp_dir) for entry in entries]


def _entry(entry: Any, source: str, tmp_dir: str | None) -> RemoteRegistryEntry:  # noqa: ANN401  # from YAML
    if not isinstance(entry, dict) or len(entry) != 1:
        raise UnityEnvironmentException(
            f"{source} has an environment that is no single name with its settings: {str(entry)[:80]}"
        )
    (identifier, settings), *_ = entry.items()
    where = f"{source}, environment {identifier}"
    if not isinstance(identifier, str) or not isinstance(settings, dict):
        raise UnityEnvironmentException(f"{where}: a name with a map of settings is needed.")
    for key in settings:
        if key not in _KEYS:
            near = difflib.get_close_matches(str(key), _KEYS, n=1)
            hint = f" Did you mean {near[0]!r}?" if near else ""
            raise UnityEnvironmentException(f"{where}: there is no setting {key!r}.{hint}")
    for key in _TEXTS:
        if not isinstance(settings.get(key), str | None):
            raise UnityEnvironmentException(f"{where}: {key} must be a text, not {settings[key]!r}.")
    reward, arguments = settings.get("expected_reward"), settings.get("additional_args")
    if not isinstance(reward, int | float | None) or isinstance(reward, bool):
        raise UnityEnvironmentException(f"{where}: expected_reward must be a number, not {reward!r}.")
    if arguments is not None and not (isinstance(arguments, list) and all(type(a) is str for a in arguments)):
        raise UnityEnvironmentException(f"{where}: additional_args must be a list of texts.")
    return RemoteRegistryEntry(
        identifier,
        reward,
        settings.get("description"),
        settings.get("linux_url"),
        settings.get("darwin_url"),
        settings.get("win_url"),
        additional_args=arguments,
        tmp_dir=tmp_dir,
        linux_sha256=settings.get("linux_sha256"),
        darwin_sha256=settings.get("darwin_sha256"),
        win_sha256=settings.get("win_sha256"),
    )
