"""How many training areas there are, and where they lie when shown together."""

from __future__ import annotations

import math


def resolve_num_areas(requested: int | None, scene_default: int) -> int:
    """Number of training areas to build.

    Args:
        requested: what the trainer asked for. None and 1 both mean that nobody asked: 1 is what
            trainers send when their user says nothing.
        scene_default: number of areas in the scene as its author made it.

    Raises:
        ValueError: a number is below 1.
    """
    if scene_default < 1:
        raise ValueError(f"The scene's number of areas is {scene_default}; it must be at least 1.")
    if requested is None or requested == 1:
        return scene_default
    if requested < 1:
        raise ValueError(f"The number of areas is {requested}; it must be at least 1.")
    return requested


def area_positions(num_areas: int, separation: float = 10.0) -> list[tuple[float, float, float]]:
    """Positions of the areas on a grid, close to a cube.

    The grid has ``ceil(cbrt(n))`` areas along x and y and as many layers along z as are needed; x
    runs fastest, then y, then z.

    Args:
        num_areas: number of areas, ``n``.
        separation: distance between neighbours, metres.

    Returns:
        ``(x, y, z)`` of each area, the first at the origin.
    """
    side = math.ceil(round(num_areas ** (1.0 / 3.0), 9))  # rounded, because 27 ** (1/3) exceeds 3
    return [
        (separation * (i % side), separation * (i // side % side), separation * (i // (side * side)))
        for i in range(num_areas)
    ]
