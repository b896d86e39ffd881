"""Contestants in processes of their own, one thread each, idle between their rounds.

The benchmark writes a number of seconds per line, the contestant answers with a round per line, both as
JSON. The end of input ends the contestant.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from argparse import ArgumentParser, Namespace
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path

from benchmarks.rounds import Round, Stopwatch

ROOT = Path(__file__).resolve().parents[1]
THREAD_VARIABLES = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NUMBA_NUM_THREADS")
SHUTDOWN_SECONDS = 20.0


class ContestantError(Exception):
    """A contestant's process ended; the message carries its last words."""


def serve(train: Callable[[Namespace, Stopwatch], None]) -> None:
    """Be a contestant: the main function of its process.

    Args:
        train: trains with the given options, `environment`, `agents`, `seed`, `workload`, `num_envs` and
            `threaded`, calling :meth:`Stopwatch.finish_cycle` after every update, until that raises
            SystemExit.
    """
    parser = ArgumentParser()
    parser.add_argument("--environment", default="synthetic")
    parser.add_argument("--agents", type=int, required=True)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--workload", default="ppo", help="what to train with, see settings.py")
    parser.add_argument("--num-envs", type=int, default=1)
    parser.add_argument("--threaded", action="store_true")
    options = parser.parse_args()
    # Whatever a library prints must not end up between the answers.
    answers = os.fdopen(os.dup(sys.stdout.fileno()), "w")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())

    def answer(finished: Round) -> None:
        print(json.dumps(asdict(finished)), file=answers, flush=True)

    def wait() -> float:
        line = sys.stdin.readline()
        if not line:
            raise SystemExit(0)
        return float(json.loads(line))

    train(options, Stopwatch(answer, wait))


class Contestant:
    """A contestant, seen from the benchmark.

    Args:
        interpreter: Python of the environment that the side is installed in.
        module: module whose main function calls :func:`serve`.
        arguments: options of that module.
        own_threads: let the side use as many threads as it chooses, instead of one.
    """

    def __init__(
        self, interpreter: Path | str, module: str, *arguments: object, own_threads: bool = False
    ) -> None:
        self.module = module
        self._log = tempfile.TemporaryFile("w+")  # noqa: SIM115  # close() closes it
        command: Sequence[str] = [str(interpreter), "-m", module, *map(str, arguments)]
        self._process = subprocess.Popen(
            command,
            cwd=ROOT,
            env={**os.environ, **({} if own_threads else dict.fromkeys(THREAD_VARIABLES, "1"))},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._log,
            text=True,
        )

    def wait_until_warm(self) -> Round:
        """Wait for the first cycle, which is not part of any measurement, and return it.

        Raises:
            ContestantError: the process ended.
        """
        return self._answer()

    def run_round(self, seconds: float) -> Round:
        """Have a round of at least `seconds` measured.

        Raises:
            ContestantError: the process ended.
        """
        assert self._process.stdin is not None
        try:
            self._process.stdin.write(f"{json.dumps(seconds)}\n")
            self._process.stdin.flush()
        except BrokenPipeError:
            pass  # the missing answer tells
        return self._answer()

    def close(self) -> None:
        """End the process, giving it time to remove what it wrote."""
        try:
            self._process.communicate(timeout=SHUTDOWN_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.communicate()
        self._log.close()

    def __enter__(self) -> Contestant:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def _answer(self) -> Round:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            code = self._process.wait()
            self._log.seek(0)
            tail = "\n".join(self._log.read().splitlines()[-20:])
            raise ContestantError(f"{self.module} ended with code {code}:\n{tail}")
        return Round(**json.loads(line))
