"""What environments are about, without importing them."""

from __future__ import annotations

import ast
import importlib.machinery
import importlib.util
from importlib import metadata
from pathlib import Path


def description(entry_point: metadata.EntryPoint) -> str:
    """First line of the docstring of the module that an entry point names; empty if there is none.

    The module is found and parsed but not executed: importing an environment may load a physics
    engine.
    """
    try:
        file = _source_file(entry_point.module)
        docstring = ast.get_docstring(ast.parse(file.read_bytes())) if file is not None else None
    except (ImportError, OSError, SyntaxError, ValueError):
        return ""
    first_line = (docstring or "").partition("\n")[0]
    return first_line.removeprefix(f"{entry_point.name}: ")


def _source_file(module: str) -> Path | None:
    """The source of a module, found without importing its parents."""
    top, *rest = module.split(".")
    spec = importlib.util.find_spec(top)
    name = top
    for part in rest:
        if spec is None or spec.submodule_search_locations is None:
            return None
        name = f"{name}.{part}"
        spec = importlib.machinery.PathFinder.find_spec(name, list(spec.submodule_search_locations))
    return Path(spec.origin) if spec is not None and spec.has_location and spec.origin else None
