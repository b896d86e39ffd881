"""Numbers that a trainer sets and an environment reads, fixed or drawn anew at each reading."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from typing import Any

from mlagents_envs.side_channel.environment_parameters_channel import EnvironmentParametersChannel
from mlagents_envs.side_channel.incoming_message import IncomingMessage
from mlagents_envs.side_channel.side_channel import SideChannel
from mlagents_sdk.side_channels.samplers import (
    GaussianSampler,
    MultiRangeUniformSampler,
    Sampler,
    UniformSampler,
    pairs,
    sampler_from_state,
)

_DataTypes = EnvironmentParametersChannel.EnvironmentDataTypes
_SamplerTypes = EnvironmentParametersChannel.SamplerTypes


class EnvironmentParameters:
    """Parameters of one environment. They are best read in ``on_episode_begin``.

    Attributes:
        channel: side channel on which the trainer sets them.
    """

    def __init__(self) -> None:
        self._values: dict[str, float | Sampler] = {}
        self._callbacks: dict[str, Callable[[float], None]] = {}
        self.channel: SideChannel = _ParametersReceiver(self)

    def get_with_default(self, key: str, default: float) -> float:
        """Value of a parameter, drawn anew if it has a sampler.

        Args:
            key: name of the parameter.
            default: value while nobody has set it.
        """
        value = self._values.get(key, default)
        return value if isinstance(value, (float, int)) else value.sample()

    def register_callback(self, key: str, callback: Callable[[float], None]) -> None:
        """Call ``callback`` whenever ``key`` is set to a number; replaces an earlier callback.

        Samplers do not fire it.
        """
        self._callbacks[key] = callback

    def keys(self) -> list[str]:
        """Names of the parameters set so far."""
        return list(self._values)

    def set_value(self, key: str, value: float) -> None:
        """Set a parameter to a number, as the trainer would."""
        self._values[key] = value
        callback = self._callbacks.get(key)
        if callback is not None:
            callback(value)

    def set_sampler(self, key: str, sampler: Sampler) -> None:
        """Let a parameter be drawn at each reading, as the trainer would."""
        self._values[key] = sampler

    def get_state(self) -> dict[str, Any]:
        """All values and samplers, for saving."""
        return {
            key: value if isinstance(value, (float, int)) else value.get_state()
            for key, value in self._values.items()
        }

    def set_state(self, state: dict[str, Any]) -> None:
        """Put back the state of :meth:`get_state`; callbacks are not fired."""
        self._values = {
            key: sampler_from_state(value) if isinstance(value, dict) else value
            for key, value in state.items()
        }


class _ParametersReceiver(SideChannel):
    """The environment's end of the parameters channel."""

    def __init__(self, parameters: EnvironmentParameters) -> None:
        super().__init__(uuid.UUID("534c891e-810f-11ea-a9d0-822485860400"))
        self._parameters = parameters

    def on_message_received(self, msg: IncomingMessage) -> None:
        """Take over the number or sampler in ``msg``."""
        key = msg.read_string()
        kind = msg.read_int32()
        if kind == _DataTypes.FLOAT:
            self._parameters.set_value(key, msg.read_float32())
        elif kind == _DataTypes.SAMPLER:
            self._parameters.set_sampler(key, _read_sampler(key, msg))
        else:
            raise ValueError(f"Environment parameter {key!r} has the unknown data type {kind}.")


def _read_sampler(key: str, msg: IncomingMessage) -> Sampler:
    seed = msg.read_int32()
    kind = msg.read_int32()
    if kind == _SamplerTypes.UNIFORM:
        return UniformSampler(msg.read_float32(), msg.read_float32(), seed)
    if kind == _SamplerTypes.GAUSSIAN:
        return GaussianSampler(msg.read_float32(), msg.read_float32(), seed)
    if kind == _SamplerTypes.MULTIRANGEUNIFORM:
        return MultiRangeUniformSampler(pairs(msg.read_float32_list()), seed)
    raise ValueError(f"Environment parameter {key!r} has the unknown sampler type {kind}.")
