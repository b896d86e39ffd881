"""The names and signatures that existing scripts use, where they use them."""

from __future__ import annotations

import importlib
import inspect

import pytest

ENGINE = "side_channel.engine_configuration_channel"
PARAMETERS = "side_channel.environment_parameters_channel.EnvironmentParametersChannel"

SIGNATURES = {
    "environment.UnityEnvironment": "file_name=None, worker_id=0, base_port=None, seed=0, no_graphics=False, "
    "no_graphics_monitor=False, timeout_wait=60, additional_args=None, side_channels=None, log_folder=None, "
    "num_areas=1",
    "environment.UnityEnvironment.set_actions": "self, behavior_name, action",
    "environment.UnityEnvironment.set_action_for_agent": "self, behavior_name, agent_id, action",
    "environment.UnityEnvironment.get_steps": "self, behavior_name",
    "environment.UnityEnvironment.reset": "self",
    "environment.UnityEnvironment.step": "self",
    "environment.UnityEnvironment.close": "self",
    "environment.UnityEnvironment._get_communicator": "worker_id, base_port, timeout_wait",
    "communicator.Communicator": "worker_id=0, base_port=5005",
    "communicator.Communicator.initialize": "self, inputs, poll_callback=None",
    "communicator.Communicator.exchange": "self, inputs, poll_callback=None",
    "communicator.Communicator.close": "self",
    "rpc_communicator.RpcCommunicator": "worker_id=0, base_port=5005, timeout_wait=30",
    "rpc_communicator.RpcCommunicator.create_server": "self",
    "rpc_communicator.RpcCommunicator.check_port": "self, port",
    "rpc_communicator.RpcCommunicator.poll_for_timeout": "self, poll_callback=None",
    "mock_communicator.MockCommunicator": "discrete_action=False, visual_inputs=0, num_agents=3, "
    "brain_name='RealFakeBrain', vec_obs_size=3",
    "base_env.DecisionSteps": "obs, reward, agent_id, action_mask, group_id, group_reward",
    "base_env.DecisionStep": "obs, reward, agent_id, action_mask, group_id, group_reward",
    "base_env.DecisionSteps.empty": "spec",
    "base_env.TerminalSteps": "obs, reward, interrupted, agent_id, group_id, group_reward",
    "base_env.TerminalStep": "obs, reward, interrupted, agent_id, group_id, group_reward",
    "base_env.TerminalSteps.empty": "spec",
    "base_env.ActionTuple": "continuous=None, discrete=None",
    "base_env.ActionTuple.add_continuous": "self, continuous",
    "base_env.ActionTuple.add_discrete": "self, discrete",
    "base_env.ActionSpec": "continuous_size, discrete_branches",
    "base_env.ActionSpec.empty_action": "self, n_agents",
    "base_env.ActionSpec.create_continuous": "continuous_size",
    "base_env.ActionSpec.create_discrete": "discrete_branches",
    "base_env.ActionSpec.create_hybrid": "continuous_size, discrete_branches",
    "base_env.ActionSpec._validate_action": "self, actions, n_agents, name",
    "base_env.ObservationSpec": "shape, dimension_property, observation_type, name",
    "base_env.BehaviorSpec": "observation_specs, action_spec",
    "base_env.BehaviorMapping": "specs",
    "rpc_utils.behavior_spec_from_proto": "brain_param, agent_info",
    "rpc_utils.steps_from_proto": "agent_info_list, behavior_spec",
    "env_utils.get_platform": "",
    "env_utils.launch_executable": "file_name, args",
    "env_utils.validate_environment_path": "env_path",
    "side_channel.SideChannel": "channel_id",
    "side_channel.SideChannel.queue_message_to_send": "self, msg",
    "side_channel.SideChannel.on_message_received": "self, msg",
    "side_channel.IncomingMessage": "buffer, offset=0",
    "side_channel.IncomingMessage.read_bool": "self, default_value=False",
    "side_channel.IncomingMessage.read_int32": "self, default_value=0",
    "side_channel.IncomingMessage.read_float32": "self, default_value=0.0",
    "side_channel.IncomingMessage.read_float32_list": "self, default_value=None",
    "side_channel.IncomingMessage.read_string": "self, default_value=''",
    "side_channel.IncomingMessage.get_raw_bytes": "self",
    "side_channel.OutgoingMessage": "",
    "side_channel.DefaultTrainingAnalyticsSideChannel": "",
    f"{ENGINE}.EngineConfig": "width, height, quality_level, time_scale, target_frame_rate, "
    "capture_frame_rate",
    f"{ENGINE}.EngineConfigurationChannel": "",
    f"{ENGINE}.EngineConfigurationChannel.set_configuration": "self, config",
    f"{ENGINE}.EngineConfigurationChannel.set_configuration_parameters": "self, width=None, height=None, "
    "quality_level=None, time_scale=None, target_frame_rate=None, capture_frame_rate=None",
    PARAMETERS: "",
    f"{PARAMETERS}.set_float_parameter": "self, key, value",
    f"{PARAMETERS}.set_uniform_sampler_parameters": "self, key, min_value, max_value, seed",
    f"{PARAMETERS}.set_gaussian_sampler_parameters": "self, key, mean, st_dev, seed",
    f"{PARAMETERS}.set_multirangeuniform_sampler_parameters": "self, key, intervals, seed",
    "side_channel.float_properties_channel.FloatPropertiesChannel": "channel_id=None",
    "side_channel.float_properties_channel.FloatPropertiesChannel.set_property": "self, key, value",
    "side_channel.float_properties_channel.FloatPropertiesChannel.get_property": "self, key",
    "side_channel.raw_bytes_channel.RawBytesChannel": "channel_id",
    "side_channel.raw_bytes_channel.RawBytesChannel.send_raw_data": "self, data",
    "side_channel.stats_side_channel.StatsSideChannel": "",
    "side_channel.stats_side_channel.StatsSideChannel.get_and_reset_stats": "self",
    "side_channel.side_channel_manager.SideChannelManager": "side_channels",
    "side_channel.side_channel_manager.SideChannelManager.process_side_channel_message": "self, data",
    "side_channel.side_channel_manager.SideChannelManager.generate_side_channel_messages": "self",
    "exception.UnityWorkerInUseException": "worker_id",
}

