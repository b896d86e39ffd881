"""Records what an agent does into demonstration files (``.demo``)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import numpy as np
from numpy.typing import NDArray

from mlagents_envs.communicator_objects.agent_info_action_pair_pb2 import AgentInfoActionPairProto
from mlagents_envs.demonstration_format import reduced_name
from mlagents_envs.demonstration_records import demonstration_record, set_actions
from mlagents_envs.demonstration_writer import DemonstrationWriter, free_path
from mlagents_envs.logging_util import get_logger
from mlagents_sdk.exception import AgentsError
from mlagents_sdk.sensors.compression import CompressionType, compression_of

if TYPE_CHECKING:
    from mlagents_sdk.agent import Agent
    from mlagents_sdk.agent_runtime import AgentRuntime
    from mlagents_sdk.columns import RecordColumns

logger = get_logger(__name__)

DEFAULT_DIRECTORY = Path("Demonstrations")


class RecordWriter(Protocol):
    """Where records go: a file, or whatever a user attaches."""

    def write(self, record: AgentInfoActionPairProto) -> None:
        """Take one record."""

    def close(self) -> None:
        """Take no more."""


class DemonstrationRecorder:
    """Records an agent, whoever decides for it: a person, a script, a model or a trainer.

    The file begins with the first decision while :attr:`record` is on and is complete once :meth:`close`
    is called, which the academy does when it is disposed of. Each record holds an observation together with
    the action taken on it. A record is written when the agent's next one is known; the latest one is thus
    missing from the file of a recorder that was killed.

    An agent that changes its behavior name gets a file for each name. Being disabled ends an episode, and
    the recording goes on when the agent is enabled again. When the environment is reset, or recording is
    switched off, in the middle of an episode, the last record counts as its end, cut by a limit.

    Args:
        agent: whom to record.
        record: whether to record from the beginning.
        num_steps_to_record: records, ends of episodes included, after which the recording is over;
            0 for no limit.
        demonstration_name: name of the file, of which letters, digits, blanks and hyphens are kept, 16
            characters at most; the behavior's if empty. An existing file is never replaced: ``_0``, ``_1``, …
            is appended.
        demonstration_directory: folder of the file, made if need be; ``Demonstrations`` in the working
            directory if None.

    Attributes:
        num_steps_to_record: as above; may be changed.
        paths: files of this recording, in the order in which they were begun.
        num_steps: records so far.
        on_finished: called once ``num_steps_to_record`` is reached; a host may stop there.

    Raises:
        AgentsError: ``num_steps_to_record`` is negative, or the name has no usable characters.
    """

    def __init__(
        self,
        agent: Agent,
        record: bool = False,
        num_steps_to_record: int = 0,
        demonstration_name: str = "",
        demonstration_directory: str | Path | None = None,
    ) -> None:
        if num_steps_to_record < 0:
            raise AgentsError(f"num_steps_to_record is {num_steps_to_record}; it must be at least 0.")
        if demonstration_name and not reduced_name(demonstration_name):
            raise AgentsError(
                f"The demonstration name {demonstration_name!r} has no characters that file names keep; use "
                "letters, digits, blanks and hyphens."
            )
        self.num_steps_to_record = num_steps_to_record
        self.paths: list[Path] = []
        self.num_steps = 0
        self.on_finished: list[Callable[[], None]] = []
        self._name = demonstration_name
        self._directory = (
            DEFAULT_DIRECTORY if demonstration_directory is None else Path(demonstration_directory)
        )
        self._agent = agent.runtime
        self._record = record
        self._closed = False
        self._files: dict[str, DemonstrationWriter] = {}
        self._custom: list[RecordWriter] = []
        self._behavior = ""
        self._asked: AgentInfoActionPairProto | None = None  # waits for its action
        self._latest: AgentInfoActionPairProto | None = None  # complete, waits for what follows
        self._actions: tuple[Sequence[float], Sequence[int]] | None = None
        self._length = 0  # decisions of this episode that were recorded
        agent.runtime.record_listeners.append(self)
        agent.academy.decide_action.append(self._take_actions)
        agent.academy.on_dispose.append(self.close)

    @property
    def record(self) -> bool:
        """Whether records are made; may be switched at any time."""
        return self._record and not self._closed

    @record.setter
    def record(self, record: bool) -> None:
        if self._record and not record:
            self._cut()
        self._record = record

    @property
    def is_closed(self) -> bool:
        """Whether the recording is over for good."""
        return self._closed

    def add_writer(self, writer: RecordWriter) -> None:
        """Hand all further records to ``writer`` too, which is closed together with the files."""
        self._custom.append(writer)

    def close(self) -> None:
        """Complete the files and stop recording for good; without effect when repeated.

        Raises:
            DemonstrationError: a file cannot be completed; what was recorded can be read all the same.
        """
        if self._closed:
            return
        try:
            self._flush()
        finally:
            self._shut()

    # What the agent tells

    def on_decision_requested(self, agent: AgentRuntime) -> None:
        """Keep what the agent observed until its action is known."""
        if not self.record:
            return
        name = agent.behavior.fully_qualified_name
        if name != self._behavior:
            self._cut()
            self._behavior = name
        self._flush()
        if self.record:  # the limit may have been reached
            decisions = agent.policy.columns.decisions
            self._asked = _to_record(agent, decisions, agent.row, mask=decisions.mask[agent.row])

    def on_episode_ended(self, agent: AgentRuntime, row: int) -> None:
        """Record the end of an episode, with its last action once more."""
        if not self.record:
            return
        terminals = agent.policy.columns.terminals
        ending = _to_record(agent, terminals, row, done=True, interrupted=bool(terminals.interrupted[row]))
        if self._asked is not None:  # ended before it decided
            ending.agent_info.reward += self._asked.agent_info.reward
            ending.agent_info.group_reward += self._asked.agent_info.group_reward
            self._asked = None
        self._flush()
        if self._length and self.record:
            self._write_end(ending)

    def on_episode_dropped(self, agent: AgentRuntime) -> None:
        """Let the last observation be the end of the episode."""
        if self.record:
            self._cut()

    def _take_actions(self) -> None:
        """The agent has decided: complete its record."""
        if self._asked is None:
            return
        stored = self._agent.actuators.stored_actions
        self._actions = stored.continuous_actions, stored.discrete_actions
        set_actions(self._asked, *self._actions)
        self._latest, self._asked = self._asked, None
        self._length += 1

    # Writing

    def _cut(self) -> None:
        """End the episode with the last observation."""
        ending = self._asked or self._latest
        if self._asked is not None:
            self._flush()
        elif self._latest is not None:
            self._length -= 1  # it turns from a decision into an end
        self._asked = self._latest = None
        if ending is not None and self._length and self.record:
            ending.agent_info.done = ending.agent_info.max_step_reached = True
            self._write_end(ending)
        self._length = 0

    def _write_end(self, ending: AgentInfoActionPairProto) -> None:
        if self._actions is not None:
            ending.ClearField("action_info")
            set_actions(ending, *self._actions)
        self._length = 0
        self._write(ending)

    def _flush(self) -> None:
        """Write the latest decision."""
        if self._latest is not None:
            record, self._latest = self._latest, None
            self._write(record)

    def _write(self, record: AgentInfoActionPairProto) -> None:
        try:
            for writer in (self._file(), *self._custom):
                writer.write(record)
        except BaseException:
            self._shut()
            raise
        self.num_steps += 1
        if 0 < self.num_steps_to_record <= self.num_steps:
            self._shut()
            logger.info("Recorded %d steps to %s.", self.num_steps, ", ".join(map(str, self.paths)))
            for listener in tuple(self.on_finished):
                listener()

    def _file(self) -> DemonstrationWriter:
        """The file of the present behavior, begun with its first record."""
        file = self._files.get(self._behavior)
        if file is None:
            behavior_name = self._behavior.partition("?")[0]
            name = reduced_name(self._name) or reduced_name(behavior_name) or "Demonstration"
            path = free_path(self._directory / f"{name}.demo")
            file = DemonstrationWriter(path, self._behavior, self._agent.actuators.action_spec, name)
            self._files[self._behavior] = file
            self.paths.append(path)
        return file

    def _shut(self) -> None:
        """Close everything, even where something cannot be closed."""
        self._closed = True
        self._asked = self._latest = None
        failures: list[Exception] = []
        for writer in (*self._files.values(), *self._custom):
            try:
                writer.close()
            except Exception as error:
                failures.append(error)
        if failures:
            raise failures[0]


def _to_record(
    agent: AgentRuntime,
    columns: RecordColumns,
    row: int,
    *,
    done: bool = False,
    interrupted: bool = False,
    mask: Sequence[bool] | NDArray[np.bool_] = (),
) -> AgentInfoActionPairProto:
    """A row as a record that has no action yet."""
    return demonstration_record(
        agent.policy.columns.spec,
        [column[row] for column in columns.obs],
        reward=float(columns.reward[row]),
        done=done,
        interrupted=interrupted,
        agent_id=agent.agent_id,
        group_id=int(columns.group_id[row]),
        group_reward=float(columns.group_reward[row]),
        mask=mask,
        compressed=[
            compression_of(sensor).compression_type is CompressionType.PNG
            for sensor in agent.observation_sensors()
        ],
    )
