"""Pictures against the camera equation, worked out by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest
from numpy.typing import NDArray

from mlagents_sdk import AgentsError
from mlagents_sdk.physics import Camera, Lighting, Motion, PhysicsWorld, Scene, Shape, TrainingArea
from mlagents_sdk.physics.overview import overview
from mlagents_sdk.physics.rotations import Quaternion, Vector, euler_rotation, rotate

RED, GREEN, BLUE = (1.0, 0.0, 0.0), (0.0, 1.0, 0.0), (0.0, 0.0, 1.0)
FLAT = Lighting(ambient=1.0, intensity=0.0)  # colours as they are


def area_of(scene: Scene, areas: int = 1) -> TrainingArea:
    return PhysicsWorld(scene, areas).areas[0]


def flat_scene() -> Scene:
    return Scene(lighting=FLAT)


def seen(picture: NDArray[np.uint8], color: Vector) -> NDArray[np.bool_]:
    """Where the picture has this colour, bool (height, width)."""
    mask: NDArray[np.bool_] = (picture == np.round(255 * np.array(color))).all(axis=2)
    return mask


def unity_rotation(pitch: float, yaw: float, roll: float) -> NDArray[np.float64]:
    """Matrix of Euler angles in degrees in the original's left-handed frame: y, then x, then z."""
    p, y, r = np.radians([pitch, yaw, roll])
    about_x = np.array([[1, 0, 0], [0, np.cos(p), -np.sin(p)], [0, np.sin(p), np.cos(p)]])
    about_y = np.array([[np.cos(y), 0, np.sin(y)], [0, 1, 0], [-np.sin(y), 0, np.cos(y)]])
    about_z = np.array([[np.cos(r), -np.sin(r), 0], [np.sin(r), np.cos(r), 0], [0, 0, 1]])
    matrix: NDArray[np.float64] = about_y @ about_x @ about_z
    return matrix


@pytest.mark.parametrize("angles", [(0, 0, 0), (30, 0, 0), (10, 50, 0), (-20, 160, 30), (90, 0, 0)])
@pytest.mark.parametrize("orthographic_size", [None, 4.0])
def test_small_sphere_appears_where_the_camera_equation_says(
    angles: tuple[float, float, float], orthographic_size: float | None
) -> None:
    height, width, field_of_view = 90, 120, 50.0
    rng = np.random.default_rng(4)
    matrix = unity_rotation(*angles)
    eye = np.array([1.0, 2.0, -3.0])
    for _ in range(5):
        local = np.array([rng.uniform(-2.5, 2.5), rng.uniform(-2.0, 2.0), rng.uniform(8.0, 12.0)])
        point = eye + matrix @ local
        scene = flat_scene().add_sphere("s", 0.2, tuple(point.tolist()), color=RED)
        camera = Camera(
            area_of(scene),
            tuple(eye.tolist()),
            euler_rotation(*angles),
            field_of_view=field_of_view,
            orthographic_size=orthographic_size,
        )
        half = orthographic_size or local[2] * math.tan(math.radians(field_of_view / 2))
        column = (local[0] / (half * width / height) + 1) * width / 2 - 0.5
        row = (1 - local[1] / half) * height / 2 - 0.5
        rows, columns = np.nonzero(seen(camera.render(height, width), RED))
        assert len(rows) >= 4
        assert rows.mean() == pytest.approx(row, abs=0.4)
        assert columns.mean() == pytest.approx(column, abs=0.4)


def test_right_is_right_and_the_top_row_comes_first() -> None:
    scene = (
        flat_scene()
        .add_sphere("right", 0.5, (2, 0, 5), color=RED)
        .add_sphere("up", 0.5, (0, 2, 5), color=BLUE)
    )
    picture = Camera(area_of(scene)).render(60, 60)
    rows, columns = np.nonzero(seen(picture, RED))
    assert columns.min() > 30
    assert rows.mean() == pytest.approx(29.5)
    rows, columns = np.nonzero(seen(picture, BLUE))
    assert rows.max() < 30
    assert columns.mean() == pytest.approx(29.5)


