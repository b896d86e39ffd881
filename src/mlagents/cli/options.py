"""What ``mlagents-learn`` accepts on its command line, and how that meets the YAML file.

Typed options override the file, the file overrides the defaults.
"""

from __future__ import annotations

import argparse
import copy
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from pydantic_core import PydanticCustomError

from mlagents import __version__
from mlagents.cli.errors import DEBUG, ENV_ARGS
from mlagents.settings.legacy_parameters import begin_at_lesson
from mlagents.settings.loading import build_run_options, read_configuration, warn
from mlagents.settings.problems import Origin
from mlagents.settings.run_options import RunOptions
from mlagents.settings.types import to_bool, to_float, to_int
from mlagents.settings.yaml_file import Location, YamlFile
from mlagents_envs.near_names import nearest

DESCRIPTION = """\
Trains the agents of an environment. The YAML file says how each behavior learns; options typed here
override what it says."""

EPILOG = """\
examples:
  mlagents-learn config/ppo/3DBall.yaml --env=3DBall --run-id=ball1
      train in the built-in 3DBall environment; results go to results/ball1
  mlagents-learn config/ppo/3DBall.yaml --env=3DBall --run-id=ball1 --resume
      continue that run where it stopped
  mlagents-learn config/ppo/3DBall.yaml --env=3DBall --run-id=ball1 --resume --inference
      watch what it has learned, without learning more
  mlagents-learn config/ppo/3DBall_randomize.yaml --env=3DBall --run-id=ball2 \\
      --initialize-from=ball1
      start a new run from its weights
  mlagents-learn config/ppo/3DBall.yaml --env=3DBall --dry-run
      what would be done, and how much memory it takes
  tensorboard --logdir results
      watch the curves

Ctrl+C once saves everything and stops; --resume continues. Options may be shortened as long as they
stay unambiguous."""


@dataclass(frozen=True)
class Option:
    """One option of the command line and the setting that it stands for.

    Attributes:
        flag: the option, such as ``--run-id``.
        section: section of the YAML file.
        help: one line for ``--help``.
        kind: reads the typed text; None makes a switch that sets true.
        metavar: placeholder in ``--help``.
    """

    flag: str
    section: str
    help: str
    kind: Any = None
    metavar: str = ""

    @property
    def key(self) -> str:
        """Key of the setting within its section."""
        return {"--env": "env_path", "--torch-device": "device"}.get(
            self.flag, self.flag.removeprefix("--").replace("-", "_")
        )


def whole_number(text: str) -> int:
    """Read a whole number; ``5e4`` is one too."""
    try:
        return to_int(text)
    except PydanticCustomError:
        raise argparse.ArgumentTypeError(f"'{text}' is not a whole number") from None


def number(text: str) -> float:
    """Read a finite number."""
    try:
        return to_float(text)
    except PydanticCustomError:
        raise argparse.ArgumentTypeError(f"'{text}' is not a number") from None


ENV, ENGINE, CHECKPOINT, TORCH = "env_settings", "engine_settings", "checkpoint_settings", "torch_settings"

