"""Callbacks of collisions and triggers."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from mlagents_sdk.physics import Contact, Motion, PhysicsWorld, Scene, TrainingArea, Transform


def _world(num_areas: int = 1) -> PhysicsWorld:
    scene = Scene(gravity=(0.0, 0.0, 0.0))
    scene.add_box("wall", (1.0, 9.0, 9.0), (4.5, 0.0, 0.0), tag="wall")
    scene.add_box("zone", (1.0, 9.0, 9.0), (2.0, 0.0, 0.0), tag="zone", trigger=True)
    scene.add_box("door", (1.0, 1.0, 1.0), (-9.0, 0.0, 0.0), motion=Motion.SCRIPTED, tag="door")
    scene.add_sphere("ball", 0.5, motion=Motion.DYNAMIC, tag="ball")
    scene.add_sphere("other", 0.5, (0.0, 20.0, 0.0), motion=Motion.DYNAMIC, tag="other")
    return PhysicsWorld(scene, num_areas)


def _listen(transform: Transform, log: list[str], then: Callable[[Contact], None] | None = None) -> None:
    def note(kind: str) -> Callable[[Contact], None]:
        def callback(contact: Contact) -> None:
            log.append(f"{transform.name} {kind} {contact.other.name}")
            if then is not None:
                then(contact)

        return callback

    kinds = [f"{what}_{when}" for what in ("collision", "trigger") for when in ("enter", "stay", "exit")]
    transform.listen(**{kind: note(kind) for kind in kinds})


def _step(world: PhysicsWorld, steps: int = 1) -> None:
    for _ in range(steps):
        world.step()
        world.dispatch_contacts()


def _roll(area: TrainingArea, speed: float) -> None:
    area.body("ball").velocity = (speed, 0.0, 0.0)


def test_a_ball_rolls_through_a_zone_against_a_wall_and_back() -> None:
    world, log = _world(), []
    area = world.areas[0]
    _listen(area.body("ball"), log)
    _roll(area, 10.0)
    _step(world, 25)
    _roll(area, -10.0)
    _step(world, 2)
    stays = [line for line in log if "stay" in line]
    assert [line for line in log if "stay" not in line] == [
        "ball trigger_enter zone",
        "ball trigger_exit zone",
        "ball collision_enter wall",
        "ball collision_exit wall",
    ]
    assert stays.count("ball trigger_stay zone") == 9  # two metres at 0.2 a step, less the first
    assert "ball collision_stay wall" in stays
    assert log.index("ball collision_enter wall") < log.index("ball collision_stay wall")


def test_a_contact_tells_who_and_where() -> None:
    world, contacts = _world(), []
    area = world.areas[0]
    area.body("ball").listen(collision_enter=contacts.append)
    area.transform("wall").listen(collision_enter=contacts.append)
    area.body("ball").position = (3.49, 1.0, 2.0)
    _step(world, 3)
    mine, walls = sorted(contacts, key=lambda contact: contact.tag, reverse=True)
    assert (mine.tag, mine.other) == ("wall", area.transform("wall"))
    assert mine.point == pytest.approx((4.0, 1.0, 2.0))
    assert mine.normal == pytest.approx((-1.0, 0.0, 0.0))
    assert (walls.tag, walls.other) == ("ball", area.body("ball"))
    assert walls.normal == pytest.approx((1.0, 0.0, 0.0))
    assert walls.point == pytest.approx((3.99, 1.0, 2.0))


def test_only_who_listens_hears_and_only_what_it_asked_for() -> None:
    world, log = _world(3), []
    world.areas[1].body("ball").listen(trigger_enter=lambda contact: log.append(contact.tag))
    for area in world.areas:
        _roll(area, 10.0)
    _step(world, 25)
    assert log == ["zone"]


def test_tags_are_those_of_the_moment() -> None:
    world, tags = _world(), []
    area = world.areas[0]
    area.body("ball").listen(collision_enter=lambda contact: tags.append(contact.tag))
    area.transform("wall").tag = "goal"
    area.body("ball").position = (3.5, 0.0, 0.0)
    _step(world)
    assert tags == ["goal"]


def test_bodies_moved_by_scripts_touch_too() -> None:
    world, log = _world(), []
    area = world.areas[0]
    door = area.transform("door")
    _listen(door, log)
    door.position = (2.0, 3.0, 0.0)
    _step(world)
    door.position = (4.5, 3.0, 0.0)  # two bodies that physics does not move do not collide
    _step(world)
    door.position = (0.0, 0.9, 0.0)
    _step(world)
    assert log == ["door trigger_enter zone", "door trigger_exit zone", "door collision_enter ball"]


def test_a_disabled_body_hears_nothing_and_nobody_hears_of_it() -> None:
    world, log = _world(), []
    area = world.areas[0]
    ball, other = area.body("ball"), area.body("other")
    other.position = (0.0, 0.9, 0.0)

    def vanish(contact: Contact) -> None:
        ball.enabled = False

    _listen(ball, log, vanish)
    _listen(other, log)
    _step(world)
    assert log == ["ball collision_enter other"]
    _step(world, 3)
    assert len(log) == 1
    ball.enabled = True
    _step(world)
    assert log[1:] == ["ball collision_enter other"]


def test_each_step_is_told_once() -> None:
    world, log = _world(), []
    _listen(world.areas[0].body("ball"), log)
    world.areas[0].body("ball").position = (2.0, 0.0, 0.0)
    world.step()
    world.dispatch_contacts()
    world.dispatch_contacts()
    assert log == ["ball trigger_enter zone"]


def test_a_saved_world_remembers_what_touched() -> None:
    world, log = _world(2), []
    _listen(world.areas[1].body("ball"), log)
    world.areas[1].body("ball").position = (2.0, 0.0, 0.0)
    _step(world)
    fresh, later = _world(2), []
    _listen(fresh.areas[1].body("ball"), later)
    fresh.set_state(world.get_state())
    _step(fresh)
    assert later == ["ball trigger_stay zone"]


def test_a_diverged_area_forgets_what_touched() -> None:
    world, log = _world(2), []
    for area in world.areas:
        _listen(area.body("ball"), log)
        area.body("ball").position = (2.0, 0.0, 0.0)
    _step(world)
    assert log == ["ball trigger_enter zone"] * 2
    world.areas[0].body("other").velocity = (float("nan"), 0.0, 0.0)
    _step(world)
    assert log[2:] == ["ball trigger_stay zone"]  # of the other area alone
    _step(world)
    assert log[3:] == ["ball trigger_stay zone"]  # the ball of the first is back at the start
