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
from mlagents_sdk.behavior import BehaviorParameters, BehaviorType
from mlagents_sdk.decision_requester import DecisionRequestContext, DecisionRequester
from mlagents_sdk.environment import SavableSdkEnvironment, SdkEnvironment
from mlagents_sdk.exception import AgentsError
from mlagents_sdk.policies.policy import Policy
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
    "DecisionRequestContext",
    "DecisionRequester",
    "DiscreteActionMask",
    "FloatPropertiesChannel",
    "IncomingMessage",
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
    "StackingSensor",
    "StatsAggregationMethod",
    "VectorSensor",
    "VectorSensorComponent",
    "area_positions",
    "resolve_num_areas",
]
