"""Environments by name."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping

from mlagents_envs.registry.base_registry_entry import BaseRegistryEntry
from mlagents_envs.registry.entry_points import EntryPointEntry, find_entry_points


class UnityEnvRegistry(Mapping[str, BaseRegistryEntry]):
    """Mapping from environment names to entries that make them.

    Args:
        source: called once, when something is first looked up, for entries to begin with.
    """

    def __init__(self, source: Callable[[], Iterable[BaseRegistryEntry]] | None = None) -> None:
        self._registered: dict[str, BaseRegistryEntry] = {}
        self._source = source

    def register(self, new_entry: BaseRegistryEntry) -> None:
        """Add an entry; one of the same name is replaced."""
        self._entries()[new_entry.identifier] = new_entry

    def clear(self) -> None:
        """Forget all entries, those not yet looked up included."""
        self._source = None
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
        if self._source is not None:
            source, self._source = self._source, None
            self._registered.update({entry.identifier: entry for entry in source()})
        return self._registered


def _installed_environments() -> Iterable[BaseRegistryEntry]:
    return [EntryPointEntry(rivals) for rivals in find_entry_points().values()]


default_registry = UnityEnvRegistry(_installed_environments)
"""All environments of the installed distributions, looked up when first used."""
