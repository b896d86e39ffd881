"""``mlagents-doctor``: checks the installation and says what to do."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from importlib import metadata

from mlagents.cli.errors import DEBUG, debug_requested, run_command
from mlagents.doctor.findings import Finding, Verdict, problem

CHECKS_GROUP = "mlagents.doctor"
"""Entry points of further checks: functions without arguments that yield findings as
``(subject, verdict, text, advice)``, verdict being ok, note or problem."""

EPILOG = """\
examples:
  mlagents-doctor
      check packages, GPU, rendering, ports and disk
  mlagents-doctor --env=builds/MyGame.x86_64
      also start that game: does it connect, which behaviors does it have, how fast is it

The exit code is 1 if there is a problem."""

_MARKS = {Verdict.OK: "ok     ", Verdict.NOTE: "note   ", Verdict.PROBLEM: "PROBLEM"}


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command.

    Args:
        argv: arguments without the program name; those of the process if None.

    Returns:
        The exit code: 0, 1 where there is a problem, 2 for wrong usage.
    """
    arguments = list(sys.argv[1:] if argv is None else argv)
    return run_command(lambda: _examine(arguments), debug=debug_requested(arguments))


def _examine(argv: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(
        prog="mlagents-doctor",
        description="Checks whether everything that training needs is there and works.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--env", metavar="NAME_OR_PATH", help="environment to start and step")
    parser.add_argument(
        "--timeout-wait", type=_seconds, default=60, metavar="S", help="seconds to wait for it (60)"
    )
    parser.add_argument("--results-dir", default="results", metavar="DIR", help="where results will go")
    parser.add_argument(DEBUG, action="store_true", help="tracebacks for errors")
    arguments = parser.parse_args(argv)
    problems = 0
    for check in _checks(arguments):
        for finding in _attempt(check):
            print(f"{_MARKS[finding.verdict]} {finding.subject}: {finding.text}", flush=True)
            if finding.advice and finding.verdict is not Verdict.OK:
                print(f"        -> {finding.advice}")
            problems += finding.verdict is Verdict.PROBLEM
    print("Everything that was checked works." if not problems else f"{problems} to mend, marked PROBLEM.")
    return 1 if problems else 0


def _seconds(text: str) -> int:
    try:
        seconds = int(text)
    except ValueError:
        seconds = 0
    if seconds < 1:
        raise argparse.ArgumentTypeError(f"'{text}' is not a whole number of seconds, 1 or more")
    return seconds


def _checks(arguments: argparse.Namespace) -> list[Callable[[], Iterable[Finding]]]:
    from mlagents.doctor import environments, installation

    checks: list[Callable[[], Iterable[Finding]]] = [
        installation.check_python,
        installation.check_packages,
        installation.check_compute,
        installation.check_kernels,
        *(_plugin(entry_point) for entry_point in metadata.entry_points(group=CHECKS_GROUP)),
        installation.check_ports,
        lambda: installation.check_disk(arguments.results_dir),
        environments.check_registered,
    ]
    if arguments.env is not None:
        checks.append(lambda: environments.check_environment(arguments.env, arguments.timeout_wait))
    return checks


def _plugin(entry_point: metadata.EntryPoint) -> Callable[[], Iterable[Finding]]:
    def check() -> Iterator[Finding]:
        for subject, verdict, text, advice in entry_point.load()():
            yield Finding(subject, Verdict(verdict), text, advice)

    return check


def _attempt(check: Callable[[], Iterable[Finding]]) -> Iterator[Finding]:
    """The findings of a check; one that fails itself is a finding too."""
    try:
        yield from check()
    except Exception as error:
        reason = f"{type(error).__name__}: {error}".splitlines()[0]
        yield problem(
            getattr(check, "__name__", "check"), f"failed ({reason})", "Report it with --debug's output."
        )


if __name__ == "__main__":
    sys.exit(main())
