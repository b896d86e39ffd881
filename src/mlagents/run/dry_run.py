"""What a run would do, without doing it: the text of ``mlagents-learn --dry-run``.

All of it is one YAML file: the resolved configuration, and what follows from it as comments.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping
from pathlib import Path

from mlagents.curriculum.lessons import Lessons
from mlagents.run.channels import RunChannels
from mlagents.run.learning_plan import describe_learning, describe_parameters
from mlagents.sampling.worker import blaming
from mlagents.settings.memory import machine_memory, network_and_buffer_bytes
from mlagents.settings.run_options import RunOptions
from mlagents_envs.base_env import BehaviorSpec
from mlagents_envs.registry import (
    EnvironmentOptions,
    UnknownEnvironmentException,
    known_environments,
    make_environment,
)
from mlagents_envs.registry.factory import FOREIGN_LIBRARIES, is_executable_path


def describe_run(options: RunOptions) -> Iterator[str]:
    """Lines that say what a run would do.

    Environments that run in this process are built, to see their agents; executables are not started.

    Raises:
        TrainerConfigError: the configuration does not fit the environment.
        UnityEnvironmentException: the environment is unknown or cannot be built.
        EnvironmentFailure: its own code raised an exception.
    """
    agents = _agents_of(options)
    if agents is not None:
        options = options.with_behaviors(name.split("?", 1)[0] for name in agents)
    yield f"# The configuration of the run '{options.checkpoint_settings.run_id}', as it would be used:"
    yield options.to_yaml().rstrip()
    yield "#"
    yield "# What would happen (nothing was written):"
    for line in _consequences(options, agents):
        yield f"# {line}".rstrip()


def _consequences(
    options: RunOptions, agents: Mapping[str, tuple[BehaviorSpec, int]] | None
) -> Iterator[str]:
    yield from _describe_environment(options, agents)
    yield from _describe_results(options)
    specs = {name.split("?", 1)[0]: spec for name, (spec, _) in (agents or {}).items()}
    for name in options.behaviors:
        yield ""
        if agents is not None and name not in specs:
            yield f"{name}: configured, but the environment has no such behavior (yet)"
            continue
        yield f"{name}:"
        for line in (*_describe_memory(options, name, specs.get(name)), *describe_learning(options, name)):
            yield f"  {line}"
    if options.environment_parameters:
        yield ""
        yield "environment parameters:"
        for line in describe_parameters(options.environment_parameters):
            yield f"  {line}"


def _agents_of(options: RunOptions) -> dict[str, tuple[BehaviorSpec, int]] | None:
    """Spec and number of agents by behavior id, after a reset; None where nothing is built here."""
    settings = options.env_settings
    name = settings.env_path
    if name is None:
        return None
    if name not in known_environments() and name.partition(":")[0] not in FOREIGN_LIBRARIES:
        if is_executable_path(name):
            return None
        raise UnknownEnvironmentException(name, known_environments())
    seed = max(0, settings.seed)
    lessons = Lessons(options.with_sampler_seeds(seed).environment_parameters or {})
    with blaming(name, "be built"):
        env = make_environment(
            name,
            EnvironmentOptions(
                seed=seed,
                num_areas=settings.num_areas,
                environment_args=tuple(settings.env_args or ()),
                side_channels=RunChannels(options.engine_settings, lessons).open(0),
            ),
        )
    with contextlib.closing(env), blaming(name, "reset"):
        env.reset()
        return {
            behavior_id: (spec, len(env.get_steps(behavior_id)[0]))
            for behavior_id, spec in env.behavior_specs.items()
        }


def _describe_environment(
    options: RunOptions, agents: Mapping[str, tuple[BehaviorSpec, int]] | None
) -> Iterator[str]:
    settings = options.env_settings
    where = "in this process" if settings.num_envs == 1 else f"{settings.num_envs} processes of it"
    if settings.env_path is None:
        yield f"environment: none named; the run would wait {settings.timeout_wait} s for a game to connect"
    elif agents is None:
        last = settings.base_port + settings.num_envs - 1
        ports = f"port {last}" if settings.num_envs == 1 else f"ports {settings.base_port} to {last}"
        missing = "" if Path(settings.env_path).exists() else " (there is no such file)"
        yield f"environment: the executable {settings.env_path}{missing}, not started here; {ports}"
    else:
        present = ", ".join(f"{count} agents of {name}" for name, (_, count) in agents.items())
        yield f"environment: {settings.env_path}, {where}; {present or 'no agents yet'} after a reset"


def _describe_results(options: RunOptions) -> Iterator[str]:
    checkpoint = options.checkpoint_settings
    folder = Path(checkpoint.results_dir) / checkpoint.run_id
    state = "new"
    if folder.is_dir():
        state = "exists: it takes --resume or --force, or another --run-id"
        if checkpoint.resume:
            state = "would be continued"
        elif checkpoint.force:
            state = "would be started over"
    elif checkpoint.resume:
        state = "does not exist, so there is nothing to resume"
    yield f"results: {folder} ({state})"
    if checkpoint.initialize_from is not None and not checkpoint.resume:
        yield f"weights: from the run '{checkpoint.initialize_from}'"


def _describe_memory(options: RunOptions, name: str, spec: BehaviorSpec | None) -> Iterator[str]:
    if spec is None:
        yield "memory: depends on its observations, which are known when the environment is there"
        return
    sizes = ", ".join(
        f"{each.name} {'x'.join(str(size) for size in each.shape)}" for each in spec.observation_specs
    )
    actions = spec.action_spec
    kinds = [f"{actions.continuous_size} continuous"] if actions.continuous_size else []
    kinds += (
        [f"{actions.discrete_size} discrete {tuple(actions.discrete_branches)}"]
        if actions.discrete_size
        else []
    )
    yield f"observes: {sizes}; acts: {' and '.join(kinds) or 'not at all'}"
    device = options.torch_settings.device or "cpu"
    needed = network_and_buffer_bytes(options.behavior(name), spec, device=device)
    available = machine_memory()
    text = f"memory: at least {_megabytes(needed)} for networks and experience"
    if available is not None and needed > available:
        text += f", more than the {_megabytes(available)} of this machine: the run would refuse to start"
    yield text


def _megabytes(count: int) -> str:
    return f"{count / 1e6:.1f} MB" if count < 1e9 else f"{count / 1e9:.1f} GB"
