"""Actuators that stand for what a person does with a device, so that an agent plays a game as a person does.

The game reads each :class:`InputAction`; it does not ask whether a person or a policy is behind it::

    jump = InputAction("Jump", InputKind.BUTTON, lambda: keyboard.is_pressed("space"))
    InputActuatorComponent(agent, jump)
    ...
    if jump.read():
        body.add_force(...)
"""

from __future__ import annotations

from collections.abc import Callable
from enum import Enum
from typing import TYPE_CHECKING

from mlagents_envs.base_env import ActionSpec
from mlagents_sdk.actuators.action_buffers import ActionBuffers
from mlagents_sdk.actuators.actuator import Actuator
from mlagents_sdk.actuators.discrete_action_mask import DiscreteActionMask
from mlagents_sdk.exception import AgentsError

if TYPE_CHECKING:
    from mlagents_sdk.agent import Agent

InputValue = float | tuple[float, float]
"""Value of an input; a button's and an integer's are 0 or 1, where True and False will do."""


class InputKind(Enum):
    """What values an input has, and with that how many actions of which kind it is."""

    BUTTON = "button"
    """0 or 1; one branch of 2."""
    INTEGER = "integer"
    """0 or 1; one branch of 2."""
    FLOAT = "float"
    """A number, as a rule in [-1, 1]; one continuous action."""
    VECTOR2 = "vector2"
    """Two numbers, as a rule in [-1, 1]; two continuous actions."""


_SPECS = {
    InputKind.BUTTON: ActionSpec.create_discrete((2,)),
    InputKind.INTEGER: ActionSpec.create_discrete((2,)),
    InputKind.FLOAT: ActionSpec.create_continuous(1),
    InputKind.VECTOR2: ActionSpec.create_continuous(2),
}
_WANTED = {
    InputKind.BUTTON: "0 or 1",
    InputKind.INTEGER: "0 or 1",
    InputKind.FLOAT: "one number",
    InputKind.VECTOR2: "a tuple of two numbers",
}


class InputAction:
    """One thing that a person can do, such as jumping or steering.

    Args:
        name: name of the input, unique within its agent.
        kind: what values it has.
        device: value that the device has now; None where there is no device.
    """

    def __init__(self, name: str, kind: InputKind, device: Callable[[], InputValue] | None = None) -> None:
        self.name = name
        self.kind = kind
        self._device = device
        self._at_rest: InputValue = (0.0, 0.0) if kind is InputKind.VECTOR2 else 0
        self._injected: InputValue | None = None

    def read(self) -> InputValue:
        """What the game should follow: what was injected, else the device."""
        return self.read_device() if self._injected is None else self._injected

    def read_device(self) -> InputValue:
        """What the device says now, 0 without one.

        Raises:
            AgentsError: that is no value of this kind of input.
        """
        return self._at_rest if self._device is None else self._checked(self._device())

    def inject(self, value: InputValue) -> None:
        """Let the game follow ``value`` instead of the device, until :meth:`release`.

        Raises:
            AgentsError: it is no value of this kind of input.
        """
        self._injected = self._checked(value)

    def release(self) -> None:
        """Let the game follow the device again."""
        self._injected = None

    def _checked(self, value: InputValue) -> InputValue:
        if self.kind is InputKind.VECTOR2:
            fits = isinstance(value, tuple) and len(value) == 2
        elif self.kind is InputKind.FLOAT:
            fits = isinstance(value, (int, float))
        else:
            fits = value in (0, 1)
        if not fits:
            raise AgentsError(
                f"Input {self.name} has the value {value!r}; a {self.kind.value} has {_WANTED[self.kind]}."
            )
        return value


class InputActuator:
    """Turns actions into one injected input; its heuristic tells what a person does.

    While the agent's heuristic is in charge nothing is injected, so the game follows the device.

    Args:
        agent: agent to which it belongs.
        input_action: the input.
    """

    def __init__(self, agent: Agent, input_action: InputAction) -> None:
        self._agent = agent
        self._input = input_action

    @property
    def action_spec(self) -> ActionSpec:
        """By the kind of the input."""
        return _SPECS[self._input.kind]

    @property
    def name(self) -> str:
        """``InputActionActuator-<name of the input>``."""
        return f"InputActionActuator-{self._input.name}"

    def on_action_received(self, actions: ActionBuffers) -> None:
        """Inject what the actions say."""
        if self._agent.is_in_heuristic_mode():
            self._input.release()
            return
        kind = self._input.kind
        if kind is InputKind.VECTOR2:
            x, y = actions.continuous_actions
            self._input.inject((x, y))
        elif kind is InputKind.FLOAT:
            self._input.inject(actions.continuous_actions[0])
        else:
            self._input.inject(actions.discrete_actions[0])

    def write_discrete_action_mask(self, mask: DiscreteActionMask) -> None:
        """A person may always do what the device allows."""

    def heuristic(self, actions_out: ActionBuffers) -> None:
        """Tell what the device says."""
        value = self._input.read_device()
        if isinstance(value, tuple):
            actions_out.continuous_actions[:] = map(float, value)
        elif self._input.kind is InputKind.FLOAT:
            actions_out.continuous_actions[0] = float(value)
        else:
            actions_out.discrete_actions[0] = int(value)

    def reset_data(self) -> None:
        """Let the input go."""
        self._input.release()


class InputActuatorComponent:
    """Adds an actuator for each of several inputs to an agent.

    Args:
        agent: agent that gets the actuators.
        inputs: the inputs.
    """

    def __init__(self, agent: Agent, *inputs: InputAction) -> None:
        self._actuators: list[Actuator] = [InputActuator(agent, one) for one in inputs]
        agent.add_component(self)

    def create_actuators(self) -> list[Actuator]:
        """One actuator per input."""
        return list(self._actuators)
