"""The in-process seam: an academy and its physics as a :class:`~mlagents_envs.base_env.BaseEnv`."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from typing import Any

import numpy as np
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
from mlagents_envs.exception import (
    UnityActionException,
    UnityEnvironmentException,
    UnityTimeOutException,
)
from mlagents_envs.side_channel.side_channel import SideChannel
from mlagents_envs.side_channel.side_channel_manager import SideChannelManager
from mlagents_sdk.academy import Academy
from mlagents_sdk.actuators.action_buffers import ActionBuffers
from mlagents_sdk.agent import Agent
from mlagents_sdk.agent_runtime import AgentRuntime
from mlagents_sdk.expert import expert_actions, has_expert
from mlagents_sdk.policies.remote_policy import RemotePolicy
from mlagents_sdk.sensors.compression import CompressionSpec, compression_of
from mlagents_sdk.side_channels.relay import MessageEnds, MessageRelay

Steps = tuple[DecisionSteps, TerminalSteps]
_NOT_AUTOMATIC = " Automatic stepping is off, so the game has to call academy.environment_step()."


class SdkEnvironment(BaseEnv):
    """An environment whose trainer lives in the same process; rows go over as arrays.

    Behaviors are announced with their first records, so none are known before the first ``reset``.
    The environment also plays the agents' heuristics (:class:`~mlagents_envs.capabilities.PlaysHeuristic`)
    and experts (:class:`~mlagents_envs.capabilities.PlaysExpert`).

    Args:
        academy: the academy; its agents may be enabled before or after this.
        simulate: advances the physics by one control tick and then reports collisions; agents may
            be rewarded and episodes ended there.
        close: releases what the host holds.
        side_channels: the trainer's ends of the side channels.
        max_idle_ticks: ticks without any record after which waiting for one is given up.

    Attributes:
        view: draws the scene for a person, ``(height, width) -> uint8 (height, width, 3)``; None where the
            host knows no way.

    Raises:
        UnityEnvironmentException: two side channels have the same id.
    """

    def __init__(
        self,
        academy: Academy,
        simulate: Callable[[], None],
        *,
        close: Callable[[], None] | None = None,
        side_channels: Sequence[SideChannel] = (),
        max_idle_ticks: int = 100_000,
    ) -> None:
        self._academy = academy
        self._simulate = simulate
        self._close_host = close
        self.view: Callable[[int, int], NDArray[np.uint8]] | None = None
        self._message_ends: MessageEnds | None = SideChannelManager(side_channels) if side_channels else None
        self._max_idle_ticks = max_idle_ticks
        self._specs: dict[BehaviorName, BehaviorSpec] = {}
        self._remote: dict[BehaviorName, RemotePolicy] = {}
        self._steps: dict[BehaviorName, Steps] = {}
        self._no_steps: dict[BehaviorName, Steps] = {}
        self._closed = False
        academy.connect()

    @property
    def academy(self) -> Academy:
        """The academy."""
        return self._academy

    @property
    def behavior_specs(self) -> BehaviorMapping:
        """Specs of the behaviors announced so far."""
        return BehaviorMapping(self._specs)

    def reset(self) -> None:
        """Start all over and run to the first record.

        The first reset shows the scene as it was set up. A later one, as in a game that a trainer
        resets, lets the step that waits for the trainer finish with zero actions first, so that one
        tick passes between the new episode's beginning and its first observation.

        Raises:
            UnityTimeOutException: no agent asks for a decision or ends its episode.
            UnityEnvironmentException: the environment is closed.
        """
        self._check_open()
        self._receive_messages()
        for policy in self._remote.values():
            policy.actions = None
        if self._academy.episode_count > 0:
            self._academy.environment_reset()
        self._run_to_records()

    def step(self) -> None:
        """Carry out the actions set so far and run to the next record.

        Raises:
            UnityTimeOutException: no agent asks for a decision or ends its episode.
            UnityObservationException: an observation or reward is NaN or infinite.
            UnityEnvironmentException: the environment is closed.
        """
        if self._academy.episode_count == 0:
            self.reset()
            return
        self._check_open()
        self._receive_messages()
        self._run_to_records()

    def close(self) -> None:
        """Release everything; without effect when repeated."""
        if self._closed:
            return
        self._closed = True
        self._academy.dispose()
        if self._close_host is not None:
            self._close_host()

    def set_actions(self, behavior_name: BehaviorName, action: ActionTuple) -> None:
        """Set the actions of all agents of a behavior that asked; see :class:`BaseEnv`.

        Args:
            behavior_name: a key of :attr:`behavior_specs`.
            action: float32 ``(n, continuous_size)`` and int32 ``(n, discrete_size)``, rows in the order
                of the last ``DecisionSteps``.

        Raises:
            UnityActionException: unknown behavior or wrong shape.
        """
        policy = self._policy(behavior_name)
        columns = policy.columns
        spec = columns.spec.action_spec
        policy.actions = spec._validate_action(action, columns.decisions.sealed, behavior_name)

    def set_action_for_agent(
        self, behavior_name: BehaviorName, agent_id: AgentId, action: ActionTuple
    ) -> None:
        """Set the action of one agent, arrays of one row; others keep theirs, or zeros.

        Raises:
            UnityActionException: unknown behavior or wrong shape.
            IndexError: the agent did not ask for a decision.
        """
        policy = self._policy(behavior_name)
        decisions, spec = policy.columns.decisions, policy.columns.spec.action_spec
        rows = np.flatnonzero(decisions.agent_id[: decisions.sealed] == agent_id)
        if not len(rows):
            raise IndexError(f"Agent {agent_id} of behavior {behavior_name} did not ask for a decision.")
        spec._validate_action(action, 1, behavior_name)
        if policy.actions is None:
            policy.actions = spec.empty_action(decisions.sealed)
        policy.actions.continuous[rows[0]] = action.continuous[0]
        policy.actions.discrete[rows[0]] = action.discrete[0]

    def get_steps(self, behavior_name: BehaviorName) -> Steps:
        """Steps of a behavior since the last ``step`` or ``reset``; the arrays are the caller's.

        Raises:
            UnityActionException: unknown behavior.
        """
        steps = self._steps.get(behavior_name)
        if steps is None:
            columns = self._policy(behavior_name).columns
            decisions, terminals = columns.decisions, columns.terminals
            no_decisions, no_terminals = self._no_steps[behavior_name]
            steps = self._steps[behavior_name] = (
                decisions.to_steps(decisions.sealed) if decisions.sealed else no_decisions,
                terminals.to_steps(terminals.sealed) if terminals.sealed else no_terminals,
            )
        return steps

    @property
    def can_render(self) -> bool:
        """Whether :meth:`render` has something to show."""
        return self.view is not None

    def render(self, height: int = 480, width: int = 640) -> NDArray[np.uint8]:
        """Picture of the scene for a person (:class:`~mlagents_envs.capabilities.ShowsScene`).

        Args:
            height: pixels.
            width: pixels.

        Returns:
            uint8 ``(height, width, 3)``, the top row first.

        Raises:
            UnityEnvironmentException: nobody can draw this environment.
        """
        if self.view is None:
            raise UnityEnvironmentException("This environment has no view; its host must set one.")
        return self.view(height, width)

    def compression_specs(self, behavior_name: BehaviorName) -> list[CompressionSpec]:
        """How the observations of a behavior are compressed when they leave the process.

        Returns:
            One per observation, in their order; empty while the behavior has no agents.

        Raises:
            UnityActionException: unknown behavior.
        """
        for runtime in self._academy.agents_of(self._policy(behavior_name)):
            return [compression_of(sensor) for sensor in runtime.observation_sensors()]
        return []

    def relay_messages(self, relay: MessageRelay) -> None:
        """Exchange side-channel messages through ``relay`` from now on, with a trainer elsewhere.

        It takes the place of the ``side_channels`` given at the beginning.
        """
        self._message_ends = relay

    def tick(self) -> None:
        """One tick without a trainer: the academy's whole step, then the physics.

        Agents decide for themselves once ``academy.disconnect()`` was called.

        Raises:
            UnityEnvironmentException: the environment is closed.
        """
        self._check_open()
        if self._academy.automatic_stepping_enabled:
            self._academy.environment_step()
        self._simulate()

    def has_heuristic(self, behavior_name: BehaviorName) -> bool:
        """True when the agents of the behavior override ``heuristic``.

        Raises:
            UnityActionException: unknown behavior.
        """
        agents = self._academy.agents_of(self._policy(behavior_name))
        return bool(agents) and all(
            type(runtime.agent).heuristic is not Agent.heuristic for runtime in agents
        )

    def heuristic_actions(self, behavior_name: BehaviorName) -> ActionTuple:
        """Actions that the agents' heuristics choose now; the stored actions stay as they are.

        Returns:
            float32 ``(n, continuous_size)`` and int32 ``(n, discrete_size)``, rows in the order of the
            current ``DecisionSteps``.

        Raises:
            UnityActionException: unknown behavior.
        """
        return self._ask_agents(behavior_name, lambda runtime: runtime.actuators.heuristic_actions())

    def has_expert(self, behavior_name: BehaviorName) -> bool:
        """True when the agents of the behavior have an expert, or a heuristic to take its place.

        Raises:
            UnityActionException: unknown behavior.
        """
        agents = self._academy.agents_of(self._policy(behavior_name))
        return bool(agents) and all(has_expert(runtime.agent) for runtime in agents)

    def expert_actions(self, behavior_name: BehaviorName) -> ActionTuple:
        """Actions that the agents' experts choose now, as :meth:`heuristic_actions`.

        Raises:
            UnityActionException: unknown behavior.
        """
        return self._ask_agents(behavior_name, expert_actions)

    def _ask_agents(
        self, behavior_name: BehaviorName, ask: Callable[[AgentRuntime], ActionBuffers]
    ) -> ActionTuple:
        policy = self._policy(behavior_name)
        actions = policy.columns.spec.action_spec.empty_action(policy.columns.decisions.sealed)
        for runtime in self._academy.agents_of(policy):
            if runtime.waiting:
                chosen = ask(runtime)
                actions.continuous[runtime.row] = chosen.continuous_actions
                actions.discrete[runtime.row] = chosen.discrete_actions
        return actions

    def _run_to_records(self) -> None:
        """Alternate the halves of the academy's steps with the physics until a record waits."""
        academy = self._academy
        self._steps.clear()
        for _ in range(self._max_idle_ticks):
            if academy.step_begun:
                academy.finish_step()
                if academy.automatic_stepping_enabled:
                    self._simulate()
            if not academy.is_step_due():
                self._simulate()
            elif academy.begin_step():
                break
        else:
            raise UnityTimeOutException(
                f"No agent asked for a decision or ended its episode in {self._max_idle_ticks} ticks. Enable "
                "the agents and give each a DecisionRequester, or call request_decision()."
                + ("" if academy.automatic_stepping_enabled else _NOT_AUTOMATIC)
            )
        self._announce()
        self._send_messages()

    def _announce(self, known: Collection[BehaviorName] = ()) -> None:
        """Make behaviors known with their first records, and those that were ``known`` before."""
        for policy in self._academy.policies:
            columns = policy.columns
            if not isinstance(policy, RemotePolicy) or columns.name in self._specs:
                continue
            if columns.decisions.sealed or columns.terminals.sealed or columns.name in known:
                self._specs[columns.name] = columns.spec
                self._remote[columns.name] = policy
                self._no_steps[columns.name] = columns.decisions.to_steps(0), columns.terminals.to_steps(0)

    def _receive_messages(self) -> None:
        """Let the environment's side channels have what the trainer queued."""
        if self._message_ends is not None:
            self._academy.side_channels.process(self._message_ends.generate_side_channel_messages())

    def _send_messages(self) -> None:
        """Let the trainer's side channels have what the environment queued."""
        messages = self._academy.side_channels.collect()
        if messages and self._message_ends is not None:
            self._message_ends.process_side_channel_message(messages)

    def _policy(self, behavior_name: BehaviorName) -> RemotePolicy:
        policy = self._remote.get(behavior_name)
        if policy is None:
            known = ", ".join(self._remote) or "none yet; call reset() first"
            raise UnityActionException(f"There is no behavior {behavior_name}. Known behaviors: {known}.")
        return policy

    def _check_open(self) -> None:
        if self._closed:
            raise UnityEnvironmentException("The environment is closed; make a new one.")