GROUPS: dict[str, tuple[Option, ...]] = {
    "environment": (
        Option("--env", ENV, "built-in environment, gym:ID, or path of an executable", str, "NAME_OR_PATH"),
        Option(
            "--num-areas", ENV, "training areas per environment (the scene's own number)", whole_number, "N"
        ),
        Option("--num-envs", ENV, "environments side by side (1)", whole_number, "N"),
        Option("--seed", ENV, "seed of everything random; -1 draws one (-1)", whole_number, "N"),
        Option("--base-port", ENV, "first TCP port for executables (5005)", whole_number, "PORT"),
        Option("--timeout-wait", ENV, "seconds to wait for an answer (60)", whole_number, "S"),
        Option("--max-lifetime-restarts", ENV, "crashes tolerated per worker (10)", whole_number, "N"),
        Option("--restarts-rate-limit-n", ENV, "crashes tolerated per period (1)", whole_number, "N"),
        Option("--restarts-rate-limit-period-s", ENV, "that period in seconds (60)", whole_number, "S"),
    ),
    "run and results": (
        Option("--run-id", CHECKPOINT, "name of the run and of its results folder (ppo)", str, "NAME"),
        Option("--results-dir", CHECKPOINT, "folder for the results of all runs (results)", str, "DIR"),
        Option("--resume", CHECKPOINT, "continue the run of this name"),
        Option("--force", CHECKPOINT, "start the run of this name over"),
        Option("--initialize-from", CHECKPOINT, "start from the weights of another run", str, "RUN_ID"),
        Option("--inference", CHECKPOINT, "act only, learn nothing; use it with --resume"),
        Option(
            "--stop-at-reward",
            CHECKPOINT,
            "stop when the mean return of the last 100 episodes is this (of every behavior)",
            number,
            "X",
        ),
        Option("--wandb", CHECKPOINT, "send statistics to Weights & Biases too (needs the extra wandb)"),
    ),
    "engine window": (
        Option("--width", ENGINE, "width of the window in pixels (84)", whole_number, "N"),
        Option("--height", ENGINE, "height of the window in pixels (84)", whole_number, "N"),
        Option("--quality-level", ENGINE, "quality of rendering (5)", whole_number, "N"),
        Option("--time-scale", ENGINE, "simulated seconds per second (20)", number, "X"),
        Option("--target-frame-rate", ENGINE, "frames per second, -1 for all it can (-1)", whole_number, "N"),
        Option("--capture-frame-rate", ENGINE, "frames per simulated second (60)", whole_number, "N"),
        Option("--no-graphics", ENGINE, "no window, no rendering"),
        Option("--no-graphics-monitor", ENGINE, "only the first environment renders"),
    ),
    "compute": (
        Option("--torch-device", TORCH, "cpu, cuda, cuda:1 (cuda where there is one)", str, "DEVICE"),
    ),
}

DRY_RUN = "--dry-run"
OLD_SWITCHES = ("--load", "--train", "--torch", "--tensorflow", "--cpu", "--multi-gpu", "--slow")
OLD_NUMBERS = ("--save-freq", "--keep-checkpoints", "--lesson", "--num-runs")
OLD_TEXTS = ("--curriculum", "--sampler", "--docker-target-name")
IGNORED = (
    "--train",
    "--torch",
    "--tensorflow",
    "--multi-gpu",
    "--slow",
    "--num-runs",
    "--docker-target-name",
)


def create_parser() -> argparse.ArgumentParser:
    """The parser of ``mlagents-learn``; attributes exist only for what was typed."""
    parser = argparse.ArgumentParser(
        prog="mlagents-learn",
        usage="%(prog)s [trainer_config_path] [options]",
        description=DESCRIPTION,
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        argument_default=argparse.SUPPRESS,
        allow_abbrev=False,
    )
    parser.add_argument(
        "trainer_config_path", nargs="?", help="YAML file; without it every behavior gets PPO"
    )
    for title, options in GROUPS.items():
        group = parser.add_argument_group(title)
        for option in options:
            if option.kind is None:
                group.add_argument(option.flag, action="store_true", help=option.help)
            else:
                group.add_argument(
                    option.flag, type=option.kind, metavar=option.metavar or "N", help=option.help
                )
        if title == "environment":
            group.add_argument(
                ENV_ARGS, nargs=argparse.REMAINDER, help="arguments for the environment: the rest of the line"
            )
    group = parser.add_argument_group("other")
    group.add_argument(
        "--deterministic", action="store_true", help="most probable action instead of a sample"
    )
    group.add_argument(
        DRY_RUN, action="store_true", help="print what would be done, with its memory; write nothing"
    )
    group.add_argument(DEBUG, action="store_true", help="detailed log, and tracebacks for errors")
    group.add_argument("--version", action="version", version=f"Open ML-Agents {__version__}")
    for flag in OLD_SWITCHES:
        parser.add_argument(flag, action="store_true", help=argparse.SUPPRESS)
    for flag in OLD_NUMBERS:
        parser.add_argument(flag, type=whole_number, help=argparse.SUPPRESS)
    for flag in OLD_TEXTS:
        parser.add_argument(flag, help=argparse.SUPPRESS)
    return parser


