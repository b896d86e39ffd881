from __future__ import annotations

import numpy as np
import pytest
from sdk_helpers import NAME

from mlagents_envs.base_env import ActionTuple
from mlagents_sdk import (
    Academy,
    ActionBuffers,
    ActionSpec,
    Agent,
    AgentsError,
    BehaviorParameters,
    BehaviorType,
    DecisionRequester,
    SdkEnvironment,
)
from mlagents_sdk.actuators.input_actuator import (
    InputAction,
    InputActuatorComponent,
    InputKind,
    InputValue,
)
from mlagents_sdk.input import VirtualKeyboard, any_pressed, axis, horizontal, vertical


def test_keys_are_held_until_released() -> None:
    keyboard = VirtualKeyboard()
    keyboard.press("a", "space")
    assert keyboard.is_pressed("a")
    assert not keyboard.is_pressed("b")
    keyboard.release("a", "b")
    assert not keyboard.is_pressed("a")
    assert keyboard.is_pressed("space")
    keyboard.release_all()
    assert not keyboard.is_pressed("space")


@pytest.mark.parametrize("call", ["press", "release", "is_pressed"])
@pytest.mark.parametrize("key", ["A", "spcae", ""])
def test_unknown_keys_are_refused(call: str, key: str) -> None:
    with pytest.raises(AgentsError, match=f"There is no key '{key}'.*space"):
        getattr(VirtualKeyboard(), call)(key)


@pytest.mark.parametrize(
    ("keys", "expected"),
    [
        ((), (0.0, 0.0)),
        (("a",), (-1.0, 0.0)),
        (("left",), (-1.0, 0.0)),
        (("d", "w"), (1.0, 1.0)),
        (("right", "up"), (1.0, 1.0)),
        (("s",), (0.0, -1.0)),
        (("down", "a", "right"), (0.0, -1.0)),
    ],
)
def test_wasd_and_arrows(keys: tuple[str, ...], expected: tuple[float, float]) -> None:
    keyboard = VirtualKeyboard()
    keyboard.press(*keys)
    assert (horizontal(keyboard), vertical(keyboard)) == expected


def test_other_keys_make_axes_too() -> None:
    keyboard = VirtualKeyboard()
    keyboard.press("e")
    assert axis(keyboard, ("q",), ("e",)) == 1.0
    assert any_pressed(keyboard, ("q", "e"))
    assert not any_pressed(keyboard, ("q",))


def test_every_academy_has_its_own_keyboard() -> None:
    first, second = Academy(), Academy()
    first.keyboard.press("w")
    assert vertical(first.keyboard) == 1.0
    assert vertical(second.keyboard) == 0.0


class Player(Agent):
    """Acts through its inputs alone."""


def inputs_of(keyboard: VirtualKeyboard) -> list[InputAction]:
    def steer() -> InputValue:
        return horizontal(keyboard), vertical(keyboard)

    return [
        InputAction("Throttle", InputKind.FLOAT, lambda: 0.5),
        InputAction("Steer", InputKind.VECTOR2, steer),
        InputAction("Jump", InputKind.BUTTON, lambda: keyboard.is_pressed("space")),
    ]


def player(kind: BehaviorType) -> tuple[SdkEnvironment, Player, list[InputAction]]:
    academy = Academy()
    agent = Player(academy, BehaviorParameters("Test", behavior_type=kind, vector_observation_size=0))
    inputs = inputs_of(academy.keyboard)
    InputActuatorComponent(agent, *inputs)
    DecisionRequester(agent, 1)
    agent.enable()
    return SdkEnvironment(academy, lambda: None), agent, inputs


def test_actions_become_inputs_and_an_episodes_end_lets_them_go() -> None:
    env, agent, (throttle, steer, jump) = player(BehaviorType.DEFAULT)
    agent.academy.keyboard.press("w")
    env.reset()
    spec = env.behavior_specs[NAME].action_spec
    assert spec == ActionSpec.create_hybrid(3, (2,))  # sorted: Jump, Steer, Throttle
    env.set_actions(NAME, ActionTuple(np.array([[-1.0, 0.25, 0.75]]), np.array([[1]])))
    env.step()
    assert (throttle.read(), steer.read(), jump.read()) == (0.75, (-1.0, 0.25), 1)
    agent.end_episode()
    assert (throttle.read(), steer.read(), jump.read()) == (0.5, (0.0, 1.0), False)  # the devices


def test_in_heuristic_mode_the_game_follows_the_device() -> None:
    env, agent, (_, steer, jump) = player(BehaviorType.HEURISTIC_ONLY)
    keyboard = agent.academy.keyboard
    env.tick()
    jump.inject(0)
    keyboard.press("space", "left")
    env.tick()
    assert agent.get_stored_action_buffers() == ActionBuffers([-1.0, 0.0, 0.5], [1])
    assert (steer.read(), jump.read()) == ((-1.0, 0.0), True)
    keyboard.release_all()
    assert (steer.read(), jump.read()) == ((0.0, 0.0), False)


def test_names_of_the_actuators() -> None:
    _, agent, inputs = player(BehaviorType.HEURISTIC_ONLY)
    actuators = InputActuatorComponent(agent, *inputs).create_actuators()
    assert [actuator.name for actuator in actuators] == [
        "InputActionActuator-Throttle",
        "InputActionActuator-Steer",
        "InputActionActuator-Jump",
    ]


def test_inputs_without_a_device_rest() -> None:
    assert InputAction("a", InputKind.VECTOR2).read() == (0.0, 0.0)
    button = InputAction("a", InputKind.INTEGER)
    assert button.read() == 0
    button.inject(1)
    assert button.read() == 1
    button.release()
    assert button.read() == 0


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        (InputKind.BUTTON, 2),
        (InputKind.BUTTON, 0.5),
        (InputKind.INTEGER, (0.0, 0.0)),
        (InputKind.FLOAT, (0.0, 0.0)),
        (InputKind.VECTOR2, 1.0),
    ],
)
def test_impossible_values_are_refused(kind: InputKind, value: InputValue) -> None:
    with pytest.raises(AgentsError, match=f"Input Fire has the value .*a {kind.value} has"):
        InputAction("Fire", kind).inject(value)
    with pytest.raises(AgentsError, match="Input Fire"):
        InputAction("Fire", kind, lambda: value).read()
