"""The machinery behind an agent: its counters, its records, its place in the academy's step.

Kept apart from :class:`~mlagents_sdk.agent.Agent`, whose namespace belongs to the user who subclasses
it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from enum import Enum
from typing import TYPE_CHECKING, Any, Protocol

from mlagents_envs.timers import set_gauge
from mlagents_sdk.actuators.action_buffers import ActionBuffers
from mlagents_sdk.actuators.actuator_manager import ActuatorManager
from mlagents_sdk.agent_parts import AgentParts
from mlagents_sdk.behavior import BehaviorParameters
from mlagents_sdk.exception import AgentsError
from mlagents_sdk.sensors.sensor import Sensor
from mlagents_sdk.sensors.stacking_sensor import StackingSensor
from mlagents_sdk.sensors.vector_sensor import VectorSensor
from mlagents_sdk.sensors.writing import write_observations

if TYPE_CHECKING:
    from mlagents_sdk.agent import Agent
    from mlagents_sdk.policies.policy import Policy


class EndReason(Enum):
    """Why an episode ended."""

    DONE = "done"
    """The outcome is decided."""
    INTERRUPTED = "interrupted"
    """A time limit cut the episode; trainers bootstrap from the final observation."""
    DISABLED = "disabled"
    """The agent, or the behavior under which it acted, is no more."""


class RecordListener(Protocol):
    """Someone who follows the records of an agent, such as a recorder of demonstrations."""

    def on_decision_requested(self, agent: AgentRuntime) -> None:
        """The agent observed and asked for a decision: row ``agent.row`` of its policy's decisions."""

    def on_episode_ended(self, agent: AgentRuntime, row: int) -> None:
        """The episode ended: row ``row`` of the terminals of the agent's policy."""

    def on_episode_dropped(self, agent: AgentRuntime) -> None:
        """The episode is over without a record of its end, because the environment was reset."""


