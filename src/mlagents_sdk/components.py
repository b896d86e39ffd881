"""What components are added to: an agent, or a part of it that lies below it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Protocol

from mlagents_sdk.actuators.actuator import ActuatorComponent
from mlagents_sdk.exception import AgentsError
from mlagents_sdk.sensors.sensor import SensorComponent

Component = SensorComponent | ActuatorComponent


class ComponentOwner(Protocol):
    """An agent, or a :class:`Node` below it."""

    def add_component(self, component: Component) -> None:
        """Add sensors or actuators; effective from the next time the agent is enabled."""


class Node:
    """A part of an agent, such as a turret: it bears components, and further parts.

    What the components of a node make counts for the agent to which the node was added, unless the
    agent's behavior says otherwise (``use_child_sensors``, ``use_child_actuators``).

    Args:
        name: name of the part, for messages.

    Attributes:
        name: the name.
        components: what was added, in the order of adding.
        children: parts of this part.
    """

    def __init__(self, name: str = "node") -> None:
        self.name = name
        self.components: list[Component] = []
        self.children: list[Node] = []

    def add_component(self, component: Component) -> None:
        """Add sensors or actuators; effective from the next time the agent is enabled."""
        self.components.append(component)

    def add_child(self, node: Node) -> Node:
        """Add a part of this part.

        Returns:
            ``node``, so that it can be named in the same line.

        Raises:
            AgentsError: this part is ``node`` or lies below it.
        """
        if any(below is self for below in node.descendants()):
            raise AgentsError(
                f"Node {self.name} cannot get the child {node.name}, because it is a part of it."
            )
        self.children.append(node)
        return node

    def descendants(self) -> Iterator[Node]:
        """This part and all below it, each before its children."""
        yield self
        for child in self.children:
            yield from child.descendants()
