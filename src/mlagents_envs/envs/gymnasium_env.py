"""A Gymnasium environment as an environment to train in: ``--env=gym:CartPole-v1``.

Several copies run side by side, one agent each: as many as ``num_areas`` says, :data:`DEFAULT_COPIES` if it
says nothing. Environments that come with a vector version of their own (CartPole) use that; others are
stepped one after the other in this process, or in processes of their own with
``--env-args vectorization_mode=async``. Further arguments of the form ``key=value`` are those of
``gymnasium.make``.

The behavior is named after the id, without its namespace: ``CartPole-v1`` for ``CartPole-v1``, ``Pong-v5``
for ``ALE/Pong-v5``. This is the key in the YAML file, and the name of the model file.
:mod:`mlagents_envs.envs.space_mapping` says what becomes of the spaces.
"""

from __future__ import annotations

import difflib
import importlib
import re
from typing import Any

import gymnasium
import numpy as np
from gymnasium import spaces
from gymnasium.envs.registration import EnvSpec
from gymnasium.vector import AutoresetMode, VectorEnv
from numpy.typing import NDArray

from mlagents_envs.base_env import (
    ActionTuple,
    AgentId,
    BaseEnv,
    BehaviorMapping,
    BehaviorName,
    BehaviorSpec,
    DecisionSteps,
    TerminalSteps,
)
from mlagents_envs.envs.environment_arguments import parse_arguments, warn_of_parameters
from mlagents_envs.envs.space_mapping import ActionMapping, ObservationMapping, stack
from mlagents_envs.exception import UnityActionException, UnityEnvironmentException
from mlagents_envs.registry.options import EnvironmentOptions

DEFAULT_COPIES = 8
"""Copies side by side when nobody asks for a number."""


def make_gymnasium_environment(env_id: str, options: EnvironmentOptions) -> GymnasiumEnv:
    """Build copies of a registered Gymnasium environment.

    Args:
        env_id: its id, such as ``CartPole-v1``; ``module:id`` imports the module first.
        options: seed, number of copies, arguments and rendering are used.

    Raises:
        UnityEnvironmentException: no such id, a package is missing, an argument is wrong, or a space
            cannot be mapped.
    """
    owner = f"gym:{env_id}"
    keywords = parse_arguments(options.environment_args, owner)
    warn_of_parameters(options, owner)
    spec = _find_spec(env_id)
    mode = keywords.pop("vectorization_mode", None)
    mode = mode or ("sync" if spec.vector_entry_point is None else "vector_entry_point")
    if options.rendering:
        keywords.setdefault("render_mode", "human")
    vector_arguments = {"autoreset_mode": AutoresetMode.SAME_STEP} if mode in ("sync", "async") else {}
    try:
        vector = gymnasium.make_vec(
            spec,
            num_envs=options.num_areas or DEFAULT_COPIES,
            vectorization_mode=mode,
            vector_kwargs=vector_arguments,
            **keywords,
        )
    except (gymnasium.error.Error, ImportError, TypeError, ValueError) as error:
        given = f" with {keywords}" if keywords else ""
        extra = _extra(spec) if isinstance(error, ImportError) else None
        hint = f'. Install it with: pip install "gymnasium[{extra}]"' if extra else ""
        raise UnityEnvironmentException(
            f"The Gymnasium environment {spec.id} cannot be made{given}: "
            f"{type(error).__name__}: {error}{hint}"
        ) from error
    return GymnasiumEnv(vector, behavior_name(spec.id), seed=options.seed)


def _extra(spec: EnvSpec) -> str | None:
    """The extra of Gymnasium that holds what one of its own environments needs."""
    family = re.match(r"gymnasium\.envs\.(\w+)", str(spec.entry_point))
    return family[1].replace("_", "-") if family else None


def behavior_name(env_id: str) -> str:
    """Name of the behavior of an environment: its id without namespace, fit for a file name."""
    return re.sub(r'[\\:*?"<>|]', "_", env_id.rsplit("/", 1)[-1])


