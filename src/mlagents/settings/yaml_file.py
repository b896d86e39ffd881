"""Reads one YAML file into plain maps, and remembers the line of every key.

Only plain data: no tags that build objects, bounded size, no key twice. Aliases and merge keys work.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from mlagents.settings.errors import TrainerConfigError
from mlagents_envs.near_names import near_names

Location = tuple[str | int, ...]
"""Keys and list indices from the top of the file down to a value."""

MAX_BYTES = 1 << 20
MAX_VALUES = 100_000
"""Values in a file with its aliases expanded; more is not a configuration but an attack or an accident."""

MAP_TAG, LIST_TAG, MERGE_TAG, TIMESTAMP_TAG = (
    f"tag:yaml.org,2002:{name}" for name in ("map", "seq", "merge", "timestamp")
)


@dataclass(frozen=True)
class YamlFile:
    """A configuration file that was read.

    Attributes:
        path: the path as the user wrote it.
        data: its content; all keys are text, as written.
        lines: line of each value, counted from 1.
        files: the file that a value came from, where it is another one.
    """

    path: str
    data: dict[str, Any]
    lines: dict[Location, int] = field(default_factory=dict)
    files: dict[Location, str] = field(default_factory=dict)


def read_yaml_file(path: str) -> YamlFile:
    """Read the YAML file at ``path``; an empty file is an empty map.

    Raises:
        TrainerConfigError: missing or unreadable file, not UTF-8, not YAML, a key twice, no map.
    """
    return parse_yaml(_read_text(path), path)


def parse_yaml(text: str, path: str) -> YamlFile:
    """Like :func:`read_yaml_file`, for text that was read already; ``path`` is used in messages."""
    try:
        root = yaml.compose(text, Loader=yaml.SafeLoader)
        if root is None or root.tag == "tag:yaml.org,2002:null":
            return YamlFile(path, {})
        if not isinstance(root, yaml.MappingNode):
            raise TrainerConfigError(f"{path}: expected keys such as 'behaviors:' at the top of the file")
        builder = _Builder(path)
        return YamlFile(path, builder.build_map(root, ()), builder.lines)
    except yaml.MarkedYAMLError as error:
        raise TrainerConfigError(_explain(error, text, path)) from None
    except yaml.reader.ReaderError as error:
        line = text.count("\n", 0, error.position) + 1
        raise TrainerConfigError(f"{path}, line {line}: a character that YAML does not allow") from None
    except RecursionError:
        raise TrainerConfigError(f"{path}: maps and lists are nested too deeply") from None


def _read_text(path: str) -> str:
    try:
        with Path(path).open("rb") as file:
            content = file.read(MAX_BYTES + 1)
    except FileNotFoundError:
        raise TrainerConfigError(f"{path}: there is no such file{_suggest_files(path)}") from None
    except IsADirectoryError:
        raise TrainerConfigError(f"{path}: is a folder; name the YAML file{_suggest_files(path)}") from None
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise TrainerConfigError(f"{path}: cannot be read ({reason})") from None
    if len(content) > MAX_BYTES:
        raise TrainerConfigError(f"{path}: is larger than {MAX_BYTES >> 20} MiB; is it a configuration?")
    try:
        return content.decode("utf-8")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise TrainerConfigError(f"{path}, line {line}: not UTF-8; save the file as UTF-8 text") from None


def _suggest_files(path: str, limit: int = 5) -> str:
    """Files that may have been meant: similar names beside ``path`` and below ``config``."""
    wanted = Path(path)
    folders = [wanted if wanted.is_dir() else wanted.parent, *sorted(Path("config").glob("*/"))]
    files = {
        str(file): file.stem
        for folder in folders
        for pattern in ("*.yaml", "*.yml")
        for file in sorted(folder.glob(pattern))
    }
    close = near_names(wanted.stem, dict.fromkeys(files.values()), limit)
    similar = [file for name in close for file in files if files[file] == name]
    if similar:
        return f"; did you mean {' or '.join(similar[:limit])}?"
    examples = [file for file in files if Path(file).parent == Path("config/ppo")] or list(files)
    return f"; there are {', '.join(examples[:limit])}" if examples else ""


def _explain(error: yaml.MarkedYAMLError, text: str, path: str) -> str:
    """One line for a YAML error. Tabs cause many different ones, so they are looked for first."""
    mark = error.problem_mark or error.context_mark
    lines = text.splitlines()
    last = min(mark.line, len(lines) - 1) if mark else len(lines) - 1
    if mark and mark.index < len(text) and text[mark.index] == "\t":
        return f"{path}, line {mark.line + 1}, column {mark.column + 1}: YAML does not allow tabs; use spaces"
    for number in (last, last - 1):
        line = lines[number] if number >= 0 else ""
        indentation = line[: len(line) - len(line.lstrip(" \t"))]
        if "\t" in indentation:
            column = indentation.index("\t") + 1
            return f"{path}, line {number + 1}, column {column}: YAML does not allow tabs; use spaces"
    place = f"{path}, line {mark.line + 1}, column {mark.column + 1}" if mark else path
    reason = " ".join(part for part in (error.context, error.problem) if part)
    return f"{place}: not valid YAML: {' '.join(reason.split())}"


class _Builder:
    """Turns the nodes of one document into maps, lists and scalars."""

    def __init__(self, path: str) -> None:
        self.lines: dict[Location, int] = {}
        self._path = path
        self._count = 0
        self._open: set[int] = set()
        self._scalars = yaml.constructor.SafeConstructor()

    def build(self, node: yaml.Node, location: Location) -> Any:  # noqa: ANN401
        self._count += 1
        if self._count > MAX_VALUES:
            raise self._error(node, f"more than {MAX_VALUES} values once its aliases are expanded")
        if isinstance(node, yaml.ScalarNode):
            return self._scalar(node)
        if id(node) in self._open:
            raise self._error(node, "an alias that contains itself")
        self._open.add(id(node))
        try:
            if isinstance(node, yaml.MappingNode):
                return self.build_map(node, location)
            self._expect_tag(node, LIST_TAG)
            return [self._item(child, (*location, index)) for index, child in enumerate(node.value)]
        finally:
            self._open.remove(id(node))

    def build_map(self, node: yaml.MappingNode, location: Location) -> dict[str, Any]:
        self._expect_tag(node, MAP_TAG)
        inherited: dict[str, Any] = {}
        for key_node, value_node in node.value:
            if key_node.tag == MERGE_TAG:
                inherited = {**self._merged(value_node, location), **inherited}
        own: dict[str, Any] = {}
        for key_node, value_node in node.value:
            if key_node.tag == MERGE_TAG:
                continue
            if not isinstance(key_node, yaml.ScalarNode) or not key_node.value:
                raise self._error(key_node, "a key must be a word")
            # The text as written: a behavior may be called 1 or on.
            key = str(key_node.value)
            if key in own:
                first = self.lines[(*location, key)]
                raise self._error(key_node, f"the key '{key}' is there twice, first in line {first}")
            self.lines[(*location, key)] = key_node.start_mark.line + 1
            own[key] = self.build(value_node, (*location, key))
        return {**inherited, **own}

    def _merged(self, node: yaml.Node, location: Location) -> dict[str, Any]:
        sources = node.value if isinstance(node, yaml.SequenceNode) else [node]
        merged: dict[str, Any] = {}
        for source in reversed(sources):
            if not isinstance(source, yaml.MappingNode):
                raise self._error(source, "'<<' merges maps only")
            merged.update(self.build(source, location))
        return merged

    def _item(self, node: yaml.Node, location: Location) -> Any:  # noqa: ANN401
        self.lines[location] = node.start_mark.line + 1
        return self.build(node, location)

    def _scalar(self, node: yaml.ScalarNode) -> Any:  # noqa: ANN401
        if node.tag == TIMESTAMP_TAG:
            return node.value
        try:
            return self._scalars.construct_object(node)
        except ValueError:
            return node.value

    def _expect_tag(self, node: yaml.Node, tag: str) -> None:
        if node.tag != tag:
            raise self._error(node, f"the tag '{node.tag}' is not allowed in a configuration")

    def _error(self, node: yaml.Node, text: str) -> TrainerConfigError:
        return TrainerConfigError(f"{self._path}, line {node.start_mark.line + 1}: {text}")
