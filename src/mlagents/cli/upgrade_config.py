"""``mlagents-upgrade-config``: writes configurations of earlier versions in the present form."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import yaml

from mlagents.cli.errors import DEBUG, debug_requested, run_command
from mlagents.settings.errors import TrainerConfigError
from mlagents.settings.loading import build_run_options, read_configuration
from mlagents.settings.problems import Origin
from mlagents_envs.files import atomic_write_text

DESCRIPTION = """\
Rewrites a configuration of ML-Agents 0.18 or older in the present form. Curricula and samplers that stood in
files of their own move into it. The result is loaded once before it is written."""

EPILOG = """\
examples:
  mlagents-upgrade-config trainer_config.yaml new.yaml
  mlagents-upgrade-config trainer_config.yaml --curriculum wall_jump.yaml \\
      --sampler 3dball_randomize.yaml new.yaml"""


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command.

    Args:
        argv: arguments without the program name; those of the process if None.

    Returns:
        The exit code: 0, 1 for an error, 2 for wrong usage.
    """
    arguments = list(sys.argv[1:] if argv is None else argv)
    return run_command(lambda: _upgrade(arguments), debug=debug_requested(arguments))


def _upgrade(argv: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(
        prog="mlagents-upgrade-config",
        description=DESCRIPTION,
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("old", metavar="OLD", help="configuration to read")
    parser.add_argument("new", metavar="NEW", help="file to write; it must not exist")
    parser.add_argument("--curriculum", metavar="FILE", help="curriculum file, or folder of JSON files")
    parser.add_argument("--sampler", metavar="FILE", help="sampler file")
    parser.add_argument("--force", action="store_true", help="replace NEW if it exists")
    parser.add_argument(DEBUG, action="store_true", help="tracebacks for errors")
    arguments = parser.parse_args(argv)
    target = Path(arguments.new)
    if target.is_dir():
        raise TrainerConfigError(f"{target} is a folder; name the file to write in it")
    if not target.absolute().parent.is_dir():
        raise TrainerConfigError(f"{target}: there is no folder {target.parent}; make it first")
    if target.exists() and not arguments.force:
        raise TrainerConfigError(f"{target} exists already; name another file, or add --force")
    file = read_configuration(
        arguments.old, curriculum=arguments.curriculum, sampler=arguments.sampler, advise=False
    )
    if not file.data:
        raise TrainerConfigError(f"{arguments.old} is empty; there is nothing to rewrite")
    build_run_options(file.data, Origin(arguments.old, file.lines, files=file.files))
    atomic_write_text(target, yaml.safe_dump(without_nulls(file.data), sort_keys=False, allow_unicode=True))
    others = "default_settings" if "default_settings" in file.data else "no behavior"
    behaviors = ", ".join(file.data.get("behaviors", {})) or others
    print(f"{target} holds {behaviors} in the present form.")
    return 0


def without_nulls(value: Any) -> Any:  # noqa: ANN401 - plain YAML values
    """The same maps and lists without entries that are null."""
    if isinstance(value, dict):
        return {key: without_nulls(item) for key, item in value.items() if item is not None}
    if isinstance(value, list):
        return [without_nulls(item) for item in value]
    return value


if __name__ == "__main__":
    sys.exit(main())
