"""A camera from which a person sees a whole area."""

from __future__ import annotations

import math

import numpy as np

from mlagents_sdk.physics.area import TrainingArea
from mlagents_sdk.physics.geometry import PLANE, bound_collider, empty_placement
from mlagents_sdk.physics.layout import BODY, KIND, MOTION, NO_BODY
from mlagents_sdk.physics.rendering import Camera
from mlagents_sdk.physics.rendering_rays import place_part
from mlagents_sdk.physics.rotations import euler_rotation, rotate
from mlagents_sdk.physics.scene import Motion

_FIELD_OF_VIEW = 60.0  # degrees
_SKY = (0.55, 0.68, 0.82)


def overview(area: TrainingArea, pitch: float = 35.0, yaw: float = 0.0) -> Camera:
    """A camera that sees everything visible in an area as it is now, endless planes aside.

    Where there are bodies that never move, only these count: others may be parked far away.

    Args:
        area: what it looks at.
        pitch: degrees by which it looks down.
        yaw: degrees by which it looks to the right of forward.
    """
    layout = area.world.layout
    row = area.world.rows[area.index]
    placement = empty_placement(len(layout.parts))
    low, high = np.full(3, np.inf), np.full(3, -np.inf)
    shown = np.flatnonzero(layout.visible)
    bodies = layout.parts[shown, BODY]
    static = shown[(bodies == NO_BODY) | (layout.bodies[bodies, MOTION] == Motion.STATIC.rank)]
    for part in (static if len(static) else shown).tolist():
        kind = int(layout.parts[part, KIND])
        if kind != PLANE and place_part(row, layout.parts, layout.first_collider_at, part, placement):
            bound_collider(kind, part, 0.0, placement)
            low = np.minimum(low, placement.bounds[part, :3])
            high = np.maximum(high, placement.bounds[part, 3:])
    if not np.isfinite(low).all():
        low, high = np.full(3, -5.0), np.full(3, 5.0)
    x, z, y = (0.5 * (low + high)).tolist()
    distance = 0.5 * float(np.linalg.norm(high - low)) / math.sin(math.radians(0.5 * _FIELD_OF_VIEW))
    rotation = euler_rotation(pitch, yaw)
    back_x, back_y, back_z = rotate(rotation, (0.0, 0.0, -distance))
    return Camera(
        area,
        (x + back_x, y + back_y, z + back_z),
        rotation,
        field_of_view=_FIELD_OF_VIEW,
        far=max(1000.0, 4.0 * distance),
        background=_SKY,
    )
