"""An actuator that swaps two cells of a Match-3 board."""

from __future__ import annotations

import random
import warnings
from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np

from mlagents_envs.base_env import ActionSpec
from mlagents_envs.exception import EnvironmentWarning
from mlagents_sdk.actuators.action_buffers import ActionBuffers
from mlagents_sdk.actuators.actuator import Actuator
from mlagents_sdk.actuators.discrete_action_mask import DiscreteActionMask
from mlagents_sdk.match3.board import AbstractBoard, all_moves
from mlagents_sdk.match3.move import Move

if TYPE_CHECKING:
    from mlagents_sdk.agent import Agent


class Match3Actuator:
    """One branch with an action for each move of the largest board; invalid moves are masked.

    Args:
        board: the board.
        rng: breaks ties of the heuristic.
        name: name of the actuator.
        force_heuristic: whether the heuristic decides even where a policy does, for tests.
        eval_move_points: what a valid move is worth to the heuristic; None for 1 each.
    """

    def __init__(
        self,
        board: AbstractBoard,
        rng: random.Random,
        name: str = "Match3 Actuator",
        force_heuristic: bool = False,
        eval_move_points: Callable[[Move], float] | None = None,
    ) -> None:
        self._board = board
        self._rng = rng
        self._name = name
        self._force_heuristic = force_heuristic
        self._eval_move_points = eval_move_points
        self._moves = all_moves(board.get_max_board_size())
        self._spec = ActionSpec.create_discrete((len(self._moves),))

    @property
    def action_spec(self) -> ActionSpec:
        """One branch."""
        return self._spec

    @property
    def name(self) -> str:
        """Name of the actuator."""
        return self._name

    def on_action_received(self, actions: ActionBuffers) -> None:
        """Make the move."""
        if self._force_heuristic:
            self.heuristic(actions)
        self._board.make_move(self._moves[actions.discrete_actions[0]])

    def write_discrete_action_mask(self, mask: DiscreteActionMask) -> None:
        """Forbid what is not valid.

        With no valid move, the board's ``on_no_valid_moves_action`` is called (or a warning given) and
        the last action stays enabled.
        """
        valid = self._board.valid_moves().tolist()
        if not any(valid):
            valid[-1] = True
            if self._board.on_no_valid_moves_action is not None:
                self._board.on_no_valid_moves_action()
            else:
                warnings.warn(
                    f"Actuator {self._name}: no move is valid. Set the board's on_no_valid_moves_action to "
                    "something that shuffles it.",
                    EnvironmentWarning,
                    stacklevel=2,
                )
        mask.set_branch_enabled(0, valid)

    def heuristic(self, actions_out: ActionBuffers) -> None:
        """Choose one of the valid moves that are worth most, all equally likely; 0 without any."""
        best: list[int] = []
        most = -np.inf
        for index in np.flatnonzero(self._board.valid_moves()).tolist():
            points = 1.0 if self._eval_move_points is None else self._eval_move_points(self._moves[index])
            if points > most:
                best, most = [index], points
            elif points == most:
                best.append(index)
        actions_out.discrete_actions[0] = self._rng.choice(best) if best else 0

    def reset_data(self) -> None:
        """Nothing to forget."""


class Match3ActuatorComponent:
    """Adds a Match-3 actuator to an agent.

    Args:
        agent: agent that gets the actuator; its own ``action_spec`` may be empty.
        board: the board.
        actuator_name: name of the actuator.
        random_seed: seed of the heuristic's ties; -1 for one that follows from the academy's.
        force_heuristic: whether the heuristic decides even where a policy does, for tests.
        eval_move_points: what a valid move is worth to the heuristic; None for 1 each.
    """

    def __init__(
        self,
        agent: Agent,
        board: AbstractBoard,
        actuator_name: str = "Match3 Actuator",
        random_seed: int = -1,
        force_heuristic: bool = False,
        eval_move_points: Callable[[Move], float] | None = None,
    ) -> None:
        # From the academy also where there is a seed, so that the position is saved with its state.
        rng = agent.academy.make_rng()
        if random_seed != -1:
            rng.seed(random_seed)
        self._actuator = Match3Actuator(board, rng, actuator_name, force_heuristic, eval_move_points)
        agent.add_component(self)

    def create_actuators(self) -> list[Actuator]:
        """The actuator."""
        return [self._actuator]
