"""``mlagents-envs``: lists environments, makes executables of them, serves them, records demonstrations."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from mlagents_envs import __version__
from mlagents_envs.registry.entry_points import find_entry_points
from mlagents_envs.registry.options import EnvironmentOptions
from mlagents_sdk.cli.catalogue import description
from mlagents_sdk.cli.errors import run_command
from mlagents_sdk.cli.inspection import inspect
from mlagents_sdk.cli.launcher import launcher_file, write_launcher
from mlagents_sdk.cli.player import add_player_arguments, find_factory, play, with_known_case
from mlagents_sdk.cli.record import add_record_arguments, record

SERVE_PORT = 5004
"""Where trainers wait that were told no environment."""

SERVE_TIMEOUT = 60.0  # seconds; time to start the trainer in another terminal

DESCRIPTION = """\
Environments written in Python, as games for any trainer that speaks the ML-Agents protocol."""

EPILOG = """\
examples:
  mlagents-envs list
      which environments are installed
  mlagents-envs build 3DBall builds/3DBall.x86_64
      make an executable of one; then: mlagents-learn CONFIG --env=builds/3DBall.x86_64
  mlagents-envs serve 3DBall
      let a trainer play it that was started without --env
  mlagents-envs serve 3DBall --mlagents-port 5005
      ... that waits on another port
  mlagents-envs record PushBlock --heuristic expert --episodes 50 --out demos/ExpertPush.demo
      record demonstrations of its scripted expert
  mlagents-envs inspect demos/ExpertPush.demo
      show what is in a recording, or in all recordings of a folder

mlagents-learn --env=3DBall trains in the same environment without any of this, inside its own process."""


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command.

    Args:
        argv: arguments without the program name; those of the process if None.

    Returns:
        The exit code: 0, 1 for an error, 2 for wrong usage, 130 after Ctrl+C.
    """
    parser = create_parser()
    arguments, extras = parser.parse_known_args(with_known_case(sys.argv[1:] if argv is None else argv))
    if extras and arguments.command != "serve":
        parser.error(f"unrecognized arguments: {' '.join(extras)}")
    if arguments.command == "list":
        return run_command(list_environments)
    if arguments.command == "build":
        return run_command(lambda: build(arguments.name, arguments.path, force=arguments.force))
    if arguments.command == "record":
        return run_command(lambda: record(arguments))
    if arguments.command == "inspect":
        return run_command(lambda: inspect(arguments.path))
    return run_command(lambda: play(arguments.name, arguments, extras))


def create_parser() -> argparse.ArgumentParser:
    """The parser of ``mlagents-envs``."""
    parser = argparse.ArgumentParser(
        prog="mlagents-envs",
        description=DESCRIPTION,
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument("--version", action="version", version=f"Open ML-Agents {__version__}")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")

    commands.add_parser("list", help="list the installed environments")

    building = commands.add_parser(
        "build",
        help="make an executable of an environment",
        description="Makes a file that runs the environment with this Python, for trainers that start "
        "executables. It needs this Python and these packages to stay where they are.",
    )
    building.add_argument("name", help="name of the environment, see mlagents-envs list")
    building.add_argument("path", type=Path, help="file to write, such as builds/3DBall.x86_64")
    building.add_argument("--force", action="store_true", help="replace a file that is something else")

    serving = commands.add_parser(
        "serve",
        help="let a trainer that is running already play an environment",
        description="Connects to a trainer on this machine and lets it play the environment. Where none "
        "is found, the agents follow their heuristics. Arguments that are not listed here are handed to the "
        "environment.",
        add_help=False,
        allow_abbrev=False,
    )
    serving.add_argument("name", help="name of the environment, see mlagents-envs list")
    add_player_arguments(serving, timeout=SERVE_TIMEOUT, default_port=SERVE_PORT)

    recording = commands.add_parser(
        "record",
        help="record demonstrations",
        description="Plays episodes and writes them to a demonstration file, each episode in one piece.",
    )
    add_record_arguments(recording)

    inspecting = commands.add_parser("inspect", help="show what is in a demonstration file")
    inspecting.add_argument("path", type=Path, help="a .demo file, or a folder of such files")
    return parser


def list_environments() -> None:
    """Print the names of all environments, each with a line that says what it is about."""
    found = find_entry_points()
    if not found:
        print("No environments are installed.")
        return
    width = max(map(len, found))
    for name in sorted(found):
        print(f"{name:{width}}  {description(found[name][0])}".rstrip())


def build(name: str, path: Path, *, force: bool = False) -> None:
    """Make an executable of an environment, after trying the environment for one step.

    Raises:
        UnityException: there is no such environment, it does not work, or the file cannot be used.
        OSError: the file cannot be written.
    """
    launcher_file(path)  # a bad path is told before the environment is loaded
    # Code compiled and cached by this step need not be compiled while a trainer waits.
    environment = find_factory(name)(EnvironmentOptions())
    try:
        environment.reset()
        environment.step()
    finally:
        environment.close()
    file = write_launcher(name, path, force=force)
    print(f"Made {file}. Train it: mlagents-learn CONFIG --env={path}")


if __name__ == "__main__":
    sys.exit(main())