class AgentRuntime:
    """State of one agent. The academy calls it in the phases of a step, the agent's methods use it.

    Args:
        agent: the agent.
        behavior: parameters of its behavior.
        max_step: steps after which an episode is interrupted, 0 for never.

    Attributes:
        enabled: whether the agent takes part in the academy's steps.
        agent_id: identity on the wire, constant while the agent is enabled; -1 before.
        step_count: steps since the episode began.
        completed_episodes: episodes that ended while the agent stayed enabled.
        decision_requested: a decision is asked for in this step.
        action_requested: the stored actions are carried out in this step.
        reward: since the last record.
        cumulative_reward: since the episode began.
        group_id: group of the agent, 0 for none.
        group_reward: since the last record.
        waiting: a decision was asked for and not yet received.
        row: row of that decision in the behavior's columns.
        policy: who decides.
        parts: components and nodes, from which sensors and actuators are made.
        actuators: what the agent can do.
        receivers: callbacks that carry out the stored actions, see :class:`ActuatorManager`.
        record_listeners: told of every record that the agent makes.
    """

    __slots__ = (
        "_collecting",
        "_episode_beginning",
        "_last_record_terminal",
        "_masking",
        "_sensors",
        "_stack",
        "_vector_sensor",
        "_writes_mask",
        "action_requested",
        "actuators",
        "agent",
        "agent_id",
        "behavior",
        "completed_episodes",
        "cumulative_reward",
        "decision_requested",
        "enabled",
        "group_id",
        "group_reward",
        "max_step",
        "parts",
        "policy",
        "receivers",
        "record_listeners",
        "reward",
        "row",
        "step_count",
        "waiting",
    )

    actuators: ActuatorManager
    policy: Policy
    reward: float
    group_reward: float
    _episode_beginning: bool

    def __init__(self, agent: Agent, behavior: BehaviorParameters, max_step: int) -> None:
        self.agent = agent
        self.behavior = behavior
        self.max_step = max_step
        self.parts = AgentParts()
        self.enabled = False
        self.agent_id = -1
        self.completed_episodes = 0
        self.decision_requested = False
        self.action_requested = False
        self.group_id = 0
        self.receivers: list[tuple[Callable[[ActionBuffers], None], ActionBuffers]] = []
        self.record_listeners: list[RecordListener] = []
        self._sensors: list[Sensor] = []
        self._vector_sensor = VectorSensor(0)
        self._stack: StackingSensor | None = None
        self._writes_mask = False
        self._forget()

    @property
    def name(self) -> str:
        """The agent in messages."""
        return f"Behavior {self.behavior.fully_qualified_name}, agent {self.agent_id}"

    def start(self) -> None:
        """Initialize the agent and join the academy's steps."""
        academy = self.agent.academy
        self.agent_id = academy.new_agent_id()
        self._forget()
        academy.subscribe(self)
        self.enabled = True
        try:
            self._create_actuators()
            self.actuators.reset_data()
            self.agent.initialize()
            if not self.enabled:  # it disabled itself
                return
            self._create_sensors()
            self.policy = academy.policy_for(self)
        except BaseException:
            academy.unsubscribe(self)
            self.enabled = False
            raise
        self._last_record_terminal = False
        if academy.total_step_count != 0:
            self.begin_episode()

    def stop(self) -> None:
        """Leave the academy's steps and the group, after a last record."""
        self._send_terminal(EndReason.DISABLED)
        self.agent.academy.unsubscribe(self)
        self.group_id = 0
        self.enabled = False
        self.waiting = False

    def rebuild_policy(self) -> None:
        """Find anew who decides, after the behavior or the connection changed."""
        self.waiting = False
        self.policy = self.agent.academy.policy_for(self)

    def change_behavior(self, behavior: BehaviorParameters, *, ends_record: bool = False) -> None:
        """Act under other parameters; ``ends_record`` closes the record under the old ones."""
        if self.enabled and ends_record:
            self._send_terminal(EndReason.DISABLED)
        self.behavior = behavior
        if self.enabled:
            self.rebuild_policy()

    def observation_sensors(self) -> list[Sensor]:
        """Sensors in the order of the observations."""
        return self._sensors

    def send_decision(self) -> None:
        """Ask for a decision: observe, write a row, start counting rewards anew."""
        for sensor in self._sensors:
            sensor.update()
        self._collect()
        mask = self._read_mask() if self._writes_mask else None
        decisions = self.policy.columns.decisions
        write_observations(self._sensors, decisions.next_row(), self)
        self.row = decisions.commit(self.agent_id, self.reward, self.group_id, self.group_reward)
        if mask is not None:
            decisions.mask[self.row] = mask
        self.reward = self.group_reward = 0.0
        self.decision_requested = False
        self.waiting = True
        self._last_record_terminal = False
        for listener in self.record_listeners:
            listener.on_decision_requested(self)

    def end_episode(self, reason: EndReason) -> None:
        """End the episode and begin the next one."""
        if self.agent_id < 0:
            raise AgentsError(
                f"An episode of an agent of behavior {self.behavior.fully_qualified_name} cannot end before "
                "the agent is enabled; call agent.enable() first."
            )
        self._send_terminal(reason)
        self.begin_episode()

    def begin_episode(self) -> None:
        """Reset counters and stored actions and let the agent prepare its episode."""
        self.actuators.reset_data()
        self.step_count = 0
        if self._episode_beginning:
            raise AgentsError(
                f"{self.name}: on_episode_begin was entered again before it returned. Do not end the episode "
                "inside on_episode_begin or collect_observations."
            )
        self._episode_beginning = True
        try:
            self.agent.on_episode_begin()
        finally:
            self._episode_beginning = False

    def reset_for_environment(self) -> None:
        """Begin a new episode without a record of the old one, which trainers drop.

        The request flags survive.
        """
        self.reward = self.cumulative_reward = self.group_reward = 0.0
        self.waiting = False
        for sensor in self._sensors:
            sensor.reset()
        self.policy.forget(self)
        for listener in self.record_listeners:
            listener.on_episode_dropped(self)
        self.begin_episode()

    def observations(self) -> list[float]:
        """Floats added by the last ``collect_observations``."""
        return list(self._vector_sensor.values)

    def stacked_observations(self) -> list[float]:
        """The same, with the earlier ones that are stacked before it; oldest first."""
        if self._stack is None:
            return self.observations()
        stacked: list[float] = self._stack.stacked.tolist()
        return stacked

    def get_state(self) -> dict[str, Any]:
        """Everything of the agent that the SDK keeps, for saving."""
        stored = self.actuators.stored_actions
        return {
            **{name: getattr(self, name) for name in _SAVED},
            "continuous_actions": stored.continuous_actions,
            "discrete_actions": stored.discrete_actions,
            "behavior_name": self.behavior.behavior_name,
            "sensors": [
                sensor.get_state() if isinstance(sensor, StackingSensor) else None for sensor in self._sensors
            ],
        }

    def set_state(self, state: dict[str, Any]) -> None:
        """Put back the state of :meth:`get_state`."""
        if state["behavior_name"] != self.behavior.behavior_name:
            self.change_behavior(replace(self.behavior, behavior_name=state["behavior_name"]))
        for name in _SAVED:
            setattr(self, name, state[name])
        self.actuators.store(list(state["continuous_actions"]), list(state["discrete_actions"]))
        for sensor, saved in zip(self._sensors, state["sensors"], strict=True):
            if isinstance(sensor, StackingSensor):
                sensor.set_state(saved)

    def _forget(self) -> None:
        """Start with empty counters; request flags survive, so that they act once enabled."""
        self.step_count = 0
        self.reward = self.cumulative_reward = self.group_reward = 0.0
        self.waiting = False
        self.row = 0
        self._last_record_terminal = True
        self._collecting = False
        self._masking = False
        self._episode_beginning = False

    def _create_actuators(self) -> None:
        self.actuators = self.parts.make_actuators(self.agent, self.behavior, self.name)
        self.receivers = self.actuators.receivers
        self._writes_mask = self.actuators.action_spec.discrete_size > 0

    def _create_sensors(self) -> None:
        behavior = self.behavior
        self._vector_sensor = VectorSensor(behavior.vector_observation_size, owner=self.name)
        self._stack = None
        own: list[Sensor] = []
        if behavior.vector_observation_size > 0:
            own.append(self._vector_sensor)
            if behavior.num_stacked_vector_observations > 1:
                self._stack = StackingSensor(self._vector_sensor, behavior.num_stacked_vector_observations)
                own = [self._stack]
        self._sensors = self.parts.make_sensors(self.agent, behavior, own, self.name)

    def _collect(self) -> None:
        """Let the agent add its observations."""
        if self._collecting:
            raise AgentsError(
                f"{self.name}: collect_observations was entered again before it returned. Do not end the "
                "episode inside collect_observations or on_episode_begin."
            )
        self._collecting = True
        try:
            self.agent.collect_observations(self._vector_sensor)
        finally:
            self._collecting = False
        if self.behavior.vector_observation_size == 0 and self._vector_sensor.values:
            raise AgentsError(
                f"{self.name}: collect_observations added {len(self._vector_sensor.values)} floats, but "
                "vector_observation_size is 0. Declare the size in BehaviorParameters."
            )

    def _read_mask(self) -> list[bool]:
        """Let the actuators forbid actions."""
        self._masking = True
        try:
            return self.actuators.read_mask()
        finally:
            self._masking = False

    def _send_terminal(self, reason: EndReason) -> None:
        """Write the last record of the episode, unless the last record was such a one already."""
        if self._masking:
            raise AgentsError(
                f"{self.name}: the episode was ended inside write_discrete_action_mask. End it where its "
                "outcome is known, such as in on_action_received."
            )
        if self._last_record_terminal:
            return
        for sensor in self._sensors:
            sensor.update()
        self._collect()
        terminals = self.policy.columns.terminals
        write_observations(self._sensors, terminals.next_row(), self)
        row = terminals.commit(self.agent_id, self.reward, self.group_id, self.group_reward)
        terminals.interrupted[row] = reason is EndReason.INTERRUPTED
        self.policy.forget(self)
        for listener in self.record_listeners:
            listener.on_episode_ended(self, row)
        for sensor in self._sensors:
            sensor.reset()
        if reason is not EndReason.DISABLED:
            self.completed_episodes += 1
            set_gauge(f"{self.behavior.behavior_name}.CumulativeReward", self.cumulative_reward)
        self.reward = self.cumulative_reward = self.group_reward = 0.0
        self.decision_requested = self.action_requested = False
        self.waiting = False
        self._last_record_terminal = True


_SAVED = (
    "agent_id",
    "step_count",
    "completed_episodes",
    "decision_requested",
    "action_requested",
    "reward",
    "cumulative_reward",
    "group_id",
    "group_reward",
    "waiting",
    "row",
    "_last_record_terminal",
)
