"""Draws areas with MuJoCo's OpenGL renderer, for whoever has a graphics card or wants smooth edges.

Nothing of OpenGL is loaded before the first renderer is made. The shapes are handed to MuJoCo as mere
geometry, without a model of the area. There are no shadows, no smoothing of edges, and no checks.
"""

from __future__ import annotations

import atexit
import importlib
import os
import weakref
from typing import Any

import mujoco
import numpy as np
from numpy.typing import NDArray

from mlagents_sdk.exception import AgentsError
from mlagents_sdk.physics.geometry import empty_placement
from mlagents_sdk.physics.layout import COLOR_WIDTH, KIND
from mlagents_sdk.physics.rendering_rays import (
    AMBIENT,
    BACKGROUND,
    EYE,
    FAR,
    FORWARD,
    HALF_HEIGHT,
    HALF_WIDTH,
    INTENSITY,
    NEAR,
    ORTHOGRAPHIC,
    TO_LIGHT,
    UP,
    place_part,
)
from mlagents_sdk.physics.shapes import ShapeKind
from mlagents_sdk.physics.world import PhysicsWorld

_PACKAGES = {
    "egl": "libegl1 (and a driver, or libgl1-mesa-dri for drawing without a graphics card)",
    "osmesa": "libosmesa6",
}
_GEOMS = {
    ShapeKind.BOX: mujoco.mjtGeom.mjGEOM_BOX,
    ShapeKind.SPHERE: mujoco.mjtGeom.mjGEOM_SPHERE,
    ShapeKind.CAPSULE: mujoco.mjtGeom.mjGEOM_CAPSULE,
    ShapeKind.CYLINDER: mujoco.mjtGeom.mjGEOM_CYLINDER,
    ShapeKind.PLANE: mujoco.mjtGeom.mjGEOM_PLANE,
}


class OpenGlRenderer:
    """Draws the areas of one world; see :class:`~mlagents_sdk.physics.rendering.Renderer`.

    A drawing surface is made for each size of picture that is asked for.

    Args:
        world: whose areas are drawn.
        platform: ``"egl"`` or ``"osmesa"``.

    Raises:
        AgentsError: the graphics library cannot be loaded.
    """

    def __init__(self, world: PhysicsWorld, platform: str) -> None:
        self._world = world
        self._shown: list[int] = np.flatnonzero(world.layout.visible).tolist()
        self._placement = empty_placement(len(world.layout.parts))
        self._platform = platform
        self._surfaces: dict[tuple[int, int], _Surface] = {}
        load_platform(platform)

    def render(self, area: int, view: NDArray[np.float64], out: NDArray[np.uint8]) -> None:
        """Draw one area into ``out``, uint8 ``(height, width, 3)``, its top row first."""
        height, width, _ = out.shape
        surface = self._surfaces.get((height, width))
        if surface is None:
            surface = _Surface(self._platform, height, width, len(self._shown))
            self._surfaces[height, width] = surface
        self._put_shapes(area, surface.scene, float(view[FAR]))
        _aim(surface.scene, view)
        _light(surface.scene, view)
        surface.draw(view[BACKGROUND : BACKGROUND + 3], out)

    def _put_shapes(self, area: int, scene: mujoco.MjvScene, far: float) -> None:
        layout, row, placement = self._world.layout, self._world.rows[area], self._placement
        scene.ngeom = 0
        for part in self._shown:
            if not place_part(row, layout.parts, layout.first_collider_at, part, placement):
                continue
            geom = scene.geoms[scene.ngeom]
            scene.ngeom += 1
            kind = ShapeKind(layout.parts[part, KIND])
            color_at = layout.first_color_at + COLOR_WIDTH * part
            mujoco.mjv_initGeom(
                geom,
                _GEOMS[kind],
                _geom_size(kind, placement.halves[part], far),
                placement.centers[part],
                placement.axes[part].ravel(),
                np.append(row[color_at : color_at + COLOR_WIDTH], 1.0).astype(np.float32),
            )
            geom.specular = geom.shininess = geom.reflectance = geom.emission = 0.0


