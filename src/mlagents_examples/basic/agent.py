"""The agent of Basic, and the line on which it walks."""

from __future__ import annotations

from mlagents_envs.base_env import ActionSpec
from mlagents_examples.keys import branch_of_keys
from mlagents_sdk import Academy, ActionBuffers, Agent, BehaviorParameters, VectorSensor
from mlagents_sdk.input import LEFT_KEYS, RIGHT_KEYS

LAST_PLACE = 20
"""Places are numbered from 0 to this."""

START = 10
"""Where an episode begins."""

SMALL_GOAL = 7
"""Three steps to the left of the start; worth :data:`SMALL_GOAL_REWARD`."""

LARGE_GOAL = 17
"""Seven steps to the right of the start; worth :data:`LARGE_GOAL_REWARD`."""

STEP_REWARD = -0.01
SMALL_GOAL_REWARD = 0.1
LARGE_GOAL_REWARD = 1.0

STEP_OF_ACTION = (0, -1, 1)
"""How far each action leads: stay, left, right."""

_RIGHT = 2

# One number fewer than there are places: the last one cannot be reached, because an episode ends before.
_OBSERVATION_SIZE = 20

BEHAVIOR = BehaviorParameters(
    "Basic", vector_observation_size=_OBSERVATION_SIZE, action_spec=ActionSpec.create_discrete((3,))
)
"""Observes its place as a one-hot vector of 20; one branch of actions, see :data:`STEP_OF_ACTION`."""


class BasicAgent(Agent):
    """Walks along a line until it reaches one of two goals.

    The small goal is near. The way to the large one costs more steps and still pays: 0.93 is the best
    return, -0.07 for seven steps and 1 for the goal. No episode is cut short.

    Args:
        academy: what the agent belongs to.

    Attributes:
        place: where the agent is, from 0 to :data:`LAST_PLACE`.
    """

    def __init__(self, academy: Academy) -> None:
        super().__init__(academy, BEHAVIOR)
        self.place = START

    def on_episode_begin(self) -> None:
        """Go back to the start."""
        self.place = START

    def collect_observations(self, sensor: VectorSensor) -> None:
        """Tell the place."""
        sensor.add_one_hot_observation(self.place, _OBSERVATION_SIZE)

    def on_action_received(self, actions: ActionBuffers) -> None:
        """Take a step, which has its price, and see whether it led to a goal."""
        step = STEP_OF_ACTION[actions.discrete_actions[0]]
        self.place = min(max(self.place + step, 0), LAST_PLACE)
        self.add_reward(STEP_REWARD)
        if self.place == SMALL_GOAL:
            self.add_reward(SMALL_GOAL_REWARD)
            self.end_episode()
        elif self.place == LARGE_GOAL:
            self.add_reward(LARGE_GOAL_REWARD)
            self.end_episode()

    def heuristic(self, actions_out: ActionBuffers) -> None:
        """Let a person walk with A and D or the arrow keys."""
        actions_out.discrete_actions[0] = branch_of_keys(self.academy.keyboard, LEFT_KEYS, RIGHT_KEYS)

    def expert(self, actions_out: ActionBuffers) -> None:
        """Walk to the large goal, which is to the right of every place that can be reached."""
        actions_out.discrete_actions[0] = _RIGHT
