"""The agent of PushBlock: pushes the block into the goal."""

from __future__ import annotations

from mlagents_envs.base_env import ActionSpec
from mlagents_examples.movement import action_of_keys, walk
from mlagents_examples.push_block.area import PushBlockArea
from mlagents_examples.push_block.expert import choose_action
from mlagents_sdk import Academy, ActionBuffers, Agent, BehaviorParameters
from mlagents_sdk.physics import Contact
from mlagents_sdk.sensors.ray_perception import RayPerceptionSensorComponent

MAX_STEP = 5000
"""Physics steps after which an episode is interrupted."""

BEHAVIOR = BehaviorParameters(
    "PushBlock", vector_observation_size=0, action_spec=ActionSpec.create_discrete((7,))
)
"""Two ray sensors of 105 floats; one action of :func:`mlagents_examples.movement.walk`."""

SPEED = 3.0
"""Change of velocity of a step forward or back, m/s per physics step."""

SIDEWAYS_SPEED = 0.75 * SPEED
"""The same of a step aside."""

DEGREES_PER_STEP = 4.0
"""How far a turn goes in one physics step: 200 degrees per second."""

_TAGS = ("block", "goal", "wall")
_STEP_REWARD = -1.0 / MAX_STEP
_GOAL_REWARD = 5.0


class PushBlockAgent(Agent):
    """Pushes the block of one area.

    Args:
        academy: what the agent belongs to; its environment parameters ``block_scale``, ``block_drag``,
            ``static_friction`` and ``dynamic_friction`` are read at every reset.
        area: the agent's floor and block.
    """

    def __init__(self, academy: Academy, area: PushBlockArea) -> None:
        super().__init__(academy, BEHAVIOR, MAX_STEP)
        self.area = area
        self._rng = academy.make_rng()
        for name, offset in (("OffsetRayPerceptionSensor", 1.5), ("RayPerceptionSensor", 0.0)):
            RayPerceptionSensorComponent(
                self,
                area.agent,
                _TAGS,
                sensor_name=name,
                rays_per_direction=3,
                max_ray_degrees=90.0,
                sphere_cast_radius=0.5,
                ray_length=12.0,
                observation_stacks=3,
                start_vertical_offset=offset,
                end_vertical_offset=offset,
            )
        area.block.listen(collision_enter=self._on_block_touches)

    def on_episode_begin(self) -> None:
        """Start anew with the parameters of the moment."""
        parameter = self.academy.environment_parameters.get_with_default
        self.area.set_parameters(
            parameter("block_scale", 2.0),
            parameter("block_drag", 0.5),
            parameter("static_friction", 0.0),
            parameter("dynamic_friction", 0.0),
        )
        self.area.reset(self._rng)

    def on_action_received(self, actions: ActionBuffers) -> None:
        """Walk; every step costs a little."""
        walk(self.area.agent, actions.discrete_actions[0], SPEED, DEGREES_PER_STEP, SIDEWAYS_SPEED)
        self.add_reward(_STEP_REWARD)

    def heuristic(self, actions_out: ActionBuffers) -> None:
        """Let a person walk; Q and E step aside."""
        actions_out.discrete_actions[0] = action_of_keys(self.academy.keyboard, sideways=True)

    def expert(self, actions_out: ActionBuffers) -> None:
        """Get behind the block and push, see :mod:`mlagents_examples.push_block.expert`."""
        actions_out.discrete_actions[0] = choose_action(self.area)

    def _on_block_touches(self, contact: Contact) -> None:
        if contact.tag == "goal":
            self.add_reward(_GOAL_REWARD)
            self.end_episode()
