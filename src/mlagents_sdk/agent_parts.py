"""Which sensors and actuators an agent has: its own, those of its components and of the nodes below."""

from __future__ import annotations

from collections.abc import Sequence

from mlagents_sdk.actuators.actuator import Actuator, ActuatorComponent
from mlagents_sdk.actuators.actuator_manager import ActuatorManager
from mlagents_sdk.actuators.vector_actuator import ActionCallbacks, VectorActuator
from mlagents_sdk.behavior import BehaviorParameters
from mlagents_sdk.components import Component, Node
from mlagents_sdk.sensors.observable import observable_sensors
from mlagents_sdk.sensors.sensor import Sensor, SensorComponent, sort_sensors


class AgentParts:
    """Components and nodes of one agent.

    Attributes:
        components: what was added to the agent itself.
        children: nodes added to the agent.
    """

    __slots__ = ("children", "components")

    def __init__(self) -> None:
        self.components: list[Component] = []
        self.children: list[Node] = []

    def make_actuators(
        self, agent: ActionCallbacks, behavior: BehaviorParameters, owner: str
    ) -> ActuatorManager:
        """All actuators, the agent's own among them.

        Args:
            agent: the agent.
            behavior: its behavior.
            owner: the agent, for messages.
        """
        actuators: list[Actuator] = [VectorActuator(agent, behavior.action_spec)]
        for component in self._all(behavior.use_child_actuators):
            if isinstance(component, ActuatorComponent):
                actuators += component.create_actuators()
        return ActuatorManager(actuators, owner)

    def make_sensors(
        self, agent: object, behavior: BehaviorParameters, own: Sequence[Sensor], owner: str
    ) -> list[Sensor]:
        """All sensors in the order of the observations.

        Args:
            agent: the agent.
            behavior: its behavior.
            own: the sensor that ``collect_observations`` fills, if there is one.
            owner: the agent, for messages.
        """
        sensors = [*observable_sensors(agent, behavior.observable_attribute_handling, owner), *own]
        for component in self._all(behavior.use_child_sensors):
            if isinstance(component, SensorComponent):
                sensors += component.create_sensors()
        return sort_sensors(sensors, owner)

    def _all(self, with_children: bool) -> list[Component]:
        nodes = [node for child in self.children for node in child.descendants()] if with_children else []
        return [*self.components, *(component for node in nodes for component in node.components)]
