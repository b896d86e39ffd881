"""``mlagents-push-to-hf`` and ``mlagents-load-from-hf``: share models on the Hugging Face Hub."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from mlagents.cli.errors import DEBUG, debug_requested, run_command

PUSH_EPILOG = """\
example:
  mlagents-push-to-hf --run-id=ball1 --local-dir=results/ball1 --repo-id=me/ppo-3DBall

Log in first with: hf auth login"""

LOAD_EPILOG = """\
example:
  mlagents-load-from-hf --repo-id=me/ppo-3DBall --local-dir=downloads
      makes downloads/ppo-3DBall"""


def push(argv: Sequence[str] | None = None) -> int:
    """Run ``mlagents-push-to-hf``.

    Args:
        argv: arguments without the program name; those of the process if None.

    Returns:
        The exit code: 0, 1 for an error, 2 for wrong usage.
    """
    arguments = list(sys.argv[1:] if argv is None else argv)
    return run_command(lambda: _push(arguments), debug=debug_requested(arguments))


def load(argv: Sequence[str] | None = None) -> int:
    """Run ``mlagents-load-from-hf``.

    Args:
        argv: arguments without the program name; those of the process if None.

    Returns:
        The exit code: 0, 1 for an error, 2 for wrong usage.
    """
    arguments = list(sys.argv[1:] if argv is None else argv)
    return run_command(lambda: _load(arguments), debug=debug_requested(arguments))


def _parser(program: str, description: str, epilog: str) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog=program,
        description=description,
        epilog=epilog,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--repo-id", required=True, metavar="USER/NAME", help="repository on the hub")
    parser.add_argument(DEBUG, action="store_true", help="tracebacks for errors")
    return parser


def _push(argv: Sequence[str]) -> int:
    from mlagents.hub.transfer import push_run

    parser = _parser("mlagents-push-to-hf", "Uploads a results folder with a model card.", PUSH_EPILOG)
    parser.add_argument("--run-id", required=True, metavar="NAME", help="name of the run, for messages")
    parser.add_argument("--local-dir", default="./", metavar="DIR", help="results folder of the run (./)")
    parser.add_argument(
        "--commit-message",
        default="Push to Hub",
        metavar="TEXT",
        help="what the hub's history says of it (Push to Hub)",
    )
    parser.add_argument(
        "--configfile-name",
        default="configuration.yaml",
        metavar="FILE",
        help="file in that folder with the options of the run (configuration.yaml)",
    )
    options = parser.parse_args(argv)
    address = push_run(
        Path(options.local_dir), options.repo_id, options.commit_message, options.configfile_name
    )
    print(f"The run {options.run_id} is at {address}")
    return 0


def _load(argv: Sequence[str]) -> int:
    from mlagents.hub.transfer import load_run

    parser = _parser("mlagents-load-from-hf", "Downloads a model from the hub.", LOAD_EPILOG)
    parser.add_argument("--local-dir", default="./", metavar="DIR", help="where to put its folder (./)")
    options = parser.parse_args(argv)
    target = load_run(options.repo_id, Path(options.local_dir))
    print(f"{options.repo_id} is in {target}")
    return 0
