"""Checkpoint files: trees of tensors and plain values, written in one step and read as data only."""

from __future__ import annotations

import io
import textwrap
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from mlagents.settings.errors import UnityTrainerException
from mlagents.state_tree import to_tensors
from mlagents_envs.files import atomic_writer


def save_checkpoint(state: dict[str, Any], path: Path) -> None:
    """Write a state to ``path``, replacing the file in one step.

    Args:
        state: tree of dicts, lists, tensors, NumPy arrays and plain values.
        path: file in an existing folder.

    Raises:
        OSError: the folder is not writable or the disk is full.
    """
    content = io.BytesIO()  # torch turns a full disk into an error of its own, so it writes to memory
    torch.save(to_tensors(state), content)
    with atomic_writer(path) as file:
        file.write(content.getbuffer())


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """The content of a checkpoint file.

    Attributes:
        path: where it came from.
        state: tree of dicts, lists, tensors and plain values.
    """

    path: Path
    state: dict[str, Any]

    @contextmanager
    def explaining_mismatch(self, behavior: str) -> Iterator[None]:
        """Turn errors of code that applies the state into one that names file and behavior.

        Raises:
            UnityTrainerException: the state does not fit what it was applied to.
        """
        try:
            yield
        except (KeyError, RuntimeError, ValueError, TypeError, AttributeError, IndexError) as error:
            raise UnityTrainerException(
                f"The checkpoint {self.path} does not fit the behavior {behavior} ({first_reason(error)}). "
                "Use the network settings, reward signals, observations and actions that it was made with, "
                "or start a new run from those of its weights that fit, with --initialize-from."
            ) from error


RESUME_ADVICE = "Copy one of the numbered .pt files beside it to this name, or start anew with --force."
INITIALIZE_ADVICE = "Check --initialize-from and init_path."


def load_checkpoint(path: Path, advice: str = RESUME_ADVICE) -> Checkpoint:
    """Read a state written by :func:`save_checkpoint`, on the CPU; nothing in the file is executed.

    Args:
        path: the file.
        advice: what to do where it cannot be used, for the message.

    Raises:
        UnityTrainerException: the file is missing, truncated, damaged, or no checkpoint, or may not be read.
    """
    if not path.is_file():
        raise UnityTrainerException(f"There is no checkpoint {path}. {advice}")
    try:
        with path.open("rb"):
            pass
    except OSError as error:
        raise UnityTrainerException(f"The checkpoint {path} cannot be opened: {error.strerror}.") from error
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # a damaged file can make the reader fail in any way
        raise UnityTrainerException(
            f"The checkpoint {path} cannot be read: it is damaged or no checkpoint. {advice}"
        ) from error
    if not isinstance(state, dict):
        raise UnityTrainerException(
            f"The file {path} is no checkpoint: it holds a {type(state).__name__}. {advice}"
        )
    return Checkpoint(path, state)


def first_reason(error: Exception) -> str:
    """What an error of torch says first after its headline, where it has one; never cut within a word."""
    lines = [line.strip().rstrip(".") for line in str(error).splitlines() if line.strip()]
    text = lines[1] if len(lines) > 1 else (lines[0] if lines else "")
    if isinstance(error, KeyError):
        return f"{text} is missing"
    return textwrap.shorten(text, 160, placeholder=" ...") or type(error).__name__
