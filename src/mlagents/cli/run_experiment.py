"""``mlagents-run-experiment``: trains as one file says, without further options."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

from mlagents.cli.errors import debug_requested, run_command
from mlagents.settings.loading import build_run_options, read_configuration, warn
from mlagents.settings.problems import Origin
from mlagents.settings.run_options import RunOptions
from mlagents_envs.near_names import nearest

DESCRIPTION = """\
Trains as a YAML or JSON file says that holds everything, environment and run id included; a
configuration.yaml from a results folder is one."""

EPILOG = """\
example:
  mlagents-run-experiment results/ball1/configuration.yaml"""


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command.

    Args:
        argv: arguments without the program name; those of the process if None.

    Returns:
        The exit code, as of ``mlagents-learn``.
    """
    arguments = list(sys.argv[1:] if argv is None else argv)
    return run_command(lambda: _run(arguments), debug=debug_requested(arguments))


def _run(argv: Sequence[str]) -> int:
    from mlagents.cli.learn import learn

    parser = argparse.ArgumentParser(
        prog="mlagents-run-experiment",
        description=DESCRIPTION,
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("experiment_config_path", help="YAML or JSON file with all options")
    return learn(load_experiment(parser.parse_args(argv).experiment_config_path))


def load_experiment(path: str) -> RunOptions:
    """The options in a file; unknown keys at its top level are left out with a warning.

    Raises:
        TrainerConfigError: the file cannot be read, or cannot be used.
    """
    file = read_configuration(path)
    known = {key: value for key, value in file.data.items() if key in RunOptions.model_fields}
    for key in sorted(file.data.keys() - known.keys()):
        suggestion = nearest(key, RunOptions.model_fields)
        hint = f"; did you mean '{suggestion}'?" if suggestion else ""
        warn(f"{path}: {key}: unknown key (ignored){hint}")
    return build_run_options(known, Origin(path, file.lines))


if __name__ == "__main__":
    sys.exit(main())
