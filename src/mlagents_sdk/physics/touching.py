"""Tells the program what touches what: collisions and triggers.

As in the original, contacts are those at the beginning of a physics step, before bodies move: a collision
where two solid colliders are closer than :data:`~mlagents_sdk.physics.contacts.CONTACT_OFFSET` and one of
the bodies is dynamic, a trigger where two colliders overlap, one of them is a trigger and one of the
bodies is not static. Bodies that a joint holds together do not collide. Each pair of colliders is told for
itself. Nothing is looked for where nobody listens. When a body is disabled, its contacts end without a
word.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from mlagents_sdk.physics.body import ContactCallback, Transform
from mlagents_sdk.physics.box_contacts import CONTACT_WIDTH, MAX_CONTACTS
from mlagents_sdk.physics.compiled import compiled
from mlagents_sdk.physics.contacts import CONTACT_OFFSET
from mlagents_sdk.physics.geometry import bound_collider, bounds_overlap, empty_placement, place_collider
from mlagents_sdk.physics.layout import (
    AREA_WIDTH,
    BODY,
    BODY_WIDTH,
    COLLIDER_WIDTH,
    COUNT,
    ENABLED,
    FIRST,
    KIND,
    MOTION,
    POSITION,
    REACH,
    TAG,
    TRIGGER,
)
from mlagents_sdk.physics.narrow_phase import collide
from mlagents_sdk.physics.rotations import Vector

if TYPE_CHECKING:
    from mlagents_sdk.physics.world import PhysicsWorld

_KINDS = 6  # enter, stay and exit of collisions, then of triggers
_DYNAMIC = 2
_EXIT = 2


@dataclass(frozen=True, slots=True)
class Contact:
    """What a listening function is told.

    Attributes:
        other: the body that touches the one listened to.
        tag: of the collider that was touched.
        point: where, metres in the frame of the area; the deepest point of several.
        normal: unit vector towards the body listened to. Zero, as is the point, at an exit.
    """

    other: Transform
    tag: str
    point: Vector
    normal: Vector


@compiled
def _find_touching(
    rows: NDArray[np.float64],
    bodies: NDArray[np.int64],
    colliders: NDArray[np.int64],
    first_collider_at: int,
    parents: NDArray[np.int64],
    wanted: NDArray[np.int64],
    pairs: NDArray[np.int64],
    points: NDArray[np.float64],
) -> int:
    """All contacts of the bodies listened to.

    Args:
        rows: ``(areas, width)``.
        bodies: int64 ``(bodies, 4)``.
        colliders: int64 ``(colliders, 2)``.
        first_collider_at: column of the first collider.
        parents: int64 ``(bodies,)``: body on which each body hangs, -1 for none.
        wanted: int64 ``(areas, bodies)``, bits of the kinds that somebody listens to.
        pairs: int64 ``(capacity, 4)``: area, own collider, other collider, whether a trigger; filled in
            this order.
        points: ``(capacity, 6)``: point and normal.

    Returns:
        Number of contacts.
    """
    placement = empty_placement(len(colliders))
    found = np.empty((MAX_CONTACTS, CONTACT_WIDTH))
    count = 0
    for area in range(len(rows)):
        row = rows[area]
        for body in range(len(bodies)):
            at = AREA_WIDTH + BODY_WIDTH * body
            if wanted[area, body] == 0 or row[at + ENABLED] == 0.0:
                continue
            for a in range(bodies[body, FIRST], bodies[body, FIRST] + bodies[body, COUNT]):
                place_collider(row, colliders, first_collider_at, a, placement)
                bound_collider(colliders[a, KIND], a, CONTACT_OFFSET, placement)
                trigger_a = row[first_collider_at + COLLIDER_WIDTH * a + TRIGGER] != 0.0
                for b in range(len(colliders)):
                    other = colliders[b, BODY]
                    other_at = AREA_WIDTH + BODY_WIDTH * other
                    if other == body or row[other_at + ENABLED] == 0.0:
                        continue
                    reach = row[at + REACH] + row[other_at + REACH] + CONTACT_OFFSET
                    dx = row[at + POSITION] - row[other_at + POSITION]
                    dy = row[at + POSITION + 1] - row[other_at + POSITION + 1]
                    dz = row[at + POSITION + 2] - row[other_at + POSITION + 2]
                    if dx * dx + dy * dy + dz * dz > reach * reach:
                        continue
                    trigger = trigger_a or row[first_collider_at + COLLIDER_WIDTH * b + TRIGGER] != 0.0
                    fastest = max(bodies[body, MOTION], bodies[other, MOTION])
                    if fastest == 0 or (fastest < _DYNAMIC and not trigger):
                        continue
                    if not trigger and (parents[body] == other or parents[other] == body):
                        continue
                    place_collider(row, colliders, first_collider_at, b, placement)
                    bound_collider(colliders[b, KIND], b, 0.0, placement)
                    if not bounds_overlap(placement.bounds, a, b):
                        continue
                    margin = 0.0 if trigger else CONTACT_OFFSET
                    touching = collide(colliders[a, KIND], a, colliders[b, KIND], b, placement, margin, found)
                    if touching == 0:
                        continue
                    deepest = 0
                    for k in range(1, touching):
                        if found[k, 3] < found[deepest, 3]:
                            deepest = k
                    pairs[count, 0] = area
                    pairs[count, 1] = a
                    pairs[count, 2] = b
                    pairs[count, 3] = 1 if trigger else 0
                    points[count, :3] = found[deepest, 4:]
                    points[count, 3:] = found[deepest, :3]
                    count += 1
    return count


@compiled
def _order(a: NDArray[np.int64], b: NDArray[np.int64]) -> int:
    """Below, equal to or above zero, as pair ``a`` comes before, is or comes after pair ``b``."""
    for k in range(4):
        if a[k] != b[k]:
            return -1 if a[k] < b[k] else 1
    return 0


@compiled
def _compare(
    colliders: NDArray[np.int64],
    wanted: NDArray[np.int64],
    before: NDArray[np.int64],
    num_before: int,
    now: NDArray[np.int64],
    num_now: int,
    events: NDArray[np.int64],
) -> int:
    """What began, went on and ended, as far as wanted.

    Args:
        colliders: int64 ``(colliders, 2)``.
        wanted: int64 ``(areas, bodies)``.
        before: pairs of the step before, sorted.
        num_before: how many.
        now: pairs of this step, sorted.
        num_now: how many.
        events: int64 ``(capacity, 3)``: kind, index in ``now`` (in ``before`` for exits), area; filled.

    Returns:
        Number of events.
    """
    count = 0
    i = 0
    j = 0
    while i < num_before or j < num_now:
        if i >= num_before:
            order = 1
        elif j >= num_now:
            order = -1
        else:
            order = _order(before[i], now[j])
        if order < 0:
            pair = before[i]
            kind = _EXIT
            index = i
        else:
            pair = now[j]
            kind = 1 if order == 0 else 0
            index = j
        i += 1 if order <= 0 else 0
        j += 1 if order >= 0 else 0
        kind += 3 * pair[3]
        if wanted[pair[0], colliders[pair[1], BODY]] >> kind & 1:
            events[count, 0] = kind
            events[count, 1] = index
            events[count, 2] = pair[0]
            count += 1
    return count


class Dispatcher:
    """Remembers what touched, and calls who listens.

    Args:
        world: the world whose contacts are told.
    """

    def __init__(self, world: PhysicsWorld) -> None:
        self._world = world
        self._wanted = np.zeros((len(world.rows), len(world.layout.bodies)), np.int64)
        self._listeners: dict[tuple[int, int], list[list[ContactCallback]]] = {}
        self._before = np.zeros((0, 4), np.int64)
        self._now = np.zeros((0, 4), np.int64)
        self._num_now = 0
        self._points = np.zeros((0, 6))
        self._events = np.zeros((0, 3), np.int64)
        self._num_events = 0

    def add(self, transform: Transform, callbacks: Sequence[ContactCallback | None]) -> None:
        """Listen to a body; see :meth:`Transform.listen`."""
        key = (transform.area_index, transform.body_index)
        lists = self._listeners.setdefault(key, [[] for _ in range(_KINDS)])
        for kind, callback in enumerate(callbacks):
            if callback is not None:
                lists[kind].append(callback)
                self._wanted[key] |= 1 << kind
        self._make_room()

    def find_contacts(self) -> None:
        """Note what touches now, before the bodies move."""
        if not self._listeners:
            return
        layout = self._world.layout
        before, num_before = self._now, self._num_now
        now = self._before
        self._num_now = _find_touching(
            self._world.rows,
            layout.bodies,
            layout.colliders,
            layout.first_collider_at,
            self._world.joint_table.parents,
            self._wanted,
            now,
            self._points,
        )
        self._num_events = _compare(
            layout.colliders, self._wanted, before, num_before, now, self._num_now, self._events
        )
        self._before, self._now = before, now

    def dispatch(self) -> None:
        """Call the functions for what was noted last, once."""
        count, self._num_events = self._num_events, 0
        if count == 0:
            return
        calls = [self._describe(*event) for event in self._events[:count].tolist()]
        for transform, kind, contact in calls:
            for callback in self._listeners[transform.area_index, transform.body_index][kind]:
                if transform.enabled and contact.other.enabled:
                    callback(contact)

    def forget(self, area: int) -> None:
        """Begin anew in one area: what touches there in the next step has just begun to."""
        pairs = self._now[: self._num_now]
        keep = pairs[:, 0] != area
        events = self._events[: self._num_events]
        events = events[events[:, 2] != area].copy()
        still_there = events[:, 0] % 3 != _EXIT
        events[still_there, 1] = (np.cumsum(keep) - 1)[events[still_there, 1]]
        self._points[: keep.sum()] = self._points[: self._num_now][keep]
        self._num_now = int(keep.sum())
        self._now[: self._num_now] = pairs[keep]
        self._num_events = len(events)
        self._events[: self._num_events] = events

    def get_state(self) -> dict[str, Any]:
        """What touched in the last step."""
        return {"pairs": self._now[: self._num_now].copy()}

    def set_state(self, state: dict[str, Any]) -> None:
        """Continue from :meth:`get_state`, with the same bodies listened to."""
        pairs = state["pairs"]
        if len(pairs) > len(self._now):
            self._now = np.zeros((len(pairs), 4), np.int64)
        self._now[: len(pairs)] = pairs
        self._num_now = len(pairs)
        self._num_events = 0

    def _make_room(self) -> None:
        """Have room for every collider listened to touching every other."""
        layout = self._world.layout
        counts = layout.bodies[:, COUNT]
        capacity = int(((self._wanted != 0) * counts).sum() * len(layout.colliders))
        for name in ("_before", "_now"):
            grown = np.zeros((capacity, 4), np.int64)
            old = getattr(self, name)
            grown[: len(old)] = old
            setattr(self, name, grown)
        self._points = np.zeros((capacity, 6))
        self._events = np.zeros((2 * capacity, 3), np.int64)

    def _describe(self, kind: int, index: int, area: int) -> tuple[Transform, int, Contact]:
        ended = kind % 3 == _EXIT
        _, own, other, _ = (self._before if ended else self._now)[index].tolist()
        world = self._world
        layout = world.layout
        transforms = world.areas[area].transforms
        tag = int(world.rows[area, layout.collider_at(other) + TAG])
        px, pz, py, nx, nz, ny = (0.0,) * 6 if ended else self._points[index].tolist()
        contact = Contact(
            transforms[int(layout.colliders[other, BODY])],
            world.tags.names[tag],
            (px, py, pz),
            (nx, ny, nz),
        )
        return transforms[int(layout.colliders[own, BODY])], kind, contact