class SavableSdkEnvironment(SdkEnvironment):
    """An environment whose whole state can be saved (:class:`~mlagents_envs.capabilities.SavesState`).

    Args:
        academy: as in :class:`SdkEnvironment`.
        simulate: as in :class:`SdkEnvironment`.
        save: returns everything that the host keeps beside the academy, physics and fields of the
            agents' subclasses, as a tree of dicts, lists, arrays and numbers.
        load: puts it back.
        close: as in :class:`SdkEnvironment`.
        side_channels: as in :class:`SdkEnvironment`.
        max_idle_ticks: as in :class:`SdkEnvironment`.
    """

    def __init__(
        self,
        academy: Academy,
        simulate: Callable[[], None],
        *,
        save: Callable[[], dict[str, Any]],
        load: Callable[[dict[str, Any]], None],
        close: Callable[[], None] | None = None,
        side_channels: Sequence[SideChannel] = (),
        max_idle_ticks: int = 100_000,
    ) -> None:
        super().__init__(
            academy, simulate, close=close, side_channels=side_channels, max_idle_ticks=max_idle_ticks
        )
        self._save = save
        self._load = load

    def get_state(self) -> dict[str, Any]:
        """Everything that the future of the environment depends on, random generators included.

        Actions that were set but not yet carried out are not part of it.
        """
        return {"academy": self._academy.get_state(), "behaviors": list(self._specs), "host": self._save()}

    def set_state(self, state: dict[str, Any]) -> None:
        """Continue from a state of :meth:`get_state`, in an environment built in the same way.

        Raises:
            AgentsError: the agents or generators of this environment differ from the saved ones.
        """
        self._check_open()
        self._academy.set_state(state["academy"])
        self._load(state["host"])
        for policy in self._academy.policies.remote.values():
            policy.actions = None
        self._steps.clear()
        self._announce(state["behaviors"])
