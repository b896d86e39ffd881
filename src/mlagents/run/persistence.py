"""What a run writes beside its models: resumable state, status, configuration and timers."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from importlib.metadata import version
from typing import Any, NamedTuple

import numpy as np
import torch

from mlagents import __version__
from mlagents.run.behavior_run import BehaviorRun
from mlagents.run.checkpoint_file import Checkpoint, load_checkpoint, save_checkpoint
from mlagents.run.results_folder import ResultsFolder
from mlagents.settings import RunOptions, TrainerError, UnityTrainerException
from mlagents.state_tree import to_arrays
from mlagents_envs.files import atomic_write_text
from mlagents_envs.logging_util import get_logger
from mlagents_envs.timers import TimerStack

_LOGGER = get_logger(__name__)
STATS_FORMAT_VERSION = "0.3.0"
COMMUNICATION_VERSION = "1.5.0"


class RunState(NamedTuple):
    """What a run saves beside its behaviors.

    Attributes:
        seed: seed of the run.
        parameters: definitions of the environment parameters that the environment knows, as text.
        lessons: state of the lessons.
        environment: state of the environment, None where it cannot be saved.
        save_id: number of the saving.
        channels: what the environments were told beyond those definitions.
    """

    seed: int
    parameters: str
    lessons: dict[str, Any]
    environment: dict[str, Any] | None
    save_id: int = -1
    channels: dict[str, Any] | None = None


class Persistence:
    """Saves and restores a run.

    The latest state is one file per behavior, written atomically, plus one for the environment. All files
    of one saving carry the same number; when a crash came between them, the behaviors are continued and
    the environment is reset instead.

    Args:
        folder: results folder of the run, prepared.
        resuming: whether an earlier run is continued; its status is then read.

    Raises:
        TrainerError: the status of the run to resume cannot be used.
    """

    def __init__(self, folder: ResultsFolder, *, resuming: bool) -> None:
        self._folder = folder
        self._resuming = resuming
        self.status: dict[str, Any] = self._read_status() if resuming else {}
        self._save_id = 0

    def knows(self, name: str) -> bool:
        """Whether the run that is resumed had this behavior."""
        return self._resuming and (name in self.status or self._folder.checkpoint(name).is_file())

    def save_latest(self, behaviors: Mapping[str, BehaviorRun], state: RunState) -> None:
        """Write all that is needed to continue.

        Args:
            behaviors: by name.
            state: the rest of the run.

        Raises:
            OSError: the folder is not writable or the disk is full.
        """
        self._save_id += 1
        for behavior in behaviors.values():
            behavior.save_latest(self._save_id)
        save_checkpoint({**state._asdict(), "save_id": self._save_id}, self._folder.run_state)
        self._write_status(behaviors, state.lessons["numbers"])

    def load_behavior(self, name: str) -> Checkpoint:
        """The latest state of a behavior of the run that is resumed.

        Raises:
            UnityTrainerException: it is missing or damaged.
        """
        return load_checkpoint(self._folder.checkpoint(name))

    def load_run_state(self) -> RunState | None:
        """The rest of the run at its last saving; None, with a warning, where it is missing or damaged."""
        path = self._folder.run_state
        try:
            saved = load_checkpoint(path).state
            state = RunState(
                seed=int(saved["seed"]),
                parameters=str(saved["parameters"]),
                lessons=saved["lessons"],
                environment=to_arrays(saved["environment"]),
                save_id=int(saved["save_id"]),
                channels=saved.get("channels"),
            )
        except (UnityTrainerException, KeyError, TypeError, ValueError):
            _LOGGER.warning("%s is missing or damaged; the environment is reset.", path)
            return None
        self._save_id = state.save_id
        return state

    def saved_lessons(self, state: RunState | None) -> dict[str, Any]:
        """State of the lessons of the run that is resumed, from its state or else from its status."""
        if state is not None:
            return state.lessons
        numbers = {
            name: entry["lesson_num"]
            for name, entry in self.status.items()
            if isinstance(entry, dict) and isinstance(entry.get("lesson_num"), int)
        }
        return {"numbers": numbers}

    def write_logs(
        self,
        options: RunOptions,
        behaviors: Mapping[str, BehaviorRun],
        lessons: Mapping[str, int],
        timers: TimerStack,
    ) -> None:
        """Write ``configuration.yaml``, ``training_status.json`` and ``timers.json``.

        Raises:
            OSError: the folder is not writable or the disk is full.
        """
        options.write_configuration(self._folder.configuration)
        if not options.checkpoint_settings.inference:
            self._write_status(behaviors, lessons)
        for key, value in _versions().items():
            timers.add_metadata(key, value)
        atomic_write_text(self._folder.timers, json.dumps(timers.get_timer_tree(), indent=4))

    def _write_status(self, behaviors: Mapping[str, BehaviorRun], lessons: Mapping[str, int]) -> None:
        status = {**self.status, **{name: behavior.keeper.as_json() for name, behavior in behaviors.items()}}
        status |= {name: {"lesson_num": number} for name, number in lessons.items()}
        status["metadata"] = {
            "stats_format_version": STATS_FORMAT_VERSION,
            "mlagents_version": __version__,
            "torch_version": torch.__version__,
        }
        atomic_write_text(self._folder.training_status, json.dumps(status, indent=4))

    def _read_status(self) -> dict[str, Any]:
        path = self._folder.training_status
        if not path.is_file():
            _LOGGER.warning("%s is missing; the list of earlier checkpoints starts anew.", path)
            return {}
        try:
            status = json.loads(path.read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            raise TrainerError(
                f"The status file {path} cannot be read ({error}). Delete it to go on."
            ) from error
        if not isinstance(status, dict) or not isinstance(status.get("metadata"), dict):
            raise TrainerError(f"The status file {path} has no metadata. Delete it to go on without it.")
        for key, ours in (("mlagents_version", __version__), ("torch_version", torch.__version__)):
            theirs = status["metadata"].get(key)
            if theirs != ours:
                _LOGGER.warning("The run was made with %s %s; this is %s.", key, theirs, ours)
        return status


def _versions() -> dict[str, str]:
    return {
        "command_line_arguments": " ".join(sys.argv),
        "mlagents_version": __version__,
        "mlagents_envs_version": __version__,
        "communication_protocol_version": COMMUNICATION_VERSION,
        "pytorch_version": version("torch"),
        "numpy_version": np.__version__,
    }
