"""Checks of environments: those that are registered, and one that the user names."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator

from mlagents.doctor.findings import Finding, ok, problem
from mlagents_envs.base_env import BaseEnv, BehaviorSpec
from mlagents_envs.exception import UnityException
from mlagents_envs.registry import EnvironmentOptions, make_environment
from mlagents_envs.registry.entry_points import find_entry_points, load_factory

_STEPS = 100


def check_registered() -> Iterator[Finding]:
    """Whether every registered environment can be loaded."""
    found = find_entry_points()
    broken = 0
    for name, rivals in found.items():
        try:
            load_factory(rivals)
        except UnityException as error:
            broken += 1
            yield problem(f"environment {name}", str(error), "Reinstall the package that brings it.")
    if not found:
        yield problem("environments", "none is registered", "Reinstall: pip install --force-reinstall .")
    elif not broken:
        yield ok("environments", ", ".join(sorted(found)))


def check_environment(name: str, timeout: int) -> Iterator[Finding]:
    """Whether an environment starts and steps; who its agents are and how fast it is.

    Args:
        name: registered name, or path of an executable.
        timeout: seconds to wait for it.
    """
    started = time.perf_counter()
    try:
        env = make_environment(name, EnvironmentOptions(timeout_wait=timeout))
    except UnityException as error:
        yield problem(name, f"does not start: {error}", _advice(error))
        return
    with contextlib.closing(env):
        try:
            env.reset()
            yield ok(name, f"starts and answers within {time.perf_counter() - started:.1f} s{_version(env)}")
            for behavior_id, spec in env.behavior_specs.items():
                yield ok(f"behavior {behavior_id}", describe(spec))
            if not env.behavior_specs:
                yield problem(
                    name,
                    "has no behaviors after a reset",
                    "Add an agent that requests decisions to the scene.",
                )
                return
            yield ok("speed", _speed(env))
        except UnityException as error:
            yield problem(name, f"fails while stepping: {error}", _advice(error))
        except Exception as error:
            text = f"its own code fails: {type(error).__name__}: {error}"
            yield problem(name, text, "Run it with mlagents-learn --debug to see where.")


def _advice(error: UnityException) -> str:
    if "timed out" in str(error) or "in time" in str(error):
        return "Start it by hand to see whether it runs; raise --timeout-wait for a slow start."
    return "See the message; mlagents-envs list shows the names of built-in environments."


def _version(env: BaseEnv) -> str:
    package = getattr(env, "package_version", None)
    version = getattr(env, "communication_version", None)
    parts = [f"protocol {version}"] if version else []
    parts += [f"package {package}"] if package else []
    return f" ({', '.join(parts)})" if parts else " (in this process)"


def describe(spec: BehaviorSpec) -> str:
    """Observations and actions of a behavior on one line."""
    observations = ", ".join(
        f"{o.name or index} {'x'.join(map(str, o.shape))}" for index, o in enumerate(spec.observation_specs)
    )
    return f"observes {observations or 'nothing'}; acts by {spec.action_spec}"


def _speed(env: BaseEnv) -> str:
    steps = 0
    started = time.perf_counter()
    for _ in range(_STEPS):
        for behavior_id, spec in env.behavior_specs.items():
            count = len(env.get_steps(behavior_id)[0])
            env.set_actions(behavior_id, spec.action_spec.random_action(count))
            steps += count
        env.step()
    seconds = time.perf_counter() - started
    return f"{_STEPS} steps with random actions at {steps / max(seconds, 1e-9):,.0f} agent-steps/s"
