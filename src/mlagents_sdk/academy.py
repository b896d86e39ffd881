"""The academy: the clock of an environment, which leads its agents through every step."""

from __future__ import annotations

import random
import weakref
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from mlagents_envs.base_env import BehaviorSpec
from mlagents_sdk.decision_requester import DecisionRequester, make_requests
from mlagents_sdk.exception import AgentsError
from mlagents_sdk.input import VirtualKeyboard
from mlagents_sdk.policies.directory import PolicyDirectory
from mlagents_sdk.side_channels.engine_configuration import EngineConfiguration, EngineConfigurationReceiver
from mlagents_sdk.side_channels.environment_parameters import EnvironmentParameters
from mlagents_sdk.side_channels.manager import EnvironmentSideChannels
from mlagents_sdk.side_channels.samplers import rng_state, set_rng_state
from mlagents_sdk.side_channels.stats_recorder import StatsRecorder

if TYPE_CHECKING:
    from mlagents_sdk.agent import Agent
    from mlagents_sdk.agent_runtime import AgentRuntime
    from mlagents_sdk.policies.policy import Policy


class Academy:
    """Leads its agents through the steps of an environment; several may live in one process.

    A step has nine phases:

    1. re-entry is refused;
    2. the first step begins with an environment reset;
    3. ``agent_pre_step(step_count)``: decision requesters ask for what is due;
    4. ``step_count`` and ``total_step_count`` grow by one;
    5. every agent's step count grows by one;
    6. agents that ask for a decision observe, and their rows are handed over;
    7. they receive their decisions;
    8. without a trainer, queued side-channel messages are dropped;
    9. agents that ask for an action carry out their stored actions, and episodes that reached their
       maximum of steps are interrupted.

    Then the host advances its physics by one tick. A host without a trainer calls
    :meth:`environment_step`. Where a trainer pulls the environment along, :meth:`begin_step` is
    phases 1-6 and :meth:`finish_step` phases 7-9, with the trainer's turn between them.

    In each phase the agents come first, in the order in which they were enabled, then the listeners.

    Args:
        seed: seed of all generators handed out by :meth:`make_rng`.
        num_areas: number of training areas of the environment, for information.

    Attributes:
        seed: the seed.
        num_areas: the number of training areas.
        step_count: steps since the last environment reset.
        total_step_count: steps since the academy exists.
        episode_count: environment resets, the implicit first one included.
        is_communicator_on: whether a trainer is attached.
        automatic_stepping_enabled: whether every tick of the host is a step; if not, the game calls
            :meth:`environment_step` when it is time for one, such as once a turn.
        on_environment_reset: called at an environment reset, before the agents begin their episodes.
        agent_pre_step: called in phase 3 with ``step_count``.
        agent_increment_step: called in phase 5.
        agent_send_state: called in phase 6.
        decide_action: called in phase 7.
        agent_act: called in phase 9.
        on_dispose: called once, when the academy ends.
        side_channels: channels beside the steps.
        environment_parameters: numbers that the trainer sets.
        stats_recorder: statistics for the trainer.
        policies: who decides for whom; models sample from seeds that begin with the academy's.
        keyboard: keys that a person holds down, for heuristics; a program with a window presses them.
    """

    def __init__(self, seed: int = 0, num_areas: int = 1) -> None:
        self.seed = seed
        self.num_areas = num_areas
        self.step_count = 0
        self.total_step_count = 0
        self.episode_count = 0
        self.is_communicator_on = False
        self.automatic_stepping_enabled = True
        self.on_environment_reset: list[Callable[[], None]] = []
        self.agent_pre_step: list[Callable[[int], None]] = []
        self.agent_increment_step: list[Callable[[], None]] = []
        self.agent_send_state: list[Callable[[], None]] = []
        self.decide_action: list[Callable[[], None]] = []
        self.agent_act: list[Callable[[], None]] = []
        self.on_dispose: list[Callable[[], None]] = []
        self.policies = PolicyDirectory(seed)
        self.keyboard = VirtualKeyboard()
        self.environment_parameters = EnvironmentParameters()
        self.stats_recorder = StatsRecorder()
        self._engine = EngineConfigurationReceiver()
        self.side_channels = EnvironmentSideChannels()
        for channel in (self._engine, self.environment_parameters.channel, self.stats_recorder.channel):
            self.side_channels.register(channel)
        # Replaced instead of changed, so that a loop over it survives agents coming and going.
        self._agents: tuple[AgentRuntime, ...] = ()
        self._requesters: tuple[DecisionRequester, ...] = ()
        self._next_agent_id = 0
        self._next_group_id = 1
        self._rngs: weakref.WeakValueDictionary[int, random.Random] = weakref.WeakValueDictionary()
        self._next_rng = 0
        self._steps_requested = 0
        self._running = False
        self._step_begun = False
        self._decisions_wait = False
        self._disposed = False

    @property
    def engine_configuration(self) -> EngineConfiguration:
        """Window, quality and time settings as last sent by the trainer."""
        return self._engine.configuration

    @property
    def step_begun(self) -> bool:
        """Whether :meth:`begin_step` was called and :meth:`finish_step` was not yet."""
        return self._step_begun

    def make_rng(self) -> random.Random:
        """A new generator, seeded by the academy's seed and the number of generators made before.

        Give each agent or area its own, so that their draws do not depend on one another.
        """
        rng = random.Random(f"{self.seed}/{self._next_rng}")
        self._rngs[self._next_rng] = rng
        self._next_rng += 1
        return rng

    # Steps

    def environment_step(self) -> None:
        """All phases of one step, for a host without a trainer.

        With a trainer, and automatic stepping switched off, the step takes place once the host's tick
        is over, because the trainer has its turn in the middle.

        Raises:
            AgentsError: called from inside a step, or after :meth:`dispose`.
        """
        if self.is_communicator_on and not self.automatic_stepping_enabled:
            self._enter("environment_step", expects_begun=False)
            self._running = False
            self._steps_requested += 1
            return
        self.begin_step()
        self.finish_step()

    def is_step_due(self) -> bool:
        """Whether the host should begin a step now: always, or because the game asked for one."""
        return self.automatic_stepping_enabled or self._steps_requested > 0

    def begin_step(self) -> bool:
        """Phases 1-6: agents ask for decisions.

        Returns:
            Whether anything waits for the trainer: an agent that asks, or an episode that ended.

        Raises:
            AgentsError: called from inside a step, twice in a row, or after :meth:`dispose`.
            UnityObservationException: an observation or reward is NaN or infinite.
        """
        self._enter("begin_step", expects_begun=False)
        self._steps_requested = max(0, self._steps_requested - 1)
        try:
            if self.episode_count == 0:
                self._reset()
            step_count = self.step_count
            make_requests(self._requesters, step_count)
            for pre_step in tuple(self.agent_pre_step):
                pre_step(step_count)
            self.step_count += 1
            self.total_step_count += 1
            for agent in self._agents:
                agent.step_count += 1
            _fire(self.agent_increment_step)
            for agent in self._agents:
                if agent.decision_requested and agent.enabled:
                    agent.send_decision()
            _fire(self.agent_send_state)
            waits = self._hand_over()
        except BaseException:
            self._withdraw_rows()
            raise
        finally:
            self._running = False
        self._step_begun = True
        return waits

    def finish_step(self) -> None:
        """Phases 7-9: agents receive their decisions and act.

        Raises:
            AgentsError: called from inside a step, or without :meth:`begin_step`.
        """
        self._enter("finish_step", expects_begun=True)
        self._step_begun = False
        try:
            self._decide()
            if not self.is_communicator_on:
                self.side_channels.discard_queued()
            for agent in self._agents:
                if agent.action_requested and agent.enabled:
                    agent.action_requested = False
                    for receive, actions in agent.receivers:
                        receive(actions)
                if 0 < agent.max_step <= agent.step_count and agent.enabled:
                    agent.agent.episode_interrupted()
            _fire(self.agent_act)
        finally:
            self._running = False

    def environment_reset(self) -> None:
        """Start all over: counters, listeners, then a new episode of every agent.

        Records that wait for a trainer are dropped, and running episodes leave none. In the trainer's
        turn of a step the reset acts at once; the step then finishes with zero actions.

        Raises:
            AgentsError: called from inside a step, or after :meth:`dispose`.
        """
        self._enter("environment_reset", expects_begun=self._step_begun)
        try:
            self._reset()
        finally:
            self._running = False

    def connect(self) -> None:
        """Attach a trainer: agents whose behavior type is the default ask it from now on.

        Raises:
            AgentsError: called between the two halves of a step, or after :meth:`dispose`.
        """
        self._set_connected("connect", True)

    def disconnect(self) -> None:
        """Detach the trainer: such agents decide without it from now on; raises as :meth:`connect`."""
        self._set_connected("disconnect", False)

    def dispose(self) -> None:
        """End all steps for good, and release policies and channels; without effect when repeated."""
        if self._disposed:
            return
        self._disposed = True
        try:
            _fire(self.on_dispose)
        finally:
            for policy in self.policies:
                policy.dispose()
            self.side_channels.clear()

    def _set_connected(self, method: str, connected: bool) -> None:
        self._enter(method, expects_begun=False)
        self._running = False
        self.is_communicator_on = connected
        for agent in self._agents:
            agent.rebuild_policy()

    # For agents and their components

    def new_agent_id(self) -> int:
        """The next agent id, counted from 0."""
        self._next_agent_id += 1
        return self._next_agent_id - 1

    def new_group_id(self) -> int:
        """The next group id, counted from 1; 0 stands for no group."""
        self._next_group_id += 1
        return self._next_group_id - 1

    def subscribe(self, agent: AgentRuntime) -> None:
        """Let an agent take part in the steps, after all others."""
        self._agents += (agent,)

    def unsubscribe(self, agent: AgentRuntime) -> None:
        """Let an agent leave."""
        self._agents = tuple(other for other in self._agents if other is not agent)

    def add_requester(self, requester: DecisionRequester) -> None:
        """Ask ``requester`` in every step what its agent needs, whether the agent is enabled or not."""
        self._requesters += (requester,)

    def remove_requesters(self, agent: Agent) -> None:
        """Forget the requesters of an agent."""
        self._requesters = tuple(other for other in self._requesters if other.agent is not agent)

    def policy_for(self, agent: AgentRuntime) -> Policy:
        """Who decides for an agent, given its behavior and whether a trainer is attached.

        Raises:
            AgentsError: nobody can, or its observations or actions differ from its behavior's.
        """
        spec = BehaviorSpec(
            [sensor.get_observation_spec() for sensor in agent.observation_sensors()],
            agent.actuators.action_spec,
        )
        return self.policies.get(agent.name, agent.behavior, spec, self.is_communicator_on)

    def agents_of(self, policy: Policy) -> list[AgentRuntime]:
        """Enabled agents for which ``policy`` decides, in the order in which they were enabled."""
        return [agent for agent in self._agents if agent.policy is policy]

    # Saving

    def get_state(self) -> dict[str, Any]:
        """Everything that the SDK keeps: counters, agents, rows, parameters, random generators.

        What subclasses of agents keep, and the physics, is the host's to save.
        """
        return {
            "step_count": self.step_count,
            "total_step_count": self.total_step_count,
            "episode_count": self.episode_count,
            "step_begun": self._step_begun,
            "steps_requested": self._steps_requested,
            "decisions_wait": self._decisions_wait,
            "next_agent_id": self._next_agent_id,
            "next_group_id": self._next_group_id,
            "next_rng": self._next_rng,
            "rngs": {str(index): rng_state(rng) for index, rng in self._rngs.items()},
            "parameters": self.environment_parameters.get_state(),
            "agents": [agent.get_state() for agent in self._agents],
            "memories": self.policies.get_memories(),
            "columns": {
                policy.columns.name: policy.columns.get_state() for policy in self.policies.remote.values()
            },
        }

    def set_state(self, state: dict[str, Any]) -> None:
        """Put back the state of :meth:`get_state` in an academy that was built in the same way.

        Raises:
            AgentsError: the agents, or the generators handed out, differ.
        """
        ids = [agent.agent_id for agent in self._agents]
        saved_ids = [saved["agent_id"] for saved in state["agents"]]
        rngs, saved_rngs = sorted(map(str, self._rngs)), sorted(state["rngs"])
        if ids != saved_ids or rngs != saved_rngs:
            raise AgentsError(
                f"The saved state has the agents {saved_ids} and {len(saved_rngs)} generators, but this "
                f"environment has {ids} and {len(rngs)}. A state fits only an environment built in the same "
                "way, whose agents have not come and gone since."
            )
        self._withdraw_rows()
        self.step_count = state["step_count"]
        self.total_step_count = state["total_step_count"]
        self.episode_count = state["episode_count"]
        self._step_begun = state["step_begun"]
        self._steps_requested = state["steps_requested"]
        self._decisions_wait = state["decisions_wait"]
        self._next_agent_id = state["next_agent_id"]
        self._next_group_id = state["next_group_id"]
        self._next_rng = state["next_rng"]
        for index, rng in self._rngs.items():
            set_rng_state(rng, state["rngs"][str(index)])
        self.environment_parameters.set_state(state["parameters"])
        for agent, saved in zip(self._agents, state["agents"], strict=True):
            agent.set_state(saved)
        self.policies.set_memories(state["memories"])
        for name, saved in state["columns"].items():
            self.policies.remote[name].columns.set_state(saved)

    # Phases

    def _enter(self, method: str, *, expects_begun: bool) -> None:
        if self._disposed:
            raise AgentsError(f"Academy.{method} was called after dispose(); make a new academy.")
        if self._running:
            raise AgentsError(
                f"Academy.{method} was called from inside a step, for instance from on_action_received. Only "
                "the host steps the academy."
            )
        if self._step_begun is not expects_begun:
            missing = "begin_step" if expects_begun else "finish_step"
            raise AgentsError(f"Academy.{method} was called, but {missing} has to come first.")
        self._running = True

    def _reset(self) -> None:
        self.step_count = 0
        self.episode_count += 1
        self._decisions_wait = False
        self._withdraw_rows()
        _fire(self.on_environment_reset)
        for agent in self._agents:
            if agent.enabled:
                agent.reset_for_environment()

    def _hand_over(self) -> bool:
        """Close the rows of all behaviors; returns whether any are for the trainer."""
        self._decisions_wait = waits_for_trainer = False
        for policy in self.policies:
            decisions = policy.columns.decisions.seal()
            terminals = policy.columns.terminals.seal()
            if decisions:
                self._decisions_wait = True
            if policy.is_remote and (decisions or terminals):
                waits_for_trainer = True
        return waits_for_trainer

    def _decide(self) -> None:
        try:
            if self._decisions_wait:
                for policy in self.policies:
                    if policy.columns.decisions.sealed:
                        policy.prepare()
                for agent in self._agents:
                    if agent.waiting:
                        agent.waiting = False
                        agent.policy.decide_action(agent)
            _fire(self.decide_action)
        finally:
            for policy in self.policies:
                policy.columns.drop_handed_over()

    def _withdraw_rows(self) -> None:
        for policy in self.policies:
            policy.columns.clear()
        for agent in self._agents:
            agent.waiting = False


def _fire(listeners: list[Callable[[], None]]) -> None:
    """Call all listeners; one may remove itself."""
    if listeners:
        for listener in tuple(listeners):
            listener()
