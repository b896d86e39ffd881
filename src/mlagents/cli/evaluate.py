"""``mlagents-evaluate``: plays an exported model and prints its returns."""

from __future__ import annotations

import argparse
import contextlib
import math
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from mlagents.cli.errors import debug_requested, run_command
from mlagents.settings.errors import TrainerError
from mlagents.settings.limits import FLOAT32_MAX, INT32_MAX, MAX_AREAS

if TYPE_CHECKING:
    from mlagents.evaluation.evaluate import Score
    from mlagents.evaluation.players import Player

EPILOG = """\
examples:
  mlagents-evaluate results/ball1/3DBall.onnx --env=3DBall
      play 100 episodes with sampled actions
  mlagents-evaluate results/ball1/3DBall.onnx --env=3DBall --deterministic --env-parameter mass=5
      play with a heavier ball, always taking the most likely action
  mlagents-evaluate Goalie=goalie.onnx Striker=striker.onnx --env=StrikersVsGoalie --json
      several behaviors; one JSON object per line

A behavior without a model plays its expert or heuristic where it has one, else at random."""


def make_parser() -> argparse.ArgumentParser:
    """The parser of the command line."""
    parser = argparse.ArgumentParser(
        prog="mlagents-evaluate",
        description="Plays exported models in an environment and prints mean, deviation and range of the\n"
        "return, and the mean episode length in decisions.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "models",
        nargs="*",
        metavar="MODEL",
        help="an .onnx file, or BEHAVIOR=file where the environment has several behaviors",
    )
    parser.add_argument("--env", required=True, help="name of the environment")
    parser.add_argument("--episodes", type=_positive, default=100, help="episodes per behavior (100)")
    parser.add_argument("--deterministic", action="store_true", help="take the most likely actions")
    parser.add_argument("--behavior", help="count only this behavior; a bare MODEL is its model")
    parser.add_argument("--seed", type=_seed, default=0, help="seed of environment and sampling (0)")
    parser.add_argument("--num-areas", type=_areas, help="training areas (the scene's own number)")
    parser.add_argument(
        "--env-parameter",
        action="append",
        default=[],
        metavar="NAME=VALUE",
        help="set a parameter of the environment; may be repeated",
    )
    parser.add_argument("--json", action="store_true", help="print one JSON object per behavior")
    parser.add_argument("--debug", action="store_true", help="show tracebacks of mistakes")
    parser.add_argument(
        "--env-args", nargs=argparse.REMAINDER, default=[], help="arguments for the environment"
    )
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command.

    Args:
        argv: arguments without the program name; those of the process if None.

    Returns:
        The exit code: 0, 1 for an error, 2 for wrong usage.
    """
    arguments = list(sys.argv[1:] if argv is None else argv)
    options = make_parser().parse_args(arguments)
    return run_command(lambda: _evaluate(options), debug=debug_requested(arguments))


def _evaluate(options: argparse.Namespace) -> int:
    with contextlib.redirect_stdout(sys.stderr):  # standard output holds the results and nothing else
        scores, seconds = _play(options)
    for score in scores:
        print(score.to_json() if options.json else _as_text(score, seconds))
    return 0


def _play(options: argparse.Namespace) -> tuple[list[Score], float]:
    """Play the episodes; whatever is printed meanwhile is for the person who watches.

    Returns:
        The scores, and the seconds that the episodes took.
    """
    # loaded only now, so that --help answers at once
    from mlagents.evaluation.evaluate import evaluate
    from mlagents.sampling.worker import blaming
    from mlagents_envs.registry import EnvironmentOptions, make_environment
    from mlagents_envs.side_channel.environment_parameters_channel import EnvironmentParametersChannel

    parameters = EnvironmentParametersChannel()
    for name, value in _assignments(options.env_parameter, "--env-parameter").items():
        parameters.set_float_parameter(name, _number(name, value))
    models = _models(options.models, options.behavior)
    with blaming(options.env, "be built"):
        env = make_environment(
            options.env,
            EnvironmentOptions(
                seed=options.seed,
                num_areas=options.num_areas,
                side_channels=(parameters,),
                environment_args=tuple(options.env_args),
            ),
        )
    try:
        with blaming(options.env, "reset"):
            env.reset()
        names = list(dict.fromkeys(_name(behavior_id) for behavior_id in env.behavior_specs))
        if options.behavior is not None and options.behavior not in names:
            raise TrainerError(
                f"The environment has no behavior '{options.behavior}'; it has: {', '.join(names)}."
            )
        players = _Players(env, _assign(models, names), options)
        started = time.perf_counter()
        progress = _Progress(options.episodes)
        scores = evaluate(
            env,
            players.make,
            options.episodes,
            counted=options.behavior,
            on_episodes=progress.show,
            environment=options.env,
        )
        return scores, time.perf_counter() - started
    finally:
        env.close()


class _Players:
    """Makes the player of each behavior id."""

    def __init__(self, env: object, models: Mapping[str, Path], options: argparse.Namespace) -> None:
        import numpy as np

        self._env = env
        self._models = models
        self._options = options
        self._rng = np.random.default_rng(options.seed)

    def make(self, behavior_id: str) -> Player:
        from mlagents.evaluation.players import ModelPlayer, stand_in
        from mlagents_envs.base_env import BaseEnv
        from mlagents_envs.inference import OnnxPolicy

        assert isinstance(self._env, BaseEnv)
        name = _name(behavior_id)
        spec = self._env.behavior_specs[behavior_id]
        if name in self._models:
            policy = OnnxPolicy(self._models[name], self._options.deterministic, self._options.seed)
            policy.check(spec, name)
            return ModelPlayer(policy)
        player = stand_in(self._env, behavior_id, spec, self._rng)
        print(f"{name} has no model: {player.description}", file=sys.stderr)
        return player


class _Progress:
    """A line on standard error every few seconds, so that standard output holds results only."""

    _INTERVAL = 3.0

    def __init__(self, episodes: int) -> None:
        self._episodes = episodes
        self._started = self._last = time.perf_counter()

    def show(self, finished: Mapping[str, int]) -> None:
        now = time.perf_counter()
        if now - self._last < self._INTERVAL or not finished:
            return
        self._last = now
        slowest = min(finished.values())
        left = (now - self._started) * (self._episodes - slowest) / slowest if slowest else None
        eta = "" if left is None else f", about {left:.0f} s to go"
        print(f"{slowest} of {self._episodes} episodes{eta}", file=sys.stderr)


def _models(arguments: Sequence[str], behavior: str | None) -> dict[str | None, Path]:
    """Models by behavior; the key None stands for "the only behavior"."""
    models: dict[str | None, Path] = {}
    for argument in arguments:
        name, equals, path = argument.partition("=")
        if equals and not Path(argument).exists():
            if not name or not path:
                raise TrainerError(f"{argument}: write it as BEHAVIOR=file.")
            key: str | None = name
        else:
            key, path = behavior, argument
        if key in models:
            what = f"the behavior {key}" if key else "the environment (write BEHAVIOR=file for each)"
            raise TrainerError(f"Two models are given for {what}.")
        models[key] = Path(path)
    return models


def _assign(models: Mapping[str | None, Path], names: Sequence[str]) -> dict[str, Path]:
    """Give every model to one of the environment's behaviors."""
    known = ", ".join(names)
    assigned: dict[str, Path] = {}
    for name, path in models.items():
        if name is None and len(names) > 1:
            raise TrainerError(
                f"The environment has several behaviors ({known}): say which one {path} plays, "
                f"as {names[0]}={path} or with --behavior."
            )
        target = names[0] if name is None else name
        if target not in names:
            raise TrainerError(f"The environment has no behavior '{target}'; it has: {known}.")
        assigned[target] = path
    return assigned


