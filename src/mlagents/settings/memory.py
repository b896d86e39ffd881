"""Networks and buffers that do not fit into memory, as errors that name the settings to lower."""

from __future__ import annotations

import os
import re
import textwrap
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from math import prod
from pathlib import Path
from typing import TYPE_CHECKING

from mlagents.networks.settings import ConditioningType, EncoderType, NetworkSettings
from mlagents.settings.errors import TrainerError

if TYPE_CHECKING:
    from mlagents.settings.behavior import BehaviorSettings
    from mlagents_envs.base_env import BehaviorSpec

ADVICE = "Lower hidden_units, num_layers or buffer_size, or use fewer areas."

_SIGNS = (
    "can't allocate memory",
    "not enough memory",
    "out of memory",
    "storage size calculation overflowed",
    "array is too big",
    "maximum allowed dimension exceeded",
)
_CGROUP_LIMIT = Path("/sys/fs/cgroup/memory.max")
_FLOAT_BYTES = 4
_ROW_BYTES = 42  # of the columns that every experience has, whatever is observed
_ATTENTION_WIDTH = 128
# channels, window and stride as in mlagents.networks.encoders, which would load PyTorch; a test compares them
_CONVOLUTIONS: dict[EncoderType, tuple[tuple[int, int, int], ...]] = {
    EncoderType.FULLY_CONNECTED: (),
    EncoderType.MATCH3: ((35, 3, 1), (144, 3, 1)),
    EncoderType.SIMPLE: ((16, 8, 4), (32, 4, 2)),
    EncoderType.NATURE_CNN: ((32, 8, 4), (64, 4, 2), (64, 3, 1)),
    EncoderType.RESNET: ((16, 3, 2), (32, 3, 2), (32, 3, 2)),
}


def is_out_of_memory(error: BaseException) -> bool:
    """Whether an error says that memory was asked for and not given, on the host or on a device.

    PyTorch raises plain RuntimeErrors for it, NumPy plain ValueErrors where a size is beyond counting.
    """
    if isinstance(error, MemoryError):
        return True
    text = str(error).lower()
    return isinstance(error, RuntimeError | ValueError) and any(sign in text for sign in _SIGNS)


def memory_text(error: BaseException) -> str:
    """What the error says about the memory, on one short line."""
    asked = re.search(r"tried to allocate (\d+) bytes", str(error))
    if asked:
        return f"{int(asked[1]) / 1e9:.1f} GB were asked for at once"
    lines = str(error).splitlines()
    return textwrap.shorten(lines[0], 160, placeholder=" ...") if lines else "the system refused it"


@contextmanager
def explaining_memory(behavior: str, needed: int = 0) -> Iterator[None]:
    """Turn a lack of memory in the body into one error that names behavior and settings.

    Args:
        behavior: name for the message.
        needed: bytes that the body is known to need, as from :func:`network_and_buffer_bytes`. Systems that
            promise more memory than they have kill the process later instead of refusing, so more than
            the whole machine has is refused here.

    Raises:
        TrainerError: there is not enough memory.
    """
    available = machine_memory()
    if available is not None and needed > available:
        raise TrainerError(
            f"The behavior {behavior} needs at least {needed / 1e9:.1f} GB of memory for its network and "
            f"buffer, but this machine has {available / 1e9:.1f} GB. {ADVICE}"
        )
    try:
        yield
    except Exception as error:
        if not is_out_of_memory(error):
            raise
        raise TrainerError(
            f"There is not enough memory for the behavior {behavior} ({memory_text(error)}). {ADVICE}"
        ) from error


def network_and_buffer_bytes(settings: BehaviorSettings, spec: BehaviorSpec, *, device: str = "cpu") -> int:
    """Memory of the host that a behavior takes at least.

    Counted are the layers of actor and critic that grow with the settings, six times where the host learns
    (weights, gradients and two moments of the optimiser, weights and gradients of the copy that acts), else
    twice; and one buffer of experience, with images as bytes.

    Args:
        settings: settings of the behavior.
        spec: its observations and actions.
        device: where the behavior learns.
    """
    network = settings.network_settings
    shared = bool(getattr(settings.hyperparameters, "shared_critic", False))
    actions = spec.action_spec.continuous_size + sum(spec.action_spec.discrete_branches)
    memory_size = network.memory.memory_size if network.memory else 0
    encoding = memory_size // 2 if memory_size else network.hidden_units
    bodies = 1 if shared else 2
    parameters = bodies * _body_parameters(network, spec) + (encoding + 1) * (actions + 1)
    copies = 6 if device == "cpu" else 2
    rows = int(getattr(settings.hyperparameters, "buffer_size", 0))
    row_bytes = _ROW_BYTES + _FLOAT_BYTES * bodies * memory_size
    for observation in spec.observation_specs:
        row_bytes += prod(observation.shape) * (1 if len(observation.shape) == 3 else _FLOAT_BYTES)
    return copies * _FLOAT_BYTES * parameters + rows * row_bytes


def _body_parameters(network: NetworkSettings, spec: BehaviorSpec) -> int:
    """Weights of one body: encoders, hidden layers and memory."""
    width = network.hidden_units
    inputs, goals, parameters = 0, 0, 0
    for observation in spec.observation_specs:
        if len(observation.shape) == 1:
            inputs += observation.shape[0]
            if observation.observation_type.name == "GOAL_SIGNAL":
                goals += observation.shape[0]
        elif len(observation.shape) == 3:
            inputs += width
            parameters += _image_parameters(observation.shape, network.vis_encode_type, width)
    if any(len(observation.shape) == 2 for observation in spec.observation_specs):
        inputs += _ATTENTION_WIDTH
    layers = [(inputs if layer == 0 else width) for layer in range(max(1, network.num_layers))]
    parameters += sum((size + 1) * width for size in layers)
    if goals and network.goal_conditioning_type is ConditioningType.HYPER:
        parameters += width * width * layers[-1]  # the layer that makes the last one's weights
    if network.memory is not None:
        cells = network.memory.memory_size // 2
        parameters += 4 * cells * (width + cells + 2)
    return parameters


def _image_parameters(shape: Sequence[int], encoder: EncoderType, width: int) -> int:
    """Weights of the encoder of an image of shape (channels, height, width of the image)."""
    channels, *sides = shape
    parameters = 0
    for outputs, window, stride in _CONVOLUTIONS[encoder]:
        parameters += (channels * window * window + 1) * outputs
        if encoder is EncoderType.RESNET:  # two blocks of two more
            parameters += 4 * (outputs * window * window + 1) * outputs
        channels = outputs
        sides = [max(0, (side - window) // stride + 1) for side in sides]
    return parameters + (channels * prod(sides) + 1) * width


def machine_memory() -> int | None:
    """Bytes of memory that this process may use at most; None where the system does not tell."""
    try:
        total = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, ValueError, OSError):
        return None
    try:
        return min(total, int(_CGROUP_LIMIT.read_text()))
    except (OSError, ValueError):  # no limit reads "max"
        return total