class _Surface:
    """Something of one size to draw on."""

    def __init__(self, platform: str, height: int, width: int, shapes: int) -> None:
        spec = mujoco.MjSpec()
        spec.visual.global_.offwidth = width
        spec.visual.global_.offheight = height
        spec.visual.quality.offsamples = 0
        model = spec.compile()
        self._context = _make_context(platform, height, width)
        self._drawing = mujoco.MjrContext(model, mujoco.mjtFontScale.mjFONTSCALE_100)
        mujoco.mjr_setBuffer(mujoco.mjtFramebuffer.mjFB_OFFSCREEN, self._drawing)
        self._rect = mujoco.MjrRect(0, 0, width, height)
        self._depths = np.zeros((height, width), np.float32)
        self.scene = mujoco.MjvScene(model, maxgeom=max(shapes, 1))
        for flag in ("SHADOW", "REFLECTION", "SKYBOX", "FOG", "HAZE"):
            self.scene.flags[getattr(mujoco.mjtRndFlag, f"mjRND_{flag}")] = 0
        self.scene.nlight = 1
        _release_in_time(self, self._drawing, self._context)

    def draw(self, background: NDArray[np.float64], out: NDArray[np.uint8]) -> None:
        """Draw the scene, and the background where nothing is."""
        self._context.make_current()
        mujoco.mjr_render(self._rect, self.scene, self._drawing)
        mujoco.mjr_readPixels(out, self._depths, self._rect, self._drawing)
        out[self._depths >= 1.0] = (background * 255.0 + 0.5).astype(np.uint8)
        out[...] = out[::-1].copy()  # OpenGL begins at the bottom


def _release_in_time(surface: _Surface, drawing: mujoco.MjrContext, context: Any) -> None:  # noqa: ANN401
    """Release what a surface holds once nobody uses it, or before the platform itself is released."""
    release = weakref.finalize(surface, _release, drawing, context)
    release.atexit = False  # that would be too late
    atexit.register(release)


def _release(drawing: mujoco.MjrContext, context: Any) -> None:  # noqa: ANN401 - of either platform
    context.make_current()
    drawing.free()
    context.free()


def _geom_size(kind: ShapeKind, half: NDArray[np.float64], far: float) -> NDArray[np.float64]:
    """What MuJoCo calls the size of a geom, ``(3,)``."""
    if kind is ShapeKind.PLANE:
        return np.array([far, far, 1.0])
    if kind is ShapeKind.CAPSULE:
        return np.array([half[0], half[2] - half[0], 0.0])  # without its caps
    if kind is ShapeKind.CYLINDER:
        return np.array([half[0], half[2], 0.0])
    return half


def _aim(scene: mujoco.MjvScene, view: NDArray[np.float64]) -> None:
    near = view[NEAR]
    orthographic = bool(view[ORTHOGRAPHIC])
    scale = 1.0 if orthographic else near
    for camera in scene.camera:  # one per eye
        camera.pos = view[EYE : EYE + 3]
        camera.forward = view[FORWARD : FORWARD + 3]
        camera.up = view[UP : UP + 3]
        camera.frustum_center = 0.0
        camera.frustum_width = scale * view[HALF_WIDTH]
        camera.frustum_top = scale * view[HALF_HEIGHT]
        camera.frustum_bottom = -scale * view[HALF_HEIGHT]
        camera.frustum_near = near
        camera.frustum_far = view[FAR]
        camera.orthographic = orthographic


def _light(scene: mujoco.MjvScene, view: NDArray[np.float64]) -> None:
    light = scene.lights[0]
    light.type = mujoco.mjtLightType.mjLIGHT_DIRECTIONAL
    light.dir = -view[TO_LIGHT : TO_LIGHT + 3]
    light.headlight = 0
    light.castshadow = 0
    light.ambient = [view[AMBIENT]] * 3
    light.diffuse = [view[INTENSITY]] * 3
    light.specular = [0.0] * 3
    light.attenuation = [1.0, 0.0, 0.0]


def _make_context(platform: str, height: int, width: int) -> Any:  # noqa: ANN401 - of either platform
    """An invisible window, made current."""
    module = load_platform(platform)
    try:
        context = module.GLContext(width, height)
        context.make_current()
    except Exception as error:  # whatever the library raises, the reason is a missing driver or device
        raise _unusable(platform, error) from error
    return context


def load_platform(platform: str) -> Any:  # noqa: ANN401 - a module of MuJoCo without types
    """The module of MuJoCo that makes drawing surfaces.

    A process can load one platform only, and which one stands in ``PYOPENGL_PLATFORM`` from then on.

    Args:
        platform: ``"egl"`` or ``"osmesa"``.

    Raises:
        AgentsError: it cannot be loaded.
    """
    try:
        return importlib.import_module(f"mujoco.{platform}")
    except (ImportError, AttributeError, OSError) as error:  # PyOpenGL raises all three
        raise _unusable(platform, error) from error


def _unusable(platform: str, error: Exception) -> AgentsError:
    loaded = os.environ.get("PYOPENGL_PLATFORM") or "not set"
    return AgentsError(
        f"The rendering backend {platform!r} cannot be used here ({error}; PYOPENGL_PLATFORM is {loaded}). "
        f"Install the system package {_PACKAGES[platform]}, or choose the backend 'software', which needs "
        "none."
    )
