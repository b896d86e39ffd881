"""The agent of GridWorld: walks to the kind of goal that it is told to reach."""

from __future__ import annotations

from typing import Any

from mlagents_envs.base_env import ActionSpec, ObservationType
from mlagents_examples.grid_world.area import IMAGE_HEIGHT, IMAGE_WIDTH, GridWorldArea
from mlagents_examples.grid_world.board import DOWN, LEFT, RIGHT, UP, Kind
from mlagents_examples.grid_world.expert import choose_action
from mlagents_sdk import (
    Academy,
    ActionBuffers,
    Agent,
    BehaviorParameters,
    DiscreteActionMask,
    VectorSensor,
    VectorSensorComponent,
)
from mlagents_sdk.input import horizontal, vertical
from mlagents_sdk.sensors.camera import CameraSensorComponent

MAX_STEP = 100
"""Steps after which an episode is interrupted."""

BEHAVIOR = BehaviorParameters(
    "GridWorld", vector_observation_size=0, action_spec=ActionSpec.create_discrete((5,))
)
"""A picture ``(3, 64, 84)`` and the wanted kind one-hot, as a goal signal; stay, up, down, left, right."""

STEP_REWARD = -0.01
RIGHT_GOAL_REWARD = 1.0
WRONG_GOAL_REWARD = -1.0


class GridWorldAgent(Agent):
    """Walks on one grid.

    Args:
        academy: what the agent belongs to; its environment parameters ``gridSize``, ``numPlusGoals`` and
            ``numExGoals`` are read at every reset.
        area: the agent's grid.
    """

    def __init__(self, academy: Academy, area: GridWorldArea) -> None:
        super().__init__(academy, BEHAVIOR, MAX_STEP)
        self.area = area
        self._rng = academy.make_rng()
        CameraSensorComponent(self, area.camera, width=IMAGE_WIDTH, height=IMAGE_HEIGHT)
        self._wanted = VectorSensorComponent(self, len(Kind), observation_type=ObservationType.GOAL_SIGNAL)

    def on_episode_begin(self) -> None:
        """Put everything on other cells and draw what is wanted."""
        parameter = self.academy.environment_parameters.get_with_default
        self.area.board.reset(
            self._rng,
            int(parameter("gridSize", 5.0)),
            int(parameter("numPlusGoals", 1.0)),
            int(parameter("numExGoals", 1.0)),
        )
        self.area.show()

    def collect_observations(self, sensor: VectorSensor) -> None:
        """Tell what is wanted; the camera tells the rest."""
        self._wanted.get_sensor().add_one_hot_observation(int(self.area.board.wanted), len(Kind))

    def write_discrete_action_mask(self, mask: DiscreteActionMask) -> None:
        """Forbid to leave the grid."""
        for action in self.area.board.leaving_actions():
            mask.set_action_enabled(0, action, False)

    def on_action_received(self, actions: ActionBuffers) -> None:
        """Take a step, which has its price; a goal, of whatever kind, ends the episode."""
        self.add_reward(STEP_REWARD)
        board = self.area.board
        reached = board.move(actions.discrete_actions[0])
        self.area.show_agent()
        if reached is not None:
            self.set_reward(RIGHT_GOAL_REWARD if reached is board.wanted else WRONG_GOAL_REWARD)
            self.end_episode()

    def heuristic(self, actions_out: ActionBuffers) -> None:
        """Let a person walk with W, A, S and D or the arrow keys."""
        keyboard = self.academy.keyboard
        across, along = horizontal(keyboard), vertical(keyboard)
        if across:
            actions_out.discrete_actions[0] = RIGHT if across > 0.0 else LEFT
        elif along:
            actions_out.discrete_actions[0] = UP if along > 0.0 else DOWN

    def expert(self, actions_out: ActionBuffers) -> None:
        """Take the shortest way, see :mod:`mlagents_examples.grid_world.expert`."""
        actions_out.discrete_actions[0] = choose_action(self.area.board)

    def get_state(self) -> dict[str, Any]:
        """What the academy does not know."""
        return self.area.board.get_state()

    def set_state(self, state: dict[str, Any]) -> None:
        """Put back the state of :meth:`get_state`."""
        self.area.board.set_state(state)
        self.area.show()
