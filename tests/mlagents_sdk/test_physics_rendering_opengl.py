"""MuJoCo's renderer, an independent implementation, draws the same pictures as ours.

In processes of their own: a process can load one platform only, and libraries of graphics are known to crash.
"""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

_COMPARE = """
import sys
import numpy as np
from mlagents_sdk import AgentsError
from mlagents_sdk.physics import Camera, Motion, PhysicsWorld, Scene, Shape
from mlagents_sdk.physics.rotations import euler_rotation

scene = Scene().add_box("box", (5, 5, 5), motion=Motion.SCRIPTED, color=(0.1, 0.6, 0.9))
scene.add_sphere("ball", 0.5, (0.3, 4.3, 0), motion=Motion.DYNAMIC)
scene.add_plane("ground", (0, -2.5, 0), color=(0.5, 0.3, 0.3))
scene.decorate("box", Shape.box((5.04, 0.5, 5.04), color=(1.0, 0.6, 0.1)))
scene.decorate(
    None,
    Shape.capsule(0.3, 1.5, (3, 3, 0), color=(1, 0, 0)),
    Shape.cylinder(0.3, 1.5, (-3, 3, 0), color=(0, 1, 0)),
    Shape.capsule(0.3, 1.5, (-2, 4, 0), euler_rotation(0, 30, 70), color=(1, 0, 1)),
    Shape.cylinder(0.4, 1.5, (2, 4, 0), euler_rotation(50, 30, 70), color=(1, 1, 0)),
)
area = PhysicsWorld(scene).areas[0]
for orthographic_size in (None, 5.0):
    for height, width in ((120, 160), (84, 84)):
        pictures = []
        for backend in ("software", sys.argv[1]):
            try:
                camera = Camera(
                    area, (1, 7, -8), euler_rotation(30, -5), orthographic_size=orthographic_size,
                    far=100.0, background=(0.2, 0.3, 0.4), backend=backend,
                )
                pictures.append(camera.render(height, width).astype(int))
            except AgentsError as error:
                print(error)
                sys.exit(3)
        ours, theirs = pictures
        assert len(np.unique(ours.reshape(-1, 3), axis=0)) > 20
        different = (abs(ours - theirs).max(axis=2) > 3).mean()
        assert different < 0.015, (orthographic_size, different)
"""


@pytest.mark.parametrize("backend", ["egl", "osmesa"])
def test_both_renderers_draw_the_same(backend: str) -> None:
    environment = {key: value for key, value in os.environ.items() if key != "PYOPENGL_PLATFORM"}
    result = subprocess.run(
        [sys.executable, "-c", _COMPARE, backend],
        capture_output=True,
        text=True,
        timeout=120,
        env=environment,
    )
    if result.returncode == 3:
        pytest.skip(result.stdout.strip())
    assert result.returncode == 0, result.stdout + result.stderr
    assert "Traceback" not in result.stderr  # at the end of the interpreter, say


def test_missing_library_is_named_with_what_to_install() -> None:
    """OpenGL of another platform is loaded already, as if the library were missing."""
    program = (
        "import os; os.environ['PYOPENGL_PLATFORM'] = 'glx'\n"
        "from mlagents_sdk.physics import Camera, PhysicsWorld, Scene\n"
        "Camera(PhysicsWorld(Scene().add_box('box', (1, 1, 1))).areas[0], backend='osmesa')\n"
    )
    result = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=120)
    last = result.stderr.strip().splitlines()[-1]
    assert "The rendering backend 'osmesa' cannot be used here" in last
    assert "PYOPENGL_PLATFORM is glx" in last
    assert "libosmesa6" in last
    assert "'software'" in last


def test_environment_variable_chooses_and_nothing_of_opengl_is_loaded_unasked() -> None:
    program = (
        "import sys, os\n"
        "from mlagents_sdk import AgentsError\n"
        "from mlagents_sdk.physics import Camera, PhysicsWorld, Scene\n"
        "area = PhysicsWorld(Scene().add_box('box', (1, 1, 1))).areas[0]\n"
        "Camera(area).render(4, 4)\n"
        "print(any(name.startswith('OpenGL') for name in sys.modules), 'PYOPENGL_PLATFORM' in os.environ)\n"
        "os.environ['MLAGENTS_RENDERING'] = 'crayons'\n"
        "try:\n"
        "    Camera(area)\n"
        "except AgentsError as error:\n"
        "    print(error)\n"
    )
    environment = {key: value for key, value in os.environ.items() if key != "PYOPENGL_PLATFORM"}
    result = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=120, env=environment
    )
    first, second = result.stdout.strip().splitlines()
    assert first == "False False"
    assert "no rendering backend 'crayons'" in second
    assert "MLAGENTS_RENDERING" in second
