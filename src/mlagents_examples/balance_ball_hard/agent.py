"""The agent of 3DBallHard: balances a ball whose velocity it does not see."""

from __future__ import annotations

from mlagents_envs.base_env import ActionSpec
from mlagents_examples.balance_ball.area import BalanceBallArea
from mlagents_examples.balance_ball.rules import MAX_STEP, lean_against_ball, tilt_and_judge, tilt_by_keys
from mlagents_sdk import (
    Academy,
    ActionBuffers,
    Agent,
    BehaviorParameters,
    VectorSensor,
    VectorSensorComponent,
)

STACKS = 9
"""Observations that are shown together, the last and those before it."""

POSITION_SENSOR = "ObservableAttribute:Ball3DHardAgent.PositionDelta"
"""Position of the ball relative to the platform's centre, x, y and z in metres.

The names are those that the original's members have as sensors; they decide the order of the observations.
"""

ROTATION_SENSOR = "ObservableAttribute:Ball3DHardAgent.Rotation"
"""Components z and x of the platform's quaternion."""

BEHAVIOR = BehaviorParameters(
    "3DBallHard", vector_observation_size=0, action_spec=ActionSpec.create_continuous(2)
)
"""Observes through two stacked sensors, 27 and 18 floats; actions turn about z and about x."""


class BalanceBallHardAgent(Agent):
    """Balances the ball of one area by what it remembers of the ball's way.

    Args:
        academy: what the agent belongs to; its environment parameters ``mass`` and ``scale`` are read
            once, when the environment starts, and ``gravity`` at every reset.
        area: the agent's platform and ball.
    """

    def __init__(self, academy: Academy, area: BalanceBallArea) -> None:
        super().__init__(academy, BEHAVIOR, MAX_STEP)
        self.area = area
        self._rng = academy.make_rng()
        self._position = VectorSensorComponent(self, 3, POSITION_SENSOR, observation_stacks=STACKS)
        self._rotation = VectorSensorComponent(self, 2, ROTATION_SENSOR, observation_stacks=STACKS)
        academy.on_environment_reset.append(self._read_mass_and_scale)

    def on_episode_begin(self) -> None:
        """Start anew with the gravity of the moment."""
        self.area.set_gravity(self.academy.environment_parameters.get_with_default("gravity", 9.81))
        self.area.reset(self._rng)

    def collect_observations(self, sensor: VectorSensor) -> None:
        """Tell ball and tilt, each through its own sensor; ``sensor`` stays empty."""
        z, x, ball_x, ball_y, ball_z, *_ = self.area.observation()
        self._position.get_sensor().add_observation((ball_x, ball_y, ball_z))
        self._rotation.get_sensor().add_observation((z, x))

    def on_action_received(self, actions: ActionBuffers) -> None:
        """Tilt, and judge where the ball is."""
        tilt_and_judge(self, self.area, actions)

    def heuristic(self, actions_out: ActionBuffers) -> None:
        """Let a person tilt the platform."""
        tilt_by_keys(self.academy.keyboard, actions_out)

    def expert(self, actions_out: ActionBuffers) -> None:
        """Lean against the ball, with an eye on its velocity, which policies do not see."""
        lean_against_ball(self.area, actions_out)

    def _read_mass_and_scale(self) -> None:
        """Take the ball's parameters over, at the first environment reset only.

        The trainer's values are not known before it.
        """
        if self.academy.episode_count == 1:
            parameter = self.academy.environment_parameters.get_with_default
            self.area.set_mass_and_scale(parameter("mass", 1.0), parameter("scale", 1.0))