class GymnasiumEnv(BaseEnv):
    """A Gymnasium vector environment whose sub-environments are the agents of one behavior.

    Agent ``i`` is sub-environment ``i``. ``terminated`` and ``truncated`` become terminal steps, the latter
    interrupted. ``infos["action_mask"]`` of environments with one discrete action is passed on.

    Args:
        vector: the vector environment; owned by this one from now on.
        behavior_name: name of the behavior, without team.
        seed: seed of the first reset.

    Raises:
        UnityEnvironmentException: a space cannot be mapped, or sub-environments do not reset themselves.
    """

    def __init__(self, vector: VectorEnv[Any, Any, Any], behavior_name: str, *, seed: int = 0) -> None:
        owner = f"The Gymnasium environment {behavior_name}"
        mode = vector.metadata.get("autoreset_mode", AutoresetMode.NEXT_STEP)
        if mode == AutoresetMode.DISABLED:
            raise UnityEnvironmentException(f"{owner} does not reset its sub-environments by itself.")
        self._resets_at_once = mode == AutoresetMode.SAME_STEP
        self._vector = vector
        self._name = f"{behavior_name}?team=0"
        self._seed: int | None = seed
        self._space = vector.single_observation_space
        self._observations = ObservationMapping(self._space, owner)
        self._actions = ActionMapping(vector.single_action_space, owner)
        self._maskable = isinstance(vector.single_action_space, spaces.Discrete)
        self._spec = BehaviorSpec(self._observations.specs, self._actions.spec)
        self._ids = np.arange(vector.num_envs, dtype=np.int32)
        self._no_group = np.zeros(vector.num_envs, dtype=np.int32)
        self._no_group_reward = np.zeros(vector.num_envs, dtype=np.float32)
        self._asking = self._ids[:0]
        self._given = self._actions.spec.empty_action(vector.num_envs)
        self._steps = DecisionSteps.empty(self._spec), TerminalSteps.empty(self._spec)
        self._closed = False

    @property
    def behavior_specs(self) -> BehaviorMapping:
        """The one behavior."""
        return BehaviorMapping({self._name: self._spec})

    def reset(self) -> None:
        """Begin new episodes everywhere; only the first time with the seed.

        Raises:
            UnityEnvironmentException: the environment is closed.
        """
        self._check_open()
        observations, infos = self._vector.reset(seed=self._seed)
        self._seed = None
        everyone = np.ones(len(self._ids), dtype=np.bool_)
        decisions = self._decisions(
            everyone, self._observations.columns(observations), np.zeros(len(self._ids), np.float32), infos
        )
        self._steps = decisions, TerminalSteps.empty(self._spec)

    def step(self) -> None:
        """Carry out the actions set so far, zeros for the rest.

        Raises:
            UnityEnvironmentException: the environment is closed.
        """
        self._check_open()
        if self._seed is not None:
            self.reset()
            return
        actions = self._actions.batch(self._given.continuous, self._given.discrete)
        observations, rewards, terminated, truncated, infos = self._vector.step(actions)
        columns = self._observations.columns(observations)
        rewards = np.asarray(rewards, dtype=np.float32)
        done = np.asarray(terminated | truncated)
        terminals = TerminalSteps.empty(self._spec)
        if done.any():
            ended = np.flatnonzero(done)
            terminals = TerminalSteps(
                self._final_columns(ended, columns, infos),
                rewards[ended],
                np.asarray(truncated & ~terminated)[ended],
                self._ids[ended],
                self._no_group[ended],
                self._no_group_reward[ended],
            )
            rewards = np.where(done, np.float32(0.0), rewards)
        asking = np.ones_like(done) if self._resets_at_once else ~done
        self._steps = self._decisions(asking, columns, rewards, infos), terminals

    def close(self) -> None:
        """Close the environment; without effect when repeated."""
        if not self._closed:
            self._closed = True
            self._vector.close()

    def set_actions(self, behavior_name: BehaviorName, action: ActionTuple) -> None:
        """Set the actions of all agents that asked; see :class:`BaseEnv`.

        Args:
            behavior_name: the behavior.
            action: rows in the order of the last ``DecisionSteps``.

        Raises:
            UnityActionException: unknown behavior or wrong shape.
        """
        self._check_name(behavior_name)
        self._spec.action_spec._validate_action(action, len(self._asking), behavior_name)
        self._given.continuous[self._asking] = action.continuous
        self._given.discrete[self._asking] = action.discrete

    def set_action_for_agent(
        self, behavior_name: BehaviorName, agent_id: AgentId, action: ActionTuple
    ) -> None:
        """Set the action of one agent, arrays of one row.

        Raises:
            UnityActionException: unknown behavior or wrong shape.
            IndexError: the agent did not ask for a decision.
        """
        self._check_name(behavior_name)
        if agent_id not in self._asking:
            raise IndexError(f"Agent {agent_id} of behavior {behavior_name} did not ask for a decision.")
        self._spec.action_spec._validate_action(action, 1, behavior_name)
        self._given.continuous[agent_id] = action.continuous[0]
        self._given.discrete[agent_id] = action.discrete[0]

    def get_steps(self, behavior_name: BehaviorName) -> tuple[DecisionSteps, TerminalSteps]:
        """Steps since the last ``step`` or ``reset``.

        Raises:
            UnityActionException: unknown behavior.
        """
        self._check_name(behavior_name)
        return self._steps

    def _decisions(
        self,
        asking: NDArray[np.bool_],
        columns: list[NDArray[np.float32]],
        rewards: NDArray[np.float32],
        infos: dict[str, Any],
    ) -> DecisionSteps:
        """Steps of those who ask; actions start again from zero."""
        self._given = self._actions.spec.empty_action(len(self._ids))
        masks = self._masks(infos)
        if asking.all():
            self._asking = self._ids
            return DecisionSteps(columns, rewards, self._ids, masks, self._no_group, self._no_group_reward)
        rows = np.flatnonzero(asking)
        self._asking = self._ids[rows]
        return DecisionSteps(
            [column[rows] for column in columns],
            rewards[rows],
            self._asking,
            None if masks is None else [mask[rows] for mask in masks],
            self._no_group[rows],
            self._no_group_reward[rows],
        )

    def _masks(self, infos: dict[str, Any]) -> list[NDArray[np.bool_]] | None:
        """One bool array ``(n, choices)`` per branch, True where forbidden; None without branches."""
        branches = self._actions.spec.discrete_branches
        if not branches:
            return None
        masks = [np.zeros((len(self._ids), size), dtype=np.bool_) for size in branches]
        allowed = infos.get("action_mask") if self._maskable else None
        if allowed is not None and np.shape(allowed) == masks[0].shape:
            masks[0] = np.asarray(allowed) == 0
            masks[0][masks[0].all(axis=1)] = False  # nothing said, or nothing left to choose from
        return masks

    def _final_columns(
        self, ended: NDArray[np.int64], columns: list[NDArray[np.float32]], infos: dict[str, Any]
    ) -> list[NDArray[np.float32]]:
        """Last observations of the episodes that ended."""
        if not self._resets_at_once:
            return [column[ended] for column in columns]
        finals = [infos["final_obs"][index] for index in ended.tolist()]
        return self._observations.columns(stack(self._space, finals))

    def _check_name(self, name: BehaviorName) -> None:
        if name != self._name:
            raise UnityActionException(f"There is no behavior {name}; the only one is {self._name}.")

    def _check_open(self) -> None:
        if self._closed:
            raise UnityEnvironmentException("The environment is closed; make a new one.")


def _find_spec(env_id: str) -> EnvSpec:
    """The registration of an id; without a version, that of the latest.

    Raises:
        UnityEnvironmentException: the id is unknown, or the module before its colon cannot be imported.
    """
    module, _, name = env_id.rpartition(":")
    if module:
        try:
            importlib.import_module(module)
        except ImportError as error:
            raise UnityEnvironmentException(
                f"The module {module!r} of gym:{env_id} cannot be imported: {error}"
            ) from error
    known = gymnasium.registry
    versions = [spec for spec in known.values() if name == spec.id.removesuffix(f"-v{spec.version}")]
    if name not in known and versions:
        return max(versions, key=lambda spec: spec.version or 0)
    if name not in known:
        ids = {candidate.lower(): candidate for candidate in known}
        near = [ids[match] for match in difflib.get_close_matches(name.lower(), ids, n=4, cutoff=0.6)]
        hint = f" Near ones are: {', '.join(near)}." if near else ""
        raise UnityEnvironmentException(
            f"Gymnasium knows no environment {name!r}.{hint} Ids of other packages are known once these are "
            "imported: --env=gym:package:Name-v0."
        )
    return known[name]
