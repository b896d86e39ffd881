"""The state of a collecting loop without what its replay remembers."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from mlagents.experience.replay import NO_ROW

_LINKS = ("next_row", "previous_row")


def undecided_rows(store: dict[str, Any]) -> NDArray[np.int64]:
    """Rows of a replay's state whose agents wait for an outcome, int64 ``[n]``, oldest first."""
    used = len(store["rewards"])
    head = int(store["counters"][0])
    rows = np.flatnonzero(~store["complete"] & (store["agent_slot"] != NO_ROW))
    return rows[np.argsort((rows - head) % max(1, used), kind="stable")]


def without_experience(state: dict[str, Any]) -> dict[str, Any]:
    """The state of an :class:`ActingLoop` on a replay, with only the rows that agents wait on.

    Agents are between an observation and its outcome when a run is saved, so these rows belong to where the
    environment is, and the run can go on in the middle of episodes.

    Args:
        state: from :meth:`ActingLoop.get_state`, with arrays.
    """
    collector = state["collector"]
    store = collector["store"]
    kept = undecided_rows(store)
    moved = np.full(len(store["rewards"]) + 1, NO_ROW, dtype=np.int64)  # the last one is for "no row"
    moved[kept] = np.arange(len(kept))
    smaller: dict[str, Any] = {
        name: column[kept]
        for name, column in store.items()
        if name not in ("observations", "last_row", "counters")
    }
    for name in _LINKS:
        smaller[name] = np.full(len(kept), NO_ROW, dtype=np.int64)
    smaller["observations"] = [column[kept] for column in store["observations"]]
    last_row = store["last_row"]
    smaller["last_row"] = moved[last_row]
    smaller["counters"] = [len(kept), len(kept), 0, 0, 0, len(kept)]
    return {
        **state,
        "collector": {**collector, "store": smaller, "open_row": moved[collector["open_row"]]},
        "waiting": [
            [worker, name, int(moved[first]), count] for worker, name, first, count in state["waiting"]
        ],
    }
