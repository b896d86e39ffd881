"""The agent of Hallway: sees a symbol on its way and has to choose between two goals by it."""

from __future__ import annotations

from mlagents_envs.base_env import ActionSpec
from mlagents_examples.hallway.area import SYMBOLS, HallwayArea
from mlagents_examples.hallway.expert import choose_action
from mlagents_examples.movement import action_of_keys, walk
from mlagents_sdk import Academy, ActionBuffers, Agent, BehaviorParameters, VectorSensor
from mlagents_sdk.physics import Contact
from mlagents_sdk.sensors.ray_perception import RayPerceptionSensorComponent

MAX_STEP = 3000
"""Physics steps after which an episode is interrupted."""

BEHAVIOR = BehaviorParameters(
    "Hallway",
    vector_observation_size=1,
    num_stacked_vector_observations=3,
    action_spec=ActionSpec.create_discrete((5,)),
)
"""A ray sensor of 105 floats and the time, stacked; one action of :func:`mlagents_examples.movement.walk`."""

SPEED = 1.5
"""Change of velocity of a step forward or back, m/s per physics step."""

DEGREES_PER_STEP = 3.0
"""How far a turn goes in one physics step: 150 degrees per second."""

_TAGS = ("symbol_O_Goal", "symbol_X_Goal", "symbol_O", "symbol_X", "wall")
_STEP_REWARD = -1.0 / MAX_STEP
_RIGHT_REWARD = 1.0
_WRONG_REWARD = -0.1


class HallwayAgent(Agent):
    """Walks through one hallway.

    Args:
        academy: what the agent belongs to.
        area: the agent's hallway.
    """

    def __init__(self, academy: Academy, area: HallwayArea) -> None:
        super().__init__(academy, BEHAVIOR, MAX_STEP)
        self.area = area
        self._rng = academy.make_rng()
        RayPerceptionSensorComponent(
            self,
            area.agent,
            _TAGS,
            rays_per_direction=2,
            max_ray_degrees=70.0,
            sphere_cast_radius=0.5,
            ray_length=12.0,
            observation_stacks=3,
        )
        self._outcomes = {f"symbol_{symbol}_Goal": symbol for symbol in SYMBOLS}
        area.agent.listen(collision_enter=self._on_touch)

    def on_episode_begin(self) -> None:
        """Start anew."""
        self.area.reset(self._rng)

    def collect_observations(self, sensor: VectorSensor) -> None:
        """Tell the share of the time that is over."""
        sensor.add_observation(self.step_count / MAX_STEP)

    def on_action_received(self, actions: ActionBuffers) -> None:
        """Walk; every step costs a little."""
        self.add_reward(_STEP_REWARD)
        walk(self.area.agent, actions.discrete_actions[0], SPEED, DEGREES_PER_STEP)

    def heuristic(self, actions_out: ActionBuffers) -> None:
        """Let a person walk."""
        actions_out.discrete_actions[0] = action_of_keys(self.academy.keyboard)

    def expert(self, actions_out: ActionBuffers) -> None:
        """Walk to the right goal, see :mod:`mlagents_examples.hallway.expert`."""
        actions_out.discrete_actions[0] = choose_action(self.area)

    def _on_touch(self, contact: Contact) -> None:
        goal = self._outcomes.get(contact.tag)
        if goal is not None:
            self.set_reward(_RIGHT_REWARD if goal == self.area.symbol else _WRONG_REWARD)
            self.end_episode()
