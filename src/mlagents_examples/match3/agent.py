"""The agent of Match3: swaps cells for points."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from mlagents_examples.match3.board import Match3Board
from mlagents_sdk import Academy, ActionBuffers, Agent, BehaviorParameters
from mlagents_sdk.match3 import Match3ActuatorComponent, Match3ObservationType, Match3SensorComponent

MAX_MOVES = 500
"""Moves after which an episode is interrupted."""

REWARD_PER_POINT = 0.01


@dataclass(frozen=True, slots=True)
class Player:
    """One way to play.

    Attributes:
        behavior_name: name of the behavior.
        observation_type: how the board is observed.
        greedy: whether the heuristic takes a move that earns most at once, or any valid one.
        always_heuristic: whether the heuristic decides even where a policy does.
    """

    behavior_name: str
    observation_type: Match3ObservationType = Match3ObservationType.VECTOR
    greedy: bool = True
    always_heuristic: bool = False


VECTOR = Player("Match3VectorObs")
"""Observes 432 floats of colours and 216 of special kinds."""

VISUAL = Player("Match3VisualObs", Match3ObservationType.COMPRESSED_VISUAL)
"""Observes ``(6, 9, 8)`` of colours and ``(3, 9, 8)`` of special kinds."""

SIMPLE_HEURISTIC = Player("Match3SimpleHeuristic", greedy=False, always_heuristic=True)
"""Takes any valid move, whatever a policy says."""

SMART_HEURISTIC = Player("Match3SmartHeuristic", always_heuristic=True)
"""Takes a move that earns most at once, whatever a policy says."""


class Match3Agent(Agent):
    """Plays on a board of its own.

    Args:
        academy: what the agent belongs to.
        player: how it observes and plays.

    Attributes:
        board: the board.
        moves: moves asked for in this episode.
    """

    def __init__(self, academy: Academy, player: Player) -> None:
        super().__init__(academy, BehaviorParameters(player.behavior_name, vector_observation_size=0))
        self.board = Match3Board(academy.make_rng())
        self.moves = 0
        Match3SensorComponent(self, self.board, observation_type=player.observation_type)
        Match3ActuatorComponent(
            self,
            self.board,
            force_heuristic=player.always_heuristic,
            eval_move_points=self.board.points_of if player.greedy else None,
        )

    def on_episode_begin(self) -> None:
        """Start with a board of another size."""
        self.board.reset()
        self.moves = 0

    def heuristic(self, actions_out: ActionBuffers) -> None:
        """Nothing: the agent has no actions but those of its actuator, whose heuristic plays."""

    def advance(self) -> None:
        """Clear what the last move made, and ask for the next; once per step."""
        self.add_reward(REWARD_PER_POINT * self.board.resolve())
        self.board.ensure_moves()
        if self.moves == MAX_MOVES:
            self.episode_interrupted()
        self.request_decision()
        self.moves += 1

    def get_state(self) -> dict[str, Any]:
        """What the academy does not know."""
        return {"board": self.board.get_state(), "moves": self.moves}

    def set_state(self, state: dict[str, Any]) -> None:
        """Put back the state of :meth:`get_state`."""
        self.board.set_state(state["board"])
        self.moves = state["moves"]
