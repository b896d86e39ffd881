"""Which policy decides for which agent."""

from __future__ import annotations

from collections.abc import Iterator

from mlagents_envs.base_env import BehaviorSpec
from mlagents_sdk.behavior import BehaviorParameters, BehaviorType
from mlagents_sdk.columns import BehaviorColumns
from mlagents_sdk.exception import AgentsError
from mlagents_sdk.policies.heuristic_policy import HeuristicPolicy
from mlagents_sdk.policies.policy import Policy
from mlagents_sdk.policies.remote_policy import RemotePolicy


class PolicyDirectory:
    """All policies of an academy, one per behavior and way of deciding, in the order of creation."""

    def __init__(self) -> None:
        self._policies: dict[tuple[str, type], Policy] = {}
        self._specs: dict[str, BehaviorSpec] = {}

    def __iter__(self) -> Iterator[Policy]:
        return iter(self._policies.values())

    @property
    def remote(self) -> dict[str, RemotePolicy]:
        """Policies that ask the trainer, by the behavior's fully qualified name."""
        return {
            name: policy for (name, _), policy in self._policies.items() if isinstance(policy, RemotePolicy)
        }

    def get(
        self, agent: str, parameters: BehaviorParameters, spec: BehaviorSpec, has_trainer: bool
    ) -> Policy:
        """Policy for an agent, made when it is the first of its kind.

        Args:
            agent: the agent, for messages.
            parameters: its behavior.
            spec: its observations and actions.
            has_trainer: whether a trainer is attached.

        Raises:
            AgentsError: nobody can decide, or an earlier agent of the behavior had another spec.
        """
        name = parameters.fully_qualified_name
        self._check_spec(agent, self._specs.setdefault(name, spec), spec)
        kind = self._choose(agent, parameters, has_trainer)
        policy = self._policies.get((name, kind))
        if policy is None:
            policy = self._policies[name, kind] = kind(BehaviorColumns(name, spec))
        return policy

    @staticmethod
    def _choose(
        agent: str, parameters: BehaviorParameters, has_trainer: bool
    ) -> type[RemotePolicy] | type[HeuristicPolicy]:
        kind = parameters.behavior_type
        if kind is BehaviorType.INFERENCE_ONLY and parameters.model is None:
            raise AgentsError(
                f"{agent} only plays a model, but has none. Set the model, or another behavior type."
            )
        if kind is BehaviorType.DEFAULT and has_trainer:
            return RemotePolicy
        if kind is BehaviorType.HEURISTIC_ONLY or parameters.model is None:
            return HeuristicPolicy
        raise AgentsError(
            f"{agent} should play the model {parameters.model}, but this version cannot play models inside "
            "the environment. Attach a trainer or evaluator, or set behavior_type to HEURISTIC_ONLY."
        )

    @staticmethod
    def _check_spec(agent: str, first: BehaviorSpec, spec: BehaviorSpec) -> None:
        expected = [(observation.name, observation.shape) for observation in first.observation_specs]
        found = [(observation.name, observation.shape) for observation in spec.observation_specs]
        if [shape for _, shape in found] != [shape for _, shape in expected]:
            raise AgentsError(
                f"{agent} has the sensors {found}, but the first agent of its behavior has {expected}. "
                "Agents of one behavior need sensors of the same number and shapes."
            )
        if spec.action_spec != first.action_spec:
            raise AgentsError(
                f"{agent} has the actions {spec.action_spec}, but the first agent of its behavior has "
                f"{first.action_spec}. Agents of one behavior need the same actions."
            )
