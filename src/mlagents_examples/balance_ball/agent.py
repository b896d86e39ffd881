"""The agent of 3DBall: tilts a platform so that the ball stays on it."""

from __future__ import annotations

from mlagents_envs.base_env import ActionSpec
from mlagents_examples.balance_ball.area import BalanceBallArea
from mlagents_examples.balance_ball.rules import MAX_STEP, lean_against_ball, tilt_and_judge, tilt_by_keys
from mlagents_sdk import Academy, ActionBuffers, Agent, BehaviorParameters, VectorSensor

BEHAVIOR = BehaviorParameters(
    "3DBall", vector_observation_size=8, action_spec=ActionSpec.create_continuous(2)
)
"""8 observations, see :meth:`BalanceBallArea.observation`; actions turn about z and about x."""


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
        """Tilt, and judge where the ball is."""
        tilt_and_judge(self, self.area, actions)

    def heuristic(self, actions_out: ActionBuffers) -> None:
        """Let a person tilt the platform."""
        tilt_by_keys(self.academy.keyboard, actions_out)

    def expert(self, actions_out: ActionBuffers) -> None:
        """Lean against the ball."""
        lean_against_ball(self.area, actions_out)
