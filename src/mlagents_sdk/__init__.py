"""How to write an environment in Python: agents, sensors, actuators and physics."""

from mlagents_envs.base_env import ActionSpec, ObservationSpec, ObservationType
from mlagents_envs.side_channel import IncomingMessage, OutgoingMessage, SideChannel
from mlagents_envs.side_channel.float_properties_channel import FloatPropertiesChannel
from mlagents_envs.side_channel.raw_bytes_channel import RawBytesChannel
from mlagents_envs.side_channel.stats_side_channel import StatsAggregationMethod
from mlagents_sdk.academy import Academy
from mlagents_sdk.actuators.action_buffers import ActionBuffers
from mlagents_sdk.actuators.actuator import Actuator, ActuatorComponent
from mlagents_sdk.actuators.discrete_action_mask import DiscreteActionMask
from mlagents_sdk.agent import Agent
from mlagents_sdk.areas import area_positions, resolve_num_areas
from mlagents_sdk.behavior import (
    BehaviorParameters,
    BehaviorType,
    InferenceDevice,
    ObservableAttributeHandling,
)
from mlagents_sdk.components import ComponentOwner, Node
from mlagents_sdk.decision_requester import DecisionRequestContext, DecisionRequester
from mlagents_sdk.demonstration_recorder import DemonstrationRecorder
from mlagents_sdk.environment import SavableSdkEnvironment, SdkEnvironment
from mlagents_sdk.exception import AgentsError
from mlagents_sdk.group import SimpleMultiAgentGroup
from mlagents_sdk.policies.policy import Policy
from mlagents_sdk.sensors.buffer_sensor import BufferSensor, BufferSensorComponent
from mlagents_sdk.sensors.observable import Observable, observable
from mlagents_sdk.sensors.sensor import Sensor, SensorComponent
from mlagents_sdk.sensors.stacking_sensor import StackingSensor
from mlagents_sdk.sensors.vector_sensor import VectorSensor, VectorSensorComponent

__all__ = [
    "Academy",
    "ActionBuffers",
    "ActionSpec",
    "Actuator",
    "ActuatorComponent",
    "Agent",
    "AgentsError",
    "BehaviorParameters",
    "BehaviorType",
    "BufferSensor",
    "BufferSensorComponent",
    "ComponentOwner",
    "DecisionRequestContext",
    "DecisionRequester",
    "DemonstrationRecorder",
    "DiscreteActionMask",
    "FloatPropertiesChannel",
    "IncomingMessage",
    "InferenceDevice",
    "Node",
    "Observable",
    "ObservableAttributeHandling",
    "ObservationSpec",
    "ObservationType",
    "OutgoingMessage",
    "Policy",
    "RawBytesChannel",
    "SavableSdkEnvironment",
    "SdkEnvironment",
    "Sensor",
    "SensorComponent",
    "SideChannel",
    "SimpleMultiAgentGroup",
    "StackingSensor",
    "StatsAggregationMethod",
    "VectorSensor",
    "VectorSensorComponent",
    "area_positions",
    "observable",
    "resolve_num_areas",
]
