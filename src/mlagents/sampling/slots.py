"""Agent ids become integer slots once, at the edge; everything behind it indexes dense arrays."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray


class SlotTable:
    """Assigns a dense slot to each agent of a source (one behavior id of one worker).

    Most steps report the same agents in the same order, so the last answer is kept and compared before
    anything is looked up. Some games keep the ids of their agents over all episodes, others give a new one to
    every episode: slots of agents that are gone can be given to others by :meth:`free`.

    Attributes:
        num_slots: slots that exist, free ones included.
    """

    def __init__(self) -> None:
        self.num_slots = 0
        self._free: list[int] = []
        self._slots: dict[tuple[str, int], dict[int, int]] = {}
        self._last: dict[tuple[str, int, str], tuple[NDArray[np.int32], NDArray[np.int64]]] = {}

    def lookup(
        self, behavior_id: str, worker: int, kind: str, agent_id: NDArray[np.int32]
    ) -> NDArray[np.int64]:
        """Slots of ``agent_id``, new ones for agents not seen before.

        Args:
            behavior_id: behavior id with its team.
            worker: index of the environment worker; ids are only unique within one.
            kind: any label of the kind of batch ("decision" or "terminal"); batches of a kind tend to
                repeat.
            agent_id: int32 ``[n]``.

        Returns:
            int64 ``[n]``; not to be written to.
        """
        last = self._last.get((behavior_id, worker, kind))
        if last is not None and len(last[0]) == len(agent_id) and (last[0] == agent_id).all():
            return last[1]
        known = self._slots.setdefault((behavior_id, worker), {})
        slots = np.empty(len(agent_id), dtype=np.int64)
        for row, agent in enumerate(agent_id.tolist()):
            slot = known.get(agent)
            if slot is None:
                slot = known[agent] = self._free.pop() if self._free else self._new()
            slots[row] = slot
        self._last[behavior_id, worker, kind] = (agent_id.copy(), slots)
        return slots

    def _new(self) -> int:
        self.num_slots += 1
        return self.num_slots - 1

    @property
    def num_used(self) -> int:
        """Slots that belong to agents."""
        return self.num_slots - len(self._free)

    def free(self, idle: NDArray[np.bool_]) -> None:
        """Forget agents, and give their slots to the next new ones.

        An agent that comes back is a new one.

        Args:
            idle: bool ``[num_slots]``, True for slots whose agents are to be forgotten.
        """
        for known in self._slots.values():
            gone = [(agent, slot) for agent, slot in known.items() if idle[slot]]
            for agent, slot in gone:
                del known[agent]
                self._free.append(slot)
        self._free.sort(reverse=True)  # the lowest is given first, whatever the order of workers
        self._last = {}

    def describe(self, slot: int) -> str:
        """The agent of a slot, for messages."""
        for (behavior_id, worker), known in self._slots.items():
            for agent, its_slot in known.items():
                if its_slot == slot:
                    return describe_agent(agent, behavior_id, worker)
        return "an unknown agent"

    def slots_of_worker(self, worker: int) -> NDArray[np.int64]:
        """All slots that belong to agents of a worker."""
        found = [slot for key, known in self._slots.items() if key[1] == worker for slot in known.values()]
        return np.array(sorted(found), dtype=np.int64)

    def get_state(self) -> dict[str, Any]:
        """The table as plain lists."""
        return {
            "num_slots": self.num_slots,
            "free": self._free,
            "slots": [
                [behavior_id, worker, list(known.keys()), list(known.values())]
                for (behavior_id, worker), known in self._slots.items()
            ],
        }

    def set_state(self, state: dict[str, Any]) -> None:
        """Continue from a state returned by :meth:`get_state`."""
        self.num_slots = int(state["num_slots"])
        self._free = [int(slot) for slot in state["free"]]
        self._slots = {
            (behavior_id, int(worker)): dict(zip(agents, slots, strict=True))
            for behavior_id, worker, agents, slots in state["slots"]
        }
        self._last = {}


def describe_agent(agent: int, behavior_id: str, worker: int) -> str:
    """An agent, for messages."""
    return f"agent {agent} of {behavior_id} in environment {worker}"
