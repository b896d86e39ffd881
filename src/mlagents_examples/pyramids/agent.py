"""The agent of Pyramids: finds a switch, then the pyramid that the switch lets appear, and its top."""

from __future__ import annotations

from mlagents_envs.base_env import ActionSpec
from mlagents_examples.movement import action_of_keys, walk
from mlagents_examples.pyramids.area import GOAL_TAG, OFF_TAG, PyramidsArea
from mlagents_examples.pyramids.expert import Expert
from mlagents_sdk import Academy, ActionBuffers, Agent, BehaviorParameters, VectorSensor
from mlagents_sdk.physics import Contact
from mlagents_sdk.sensors.ray_perception import RayPerceptionSensorComponent

MAX_STEP = 5000
"""Physics steps after which an episode is interrupted."""

BEHAVIOR = BehaviorParameters(
    "Pyramids", vector_observation_size=4, action_spec=ActionSpec.create_discrete((5,))
)
"""Three ray sensors of 56 floats, the switch and the own velocity; one action of
:func:`mlagents_examples.movement.walk`."""

SPEED = 2.0
"""Change of velocity of a step forward or back, m/s per physics step."""

DEGREES_PER_STEP = 4.0
"""How far a turn goes in one physics step: 200 degrees per second."""

_TAGS = ("block", "wall", "goal", "switchOff", "switchOn", "stone")
_RAYS = (
    ("RayPerceptionSensor", 70.0, 0.0),
    ("RayPerceptionSensor1", 65.0, 5.0),
    ("RayPerceptionSensor2", 75.0, 10.0),
)
"""Names, outermost angles (degrees) and how far the rays rise (m) of the three sensors."""

_STEP_REWARD = -1.0 / MAX_STEP
_GOAL_REWARD = 2.0


class PyramidsAgent(Agent):
    """Wanders about one area.

    Args:
        academy: what the agent belongs to.
        area: the agent's rooms.
    """

    def __init__(self, academy: Academy, area: PyramidsArea) -> None:
        super().__init__(academy, BEHAVIOR, MAX_STEP)
        self.area = area
        self._rng = academy.make_rng()
        self._expert = Expert(area)
        for name, degrees, rise in _RAYS:
            RayPerceptionSensorComponent(
                self,
                area.agent,
                _TAGS,
                sensor_name=name,
                rays_per_direction=3,
                max_ray_degrees=degrees,
                sphere_cast_radius=0.5,
                ray_length=35.0,
                end_vertical_offset=rise,
            )
        area.agent.listen(collision_enter=self._on_touch)

    def on_episode_begin(self) -> None:
        """Start anew."""
        self.area.reset(self._rng)

    def collect_observations(self, sensor: VectorSensor) -> None:
        """Tell whether the switch is on, and the velocity to the right, upwards and ahead."""
        body = self.area.agent
        sensor.add_observation((float(self.area.is_on), *body.to_local(body.velocity)))

    def on_action_received(self, actions: ActionBuffers) -> None:
        """Walk; every step costs a little."""
        self.add_reward(_STEP_REWARD)
        walk(self.area.agent, actions.discrete_actions[0], SPEED, DEGREES_PER_STEP)

    def heuristic(self, actions_out: ActionBuffers) -> None:
        """Let a person walk."""
        actions_out.discrete_actions[0] = action_of_keys(self.academy.keyboard)

    def expert(self, actions_out: ActionBuffers) -> None:
        """Go to the switch and to the goal, see :mod:`mlagents_examples.pyramids.expert`."""
        actions_out.discrete_actions[0] = self._expert.choose_action()

    def _on_touch(self, contact: Contact) -> None:
        if contact.tag == GOAL_TAG:
            self.set_reward(_GOAL_REWARD)
            self.end_episode()
        elif contact.tag == OFF_TAG:
            self.area.switch_on(self._rng)
