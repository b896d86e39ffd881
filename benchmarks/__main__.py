"""Race our trainer and our wire against the peer's: ``python -m benchmarks``. The README says how."""

from __future__ import annotations

import argparse
import os
import sys
from functools import partial
from pathlib import Path

from benchmarks import report, wire
from benchmarks.contestants import Contestant, ContestantError
from benchmarks.peer.install import DEFAULT_VENV, InstallError, install
from benchmarks.race import Result, race

LATEST = Path(__file__).with_name("latest.json")
BUILT_IN, BUILT_IN_AGENTS = "3DBall", 12
METHOD_AGENTS = 12
MANY_AREAS = 100
"""Areas of an environment that keeps a core busy: with few, what is done once per step is most of it."""
TITLES = {"ppo": "PPO", "sac": "SAC", "images": "PPO, 84x84x3 images"}
WIRE_TURNS = 4
"""A step over the wire is a handful of wake-ups of threads, which whatever else runs delays; so its rounds
are short and many, and the median is over those that nothing disturbed."""
BUSY = 0.7
"""Load, in running processes, above which other programs are likely to distort the result."""


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--agents", type=int, nargs="*", default=[12, 100, 1000], metavar="N")
    parser.add_argument(
        "--wire-agents",
        type=int,
        nargs="*",
        default=[1, 12, 100, 1000],
        metavar="N",
        help="none to leave it out",
    )
    parser.add_argument("--rounds", type=int, default=5, help="rounds per side (default 5)")
    parser.add_argument("--seconds", type=float, default=8.0, help="least duration of a round (default 8)")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--no-peer", action="store_true", help="measure our side only")
    parser.add_argument("--no-built-in", action="store_true", help=f"leave out {BUILT_IN}")
    parser.add_argument("--no-methods", action="store_true", help="leave out SAC and images")
    parser.add_argument(
        "--no-scaling", action="store_true", help="leave out several environments and threads"
    )
    parser.add_argument("--peer-venv", type=Path, default=DEFAULT_VENV, help="where the peer is, or goes")
    parser.add_argument("--peer-python", help="Python 3.11 to install the peer with")
    parser.add_argument(
        "--output", type=Path, default=LATEST, help="JSON file (default benchmarks/latest.json)"
    )
    return parser.parse_args()


def say(line: str) -> None:
    print(line, flush=True)


def measure_training(
    agents: int, peer_python: Path | None, options: argparse.Namespace, workload: str = "ppo", rounds: int = 0
) -> Result:
    """Race on the synthetic environment with `agents` agents."""
    title = TITLES[workload]
    say(f"{title}, {agents} agents: warming up")
    arguments = ("--agents", agents, "--seed", options.seed, "--workload", workload)
    contestant = partial(Contestant, own_threads=workload == "images")
    starts = {"ours": partial(contestant, sys.executable, "benchmarks.ours_training", *arguments)}
    if peer_python is not None:
        peer = partial(contestant, peer_python, "benchmarks.peer.peer_training", *arguments)
        starts = {"peer": peer, **starts}
    sides = race(starts, rounds or options.rounds, options.seconds, say)
    return Result(f"{title}, synthetic", agents, sides["ours"], sides.get("peer"))


def measure_methods(peer_python: Path | None, options: argparse.Namespace) -> list[Result]:
    """Race with SAC, and with images."""
    rounds = max(2, options.rounds // 2)  # what a cycle of the peer takes with images is a round already
    return [
        measure_training(METHOD_AGENTS, peer_python, options, "sac"),
        measure_training(METHOD_AGENTS, peer_python, options, "images", rounds),
    ]


def measure_scaling(options: argparse.Namespace) -> list[Result]:
    """Measure what a second environment and a second thread are worth, on 3DBall."""
    common = ("--environment", BUILT_IN, "--seed", options.seed)
    bound = (*common, "--agents", MANY_AREAS, "--workload", "environment-bound")
    slow = (*common, "--agents", BUILT_IN_AGENTS, "--workload", "update-bound")
    ours = partial(Contestant, sys.executable, "benchmarks.ours_training")
    say(f"{BUILT_IN}, two environments: warming up")
    environments = {"one": partial(ours, *bound), "two": partial(ours, *bound, "--num-envs", 2)}
    envs = race(environments, options.rounds, options.seconds / 2, say)
    say(f"{BUILT_IN}, threaded: warming up")
    threads = {"in turn": partial(ours, *slow), "threaded": partial(ours, *slow, "--threaded")}
    updates = race(threads, options.rounds, options.seconds / 2, say)
    return [
        Result(f"{BUILT_IN} --num-envs 2", MANY_AREAS, envs["two"], envs["one"], "--num-envs 1"),
        Result(
            f"{BUILT_IN} threaded", BUILT_IN_AGENTS, updates["threaded"], updates["in turn"], "not threaded"
        ),
    ]


def measure_wire(agents: int, peer_python: Path | None, options: argparse.Namespace) -> Result:
    """Race at stepping a game over gRPC, with `agents` agents."""
    say(f"wire, {agents} agents: warming up")
    rounds, seconds = WIRE_TURNS * options.rounds, options.seconds / 4 / WIRE_TURNS
    return wire.measure(agents, peer_python, rounds, seconds, say)


def measure_built_in(options: argparse.Namespace) -> list[Result]:
    """Measure 3DBall alone and in training, taking turns."""
    say(f"{BUILT_IN}: warming up")
    arguments = ("--environment", BUILT_IN, "--agents", BUILT_IN_AGENTS, "--seed", options.seed)
    starts = {
        "environment only": partial(Contestant, sys.executable, "benchmarks.environment_only", *arguments),
        "training": partial(Contestant, sys.executable, "benchmarks.ours_training", *arguments),
    }
    sides = race(starts, options.rounds, options.seconds / 4, say)
    return [Result(f"{BUILT_IN} {name}", BUILT_IN_AGENTS, side) for name, side in sides.items()]


def main() -> int:
    options = parse_arguments()
    if hasattr(os, "getloadavg") and os.getloadavg()[0] > BUSY:
        say(f"The machine is busy (load {os.getloadavg()[0]:.1f}); the numbers will be noisy.")
    try:
        peer_python = None if options.no_peer else install(options.peer_venv, options.peer_python)
        results = [measure_training(agents, peer_python, options) for agents in options.agents]
        if not options.no_methods:
            results += measure_methods(peer_python, options)
        results += [measure_wire(agents, peer_python, options) for agents in options.wire_agents]
        if not options.no_built_in:
            results += measure_built_in(options)
        if not options.no_scaling:
            results += measure_scaling(options)
    except (InstallError, ContestantError) as error:
        print(error, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("Interrupted; nothing was written.", file=sys.stderr)
        return 130
    say("\n" + report.table(results))
    report.write(results, options.output)
    say(f"\nWritten to {options.output}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
