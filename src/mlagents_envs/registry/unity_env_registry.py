"""Environments by name."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping

from mlagents_envs.registry.base_registry_entry import BaseRegistryEntry
from mlagents_envs.registry.entry_points import EntryPointEntry, find_entry_points

DEFAULT_MANIFEST_URL = "https://storage.googleapis.com/mlagents-test-environments/1.1.0/manifest.yaml"
"""Manifest of the original toolkit's example builds; nothing is fetched unless one registers it."""


class UnityEnvRegistry(Mapping[str, BaseRegistryEntry]):
    """Mapping from environment names to entries that make them.

    Of entries with the same name the one that was registered last counts. Sources and manifests are read
    when something is first looked up; one that cannot be read is tried again at the next look-up.

    Args:
        source: called once, when something is first looked up, for entries to begin with.
    """

    def __init__(self, source: Callable[[], Iterable[BaseRegistryEntry]] | None = None) -> None:
        self._registered: dict[str, BaseRegistryEntry] = {}
        self._pending = [] if source is None else [source]

    def register(self, new_entry: BaseRegistryEntry) -> None:
        """Add an entry; one of the same name is replaced."""
        self._pending.append(lambda: [new_entry])

    def register_from_yaml(self, path_to_yaml: str) -> None:
        """Add the entries of a manifest (:mod:`mlagents_envs.registry.manifest`), read when first needed.

        Look-ups afterwards may raise ``UnityEnvironmentException``, where it cannot be read.

        Args:
            path_to_yaml: a file, or an address that begins with ``http``.
        """

        def load() -> Iterable[BaseRegistryEntry]:
            from mlagents_envs.registry.manifest import load_manifest  # the network, only where it is needed

            return load_manifest(path_to_yaml)

        self._pending.append(load)

    def clear(self) -> None:
        """Forget all entries, those not yet looked up included."""
        self._pending.clear()
        self._registered.clear()

    def __getitem__(self, identifier: str) -> BaseRegistryEntry:
        entries = self._entries()
        if identifier not in entries:
            raise KeyError(f"The environment {identifier!r} is not registered; known are {sorted(entries)}.")
        return entries[identifier]

    def __len__(self) -> int:
        return len(self._entries())

    def __iter__(self) -> Iterator[str]:
        return iter(self._entries())

    def _entries(self) -> dict[str, BaseRegistryEntry]:
        while self._pending:
            self._registered.update({entry.identifier: entry for entry in self._pending[0]()})
            del self._pending[0]
        return self._registered


def _installed_environments() -> Iterable[BaseRegistryEntry]:
    return [EntryPointEntry(rivals) for rivals in find_entry_points().values()]


default_registry = UnityEnvRegistry(_installed_environments)
"""All environments of the installed distributions, looked up when first used."""
