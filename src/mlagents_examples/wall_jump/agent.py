"""The agent of WallJump: gets over a wall, and moves a block to the wall where it is too high."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from mlagents_envs.base_env import ActionSpec
from mlagents_examples.keys import branch_of_keys
from mlagents_examples.movement import push
from mlagents_examples.wall_jump.area import BLOCK_TAG, GOAL_TAG, GROUND_POSITION, WALL_TAG, WallJumpArea
from mlagents_examples.wall_jump.expert import choose_actions
from mlagents_examples.wall_jump.jump import Jump
from mlagents_sdk import Academy, ActionBuffers, Agent, BehaviorParameters, VectorSensor
from mlagents_sdk.input import DOWN_KEYS, LEFT_KEYS, RIGHT_KEYS, UP_KEYS
from mlagents_sdk.physics import Contact, Vector
from mlagents_sdk.sensors.ray_perception import RayPerceptionSensorComponent

MAX_STEP = 2000
"""Physics steps after which an episode is interrupted."""

SMALL = BehaviorParameters(
    "SmallWallJump",
    vector_observation_size=4,
    num_stacked_vector_observations=6,
    action_spec=ActionSpec.create_discrete((3, 3, 3, 2)),
)
"""Without a wall or with a small one. Two ray sensors of 210 floats, position and ground contact, stacked;
branches: 1 forward, 2 back; 1 turn left, 2 turn right; 1 step left, 2 step right; 1 jump."""

BIG = replace(SMALL, behavior_name="BigWallJump")
"""With a big wall; the same otherwise."""

SPEED = 3.0
"""Change of velocity of a step forward or back, m/s per physics step."""

DEGREES_PER_STEP = 6.0
"""How far a turn goes in one physics step: 300 degrees per second."""

_TIMESTEP = 0.02
_SIDEWAYS = 0.6  # share of the speed
_IN_THE_AIR = 0.5  # the same
_REACH = 20.0  # metres that count as 1 in the observed position
_RAY_LENGTH = 20.0
_TAGS = (WALL_TAG, GOAL_TAG, BLOCK_TAG)
_NUM_CONFIGURATIONS = 5
_NO_WALL, _SMALL_WALL = 0, 1  # all other configurations have the big wall
_NOWHERE: Vector = (0.0, 0.0, 0.0)
_STEP_REWARD = -0.0005
_GOAL_REWARD = 1.0
_FALL_REWARD = -1.0


class WallJumpAgent(Agent):
    """Jumps in one area, under one of two behaviors, according to the height of the wall.

    Args:
        academy: what the agent belongs to; of its environment parameters ``no_wall_height``,
            ``small_wall_height`` and ``big_wall_height`` one is read at every reset.
        area: the agent's platform.
    """

    def __init__(self, academy: Academy, area: WallJumpArea) -> None:
        super().__init__(academy, SMALL, MAX_STEP)
        self.area = area
        self.jump = Jump(area.agent, _TIMESTEP)
        self._rng = academy.make_rng()
        for name, start, end in (("OffsetRayPerceptionSensor", 2.5, 5.0), ("RayPerceptionSensor", 0.0, 0.0)):
            RayPerceptionSensorComponent(
                self,
                area.agent,
                _TAGS,
                sensor_name=name,
                rays_per_direction=3,
                max_ray_degrees=90.0,
                sphere_cast_radius=0.5,
                ray_length=_RAY_LENGTH,
                observation_stacks=6,
                start_vertical_offset=start,
                end_vertical_offset=end,
            )
        area.agent.listen(trigger_stay=self._on_inside)

    def on_episode_begin(self) -> None:
        """Start anew with another wall, under the behavior that belongs to it."""
        self.area.reset(self._rng)
        parameter = self.academy.environment_parameters.get_with_default
        configuration = self._rng.randrange(_NUM_CONFIGURATIONS)
        if configuration == _NO_WALL:
            height = parameter("no_wall_height", 0.0)
        elif configuration == _SMALL_WALL:
            height = parameter("small_wall_height", 4.0)
        else:
            height = parameter("big_wall_height", 8.0)
        self.area.set_wall_height(height)
        behavior = SMALL if configuration in (_NO_WALL, _SMALL_WALL) else BIG
        if self.behavior_parameters != behavior:
            self.behavior_parameters = behavior

    def collect_observations(self, sensor: VectorSensor) -> None:
        """Tell position and ground contact."""
        x, y, z = self.area.agent.position
        ground_x, ground_y, ground_z = GROUND_POSITION
        sensor.add_observation(
            (
                (x - ground_x) / _REACH,
                (y - ground_y) / _REACH,
                (z - ground_z) / _REACH,
                float(self.area.feels_ground()),
            )
        )

    def on_action_received(self, actions: ActionBuffers) -> None:
        """Move; every step costs a little, and a fall of agent or block ends it all."""
        self.add_reward(_STEP_REWARD)
        self._move(*actions.discrete_actions)
        if self.area.something_fell():
            self.set_reward(_FALL_REWARD)
            self.end_episode()

    def heuristic(self, actions_out: ActionBuffers) -> None:
        """Let a person walk and turn with W, S, A, D or arrow keys, step with Q and E, jump with space."""
        keyboard = self.academy.keyboard
        actions_out.discrete_actions[:] = [
            branch_of_keys(keyboard, UP_KEYS, DOWN_KEYS),
            branch_of_keys(keyboard, LEFT_KEYS, RIGHT_KEYS),
            branch_of_keys(keyboard, ("q",), ("e",)),
            int(keyboard.is_pressed("space")),
        ]

    def expert(self, actions_out: ActionBuffers) -> None:
        """Get over the wall, see :mod:`mlagents_examples.wall_jump.expert`."""
        actions_out.discrete_actions[:] = choose_actions(self.area)

    def get_state(self) -> dict[str, Any]:
        """What neither physics nor academy knows."""
        return self.jump.get_state()

    def set_state(self, state: dict[str, Any]) -> None:
        """Put back the state of :meth:`get_state`."""
        self.jump.set_state(state)

    def _move(self, ahead: int, turn: int, aside: int, jump: int) -> None:
        body = self.area.agent
        touches_ground = self.area.touches_ground()
        # All of it goes by where the agent looks and stands at the beginning of the step.
        direction = self._direction(ahead, aside, 1.0 if touches_ground else _IN_THE_AIR)
        if jump and self.jump.is_over and self.area.feels_ground():
            self.jump.start()
        if turn:
            body.turn(-DEGREES_PER_STEP if turn == 1 else DEGREES_PER_STEP)
        if direction != _NOWHERE:
            push(body, direction, SPEED)
        self.jump.advance(direction, touches_ground)

    def _direction(self, ahead: int, aside: int, vigour: float) -> Vector:
        """Where the agent walks, at most of length 1; stepping aside goes before walking ahead."""
        if aside:
            x, y, z = self.area.agent.right
            share = -_SIDEWAYS * vigour if aside == 1 else _SIDEWAYS * vigour
        elif ahead:
            x, y, z = self.area.agent.forward
            share = vigour if ahead == 1 else -vigour
        else:
            return _NOWHERE
        return (share * x, share * y, share * z)

    def _on_inside(self, contact: Contact) -> None:
        if contact.tag == GOAL_TAG and self.area.feels_ground():
            self.set_reward(_GOAL_REWARD)
            self.end_episode()