class Command(NamedTuple):
    """What was typed.

    Attributes:
        options: options of the run.
        dry_run: whether to print what would be done, instead of doing it.
    """

    options: RunOptions
    dry_run: bool


def parse_options(argv: Sequence[str]) -> RunOptions:
    """The options of a run from its command line and its YAML file; see :func:`parse_command`."""
    return parse_command(argv).options


def parse_command(argv: Sequence[str]) -> Command:
    """What a command line asks for, together with its YAML file.

    Exits with code 2 on usage errors, 0 after ``--help`` or ``--version``.

    Args:
        argv: arguments without the name of the program.

    Raises:
        TrainerConfigError: the file or a value cannot be used.
    """
    parser = create_parser()
    arguments, env_args = _split_env_args(parser, argv)
    typed = vars(parser.parse_args(arguments))
    if env_args is not None:
        typed["env_args"] = env_args
    path = typed.pop("trainer_config_path", None)
    old_files = _old_files(typed)
    if path is None and old_files:
        parser.error("--curriculum, --sampler and --lesson need a configuration file")
    lesson = typed.pop("lesson", 0)
    file = (
        YamlFile("", {})
        if path is None
        else read_configuration(
            path, curriculum=old_files.get("curriculum"), sampler=old_files.get("sampler")
        )
    )
    data = copy.deepcopy(file.data)
    if lesson < 0:
        parser.error(f"argument --lesson: lessons count from 0, and {lesson} was asked for")
    if not begin_at_lesson(data, lesson):
        warn("--lesson has no effect: no environment parameter has a curriculum")
    if path is None:
        warn("no configuration file: every behavior trains with the default settings of PPO")
        data["default_settings"] = {}
    _translate_old_options(typed, data)
    _resolve_resume_or_initialize(typed, data)
    places = _apply(typed, data)
    options = build_run_options(data, Origin(path, file.lines, places, file.files))
    return Command(options, dry_run=bool(typed.get("dry_run")))


def _split_env_args(
    parser: argparse.ArgumentParser, argv: Sequence[str]
) -> tuple[list[str], list[str] | None]:
    """Write shortened options in full, and take off ``--env-args`` with the rest of the line.

    argparse would count the hidden old options too, and so find prefixes ambiguous that are not; and
    it gives ``--`` within the rest a meaning.
    """
    arguments: list[str] = []
    for index, argument in enumerate(argv):
        if argument == "--":
            return [*arguments, *argv[index:]], None
        flag, equals, value = argument.partition("=")
        if flag.startswith("--"):
            flag = _complete(parser, flag)
        if flag == ENV_ARGS:
            return arguments, [*([value] if equals else []), *argv[index + 1 :]]
        arguments.append(f"{flag}{equals}{value}")
    return arguments, None


def _complete(parser: argparse.ArgumentParser, flag: str) -> str:
    """The option that ``flag`` is, or is the beginning of; exits with code 2 where that is unclear."""
    shown = [option.flag for options in GROUPS.values() for option in options]
    shown += [ENV_ARGS, "--deterministic", DRY_RUN, DEBUG, "--version", "--help", "--load"]
    if flag in {*shown, *OLD_SWITCHES, *OLD_NUMBERS, *OLD_TEXTS}:
        return flag
    candidates = [name for name in shown if name.startswith(flag)]
    if len(candidates) > 1:
        parser.error(f"ambiguous option: {flag} could be {', '.join(candidates)}")
    if not candidates:
        suggestion = nearest(flag, shown)
        parser.error(
            f"unknown option: {flag}; {f'did you mean {suggestion}?' if suggestion else 'try --help'}"
        )
    return candidates[0]


