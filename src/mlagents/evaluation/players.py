"""Who acts for a behavior during an evaluation: a model, the environment's own players, or chance."""

from __future__ import annotations

from typing import Protocol

import numpy as np

from mlagents.sampling.worker import blaming
from mlagents_envs.base_env import ActionTuple, BaseEnv, BehaviorSpec, DecisionSteps, TerminalSteps
from mlagents_envs.capabilities import PlaysExpert, PlaysHeuristic
from mlagents_envs.inference import OnnxPolicy


class Player(Protocol):
    """Chooses actions for all agents of one behavior id."""

    description: str

    def act(self, decision_steps: DecisionSteps, terminal_steps: TerminalSteps) -> ActionTuple:
        """Actions for the ``n`` agents that ask for a decision, in their order."""


class ModelPlayer:
    """Plays an exported model.

    Args:
        policy: the model, checked against the behavior.
    """

    def __init__(self, policy: OnnxPolicy) -> None:
        self.description = str(policy.path)
        self._policy = policy

    def act(self, decision_steps: DecisionSteps, terminal_steps: TerminalSteps) -> ActionTuple:
        """Actions for the ``n`` agents that ask for a decision, in their order."""
        return self._policy.act(decision_steps, terminal_steps)


class HeuristicPlayer:
    """Lets the environment act for itself.

    Args:
        env: an environment that has a heuristic for the behavior.
        behavior_id: name of the behavior with its team.
    """

    def __init__(self, env: PlaysHeuristic, behavior_id: str) -> None:
        self.description = "heuristic"
        self._env = env
        self._behavior_id = behavior_id

    def act(self, decision_steps: DecisionSteps, terminal_steps: TerminalSteps) -> ActionTuple:
        """Actions for the ``n`` agents that ask for a decision, in their order."""
        with blaming(type(self._env).__name__, "play its heuristic"):
            return self._env.heuristic_actions(self._behavior_id)


class ExpertPlayer:
    """Lets the scripted experts of the environment act.

    Args:
        env: an environment that has an expert for the behavior.
        behavior_id: name of the behavior with its team.
    """

    def __init__(self, env: PlaysExpert, behavior_id: str) -> None:
        self.description = "expert"
        self._env = env
        self._behavior_id = behavior_id

    def act(self, decision_steps: DecisionSteps, terminal_steps: TerminalSteps) -> ActionTuple:
        """Actions for the ``n`` agents that ask for a decision, in their order."""
        with blaming(type(self._env).__name__, "play its expert"):
            return self._env.expert_actions(self._behavior_id)


class RandomPlayer:
    """Acts uniformly at random.

    Args:
        spec: the behavior.
        rng: source of the actions.
    """

    def __init__(self, spec: BehaviorSpec, rng: np.random.Generator) -> None:
        self.description = "random actions"
        self._action_spec = spec.action_spec
        self._rng = rng

    def act(self, decision_steps: DecisionSteps, terminal_steps: TerminalSteps) -> ActionTuple:
        """Actions for the ``n`` agents that ask for a decision, in their order."""
        return self._action_spec.random_action(len(decision_steps), self._rng)


def stand_in(env: BaseEnv, behavior_id: str, spec: BehaviorSpec, rng: np.random.Generator) -> Player:
    """Who plays a behavior without a model: its expert or heuristic where it has one, else chance.

    Heuristics are asked last because many of them read a keyboard that nobody touches here.
    """
    if isinstance(env, PlaysExpert) and env.has_expert(behavior_id):
        return ExpertPlayer(env, behavior_id)
    if isinstance(env, PlaysHeuristic) and env.has_heuristic(behavior_id):
        return HeuristicPlayer(env, behavior_id)
    return RandomPlayer(spec, rng)
