"""``mlagents-learn``: trains the agents of an environment."""

from __future__ import annotations

import logging
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

from mlagents import __version__
from mlagents.cli.errors import debug_requested, run_command
from mlagents.cli.options import Command, parse_command
from mlagents_envs import logging_util

if TYPE_CHECKING:
    from mlagents.run.training_run import RunResult, TrainingRun
    from mlagents.settings.run_options import RunOptions


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command.

    Args:
        argv: arguments without the program name; those of the process if None.

    Returns:
        The exit code: 0 at the end of training and after Ctrl+C, 1 for an error, 2 for wrong usage.
    """
    arguments = list(sys.argv[1:] if argv is None else argv)
    return run_command(lambda: _carry_out(parse_command(arguments)), debug=debug_requested(arguments))


def _carry_out(command: Command) -> int:
    if not command.dry_run:
        return learn(command.options)
    from mlagents.run.dry_run import describe_run  # PyTorch, only where needed

    logging_util.set_log_level(logging.WARNING)  # what is printed is a YAML file
    for line in describe_run(command.options):
        print(line)
    return 0


def learn(options: RunOptions) -> int:
    """Train as the options say, with a display of the progress.

    Returns:
        The exit code, 0.
    """
    # loaded only now, so that --help and mistakes in the configuration answer at once
    import torch

    from mlagents.run.launch import launch

    logging_util.set_log_level(logging.DEBUG if options.debug else logging.INFO)
    print(f"Open ML-Agents {__version__}, PyTorch {torch.__version__}")
    run, result = launch(options)
    report(run, result)
    return 0


def report(run: TrainingRun, result: RunResult) -> None:
    """Print what came of the run and where it lies."""
    minutes, seconds = divmod(result.seconds, 60)
    verb = "Stopped" if result.interrupted else "Finished"
    print(f"{verb} after {minutes:.0f}:{seconds:02.0f} (min:s).")
    shares = ", ".join(f"{phase} {share:.0f} %" for phase, share in run.clock.shares().items())
    print(f"Time spent: {shares}")
    for name, steps in result.steps.items():
        mean = result.mean_return[name]
        rate = result.new_steps[name] / max(result.seconds, 1e-9)
        print(
            f"{name}: {steps} agent-steps ({rate:,.0f}/s)"
            + ("" if mean is None else f", mean return of the last episodes {mean:.3f}")
        )
        model = run.folder.final_model(name)
        if run.is_learning and model.is_file():
            print(f"  model: {model}")
    print(f"Results: {run.folder.root}")


if __name__ == "__main__":
    sys.exit(main())