def test_looking_straight_down_forward_is_up_and_parallel_rays_keep_sizes() -> None:
    """Half the height is 5 m: 20 pixels per metre would be 200 rows; at 50 rows a pixel is 0.2 m wide."""
    scene = flat_scene().add_box("floor", (4, 1, 2), (2, -7, 3), color=GREEN)
    camera = Camera(area_of(scene), (0, 9, 0), euler_rotation(90), orthographic_size=5.0)
    mask = seen(camera.render(50, 100), GREEN)
    expected = np.zeros((50, 100), np.bool_)
    expected[25 - 20 : 25 - 10, 50 : 50 + 20] = True  # z from 2 to 4, x from 0 to 4
    np.testing.assert_array_equal(mask, expected)


@pytest.mark.parametrize("order", [("near", "far"), ("far", "near")])
def test_what_is_nearer_hides_what_lies_behind(order: tuple[str, str]) -> None:
    scene = flat_scene()
    for name in order:
        if name == "near":
            scene.add_box("near", (1, 1, 1), (0, 0, 4), color=RED)
        else:
            scene.add_sphere("far", 3.0, (0, 0, 12), color=BLUE)
    picture = Camera(area_of(scene)).render(41, 41)
    assert seen(picture, RED)[20, 20]
    assert seen(picture, BLUE)[20, 11]


def test_what_is_disabled_too_near_too_far_or_a_trigger_is_not_seen() -> None:
    scene = flat_scene().add_box("box", (2, 2, 2), (0, 0, 5), color=RED, motion=Motion.SCRIPTED)
    scene.add_box("zone", (2, 2, 2), (4, 0, 5), trigger=True, color=GREEN)
    scene.add_box("shown zone", (2, 2, 2), (-4, 0, 5), trigger=True, color=BLUE, visible=True)
    scene.add_box("hidden", (2, 2, 2), (0, 4, 5), color=GREEN, visible=False)
    area = area_of(scene)
    camera = Camera(area, field_of_view=100.0)
    picture = camera.render(50, 50)
    assert seen(picture, RED).any()
    assert seen(picture, BLUE).any()
    assert not seen(picture, GREEN).any()
    camera.near = 4.1  # the front face is 4 m away
    assert not seen(camera.render(50, 50), RED).any()
    camera.near, camera.far = 0.3, 3.9
    assert not seen(camera.render(50, 50), RED).any()
    camera.far = 100.0
    area.transform("box").enabled = False
    assert not seen(camera.render(50, 50), RED).any()


def test_camera_rides_on_a_body_that_it_does_not_see() -> None:
    scene = flat_scene().add_box("car", (2, 2, 2), motion=Motion.SCRIPTED, color=RED)
    scene.decorate("car", Shape.sphere(1.5, color=RED))
    scene.add_sphere("ball", 0.5, (6, 1, 3), color=BLUE)
    area = area_of(scene)
    camera = Camera(area, (0, 0.5, 0), euler_rotation(0, 90), body=area.transform("car"))
    area.transform("car").position = (1, 0.5, 3)  # looks along x now, from (1, 1, 3)
    picture = camera.render(31, 31)
    assert seen(picture, BLUE)[15, 15]
    assert not seen(picture, RED).any()
    area.transform("car").turn(180)
    assert not seen(camera.render(31, 31), BLUE).any()


def test_light_obeys_lamberts_law() -> None:
    light = Lighting(euler_rotation(40, -45), intensity=0.5, ambient=0.25)
    scene = Scene(lighting=light).add_box("box", (2, 2, 2), (0, 0, 5), color=(0.8, 0.6, 0.4))
    area = area_of(scene)
    to_light = -unity_rotation(40, -45, 0) @ np.array([0.0, 0.0, 1.0])
    for angles, position, normal in (
        ((0, 0), (0, 0, 0), (0, 0, -1)),
        ((90, 0), (0, 5, 5), (0, 1, 0)),
        ((0, -90), (5, 0, 5), (1, 0, 0)),
        ((0, 180), (0, 0, 10), (0, 0, 1)),  # away from the light: ambient only
    ):
        picture = Camera(area, position, euler_rotation(*angles)).render(11, 11)
        brightness = 0.25 + 0.5 * max(0.0, float(to_light @ normal))
        expected = np.floor(np.array([0.8, 0.6, 0.4]) * brightness * 255 + 0.5)
        np.testing.assert_array_equal(picture[5, 5], expected)


