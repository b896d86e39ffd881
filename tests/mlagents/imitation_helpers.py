"""What the tests of reward signals and imitation share: transitions and demonstrations."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from trainer_helpers import observation_spec

from mlagents.imitation.demonstration_buffer import DemonstrationBuffer
from mlagents.rewards.transitions import TransitionBatch
from mlagents.state_tree import to_tensors
from mlagents_envs.base_env import (
    ActionSpec,
    BehaviorSpec,
    DimensionProperty,
    ObservationSpec,
    ObservationType,
)
from mlagents_envs.communicator_objects.agent_info_action_pair_pb2 import AgentInfoActionPairProto
from mlagents_envs.communicator_objects.demonstration_meta_pb2 import DemonstrationMetaProto
from mlagents_envs.demonstration_format import framed, header
from mlagents_envs.demonstration_records import behavior_proto
from mlagents_envs.demonstrations import DemonstrationWriter, demonstration_record

CPU = torch.device("cpu")
HYBRID = ActionSpec.create_hybrid(2, (3, 2))


def spec_of(*shapes: int | tuple[int, ...], actions: ActionSpec = HYBRID) -> BehaviorSpec:
    """A behavior with observations of these shapes, named a, b, c."""
    return BehaviorSpec(
        [observation_spec(shape, name) for shape, name in zip(shapes, "abc", strict=False)], actions
    )


def image_spec(height: int, width: int, name: str = "camera") -> ObservationSpec:
    shift = DimensionProperty.TRANSLATIONAL_EQUIVARIANCE
    properties = (DimensionProperty.NONE, shift, shift)
    return ObservationSpec((3, height, width), properties, ObservationType.DEFAULT, name)


def random_batch(spec: BehaviorSpec, count: int, seed: int = 0) -> TransitionBatch:
    """Transitions of standard normal observations and random actions, none of them the last."""
    rng = np.random.default_rng(seed)

    def observe() -> tuple[torch.Tensor, ...]:
        shapes = [(count, *each.shape) for each in spec.observation_specs]
        return tuple(torch.from_numpy(rng.standard_normal(shape, dtype=np.float32)) for shape in shapes)

    actions = spec.action_spec
    continuous = rng.uniform(-1, 1, (count, actions.continuous_size)).astype(np.float32)
    discrete = [rng.integers(choices, size=count) for choices in actions.discrete_branches]
    return TransitionBatch(
        observe(),
        observe(),
        torch.from_numpy(continuous),
        torch.from_numpy(np.array(discrete, dtype=np.int64).reshape(len(discrete), count).T.copy()),
        torch.zeros(count, dtype=torch.bool),
    )


def vectors(
    observations: NDArray[Any], following: NDArray[Any] | None = None, **other: torch.Tensor
) -> TransitionBatch:
    """Transitions between given vectors ``[B, I]``, without actions unless given."""
    count = len(observations)
    current = torch.as_tensor(np.asarray(observations, dtype=np.float32))
    after = current if following is None else torch.as_tensor(np.asarray(following, dtype=np.float32))
    columns: dict[str, Any] = {
        "continuous_actions": torch.zeros(count, 0),
        "discrete_actions": torch.zeros(count, 0, dtype=torch.int64),
        "done": torch.zeros(count, dtype=torch.bool),
    }
    return TransitionBatch((current,), (after,), **{**columns, **other})


def demonstrations_of(
    observations: Sequence[NDArray[Any]],
    *,
    continuous: NDArray[Any] | None = None,
    discrete: NDArray[Any] | None = None,
    branches: Sequence[int] = (),
    done: Sequence[bool] | None = None,
    starts: Sequence[int] = (0,),
) -> DemonstrationBuffer:
    """Demonstrations in memory; ``starts`` are the rows at which episodes begin."""
    count = len(observations[0])
    begins = np.zeros(count, dtype=np.bool_)
    begins[list(starts)] = True
    return DemonstrationBuffer(
        observations=[np.asarray(column, dtype=np.float32) for column in observations],
        continuous_actions=np.zeros((count, 0), np.float32)
        if continuous is None
        else continuous.astype(np.float32),
        discrete_actions=np.zeros((count, 0), np.int64) if discrete is None else discrete.astype(np.int64),
        allowed_actions=np.ones((count, sum(branches)), dtype=np.bool_),
        done=np.zeros(count, np.bool_) if done is None else np.array(done),
        starts=begins,
    )


def write_recording(
    path: Path, spec: BehaviorSpec, records: Sequence[AgentInfoActionPairProto], *, ours: bool = False
) -> Path:
    """A file by our writer, or as a foreign recorder would write it, which does not say how actions lie."""
    if ours:
        with DemonstrationWriter(path, "Ball?team=0", spec.action_spec) as writer:
            for record in records:
                writer.write(record)
        return path
    parts = [header(DemonstrationMetaProto(api_version=1, number_steps=len(records)))]
    parts.append(framed(behavior_proto("Ball?team=0", spec.action_spec).SerializeToString()))
    parts += [framed(record.SerializeToString()) for record in records]
    path.write_bytes(b"".join(parts))
    return path


def record(spec: BehaviorSpec, number: float, **other: Any) -> AgentInfoActionPairProto:  # noqa: ANN401
    """A record all of whose observations are ``number``."""
    observations = [np.full(each.shape, number, dtype=np.float32) for each in spec.observation_specs]
    return demonstration_record(spec, observations, **other)


class Stateful(Protocol):
    def get_state(self) -> Any: ...  # noqa: ANN401


def saved(part: Stateful) -> dict[str, Any]:
    """The state of a part as a file would hold it: a copy that shares nothing."""
    state: dict[str, Any] = copy.deepcopy(to_tensors(part.get_state()))
    return state
