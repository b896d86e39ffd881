"""Visual3DBall: keep a ball on a platform that is seen through a camera only, in eight areas at once."""

from __future__ import annotations

from mlagents_envs.base_env import ActionSpec, BaseEnv
from mlagents_envs.registry.options import EnvironmentOptions
from mlagents_examples.balance_ball.area import BalanceBallArea, build_scene
from mlagents_examples.balance_ball.rules import MAX_STEP, lean_against_ball, tilt_and_judge, tilt_by_keys
from mlagents_examples.hosting import host_single_agents
from mlagents_sdk import Academy, ActionBuffers, Agent, BehaviorParameters, resolve_num_areas
from mlagents_sdk.physics import Camera, PhysicsWorld, TrainingArea
from mlagents_sdk.physics.rotations import euler_rotation
from mlagents_sdk.sensors.camera import CameraSensorComponent

NUM_AREAS = 8
"""Areas of the scene when nobody asks for another number."""

DECISION_PERIOD = 5
"""Physics steps per decision."""

IMAGE_SIZE = 84
"""Height and width of the pictures, pixels."""

STACKS = 4
"""Pictures that are shown together, the last and those before it."""

BEHAVIOR = BehaviorParameters(
    "Visual3DBall", vector_observation_size=0, action_spec=ActionSpec.create_continuous(2)
)
"""Observes four pictures, shape ``(12, 84, 84)``; actions turn about z and about x."""


def make_camera(area: TrainingArea) -> Camera:
    """The camera of an area: behind and above the platform, looking down at it."""
    return Camera(area, (0.0, 7.0, -8.0), euler_rotation(30.0), field_of_view=60.0, near=0.3)


class VisualBalanceBallAgent(Agent):
    """Balances the ball of one area by its looks.

    Args:
        academy: what the agent belongs to; its environment parameters ``mass``, ``scale`` and
            ``gravity`` are read at every reset.
        area: the agent's platform and ball.
        camera: shows them.
    """

    def __init__(self, academy: Academy, area: BalanceBallArea, camera: Camera) -> None:
        super().__init__(academy, BEHAVIOR, MAX_STEP)
        self.area = area
        self._rng = academy.make_rng()
        CameraSensorComponent(self, camera, width=IMAGE_SIZE, height=IMAGE_SIZE, observation_stacks=STACKS)

    def on_episode_begin(self) -> None:
        """Start anew with the parameters of the moment."""
        parameter = self.academy.environment_parameters.get_with_default
        self.area.set_parameters(parameter("mass", 1.0), parameter("scale", 1.0), parameter("gravity", 9.81))
        self.area.reset(self._rng)

    def on_action_received(self, actions: ActionBuffers) -> None:
        """Tilt, and judge where the ball is."""
        tilt_and_judge(self, self.area, actions)

    def heuristic(self, actions_out: ActionBuffers) -> None:
        """Let a person tilt the platform."""
        tilt_by_keys(self.academy.keyboard, actions_out)

    def expert(self, actions_out: ActionBuffers) -> None:
        """Lean against the ball, whose place and velocity the expert knows."""
        lean_against_ball(self.area, actions_out)


def make_environment(options: EnvironmentOptions) -> BaseEnv:
    """Build Visual3DBall; registered as the environment ``Visual3DBall``.

    Args:
        options: seed, number of areas and side channels are used.
    """
    academy = Academy(seed=options.seed, num_areas=resolve_num_areas(options.num_areas, NUM_AREAS))
    world = PhysicsWorld(build_scene(), academy.num_areas)
    agents = [
        VisualBalanceBallAgent(academy, BalanceBallArea(area), make_camera(area)) for area in world.areas
    ]
    return host_single_agents(academy, world, agents, DECISION_PERIOD, options)