NAMES = {
    "base_env": "AgentId GroupId BehaviorName BaseEnv DimensionProperty ObservationType _ActionTupleBase",
    "communicator": "Communicator PollCallback",
    "communicator_objects.unity_to_external_pb2_grpc": "UnityToExternalProtoStub "
    "UnityToExternalProtoServicer add_UnityToExternalProtoServicer_to_server",
    "rpc_utils": "process_pixels",
    "side_channel.stats_side_channel": "StatList EnvironmentStats StatsAggregationMethod",
    "exception": "UnityException UnityEnvironmentException UnityCommunicationException "
    "UnityCommunicatorStoppedException UnityTimeOutException UnityObservationException UnityActionException "
    "UnitySideChannelException UnityPolicyException",
}


def find(dotted: str) -> object:
    """The object behind a name below ``mlagents_envs``, the longest module name first."""
    parts = dotted.split(".")
    for split in range(len(parts), 0, -1):
        try:
            found: object = importlib.import_module(".".join(["mlagents_envs", *parts[:split]]))
        except ModuleNotFoundError:
            continue
        for part in parts[split:]:
            found = getattr(found, part)
        return found
    raise AssertionError(dotted)


def parameters(thing: object) -> str:
    signature = inspect.signature(thing)  # type: ignore[arg-type]
    described = []
    for parameter in signature.parameters.values():
        default = "" if parameter.default is parameter.empty else f"={parameter.default!r}"
        described.append(parameter.name + default)
    return ", ".join(described)


@pytest.mark.parametrize("name", SIGNATURES)
def test_signatures(name: str) -> None:
    found = parameters(find(name))
    if name.endswith("SideChannelManager"):
        found = found.removesuffix("=None")
    assert found == SIGNATURES[name]


@pytest.mark.parametrize("module", NAMES)
def test_names(module: str) -> None:
    for name in NAMES[module].split():
        assert find(f"{module}.{name}") is not None


def test_functions_that_take_more_than_they_did() -> None:
    assert parameters(find("base_env.ActionSpec.random_action")).startswith("self, n_agents")
    assert parameters(find("rpc_utils.process_pixels")).startswith(
        "image_bytes, expected_channels, mappings=None"
    )


def test_constants() -> None:
    environment = find("environment.UnityEnvironment")
    assert environment.API_VERSION == "1.5.0"  # type: ignore[attr-defined]
    assert environment.DEFAULT_EDITOR_PORT == 5004  # type: ignore[attr-defined]
    assert environment.BASE_ENVIRONMENT_PORT == 5005  # type: ignore[attr-defined]
