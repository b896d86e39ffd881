"""Gathers the records of many agents into whole episodes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from mlagents_envs.base_env import ActionTuple, BehaviorSpec, DecisionSteps, TerminalSteps
from mlagents_envs.communicator_objects.agent_info_action_pair_pb2 import AgentInfoActionPairProto
from mlagents_envs.demonstrations import DemonstrationWriter, demonstration_record

_Actions = tuple[Sequence[float], Sequence[int]]


@dataclass(slots=True)
class _Episode:
    """An episode under way: its records, the actions of the last one, and the return so far."""

    records: list[AgentInfoActionPairProto] = field(default_factory=list)
    actions: _Actions = ((), ())
    total: float = 0.0


class EpisodeCollector:
    """Writes episodes to one file, each in one piece once it has ended.

    With several agents, the first episodes to *end* would be the short ones. So the first ``wanted`` ones to
    *begin* are recorded, and all of them are waited for.

    Args:
        writer: the file.
        wanted: number of episodes.

    Attributes:
        wanted: number of episodes.
        returns: individual plus group rewards of the episodes written so far.
        num_records: records so far, those of episodes under way included.
    """

    def __init__(self, writer: DemonstrationWriter, wanted: int) -> None:
        self.wanted = wanted
        self.returns: list[float] = []
        self.num_records = 0
        self._writer = writer
        self._begun = 0
        self._running: dict[tuple[str, int], _Episode] = {}

    @property
    def is_done(self) -> bool:
        """Whether all episodes are written."""
        return len(self.returns) >= self.wanted

    def end(self, behavior_id: str, spec: BehaviorSpec, terminals: TerminalSteps) -> None:
        """Write the episodes that ended.

        Raises:
            DemonstrationError: the file cannot be written.
        """
        for row, agent_id in enumerate(terminals.agent_id.tolist()):
            episode = self._running.pop((behavior_id, agent_id), None)
            if episode is None:
                continue
            ending = _record(spec, terminals, row, episode.actions, interrupted=terminals.interrupted[row])
            for record in (*episode.records, ending):
                self._writer.write(record)
            self.num_records += 1
            self.returns.append(episode.total + _reward(terminals, row))

    def decide(
        self, behavior_id: str, spec: BehaviorSpec, decisions: DecisionSteps, actions: ActionTuple
    ) -> None:
        """Note what the agents saw and decided.

        Args:
            behavior_id: their behavior with team.
            spec: its observations and actions.
            decisions: the ``n`` agents that ask.
            actions: float32 ``[n, c]`` and int32 ``[n, d]``, in their order.
        """
        masks = np.concatenate(decisions.action_mask, axis=1) if decisions.action_mask else None
        for row, agent_id in enumerate(decisions.agent_id.tolist()):
            episode = self._running.get((behavior_id, agent_id))
            if episode is None:
                if self._begun >= self.wanted:
                    continue
                self._begun += 1
                episode = self._running[behavior_id, agent_id] = _Episode()
            episode.total += _reward(decisions, row)
            episode.actions = actions.continuous[row].tolist(), actions.discrete[row].tolist()
            mask = () if masks is None else masks[row]
            episode.records.append(_record(spec, decisions, row, episode.actions, mask=mask))
            self.num_records += 1


def _record(
    spec: BehaviorSpec,
    steps: DecisionSteps | TerminalSteps,
    row: int,
    actions: _Actions,
    *,
    mask: Sequence[bool] | NDArray[np.bool_] = (),
    interrupted: bool | None = None,
) -> AgentInfoActionPairProto:
    """A row of the steps; the end of an episode when ``interrupted`` says how it ended."""
    return demonstration_record(
        spec,
        [column[row] for column in steps.obs],
        reward=float(steps.reward[row]),
        done=interrupted is not None,
        interrupted=bool(interrupted),
        agent_id=int(steps.agent_id[row]),
        group_id=int(steps.group_id[row]),
        group_reward=float(steps.group_reward[row]),
        mask=mask,
        actions=actions,
    )


def _reward(steps: DecisionSteps | TerminalSteps, row: int) -> float:
    return float(steps.reward[row]) + float(steps.group_reward[row])
