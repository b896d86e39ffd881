"""Cameras: pictures of a training area, drawn on any machine, with or without a graphics card.

Without further wishes rays are cast in machine code of our own
(:mod:`mlagents_sdk.physics.rendering_rays`), which needs no graphics library and is the fastest for small
pictures of few bodies. MuJoCo's renderer can be had instead
(:mod:`mlagents_sdk.physics.rendering_opengl`); its pictures are the same but for some pixels at edges, and
without checks.
"""

from __future__ import annotations

import math
import os
from collections.abc import Callable
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from mlagents_sdk.exception import AgentsError
from mlagents_sdk.physics.appearance import Color, check_color, check_size, checks_of
from mlagents_sdk.physics.area import TrainingArea
from mlagents_sdk.physics.body import Transform
from mlagents_sdk.physics.layout import to_mujoco
from mlagents_sdk.physics.rendering_rays import VIEW_WIDTH, draw
from mlagents_sdk.physics.rotations import IDENTITY, Quaternion, Vector, multiply, rotate
from mlagents_sdk.physics.scene import Collider
from mlagents_sdk.physics.shapes import Shape
from mlagents_sdk.physics.world import PhysicsWorld

BACKEND_VARIABLE = "MLAGENTS_RENDERING"
"""Environment variable that names the backend of cameras whose backend is ``"auto"``."""

MAX_PIXELS = 2**24
"""Largest picture."""


class Renderer(Protocol):
    """Draws the areas of a world."""

    def render(self, area: int, view: NDArray[np.float64], out: NDArray[np.uint8]) -> None:
        """Draw one area into ``out``, uint8 ``(height, width, 3)``, its top row first.

        Args:
            area: index of the area.
            view: ``(VIEW_WIDTH,)``, see :mod:`mlagents_sdk.physics.rendering_rays`.
            out: gets the picture.
        """


class SoftwareRenderer:
    """Casts a ray through every pixel; see :mod:`mlagents_sdk.physics.rendering_rays`.

    Args:
        world: whose areas are drawn.
    """

    def __init__(self, world: PhysicsWorld) -> None:
        self._rows = world.rows
        self._layout = world.layout
        self._shown = np.flatnonzero(world.layout.visible)
        bodies = world.scene.colliders
        parts: list[tuple[Shape, Collider | None]] = []
        parts += [(shape, body) for body in bodies.values() for shape in body.shapes]
        parts += [
            (item.shape, None if item.body is None else bodies[item.body]) for item in world.scene.decorations
        ]
        self._patterns = np.zeros((len(parts), 4))
        for index, (shape, owner) in enumerate(parts):
            checks = checks_of(shape, owner)
            if checks is not None:
                self._patterns[index] = (check_size(shape.half_size), *checks)

    def render(self, area: int, view: NDArray[np.float64], out: NDArray[np.uint8]) -> None:
        """See :class:`Renderer`."""
        layout = self._layout
        draw(
            self._rows[area],
            layout.parts,
            self._shown,
            layout.first_collider_at,
            layout.first_color_at,
            self._patterns,
            view,
            np.empty(out.shape[:2], np.float32),
            out,
        )


def _opengl(platform: str) -> Callable[[PhysicsWorld], Renderer]:
    def make(world: PhysicsWorld) -> Renderer:
        from mlagents_sdk.physics.rendering_opengl import OpenGlRenderer  # loads a graphics library

        return OpenGlRenderer(world, platform)

    return make


BACKENDS: dict[str, Callable[[PhysicsWorld], Renderer]] = {
    "software": SoftwareRenderer,
    "egl": _opengl("egl"),
    "osmesa": _opengl("osmesa"),
}
"""Who draws. ``"auto"`` is what :data:`BACKEND_VARIABLE` says, or ``"software"``."""


