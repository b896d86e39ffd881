"""Networks and buffers that do not fit into memory, as errors that name the settings to lower."""

from __future__ import annotations

import os
import re
import textwrap
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from mlagents.settings.errors import TrainerError

if TYPE_CHECKING:
    from mlagents.settings.behavior import BehaviorSettings

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
_ROW_BYTES = 40  # of the columns that every experience has, whatever is observed


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


def network_and_buffer_bytes(
    settings: BehaviorSettings, observation_size: int, num_actions: int, *, device: str = "cpu"
) -> int:
    """Memory of the host that a behavior takes at least.

    Counted are the fully connected layers of actor and critic, six times where the host learns (weights,
    gradients and two moments of the optimiser, weights and gradients of the copy that acts), else twice; and
    one buffer of experience.

    Args:
        settings: settings of the behavior.
        observation_size: numbers that an agent observes.
        num_actions: continuous actions, plus choices of all discrete branches.
        device: where the behavior learns.
    """
    network = settings.network_settings
    width, layers = network.hidden_units, max(1, network.num_layers)
    hidden = (observation_size + 1) * width + (layers - 1) * (width + 1) * width
    parameters = 2 * hidden + (width + 1) * (num_actions + 1)
    copies = 6 if device == "cpu" else 2
    rows = int(getattr(settings.hyperparameters, "buffer_size", 0))
    row_bytes = _ROW_BYTES + _FLOAT_BYTES * observation_size
    return copies * _FLOAT_BYTES * parameters + rows * row_bytes


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
