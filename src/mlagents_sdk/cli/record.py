"""``mlagents-envs record``: plays episodes and writes them to a demonstration file."""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from mlagents_sdk.exception import AgentsError

if TYPE_CHECKING:
    from mlagents_envs.base_env import ActionTuple, BaseEnv, DecisionSteps, TerminalSteps
    from mlagents_sdk.cli.episodes import EpisodeCollector

    Player = Callable[[str, DecisionSteps, TerminalSteps], ActionTuple]
    """Actions of a behavior id, for the agents that ask for a decision."""

DEFAULT_FOLDER = Path("demos")
DEFAULT_EPISODES = 10
_INTERVAL = 3.0  # seconds between two lines of progress


def add_record_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of the command."""
    parser.add_argument(
        "name", help="name of the environment, see mlagents-envs list; or an executable, or gym:ID"
    )
    who = parser.add_mutually_exclusive_group()
    who.add_argument(
        "--heuristic",
        choices=("expert", "default"),
        default="expert",
        help="who plays: the environment's scripted expert, or the heuristic of its agents (default: expert)",
    )
    who.add_argument("--model", type=Path, metavar="FILE.onnx", help="let a model play")
    parser.add_argument(
        "--deterministic", action="store_true", help="take the model's most likely actions instead of samples"
    )
    parser.add_argument(
        "--episodes",
        type=_positive,
        default=DEFAULT_EPISODES,
        metavar="N",
        help="episodes to record (default: %(default)s)",
    )
    parser.add_argument(
        "--out",
        type=Path,
        metavar="FILE.demo",
        help=f"file to write (default: {DEFAULT_FOLDER}/NAME.demo); an existing one is kept, and a number is "
        "appended to the name",
    )
    parser.add_argument("--behavior", metavar="NAME", help="what to record where there are several behaviors")
    parser.add_argument("--seed", type=_seed, default=0, metavar="N", help="of environment and model")
    parser.add_argument("--num-areas", type=_positive, metavar="N", help="areas that play side by side")


def record(arguments: argparse.Namespace) -> None:
    """Record as told by :func:`add_record_arguments`.

    Raises:
        UnityException: there is no such environment, nobody who could play it, or it failed; the model does
            not suit; the file cannot be written. Episodes that ended before are in the file.
    """
    # Most commands do without these, and answer at once.
    from mlagents_envs.registry.factory import make_environment
    from mlagents_envs.registry.options import EnvironmentOptions

    path = _output(arguments.out, arguments.name)
    env = make_environment(
        arguments.name, EnvironmentOptions(seed=arguments.seed, num_areas=arguments.num_areas)
    )
    try:
        env.reset()
        behavior = _choose_behavior(env, arguments.behavior)
        play = _make_player(env, behavior, arguments)
        _record(env, behavior, play, path, arguments.episodes)
    finally:
        env.close()


def _record(env: BaseEnv, behavior: str, play: Player, path: Path, episodes: int) -> None:
    from mlagents_envs.demonstrations import DemonstrationWriter, free_path
    from mlagents_sdk.cli.episodes import EpisodeCollector

    file = free_path(path)
    if file != path:
        print(f"{path} is there already and is kept; this recording goes to {file}.", file=sys.stderr)
    behavior_id = next(known for known in env.behavior_specs if _name(known) == behavior)
    writer = DemonstrationWriter(file, behavior_id, env.behavior_specs[behavior_id].action_spec)
    collector = EpisodeCollector(writer, episodes)
    started = time.perf_counter()
    try:
        with writer:
            _play(env, behavior, play, collector, _Progress(collector))
    finally:
        returns = collector.returns
        if not returns:
            file.unlink(missing_ok=True)  # a file without records is of no use
        elif len(returns) < episodes:
            print(f"{len(returns)} of {episodes} episodes are in {file}.", file=sys.stderr)
    mean, seconds = sum(returns) / len(returns), time.perf_counter() - started
    print(
        f"Recorded {len(returns)} episodes of {behavior} ({writer.number_steps} records) to {file}: mean "
        f"return {mean:.3f}, min {min(returns):.3f}, max {max(returns):.3f}; {seconds:.1f} s."
    )


def _play(
    env: BaseEnv, behavior: str, play: Player, collector: EpisodeCollector, progress: _Progress
) -> None:
    """Play until all episodes are recorded."""
    while True:
        for behavior_id, spec in list(env.behavior_specs.items()):
            decisions, terminals = env.get_steps(behavior_id)
            if not len(decisions) and not len(terminals):
                continue
            actions = play(behavior_id, decisions, terminals)
            if _name(behavior_id) == behavior:
                collector.end(behavior_id, spec, terminals)
                collector.decide(behavior_id, spec, decisions, actions)
            env.set_actions(behavior_id, actions)
        progress.show()
        if collector.is_done:
            return
        env.step()


class _Progress:
    """A line on standard error every few seconds."""

    def __init__(self, collector: EpisodeCollector) -> None:
        self._collector = collector
        self._started = self._last = time.perf_counter()

    def show(self) -> None:
        now = time.perf_counter()
        if now - self._last < _INTERVAL:
            return
        self._last = now
        done, wanted = len(self._collector.returns), self._collector.wanted
        left = f", about {(now - self._started) * (wanted - done) / done:.0f} s to go" if done else ""
        print(f"{done} of {wanted} episodes, {self._collector.num_records} records{left}", file=sys.stderr)


def _make_player(env: BaseEnv, behavior: str, arguments: argparse.Namespace) -> Player:
    """Who plays: a model for the recorded behavior, and heuristics for the others if need be.

    Raises:
        AgentsError: nobody can play the behavior.
        UnityPolicyException: the model cannot be loaded or does not suit.
    """
    heuristic = _heuristic_player(env, "expert" if arguments.model is not None else arguments.heuristic)
    if arguments.model is None:
        known = [behavior_id for behavior_id in env.behavior_specs if _name(behavior_id) == behavior]
        if not all(_has_heuristic(env, behavior_id, arguments.heuristic) for behavior_id in known):
            raise AgentsError(
                f"The behavior {behavior} of {arguments.name} has no {_WORDS[arguments.heuristic]} to "
                "record. Give a trained model with --model."
            )
        return heuristic

    from mlagents_envs.inference import OnnxPolicy

    model = OnnxPolicy(arguments.model, arguments.deterministic, arguments.seed)
    for behavior_id, spec in env.behavior_specs.items():
        if _name(behavior_id) == behavior:
            model.check(spec, behavior_id)

    def play(behavior_id: str, decisions: DecisionSteps, terminals: TerminalSteps) -> ActionTuple:
        if _name(behavior_id) == behavior:
            return model.act(decisions, terminals)
        return heuristic(behavior_id, decisions, terminals)

    return play


_WORDS = {"expert": "scripted expert or heuristic", "default": "heuristic"}


def _has_heuristic(env: BaseEnv, behavior_id: str, kind: str) -> bool:
    from mlagents_envs.capabilities import PlaysExpert, PlaysHeuristic

    if kind == "expert" and isinstance(env, PlaysExpert):
        return env.has_expert(behavior_id)
    return isinstance(env, PlaysHeuristic) and env.has_heuristic(behavior_id)


def _heuristic_player(env: BaseEnv, kind: str) -> Player:
    """Plays the experts or heuristics of the environment, and zeros for behaviors that have none."""
    from mlagents_envs.capabilities import PlaysExpert, PlaysHeuristic

    def play(behavior_id: str, decisions: DecisionSteps, terminals: TerminalSteps) -> ActionTuple:
        if _has_heuristic(env, behavior_id, kind):
            if kind == "expert" and isinstance(env, PlaysExpert):
                return env.expert_actions(behavior_id)
            if isinstance(env, PlaysHeuristic):
                return env.heuristic_actions(behavior_id)
        return env.behavior_specs[behavior_id].action_spec.empty_action(len(decisions))

    return play


def _choose_behavior(env: BaseEnv, wanted: str | None) -> str:
    """Name of the behavior to record.

    Raises:
        AgentsError: it is unknown, or there are several and none was chosen.
    """
    names = list(dict.fromkeys(map(_name, env.behavior_specs)))
    if wanted is None and len(names) == 1:
        return names[0]
    if wanted in names:
        return wanted
    known = ", ".join(names)
    if wanted is None:
        raise AgentsError(
            f"A file holds one behavior, and there are several: {known}. Choose with --behavior."
        )
    raise AgentsError(f"The environment has no behavior {wanted!r}; it has: {known}.")


def _output(out: Path | None, name: str) -> Path:
    """The file that is meant.

    Raises:
        AgentsError: it does not end in .demo, without which readers of folders overlook it.
    """
    default = "".join(character if character.isalnum() else "-" for character in Path(name).stem) + ".demo"
    if out is None:
        return DEFAULT_FOLDER / default
    if out.is_dir():
        return out / default
    if out.suffix != ".demo":
        raise AgentsError(f"--out {out}: name a file that ends in .demo, such as {out.with_suffix('.demo')}.")
    return out


def _name(behavior_id: str) -> str:
    return behavior_id.partition("?")[0]


def _positive(text: str) -> int:
    return _whole(text, 1)


def _seed(text: str) -> int:
    return _whole(text, 0)


def _whole(text: str, least: int) -> int:
    value = int(text) if text.isdecimal() and len(text) <= 10 else -1
    if not least <= value < 2**31:
        raise argparse.ArgumentTypeError(f"'{text}' is not a whole number between {least} and {2**31 - 1}")
    return value
