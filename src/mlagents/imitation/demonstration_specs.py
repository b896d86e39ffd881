"""Whether a demonstration shows the behavior that is to be learned."""

from __future__ import annotations

from collections.abc import Sequence

from mlagents.settings.errors import TrainerError
from mlagents_envs.base_env import BehaviorSpec, ObservationSpec
from mlagents_envs.demonstrations import Demonstration


def match_observations(demo: Demonstration, behavior: str, spec: BehaviorSpec) -> list[int]:
    """Compare a recording with a behavior.

    Observations are matched by name where both sides know distinct names, otherwise by position; empty ones,
    which early recorders wrote where an agent had no vector observation, are passed over.

    Args:
        demo: the recording.
        behavior: name of the behavior, for messages.
        spec: its observations and actions.

    Returns:
        For each observation of the behavior, which one of the recording it is.

    Raises:
        TrainerError: actions, or number or shapes of observations, differ; the message shows both.
    """
    theirs = demo.behavior_spec
    if theirs.action_spec != spec.action_spec:
        raise TrainerError(
            f"The demonstration {demo.path} does not fit the behavior {behavior}: it was recorded with "
            f"actions ({theirs.action_spec}), but the behavior has ({spec.action_spec}). "
            f"It shows the behavior '{demo.behavior_name}'; name a recording of {behavior}."
        )
    recorded = [
        index for index, observation in enumerate(theirs.observation_specs) if 0 not in observation.shape
    ]
    wanted = [index for index, observation in enumerate(spec.observation_specs) if 0 not in observation.shape]
    order = _by_name(
        [theirs.observation_specs[index] for index in recorded],
        [spec.observation_specs[index] for index in wanted],
    )
    matched = [recorded[place] for place in order] if order else recorded
    shapes = [tuple(theirs.observation_specs[index].shape) for index in matched]
    if shapes != [tuple(spec.observation_specs[index].shape) for index in wanted]:
        raise TrainerError(
            f"The demonstration {demo.path} does not fit the behavior {behavior}: it was recorded with the "
            f"observations {_listed(theirs.observation_specs)}, but the behavior has "
            f"{_listed(spec.observation_specs)}. Record it again in the present environment."
        )
    place_of = dict(zip(wanted, matched, strict=True))
    return [place_of.get(index, -1) for index in range(len(spec.observation_specs))]


def _by_name(recorded: Sequence[ObservationSpec], wanted: Sequence[ObservationSpec]) -> list[int] | None:
    """Places of the wanted observations among the recorded ones; None where names do not tell."""
    names = [observation.name for observation in recorded]
    if len(set(names)) < len(names) or sorted(names) != sorted(observation.name for observation in wanted):
        return None
    return [names.index(observation.name) for observation in wanted]


def _listed(specs: Sequence[ObservationSpec]) -> str:
    parts = []
    for spec in specs:
        shape = "x".join(map(str, spec.shape))
        parts.append(f"{spec.name} ({shape})" if spec.name else f"({shape})")
    return ", ".join(parts) or "none"
