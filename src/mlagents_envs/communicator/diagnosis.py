"""Says what is wrong with the agents of a behavior, and with which of them."""

from __future__ import annotations

import math
from typing import NamedTuple

from mlagents_envs.communicator import agent_reader as reader
from mlagents_envs.communicator.sensor_format import SensorFormat
from mlagents_envs.communicator_objects.agent_info_pb2 import AgentInfoProto
from mlagents_envs.communicator_objects.observation_pb2 import PNG, ObservationProto
from mlagents_envs.communicator_objects.unity_rl_output_pb2 import UnityRLOutputProto
from mlagents_envs.exception import UnityCommunicationException, UnityObservationException


class Problem(NamedTuple):
    """Why agents could not be read.

    Attributes:
        code: one of the outcomes in :mod:`.agent_reader`.
        agent: position of the agent in the message, -1 when it is not known.
        sensor: index of the observation, -1 when it is about none.
    """

    code: int
    agent: int = -1
    sensor: int = -1


def explain(
    problem: Problem,
    agents: UnityRLOutputProto.ListAgentInfoProto,
    behavior_name: str,
    formats: list[SensorFormat],
) -> Exception:
    """The exception to raise.

    Args:
        problem: what the reader reported.
        agents: what it read.
        behavior_name: behavior of the agents.
        formats: announced sensors of the behavior.
    """
    if problem.code == reader.DATA_SIZE and problem.agent < 0:
        problem = _find_wrong_size(agents, formats)
    if problem.agent < 0:
        return UnityCommunicationException(
            f"The game sent agents of the behavior {behavior_name!r} that cannot be read."
        )
    info = agents.value[problem.agent]
    who = f"agent {info.id} of the behavior {behavior_name!r}"
    if problem.code in _NOT_FINITE:
        return _not_finite(problem, info, who, formats)
    if problem.code == reader.OBSERVATION_COUNT:
        return UnityObservationException(
            f"There are {len(info.observations)} observations of {who}, but {len(formats)} were announced."
        )
    if not 0 <= problem.sensor < len(info.observations):
        return UnityCommunicationException(f"The game sent {who} in a form that cannot be read.")
    return _wrong_observation(
        info.observations[problem.sensor],
        f"Observation {problem.sensor} ({formats[problem.sensor].spec.name!r}) of {who}",
        formats[problem.sensor],
    )


_NOT_FINITE = {
    reader.OBSERVATION_NOT_FINITE: "observations",
    reader.REWARD_NOT_FINITE: "rewards",
    reader.GROUP_REWARD_NOT_FINITE: "group_rewards",
}


def _not_finite(
    problem: Problem, info: AgentInfoProto, who: str, formats: list[SensorFormat]
) -> RuntimeError:
    if problem.code == reader.OBSERVATION_NOT_FINITE:
        values = list(info.observations[problem.sensor].float_data.data)
        what = f"observation {problem.sensor} ({formats[problem.sensor].spec.name!r}) of {who}"
    else:
        values = [info.reward if problem.code == reader.REWARD_NOT_FINITE else info.group_reward]
        what = f"the reward of {who}"
    kind = "NaN" if any(map(math.isnan, values)) else "Infinite"
    return RuntimeError(
        f"The {_NOT_FINITE[problem.code]} provided had {kind} values. "
        f"The first is in {what}; look there in the code of the environment."
    )


def _wrong_observation(observation: ObservationProto, what: str, sensor: SensorFormat) -> Exception:
    shape = tuple(observation.shape)
    if shape != sensor.declared_shape:
        return UnityObservationException(
            f"{what} has the shape {shape}, but {sensor.declared_shape} was announced."
        )
    if observation.compression_type == PNG and len(shape) != 3:
        return UnityObservationException(
            f"{what} of shape {shape} is compressed; only images, which have three axes, can be."
        )
    return UnityObservationException(
        f"{what} of shape {shape} needs {sensor.num_floats} numbers, "
        f"but has {len(observation.float_data.data)}."
    )


def _find_wrong_size(agents: UnityRLOutputProto.ListAgentInfoProto, formats: list[SensorFormat]) -> Problem:
    """The first observation that does not have its number of floats."""
    for agent, info in enumerate(agents.value):
        if len(info.observations) != len(formats):
            return Problem(reader.OBSERVATION_COUNT, agent)
        for index, (observation, sensor) in enumerate(zip(info.observations, formats, strict=True)):
            if observation.compression_type != PNG and len(observation.float_data.data) != sensor.num_floats:
                return Problem(reader.DATA_SIZE, agent, index)
    return Problem(reader.MALFORMED)
