"""The agent of 3DBall: tilts a platform so that the ball stays on it."""

from __future__ import annotations

from mlagents_envs.base_env import ActionSpec
from mlagents_examples.balance_ball.area import BalanceBallArea
from mlagents_sdk import Academy, ActionBuffers, Agent, BehaviorParameters, VectorSensor

MAX_STEP = 5000
"""Physics steps after which an episode is interrupted."""

BEHAVIOR = BehaviorParameters(
    "3DBall", vector_observation_size=8, action_spec=ActionSpec.create_continuous(2)
)
"""8 observations, see :meth:`BalanceBallArea.observation`; actions turn about z and about x."""

_STEP_REWARD = 0.1
_FAILURE_REWARD = -1.0


class BalanceBallAgent(Agent):
    """Balances the ball of one area.

    Args:
        academy: what the agent belongs to; its environment parameters ``mass``, ``scale`` and
            ``gravity`` are read at every reset.
        area: the agent's platform and ball.
    """

    def __init__(self, academy: Academy, area: BalanceBallArea) -> None:
        super().__init__(academy, BEHAVIOR, MAX_STEP)
        self.area = area
        self._rng = academy.make_rng()

    def on_episode_begin(self) -> None:
        """Start anew with the parameters of the moment."""
        parameter = self.academy.environment_parameters.get_with_default
        self.area.set_parameters(parameter("mass", 1.0), parameter("scale", 1.0), parameter("gravity", 9.81))
        self.area.reset(self._rng)

    def collect_observations(self, sensor: VectorSensor) -> None:
        """Tell tilt and ball."""
        sensor.add_observation(self.area.observation())

    def on_action_received(self, actions: ActionBuffers) -> None:
        """Tilt, and judge where the ball is.

        The reward is set, not added: however many steps a decision lasts, it earns 0.1, or -1 when
        the ball is lost.
        """
        area = self.area
        around_z, around_x = actions.continuous_actions
        area.tilt(around_z, around_x)
        if area.ball_is_lost():
            self.set_reward(_FAILURE_REWARD)
            self.end_episode()
        else:
            self.set_reward(_STEP_REWARD)

    def heuristic(self, actions_out: ActionBuffers) -> None:
        """Lean against the ball: the further out and the faster it is, the more tilt towards the centre."""
        z, x, ball_x, _, ball_z, velocity_x, _, velocity_z = self.area.observation()
        lean_z = min(max(0.06 * ball_x + 0.06 * velocity_x, -0.15), 0.15)
        lean_x = min(max(-0.06 * ball_z - 0.06 * velocity_z, -0.15), 0.15)
        actions_out.continuous_actions[0] = 8.0 * (lean_z - z)
        actions_out.continuous_actions[1] = 8.0 * (lean_x - x)