def test_bright_light_makes_no_channel_overflow() -> None:
    scene = Scene(lighting=Lighting(intensity=0.0, ambient=3.0)).add_box(
        "box", (2, 2, 2), (0, 0, 5), color=(1.0, 0.5, 0.1)
    )
    assert Camera(area_of(scene)).render(3, 3)[1, 1].tolist() == [255, 255, 77]


def test_sphere_is_brighter_on_the_side_of_the_light() -> None:
    light = Lighting(
        euler_rotation(0, 90), intensity=0.8, ambient=0.2
    )  # shines towards +x, comes from the left
    scene = Scene(lighting=light).add_sphere("ball", 2.0, (0, 0, 10), color=(1, 1, 1))
    picture = Camera(area_of(scene), orthographic_size=2.5).render(50, 50)
    middle = picture[25, :, 0].astype(int)
    assert middle[7] > middle[15] > middle[24] >= 51
    assert (middle[26:44] == 51).all()  # round(0.2 * 255): the far side gets ambient light only
    x = (2 * 15 + 1) / 50 * 2.5 - 2.5
    y = 2.5 - (2 * 25 + 1) / 50 * 2.5
    assert abs(y) < 0.1
    assert middle[15] == math.floor(255 * (0.2 + 0.8 * -x / 2.0) + 0.5)


