"""The program inside an executable made by ``mlagents-envs build``: serves one environment.

It understands the arguments that trainers give to games, and hands on what it does not know to the
environment.
"""

from __future__ import annotations

import argparse
import io
import os
import signal
import sys
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from types import FrameType
from typing import NoReturn

from mlagents_envs import logging_util
from mlagents_envs.registry.entry_points import build, find_entry_points, load_factory
from mlagents_envs.registry.factory import UnknownEnvironmentException
from mlagents_envs.registry.options import EnvironmentFactory
from mlagents_sdk.cli.errors import run_command

logger = logging_util.get_logger(__name__)

LAUNCHED_TIMEOUT = 5.0
"""Seconds in which a trainer has to listen that started this process; it listens before it starts one."""

_EXIT_TERMINATED = 128 + int(signal.SIGTERM)


def main(argv: Sequence[str] | None = None) -> int:
    """Serve the environment named by the first argument.

    Args:
        argv: name of the environment, then the arguments that the executable was given; those of the
            process if None.

    Returns:
        The exit code: 0 when the trainer has enough, 1 for an error, 2 for wrong usage.
    """
    name, *rest = sys.argv[1:] if argv is None else argv
    parser = argparse.ArgumentParser(
        prog=name,
        description=f"The environment {name}, to be started by a trainer (mlagents-learn --env=THIS_FILE). "
        "Without --mlagents-port it does not connect: its agents follow their heuristics. Arguments that "
        "are not listed here are handed to the environment.",
        add_help=False,
        allow_abbrev=False,
    )
    add_player_arguments(parser, timeout=LAUNCHED_TIMEOUT)
    arguments, extras = parser.parse_known_args(with_known_case(rest))
    return run_command(lambda: play(name, arguments, extras))


def add_player_arguments(
    parser: argparse.ArgumentParser, *, timeout: float, default_port: int | None = None
) -> None:
    """Add the arguments that games understand.

    Args:
        parser: without ``-h``, which would swallow arguments such as ``-height``.
        timeout: default of ``--timeout``, seconds.
        default_port: port of the trainer when none is given; None for no connection.
    """
    without = "does not connect" if default_port is None else f"{default_port}"
    parser.add_argument("--help", action="help", help="show this help and exit")
    parser.add_argument(
        "--mlagents-port",
        type=int,
        default=default_port,
        metavar="N",
        help=f"port of the trainer (default: {without})",
    )
    parser.add_argument(
        "--timeout",
        type=float,
        default=timeout,
        metavar="SECONDS",
        help="how long to wait until a trainer listens on the port (default: %(default)g)",
    )
    parser.add_argument(
        "-logFile", dest="log_file", metavar="PATH", help="file for all output; - for the terminal"
    )
    parser.add_argument("-nographics", action="store_true", help="accepted; nothing is shown anyway")
    parser.add_argument("-batchmode", action="store_true", help="accepted; nothing is shown anyway")


def with_known_case(arguments: Sequence[str]) -> list[str]:
    """``arguments`` with the flags of games spelled our way; games ignore upper and lower case."""
    known = {flag.lower(): flag for flag in ("-logFile", "-nographics", "-batchmode")}
    return [known.get(argument.lower(), argument) for argument in arguments]


def play(name: str, arguments: argparse.Namespace, extras: Sequence[str]) -> None:
    """Serve an environment until its trainer has enough.

    Args:
        name: name of the environment.
        arguments: of :func:`add_player_arguments`.
        extras: arguments for the environment.

    Raises:
        UnityException: there is no such environment, or it failed.
        OSError: the log file cannot be written.
    """
    if arguments.log_file not in (None, "-"):
        redirect_output(Path(arguments.log_file))
    logging_util.set_log_level(logging_util.INFO)
    signal.signal(signal.SIGTERM, _terminate)
    factory = find_factory(name)
    port = arguments.mlagents_port
    if port is None:
        logger.info("No --mlagents-port was given, so no trainer is looked for.")

    from mlagents_sdk import wire  # gRPC is loaded only now, so that --help and mistakes answer at once

    wire.serve(factory, port, timeout=arguments.timeout, environment_args=tuple(extras))


def find_factory(name: str) -> EnvironmentFactory:
    """Import the factory of a registered environment.

    Raises:
        UnknownEnvironmentException: no environment has this name.
        UnityEnvironmentException: it cannot be imported.
    """
    found = find_entry_points()
    if name not in found:
        raise UnknownEnvironmentException(name, sorted(found))
    load_factory(found[name])
    return partial(build, found[name])


def redirect_output(path: Path) -> None:
    """Let everything that this process writes, libraries included, go to a file, which is begun anew."""
    path.parent.mkdir(parents=True, exist_ok=True)
    file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_APPEND, 0o644)
    for stream in (sys.stdout, sys.stderr):
        stream.flush()
        os.dup2(file, stream.fileno())
    os.close(file)
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(line_buffering=True)  # to be read while we run


def _terminate(number: int, frame: FrameType | None) -> NoReturn:
    """Leave in order, so that the trainer is told."""
    raise SystemExit(_EXIT_TERMINATED)


if __name__ == "__main__":
    sys.exit(main())