class Camera:
    """Takes pictures of one area. It looks along its forward axis; its up axis points up in the picture.

    Everything but the area may be changed between two pictures.

    Args:
        area: what it takes pictures of.
        position: metres, in the frame of ``body``, or of the area where there is none.
        rotation: ``(x, y, z, w)`` in the same frame, see
            :func:`~mlagents_sdk.physics.rotations.euler_rotation`.
        body: what carries the camera. A body that it sits inside is not in its pictures.
        field_of_view: vertical angle of the picture, degrees; of no matter to an orthographic camera.
        orthographic_size: half the height of the picture, metres, for parallel rays; None for
            perspective.
        near: nothing nearer is seen, metres along the forward axis.
        far: nothing farther is seen.
        background: colour where there is nothing.
        backend: ``"software"``, ``"egl"``, ``"osmesa"`` or ``"auto"``, see :data:`BACKENDS`.

    Raises:
        AgentsError: a number makes no sense, the backend is unknown or cannot be had here.
    """

    def __init__(
        self,
        area: TrainingArea,
        position: Vector = (0.0, 0.0, 0.0),
        rotation: Quaternion = IDENTITY,
        *,
        body: Transform | None = None,
        field_of_view: float = 60.0,
        orthographic_size: float | None = None,
        near: float = 0.3,
        far: float = 1000.0,
        background: Color = (0.0, 0.0, 0.0),
        backend: str = "auto",
    ) -> None:
        self.area = area
        self.position = position
        self.rotation = rotation
        self.body = body
        self.field_of_view = field_of_view
        self.orthographic_size = orthographic_size
        self.near = near
        self.far = far
        self.background = background
        self._view = np.zeros(VIEW_WIDTH)
        self._check()
        self._renderer = _make_renderer(backend, area.world)

    def render(self, height: int, width: int) -> NDArray[np.uint8]:
        """Take a picture.

        Args:
            height: pixels.
            width: pixels; their number decides how far the camera sees to the sides.

        Returns:
            uint8 ``(height, width, 3)``, the top row first.

        Raises:
            AgentsError: a number of the camera or the size makes no sense.
        """
        if height < 1 or width < 1 or height * width > MAX_PIXELS:
            raise AgentsError(
                f"A picture of {width} x {height} pixels was asked for; both must be at least 1, and their "
                f"product at most {MAX_PIXELS}."
            )
        out = np.empty((height, width, 3), np.uint8)
        self.render_into(out)
        return out

    def render_into(self, out: NDArray[np.uint8]) -> None:
        """Take a picture into ``out``, C-contiguous uint8 ``(height, width, 3)``; see :meth:`render`."""
        self._check()
        self._look(out.shape[1] / out.shape[0])
        self._renderer.render(self.area.index, self._view, out)

    def _look(self, aspect: float) -> None:
        """Fill the view with the numbers of the moment."""
        position, rotation = self.position, self.rotation
        if self.body is not None:
            own = self.body.rotation
            x, y, z = rotate(own, position)
            at = self.body.position
            position = (at[0] + x, at[1] + y, at[2] + z)
            rotation = multiply(own, rotation)
        size = self.orthographic_size
        half = math.tan(math.radians(0.5 * self.field_of_view)) if size is None else size
        lighting = self.area.world.scene.lighting
        self._view[:] = (
            *to_mujoco(position),
            *to_mujoco(rotate(rotation, (1.0, 0.0, 0.0))),
            *to_mujoco(rotate(rotation, (0.0, 1.0, 0.0))),
            *to_mujoco(rotate(rotation, (0.0, 0.0, 1.0))),
            half * aspect,
            half,
            0.0 if size is None else 1.0,
            self.near,
            self.far,
            *self.background,
            *to_mujoco(lighting.to_light),
            lighting.intensity,
            lighting.ambient,
        )

    def _check(self) -> None:
        if self.orthographic_size is None and not 0.0 < self.field_of_view < 180.0:
            raise AgentsError(
                f"A camera's field_of_view is {self.field_of_view}; it must lie in 0-180 degrees."
            )
        if self.orthographic_size is not None and not 0.0 < self.orthographic_size < math.inf:
            raise AgentsError(
                f"A camera's orthographic_size is {self.orthographic_size}; it must be positive, or None."
            )
        if not 0.0 < self.near < self.far < math.inf:
            raise AgentsError(
                f"A camera's near is {self.near} and its far {self.far}; they must be positive and ascend."
            )
        check_color(self.background, "A camera's background")


def _make_renderer(backend: str, world: PhysicsWorld) -> Renderer:
    if backend == "auto":
        backend = os.environ.get(BACKEND_VARIABLE) or "software"
    if backend not in BACKENDS:
        known = ", ".join(BACKENDS)
        raise AgentsError(
            f"There is no rendering backend {backend!r}; choose auto or one of {known}, as the camera's "
            f"backend or in the environment variable {BACKEND_VARIABLE}."
        )
    return BACKENDS[backend](world)
