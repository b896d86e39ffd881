"""The agent of RollerBall: pushes a ball to a cube."""

from __future__ import annotations

from mlagents_envs.base_env import ActionSpec
from mlagents_examples.roller_ball.area import RollerBallArea
from mlagents_sdk import Academy, ActionBuffers, Agent, BehaviorParameters, VectorSensor
from mlagents_sdk.input import horizontal, vertical

FORCE = 10.0
"""Force of an action of 1, newtons: the ball of 1 kg gains 0.2 m/s per physics step."""

BEHAVIOR = BehaviorParameters(
    "RollerBall", vector_observation_size=8, action_spec=ActionSpec.create_continuous(2)
)
"""8 observations, see :meth:`RollerBallArea.observation`; actions push along x and along z."""

_ARRIVAL_REWARD = 1.0


class RollerBallAgent(Agent):
    """Rolls the ball of one area to its cube, for as long as that takes.

    Reaching the cube earns 1, falling off the floor nothing; both end the episode. Time costs nothing.

    Args:
        academy: what the agent belongs to.
        area: the agent's floor, ball and cube.
    """

    def __init__(self, academy: Academy, area: RollerBallArea) -> None:
        super().__init__(academy, BEHAVIOR)
        self.area = area
        self._rng = academy.make_rng()

    def on_episode_begin(self) -> None:
        """Move the cube, and the ball if it fell."""
        self.area.reset(self._rng)

    def collect_observations(self, sensor: VectorSensor) -> None:
        """Tell where cube and ball are, and how the ball moves."""
        sensor.add_observation(self.area.observation())

    def on_action_received(self, actions: ActionBuffers) -> None:
        """Push, and judge where the ball is."""
        area = self.area
        push_x, push_z = actions.continuous_actions
        area.push(FORCE * push_x, FORCE * push_z)
        if area.target_is_reached():
            self.set_reward(_ARRIVAL_REWARD)
            self.end_episode()
        elif area.ball_has_fallen():
            self.end_episode()

    def heuristic(self, actions_out: ActionBuffers) -> None:
        """Let a person push with W, A, S and D or the arrow keys."""
        keyboard = self.academy.keyboard
        actions_out.continuous_actions[:] = [horizontal(keyboard), vertical(keyboard)]

    def expert(self, actions_out: ActionBuffers) -> None:
        """Push towards the cube, and against the velocity, so that the ball does not shoot past."""
        target_x, _, target_z, x, _, z, velocity_x, velocity_z = self.area.observation()
        push_x = 0.5 * (target_x - x) - 0.4 * velocity_x
        push_z = 0.5 * (target_z - z) - 0.4 * velocity_z
        actions_out.continuous_actions[0] = min(max(push_x, -1.0), 1.0)
        actions_out.continuous_actions[1] = min(max(push_z, -1.0), 1.0)