def _old_files(typed: dict[str, Any]) -> dict[str, str]:
    """Files in which earlier versions kept curricula and samplers, by their option."""
    files: dict[str, str] = {key: str(typed.pop(key)) for key in ("curriculum", "sampler") if key in typed}
    for key in files:
        warn(f"--{key} is deprecated; mlagents-upgrade-config --{key} FILE puts it into the YAML file")
    return files


def _translate_old_options(typed: dict[str, Any], data: dict[str, Any]) -> None:
    """Replace options of earlier versions by what they mean now."""
    if typed.pop("load", False):
        warn("--load is deprecated; use --resume")
        typed["resume"] = True
    if typed.pop("cpu", False):
        warn("--cpu is deprecated; use --torch-device=cpu")
        typed.setdefault("torch_device", "cpu")
    for option, key in (("save_freq", "checkpoint_interval"), ("keep_checkpoints", "keep_checkpoints")):
        if option in typed:
            warn(f"--{option.replace('_', '-')} is deprecated; write '{key}:' in the YAML file")
            _set_for_all_behaviors(data, (key,), typed.pop(option))
    for flag in IGNORED:
        if typed.pop(flag.removeprefix("--").replace("-", "_"), None) is not None:
            warn(f"{flag} has no effect any more")


def _resolve_resume_or_initialize(typed: dict[str, Any], data: dict[str, Any]) -> None:
    """A run is resumed or initialized from another; the typed wish wins, then resuming."""
    section = data.get(CHECKPOINT)
    settings = section if isinstance(section, dict) else {}
    if _is_true(settings.get("load_model")):
        warn("load_model is deprecated; use resume")
        settings["resume"] = True
    wants_resume = "resume" in typed or _is_true(settings.get("resume"))
    wants_weights = typed.get("initialize_from", settings.get("initialize_from")) is not None
    if not (wants_resume and wants_weights):
        return
    if "initialize_from" in typed and "resume" not in typed:
        warn("both --initialize-from and resume (in the YAML file) are set; the typed option wins")
        settings["resume"] = False
    else:
        warn("both resume and initialize_from are set; resuming, the other run's weights are not used")
        typed.pop("initialize_from", None)
        settings["initialize_from"] = None


def _is_true(value: object) -> bool:
    try:
        return to_bool(value)
    except PydanticCustomError:
        return False


def _apply(typed: dict[str, Any], data: dict[str, Any]) -> dict[Location, str]:
    """Write the typed options over the map of the file; returns which value came from which option."""
    places: dict[Location, str] = {}
    for option in (option for options in GROUPS.values() for option in options):
        name = option.flag.removeprefix("--").replace("-", "_")
        if name in typed:
            _set(data, (option.section, option.key), typed[name])
            places[option.section, option.key] = option.flag
    if "env_args" in typed:
        _set(data, (ENV, "env_args"), typed["env_args"])
        places[ENV, "env_args"] = ENV_ARGS
    if typed.get("debug"):
        data["debug"] = True
    if typed.get("deterministic"):
        _set_for_all_behaviors(data, ("network_settings", "deterministic"), True)
    return places


def _set_for_all_behaviors(data: dict[str, Any], location: Location, value: object) -> None:
    behaviors = data.get("behaviors")
    for name in behaviors if isinstance(behaviors, dict) else ():
        _set(data, ("behaviors", name, *location), value)
    if isinstance(data.get("default_settings"), dict):
        _set(data, ("default_settings", *location), value)


def _set(data: dict[str, Any], location: Location, value: object) -> None:
    """Set one value; a part that is not a map is left for the validation to report."""
    *parents, last = location
    target: Any = data
    for key in parents:
        target = target.setdefault(key, {})
        if not isinstance(target, dict):
            return
    target[last] = value
