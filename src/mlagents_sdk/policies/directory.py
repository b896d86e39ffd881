"""Which policy decides for which agent."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from numpy.typing import NDArray

from mlagents_envs.base_env import BehaviorSpec
from mlagents_envs.exception import UnityPolicyException
from mlagents_envs.logging_util import get_logger
from mlagents_sdk.behavior import BehaviorParameters, BehaviorType
from mlagents_sdk.columns import BehaviorColumns
from mlagents_sdk.exception import AgentsError
from mlagents_sdk.policies.heuristic_policy import HeuristicPolicy
from mlagents_sdk.policies.model_info import read_model_info
from mlagents_sdk.policies.model_policy import ModelPolicy
from mlagents_sdk.policies.model_runner import ModelKey, ModelRunner
from mlagents_sdk.policies.policy import Policy
from mlagents_sdk.policies.remote_policy import RemotePolicy
from mlagents_sdk.policies.validation import Finding, validate_model

logger = get_logger(__name__)


class PolicyDirectory:
    """All policies of an academy, one per behavior and way of deciding, in the order of creation.

    Args:
        inference_seed: seed of the first model.

    Attributes:
        inference_seed: seed of the next model that is loaded; each takes one and counts it up.
    """

    def __init__(self, inference_seed: int = 0) -> None:
        self.inference_seed = inference_seed
        self._policies: dict[tuple[str, type | ModelKey], Policy] = {}
        self._runners: dict[ModelKey, ModelRunner] = {}
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
            AgentsError: nobody can decide, the model cannot be played by this behavior, or an earlier agent
                of the behavior had another spec.
        """
        name = parameters.fully_qualified_name
        self._check_spec(agent, self._specs.setdefault(name, spec), spec)
        kind = self._choose(agent, parameters, has_trainer)
        policy = self._policies.get((name, kind))
        if policy is None:
            columns = BehaviorColumns(name, spec)
            if isinstance(kind, ModelKey):
                policy = ModelPolicy(columns, self._runner(agent, kind, spec))
            else:
                policy = kind(columns)
            self._policies[name, kind] = policy
        return policy

    def get_memories(self) -> list[dict[str, NDArray[Any]]]:
        """Memories of agents that models play, model by model in the order of loading, for saving."""
        return [runner.get_state() for runner in self._runners.values()]

    def set_memories(self, state: list[dict[str, NDArray[Any]]]) -> None:
        """Put back the memories of :meth:`get_memories`, in an academy that loaded the same models."""
        for runner, saved in zip(self._runners.values(), state, strict=True):
            runner.set_state(saved)

    def _runner(self, agent: str, key: ModelKey, spec: BehaviorSpec) -> ModelRunner:
        """The runner of a model that fits the agent; what else is wrong with the model is logged.

        Raises:
            AgentsError: the model cannot be loaded, or does not suit the agent.
        """
        findings: list[Finding] = []
        try:
            names = [observation.name for observation in spec.observation_specs]
            findings = validate_model(read_model_info(key.path), spec, names, key.deterministic)
            runner = self._runners.get(key) or ModelRunner(key, self.inference_seed)
            runner.check(spec)
        except UnityPolicyException as error:
            reasons = " ".join(finding.message for finding in findings) or str(error)
            raise AgentsError(f"{agent} cannot play the model {key.path}. {reasons}") from error
        for finding in findings:
            logger.warning("%s plays the model %s. %s", agent, key.path, finding.message)
        if key not in self._runners:
            self._runners[key] = runner
            self.inference_seed += 1
        return runner

    @staticmethod
    def _choose(
        agent: str, parameters: BehaviorParameters, has_trainer: bool
    ) -> type[RemotePolicy] | type[HeuristicPolicy] | ModelKey:
        kind = parameters.behavior_type
        if kind is BehaviorType.INFERENCE_ONLY and parameters.model is None:
            raise AgentsError(
                f"{agent} only plays a model, but has none. Set the model, or another behavior type."
            )
        if kind is BehaviorType.DEFAULT and has_trainer:
            return RemotePolicy
        if kind is BehaviorType.HEURISTIC_ONLY or parameters.model is None:
            return HeuristicPolicy
        return ModelKey.of(parameters)

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
