"""The agent of Sorter: touches tiles in the order of their numbers."""

from __future__ import annotations

from mlagents_envs.base_env import ActionSpec
from mlagents_examples.keys import branch_of_keys
from mlagents_examples.movement import push
from mlagents_examples.sorter.area import MAX_TILES, TILE_TAG, SorterArea, place_of_tile
from mlagents_examples.sorter.expert import choose_actions
from mlagents_sdk import (
    Academy,
    ActionBuffers,
    Agent,
    BehaviorParameters,
    BufferSensorComponent,
    VectorSensor,
    VectorSensorComponent,
)
from mlagents_sdk.exception import AgentsError
from mlagents_sdk.input import DOWN_KEYS, LEFT_KEYS, RIGHT_KEYS, UP_KEYS
from mlagents_sdk.physics import Contact

MAX_STEP = 5000
"""Physics steps after which an episode is interrupted."""

BEHAVIOR = BehaviorParameters(
    "Sorter",
    vector_observation_size=4,
    num_stacked_vector_observations=2,
    action_spec=ActionSpec.create_discrete((3, 3, 3)),
)
"""Tiles ``(20, 23)``, 10 floats of the body, place and heading stacked; branches: 1 forward, 2 back; 1 step
right, 2 step left; 1 turn left, 2 turn right."""

SPEED = 2.0
"""Change of velocity of a step, m/s per physics step."""

DEGREES_PER_STEP = 4.0
"""How far a turn goes in one physics step: 200 degrees per second."""

TILE_SIZE = MAX_TILES + 3
"""Floats per tile: its number one-hot, where it is (2), whether it was visited."""

_REACH = 20.0  # metres that count as 1 in observed places
_STEP_REWARD = -1.0 / MAX_STEP
_RIGHT_REWARD = 1.0
_WRONG_REWARD = -1.0


class SorterAgent(Agent):
    """Walks in one area.

    Args:
        academy: what the agent belongs to; its environment parameter ``num_tiles`` is read at every reset.
        area: the agent's floor and tiles.
    """

    def __init__(self, academy: Academy, area: SorterArea) -> None:
        super().__init__(academy, BEHAVIOR, MAX_STEP)
        self.area = area
        self._rng = academy.make_rng()
        self._tiles = BufferSensorComponent(self, MAX_TILES, TILE_SIZE)
        self._body = VectorSensorComponent(self, 10, "PhysicsBodySensor")
        area.agent.listen(collision_enter=self._on_touch)

    def on_episode_begin(self) -> None:
        """Start anew with other tiles.

        Raises:
            AgentsError: ``num_tiles`` is outside 1-20.
        """
        max_tiles = int(self.academy.environment_parameters.get_with_default("num_tiles", float(MAX_TILES)))
        if not 1 <= max_tiles <= MAX_TILES:
            raise AgentsError(
                f"Sorter: the environment parameter num_tiles is {max_tiles}; use 1 to {MAX_TILES}."
            )
        self.area.reset(self._rng, max_tiles)

    def collect_observations(self, sensor: VectorSensor) -> None:
        """Tell the tiles, the own motion, and place and heading."""
        body = self.area.agent
        x, _, z = body.position
        for number, place, visited in self.area.tiles:
            tile = [0.0] * TILE_SIZE
            tile_x, _, tile_z = place_of_tile(place)
            # As in the original, the mark of the last number gets lost to what comes after it.
            tile[number] = 1.0
            tile[MAX_TILES:] = [(tile_x - x) / _REACH, (tile_z - z) / _REACH, float(visited)]
            self._tiles.append_observation(tile)
        # A body without parts is, seen from itself, at its origin and not turned.
        at_its_origin = (0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 1.0)
        self._body.get_sensor().add_observation((*at_its_origin, *body.to_local(body.velocity)))
        forward_x, _, forward_z = body.forward
        sensor.add_observation((x / _REACH, z / _REACH, forward_x, forward_z))

    def on_action_received(self, actions: ActionBuffers) -> None:
        """Walk; every step costs a little."""
        self._move(*actions.discrete_actions)
        self.add_reward(_STEP_REWARD)

    def heuristic(self, actions_out: ActionBuffers) -> None:
        """Let a person walk and turn with W, S, A, D or the arrow keys, and step aside with Q and E."""
        keyboard = self.academy.keyboard
        actions_out.discrete_actions[:] = [
            branch_of_keys(keyboard, UP_KEYS, DOWN_KEYS),
            branch_of_keys(keyboard, ("e",), ("q",)),
            branch_of_keys(keyboard, LEFT_KEYS, RIGHT_KEYS),
        ]

    def expert(self, actions_out: ActionBuffers) -> None:
        """Touch one tile after the other, see :mod:`mlagents_examples.sorter.expert`."""
        actions_out.discrete_actions[:] = choose_actions(self.area)

    def _move(self, ahead: int, aside: int, turn: int) -> None:
        body = self.area.agent
        forward, right = body.forward, body.right  # before the turn
        if turn:
            body.turn(-DEGREES_PER_STEP if turn == 1 else DEGREES_PER_STEP)
        if aside:
            push(body, right, SPEED if aside == 1 else -SPEED)
        elif ahead:
            push(body, forward, SPEED if ahead == 1 else -SPEED)

    def _on_touch(self, contact: Contact) -> None:
        if contact.tag != TILE_TAG:
            return
        tile = self.area.tile_of(contact.other)
        if tile.visited:
            return
        if tile == self.area.next_tile:
            self.add_reward(_RIGHT_REWARD)
            self.area.visit(tile)
            if self.area.next_tile is None:
                self.end_episode()
        else:
            self.add_reward(_WRONG_REWARD)
            self.end_episode()