def _assignments(pairs: Sequence[str], option: str) -> dict[str, str]:
    result = {}
    for pair in pairs:
        name, equals, value = pair.partition("=")
        if not equals or not name:
            raise TrainerError(f"{option} {pair}: write it as NAME=VALUE, such as mass=2.5.")
        result[name] = value
    return result


def _number(name: str, text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        raise TrainerError(f"--env-parameter {name}={text}: '{text}' is not a number.") from None
    if not math.isfinite(value):
        raise TrainerError(f"--env-parameter {name}={text}: it must be a finite number.")
    if abs(value) > FLOAT32_MAX:
        raise TrainerError(
            f"--env-parameter {name}={text}: it must be between {-FLOAT32_MAX:g} and {FLOAT32_MAX:g}, "
            "the range of the 32-bit numbers that environments are sent."
        )
    return value


def _positive(text: str) -> int:
    return _whole(text, 1, INT32_MAX)


def _areas(text: str) -> int:
    return _whole(text, 1, MAX_AREAS)


def _seed(text: str) -> int:
    return _whole(text, 0, INT32_MAX)


def _whole(text: str, least: int, most: int) -> int:
    value = int(text) if text.isdecimal() and len(text) <= len(str(most)) else -1
    if not least <= value <= most:
        raise argparse.ArgumentTypeError(f"'{text}' is not a whole number between {least} and {most}")
    return value


def _name(behavior_id: str) -> str:
    return behavior_id.split("?", 1)[0]


def _as_text(score: Score, seconds: float) -> str:
    return (
        f"{score.behavior}: mean return {score.mean_return:.3f} (std {score.std_return:.3f}, "
        f"min {score.min_return:.3f}, max {score.max_return:.3f}), "
        f"mean length {score.mean_length:.1f} decisions, {score.episodes} episodes in {seconds:.1f} s"
    )


if __name__ == "__main__":
    sys.exit(main())
