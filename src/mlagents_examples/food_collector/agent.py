"""The agent of FoodCollector: eats what is good, leaves what is bad, and freezes others with a laser."""

from __future__ import annotations

from typing import Any

from mlagents_examples.food_collector.area import (
    AGENT_COLOR,
    AGENT_TAG,
    BAD_FOOD_TAG,
    FOOD_TAG,
    FROZEN_COLOR,
    FROZEN_TAG,
    FoodCollectorArea,
)
from mlagents_examples.food_collector.expert import choose_actions
from mlagents_examples.food_collector.sight import CAMERA, RAYS, Sight, add_sensor
from mlagents_sdk import Academy, ActionBuffers, Agent, VectorSensor
from mlagents_sdk.input import axis, vertical
from mlagents_sdk.physics import Contact, ForceMode, Transform

MAX_STEP = 5000
"""Physics steps after which an episode is interrupted."""

FOOD_REWARD = 1.0
BAD_FOOD_REWARD = -1.0

SPEED = 2.0
"""Change of velocity, m/s per physics step, at full throttle in one direction."""

DEGREES_PER_STEP = 6.0
"""How far the strongest turn goes in one physics step: 300 degrees per second."""

FROZEN_STEPS = 200
"""Physics steps for which a hit freezes: 4 seconds."""

LASER_RADIUS = 2.0
LASER_REACH = 25.0

_SHOOTING_THROTTLE = 0.5
_SHOOTING_SLOWDOWN = 0.75
_FAST = 5.0  # m/s; above this speed an agent is braked
_BRAKE = 0.95


class FoodCollectorAgent(Agent):
    """One of several agents in an area.

    Args:
        academy: what the agent belongs to; its environment parameter ``agent_scale`` is read at every
            reset. ``laser_length``, which in the original changes how the laser is drawn, changes nothing
            here: it is not drawn.
        area: the agent's field.
        number: which of the agents there it is.
        sight: how it sees.

    Attributes:
        area: the field.
        body: the agent's body.
        others: agents of the area by the names of their bodies, for the laser; shared by them all.
        shooting: whether it shot in the last step.
    """

    def __init__(self, academy: Academy, area: FoodCollectorArea, number: int, sight: Sight) -> None:
        super().__init__(academy, sight.behavior, MAX_STEP)
        self.area = area
        self.body = area.agents[number]
        self.others: dict[str, FoodCollectorAgent] = {}
        self.shooting = False
        self._frozen_at: int | None = None
        self._sight = sight
        self._rng = academy.make_rng()
        add_sensor(sight, self, area, self.body)
        self.body.listen(collision_enter=self._on_touch)

    @property
    def frozen(self) -> bool:
        """Whether it can neither move nor shoot."""
        return self._frozen_at is not None

    def on_episode_begin(self) -> None:
        """Appear somewhere else; the food stays where it is."""
        scale = self.academy.environment_parameters.get_with_default("agent_scale", 1.0)
        self.body.scale = scale
        self._thaw()
        self.shooting = False
        self.area.place_agent(self.body, self._rng)

    def collect_observations(self, sensor: VectorSensor) -> None:
        """Tell what the sensor does not show, if the way to see includes it."""
        if self._sight is RAYS:
            x, _, z = self.body.to_local(self.body.velocity)
            sensor.add_observation((x, z, float(self.frozen), float(self.shooting)))
        elif self._sight is CAMERA:
            sensor.add_observation(float(self.frozen))

    def on_action_received(self, actions: ActionBuffers) -> None:
        """Move and perhaps shoot, unless frozen."""
        self.shooting = False
        if self._frozen_at is not None and self._now - self._frozen_at > FROZEN_STEPS:
            self._thaw()
        if not self.frozen:
            self.shooting = actions.discrete_actions[0] > 0
            self._move(*actions.continuous_actions)
        self._brake()
        if self.shooting:
            target = self.area.laser_target(self.body, LASER_RADIUS, LASER_REACH)
            if target is not None:
                self._agent_of(target).freeze()

    def freeze(self) -> None:
        """Be unable to move and shoot for a while."""
        self._frozen_at = self._now
        self.body.tag = FROZEN_TAG
        self.body.color = FROZEN_COLOR

    def heuristic(self, actions_out: ActionBuffers) -> None:
        """Let a person drive with W, S, Q, E, turn with A and D (or the arrow keys) and shoot with space."""
        keyboard = self.academy.keyboard
        actions_out.continuous_actions[:] = [
            vertical(keyboard),
            axis(keyboard, ("q",), ("e",)),
            axis(keyboard, ("d", "right"), ("a", "left")),
        ]
        actions_out.discrete_actions[0] = int(keyboard.is_pressed("space"))

    def expert(self, actions_out: ActionBuffers) -> None:
        """Drive to food, see :mod:`mlagents_examples.food_collector.expert`."""
        actions_out.continuous_actions[:] = choose_actions(self.body, self.area.food)
        actions_out.discrete_actions[0] = 0

    def get_state(self) -> dict[str, Any]:
        """What neither physics nor academy knows."""
        return {"frozen_at": self._frozen_at, "shooting": self.shooting}

    def set_state(self, state: dict[str, Any]) -> None:
        """Put back the state of :meth:`get_state`."""
        self._frozen_at, self.shooting = state["frozen_at"], state["shooting"]

    @property
    def _now(self) -> int:
        return self.academy.total_step_count

    def _agent_of(self, body: Transform) -> FoodCollectorAgent:
        return self.others[body.name]

    def _thaw(self) -> None:
        self._frozen_at = None
        self.body.tag = AGENT_TAG
        self.body.color = AGENT_COLOR

    def _move(self, ahead: float, aside: float, turn: float) -> None:
        body = self.body
        speed = SPEED
        if self.shooting:
            speed *= _SHOOTING_THROTTLE
            vx, vy, vz = body.velocity
            slow = _SHOOTING_SLOWDOWN
            body.velocity = (slow * vx, slow * vy, slow * vz)
        forward = speed * min(max(ahead, -1.0), 1.0)
        right = speed * min(max(aside, -1.0), 1.0)
        fx, fy, fz = body.forward
        rx, ry, rz = body.right
        push = (forward * fx + right * rx, forward * fy + right * ry, forward * fz + right * rz)
        body.add_force(push, ForceMode.VELOCITY_CHANGE)
        body.turn(-DEGREES_PER_STEP * min(max(turn, -1.0), 1.0))

    def _brake(self) -> None:
        vx, vy, vz = self.body.velocity
        if vx * vx + vy * vy + vz * vz > _FAST * _FAST:
            self.body.velocity = (_BRAKE * vx, _BRAKE * vy, _BRAKE * vz)

    def _on_touch(self, contact: Contact) -> None:
        if contact.tag == FOOD_TAG:
            self.add_reward(FOOD_REWARD)
        elif contact.tag == BAD_FOOD_TAG:
            self.add_reward(BAD_FOOD_REWARD)
        else:
            return
        self.area.drop_elsewhere(contact.other)