def _inside(kind: str, point: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Whether points (..., 3) in the frame of a shape lie in it: radius 0.5, height 2; a box of (1, 2, 3)."""
    x, y, z = np.moveaxis(point, -1, 0)
    if kind == "box":
        inside: NDArray[np.bool_] = (abs(x) < 0.5) & (abs(y) < 1.0) & (abs(z) < 1.5)
        return inside
    if kind == "sphere":
        return np.asarray(x**2 + y**2 + z**2 < 0.25)
    if kind == "cylinder":
        return np.asarray((x**2 + z**2 < 0.25) & (abs(y) < 1.0))
    past = np.maximum(abs(y) - 0.5, 0.0)
    return np.asarray(x**2 + z**2 + past**2 < 0.25)


def _shape(kind: str, rotation: Quaternion) -> Shape:
    position = (0.2, -0.1, 5.0)
    if kind == "box":
        return Shape.box((1, 2, 3), position, rotation, color=RED)
    if kind == "sphere":
        return Shape.sphere(0.5, position, color=RED)
    make = Shape.cylinder if kind == "cylinder" else Shape.capsule
    return make(0.5, 2.0, position, rotation, color=RED)


@pytest.mark.parametrize("orthographic_size", [None, 2.0])
@pytest.mark.parametrize("kind", ["box", "sphere", "capsule", "cylinder"])
def test_outline_of_every_shape_from_any_side(kind: str, orthographic_size: float | None) -> None:
    """Against points sampled along every ray; pixels that a ray merely grazes may differ."""
    size = 32
    half = orthographic_size or math.tan(math.radians(25.0))
    grid = (2 * np.arange(size) + 1) / size - 1
    across, upwards = np.meshgrid(grid * half, -grid * half)
    plane = np.stack([across, upwards, np.zeros_like(across)], axis=-1)
    forward = np.array([0.0, 0.0, 1.0])
    depths = np.linspace(2.0, 8.0, 1201)[:, None, None, None]
    rays = plane + depths * forward if orthographic_size else depths * (plane + forward)
    for angles in [(0, 0, 0), (0, 0, 90), (90, 0, 0), (25, 40, 65), (-70, 110, 20)]:
        rotation = euler_rotation(*angles)
        turn = unity_rotation(*angles)
        scene = flat_scene().add_box("elsewhere", (1, 1, 1), (0, 0, -50))
        scene.decorate(None, _shape(kind, rotation))
        camera = Camera(area_of(scene), field_of_view=50.0, orthographic_size=orthographic_size)
        mask = seen(camera.render(size, size), RED)
        assert np.allclose(rotate(rotation, (1.0, 2.0, 3.0)), turn @ [1.0, 2.0, 3.0])
        expected = _inside(kind, (rays - np.array([0.2, -0.1, 5.0])) @ turn).any(axis=0)
        assert expected.sum() > 20
        assert (mask != expected).sum() <= 2


def test_caps_and_sides_of_round_shapes_have_their_own_normals() -> None:
    light = Lighting(euler_rotation(90), intensity=1.0, ambient=0.0)  # straight down
    scene = Scene(lighting=light).add_cylinder("c", 0.5, 2.0, (0, 0, 5), color=(1, 1, 1))
    scene.add_capsule("d", 0.5, 2.0, (3, 0, 5), color=(1, 1, 1))
    area = area_of(scene)
    above = Camera(area, (1.5, 5, 5), euler_rotation(90), orthographic_size=2.0).render(41, 61)
    beside = Camera(area, (1.5, 0, 0), orthographic_size=2.0).render(41, 61)
    pixel = 4.0 / 41
    cylinder, capsule = round(30 - 1.5 / pixel), round(30 + 1.5 / pixel)
    assert (above[18:23, cylinder - 2 : cylinder + 3] == 255).all()
    assert above[20, capsule, 0] >= 253
    edge = above[20 - round(0.4 / pixel), capsule, 0] / 255
    assert edge == pytest.approx(0.6, abs=0.06)  # on the cap: a normal 0.4 / 0.5 off the axis has cosine 0.6
    assert (beside[12:30, cylinder] == 0).all()
    assert (beside[16:25, capsule] == 0).all()
    assert beside[20 - round(0.9 / pixel), capsule, 0] > 150  # the upper cap, seen from the side


def test_endless_plane_ends_at_the_horizon() -> None:
    scene = flat_scene().add_plane("ground", (0, -1, 0), color=GREEN)
    picture = Camera(area_of(scene), far=1e6, background=BLUE).render(40, 40)
    assert seen(picture, BLUE)[:20].all()
    assert seen(picture, GREEN)[20:].all()
    below = Camera(area_of(scene), (0, -2, 0), background=BLUE).render(8, 8)
    assert seen(below, BLUE).all()  # seen from behind it is not there


def test_decorations_ride_and_grow_with_their_body() -> None:
    scene = flat_scene().add_sphere("ball", 0.5, (0, 0, 8), motion=Motion.DYNAMIC, color=RED)
    scene.decorate("ball", Shape.box((1, 1, 1), (2, 0, 0), color=BLUE))
    area = area_of(scene)
    ball = area.body("ball")
    camera = Camera(area, orthographic_size=4.0)

    def columns() -> tuple[int, int]:
        _, found = np.nonzero(seen(camera.render(80, 80), BLUE))
        return int(found.min()), int(found.max())

    assert columns() == (55, 64)  # from 1.5 to 2.5 m at 10 pixels per metre
    ball.position = (1, 0, 8)
    assert columns() == (65, 74)
    ball.rotation = euler_rotation(0, 0, 180)
    assert columns() == (25, 34)
    ball.position, ball.scale = (1.5, 0, 8), 2.0
    assert columns() == (5, 24)


def test_colors_change_at_run_time_per_area_and_are_saved() -> None:
    scene = flat_scene().add_box("box", (2, 2, 2), (0, 0, 5), motion=Motion.SCRIPTED, color=RED)
    scene.decorate("box", Shape.box((0.5, 0.5, 3), color=GREEN))
    world = PhysicsWorld(scene, 2)
    first, second = (Camera(area) for area in world.areas)
    box = world.areas[0].transform("box")
    assert box.color == RED
    box.color = BLUE
    assert box.color == BLUE
    assert not seen(first.render(20, 20), RED).any()
    assert not seen(first.render(20, 20), GREEN).any()
    assert seen(first.render(20, 20), BLUE)[10, 10]
    assert seen(second.render(20, 20), GREEN)[10, 10]
    state = world.get_state()
    box.color = RED
    world.set_state(state)
    assert box.color == BLUE
    world.areas[0].reset()
    assert box.color == BLUE
    with pytest.raises(AgentsError, match=r"Body 'box': the colour \(2, 0, 0\) must be"):
        box.color = (2, 0, 0)


def test_checks_alternate_and_turn_with_the_body() -> None:
    scene = flat_scene().add_sphere("ball", 1.0, (0, 0, 5), motion=Motion.SCRIPTED, color=RED, checks=BLUE)
    area = area_of(scene)
    camera = Camera(area, orthographic_size=1.2)
    before = camera.render(48, 48)
    red, blue = seen(before, RED), seen(before, BLUE)
    assert red.sum() > 0.3 * (red | blue).sum() > 0
    assert blue.sum() > 0.3 * (red | blue).sum()
    area.transform("ball").rotation = euler_rotation(0, 0, 20)
    after = camera.render(48, 48)
    assert (seen(after, RED) != red).sum() > 50
    np.testing.assert_array_equal(seen(after, RED) | seen(after, BLUE), red | blue)


def test_rays_and_physics_ignore_decorations() -> None:
    scene = Scene().add_sphere("ball", 0.5, (0, 3, 0), motion=Motion.DYNAMIC)
    scene.decorate(None, Shape.box((5, 1, 5)))
    scene.decorate("ball", Shape.box((9, 9, 9)))
    plain = Scene().add_sphere("ball", 0.5, (0, 3, 0), motion=Motion.DYNAMIC)
    world, other = PhysicsWorld(scene), PhysicsWorld(plain)
    assert world.areas[0].raycast((0, 10, 0), (0, -1, 0), 20.0).distance == pytest.approx(6.5)
    for _ in range(100):
        world.step()
        other.step()
    assert world.areas[0].body("ball").position == other.areas[0].body("ball").position
    assert world.areas[0].body("ball").position[1] < -10.0


def test_overview_sees_the_whole_scene() -> None:
    scene = flat_scene().add_box("floor", (20, 1, 30), color=RED)
    scene.add_box("parked", (1, 1, 1), (0, -900, 0), motion=Motion.SCRIPTED, color=BLUE)
    mask = seen(overview(area_of(scene)).render(120, 160), RED)
    assert mask.mean() > 0.08
    assert not mask[[0, -1]].any()
    assert not mask[:, [0, -1]].any()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"field_of_view": 180.0}, "field_of_view is 180.0"),
        ({"orthographic_size": 0.0}, "orthographic_size is 0.0"),
        ({"near": 0.0}, "near is 0.0"),
        ({"near": 5.0, "far": 5.0}, "far 5.0"),
        ({"background": (0.0, 0.0, 2.0)}, "background: the colour"),
        ({"backend": "vulkan"}, "no rendering backend 'vulkan'; choose auto or one of software, egl, osmesa"),
    ],
)
def test_nonsense_is_refused_with_what_is_wrong(change: dict[str, object], message: str) -> None:
    area = area_of(flat_scene().add_box("box", (1, 1, 1)))
    with pytest.raises(AgentsError, match=message):
        Camera(area, **change)  # type: ignore[arg-type]


def test_size_of_a_picture_is_bounded() -> None:
    camera = Camera(area_of(flat_scene().add_box("box", (1, 1, 1))))
    for height, width in ((0, 5), (5, 0), (100_000, 100_000)):
        with pytest.raises(AgentsError, match="both must be at least 1"):
            camera.render(height, width)


def test_scene_refuses_to_decorate_what_it_does_not_have() -> None:
    with pytest.raises(AgentsError, match="no body 'ghost'"):
        Scene().decorate("ghost", Shape.sphere(1.0))
    with pytest.raises(AgentsError, match="size must be positive"):
        Scene().decorate(None, Shape.sphere(-1.0))
