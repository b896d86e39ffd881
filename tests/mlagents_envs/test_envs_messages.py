"""The wire format is a contract with released games: names, numbers and types must never move."""

from __future__ import annotations

import importlib

import pytest
from google.protobuf.descriptor import Descriptor, EnumDescriptor, FieldDescriptor, FileDescriptor
from google.protobuf.descriptor_pb2 import FileDescriptorProto

PACKAGE = "mlagents_envs.communicator_objects"

# file: message: fields as "number name type", repeated types with "*"
MESSAGES = {
    "unity_message": {
        "UnityMessageProto": "1 header HeaderProto; 2 unity_output UnityOutputProto; "
        "3 unity_input UnityInputProto"
    },
    "header": {"HeaderProto": "1 status int32; 2 message string"},
    "unity_input": {
        "UnityInputProto": "1 rl_input UnityRLInputProto; "
        "2 rl_initialization_input UnityRLInitializationInputProto"
    },
    "unity_output": {
        "UnityOutputProto": "1 rl_output UnityRLOutputProto; "
        "2 rl_initialization_output UnityRLInitializationOutputProto"
    },
    "unity_rl_initialization_input": {
        "UnityRLInitializationInputProto": "1 seed int32; 2 communication_version string; "
        "3 package_version string; 4 capabilities UnityRLCapabilitiesProto; 5 num_areas int32"
    },
    "unity_rl_initialization_output": {
        "UnityRLInitializationOutputProto": "1 name string; 2 communication_version string; "
        "3 log_path string; 5 brain_parameters BrainParametersProto*; 7 package_version string; "
        "8 capabilities UnityRLCapabilitiesProto"
    },
    "unity_rl_input": {
        "UnityRLInputProto": "1 agent_actions AgentActionsEntry*; 4 command CommandProto; "
        "5 side_channel bytes",
        "UnityRLInputProto.ListAgentActionProto": "1 value AgentActionProto*",
        "UnityRLInputProto.AgentActionsEntry": "1 key string; 2 value ListAgentActionProto",
    },
    "unity_rl_output": {
        "UnityRLOutputProto": "2 agentInfos AgentInfosEntry*; 3 side_channel bytes",
        "UnityRLOutputProto.ListAgentInfoProto": "1 value AgentInfoProto*",
        "UnityRLOutputProto.AgentInfosEntry": "1 key string; 2 value ListAgentInfoProto",
    },
    "agent_action": {
        "AgentActionProto": "1 vector_actions_deprecated float*; 4 value float; "
        "6 continuous_actions float*; 7 discrete_actions int32*"
    },
    "agent_info": {
        "AgentInfoProto": "7 reward float; 8 done bool; 9 max_step_reached bool; 10 id int32; "
        "11 action_mask bool*; 13 observations ObservationProto*; 14 group_id int32; 15 group_reward float"
    },
    "agent_info_action_pair": {
        "AgentInfoActionPairProto": "1 agent_info AgentInfoProto; 2 action_info AgentActionProto"
    },
    "observation": {
        "ObservationProto": "1 shape int32*; 2 compression_type CompressionTypeProto; "
        "3 compressed_data bytes; 4 float_data FloatData; 5 compressed_channel_mapping int32*; "
        "6 dimension_properties int32*; 7 observation_type ObservationTypeProto; 8 name string",
        "ObservationProto.FloatData": "1 data float*",
    },
    "brain_parameters": {
        "BrainParametersProto": "3 vector_action_size_deprecated int32*; "
        "5 vector_action_descriptions_deprecated string*; "
        "6 vector_action_space_type_deprecated SpaceTypeProto; 7 brain_name string; 8 is_training bool; "
        "9 action_spec ActionSpecProto",
        "ActionSpecProto": "1 num_continuous_actions int32; 2 num_discrete_actions int32; "
        "3 discrete_branch_sizes int32*; 4 action_descriptions string*",
    },
    "capabilities": {
        "UnityRLCapabilitiesProto": "1 baseRLCapabilities bool; 2 concatenatedPngObservations bool; "
        "3 compressedChannelMapping bool; 4 hybridActions bool; 5 trainingAnalytics bool; "
        "6 variableLengthObservation bool; 7 multiAgentGroups bool"
    },
    "demonstration_meta": {
        "DemonstrationMetaProto": "1 api_version int32; 2 demonstration_name string; 3 number_steps int32; "
        "4 number_episodes int32; 5 mean_reward float"
    },
    "engine_configuration": {
        "EngineConfigurationProto": "1 width int32; 2 height int32; 3 quality_level int32; "
        "4 time_scale float; 5 target_frame_rate int32; 6 show_monitor bool"
    },
    "custom_reset_parameters": {"CustomResetParametersProto": ""},
    "training_analytics": {
        "TrainingEnvironmentInitialized": "1 mlagents_version string; 2 mlagents_envs_version string; "
        "3 python_version string; 4 torch_version string; 5 torch_device_type string; 6 num_envs int32; "
        "7 num_environment_parameters int32; 8 run_options string",
        "TrainingBehaviorInitialized": "1 behavior_name string; 2 trainer_type string; "
        "3 extrinsic_reward_enabled bool; 4 gail_reward_enabled bool; 5 curiosity_reward_enabled bool; "
        "6 rnd_reward_enabled bool; 7 behavioral_cloning_enabled bool; 8 recurrent_enabled bool; "
        "9 visual_encoder string; 10 num_network_layers int32; 11 num_network_hidden_units int32; "
        "12 trainer_threaded bool; 13 self_play_enabled bool; 14 curriculum_enabled bool; 15 config string",
    },
    "unity_to_external": {},
    "command": {},
    "space_type": {},
}

ENUMS = {
    "command": {"CommandProto": {"STEP": 0, "RESET": 1, "QUIT": 2}},
    "observation": {
        "CompressionTypeProto": {"NONE": 0, "PNG": 1},
        "ObservationTypeProto": {"DEFAULT": 0, "GOAL_SIGNAL": 1},
    },
    "space_type": {"SpaceTypeProto": {"discrete": 0, "continuous": 1}},
}

RESERVED = {
    "UnityRLInitializationOutputProto": {6},
    "UnityRLInputProto": {2, 3},
    "UnityRLOutputProto": {1},
    "AgentActionProto": {2, 3, 5},
    "AgentInfoProto": {1, 2, 3, 4, 5, 6, 12},
    "BrainParametersProto": {1, 2, 4},
}

SCALARS = {
    FieldDescriptor.TYPE_INT32: "int32",
    FieldDescriptor.TYPE_FLOAT: "float",
    FieldDescriptor.TYPE_BOOL: "bool",
    FieldDescriptor.TYPE_STRING: "string",
    FieldDescriptor.TYPE_BYTES: "bytes",
}


def descriptor_of(file: str) -> FileDescriptor:
    descriptor: FileDescriptor = importlib.import_module(f"{PACKAGE}.{file}_pb2").DESCRIPTOR
    return descriptor


def describe_field(field: FieldDescriptor) -> str:
    named = field.message_type or field.enum_type
    kind = named.name if named is not None else SCALARS[field.type]
    return f"{field.number} {field.name} {kind}{'*' if field.is_repeated else ''}"


def describe_messages(file: FileDescriptor) -> dict[str, str]:
    result = {}

    def visit(message: Descriptor, prefix: str) -> None:
        fields = sorted(message.fields, key=lambda field: field.number)
        result[prefix + message.name] = "; ".join(describe_field(field) for field in fields)
        for nested in message.nested_types:
            visit(nested, f"{prefix}{message.name}.")

    for message in file.message_types_by_name.values():
        visit(message, "")
    return result


@pytest.mark.parametrize("file", MESSAGES)
def test_messages_have_the_fields_of_the_protocol(file: str) -> None:
    descriptor = descriptor_of(file)
    assert descriptor.name == f"mlagents_envs/communicator_objects/{file}.proto"
    assert descriptor.package == "communicator_objects"
    assert describe_messages(descriptor) == MESSAGES[file]
    enums: dict[str, EnumDescriptor] = dict(descriptor.enum_types_by_name)
    found = {name: {value.name: value.number for value in enum.values} for name, enum in enums.items()}
    assert found == ENUMS.get(file, {})


def test_reserved_numbers_cannot_be_used_again() -> None:
    found = {}
    for file in MESSAGES:
        proto = FileDescriptorProto()
        descriptor_of(file).CopyToProto(proto)
        assert proto.options.csharp_namespace == "Unity.MLAgents.CommunicatorObjects"
        assert proto.syntax == "proto3"
        for message in proto.message_type:
            numbers = {n for span in message.reserved_range for n in range(span.start, span.end)}
            if numbers:
                found[message.name] = numbers
    assert found == RESERVED


def test_the_data_of_an_observation_is_one_of_two() -> None:
    observation = descriptor_of("observation").message_types_by_name["ObservationProto"]
    (choice,) = observation.oneofs
    assert choice.name == "observation_data"
    assert [field.number for field in choice.fields] == [3, 4]


def test_the_service_has_one_call() -> None:
    service = descriptor_of("unity_to_external").services_by_name["UnityToExternalProto"]
    assert service.full_name == "communicator_objects.UnityToExternalProto"
    (method,) = service.methods
    assert method.name == "Exchange"
    assert method.input_type.full_name == "communicator_objects.UnityMessageProto"
    assert method.output_type.full_name == "communicator_objects.UnityMessageProto"


def test_a_message_has_these_bytes() -> None:
    """One message encoded by hand from the rules of protobuf."""
    from mlagents_envs.communicator_objects.unity_rl_input_pb2 import UnityRLInputProto

    message = UnityRLInputProto(command=1, side_channel=b"\x07")  # type: ignore[arg-type]
    message.agent_actions["B"].value.add(continuous_actions=[1.0], discrete_actions=[2, 300])
    action = b"\x32\x04\x00\x00\x80\x3f" + b"\x3a\x03\x02\xac\x02"  # packed lists in fields 6 and 7
    items = b"\x0a" + bytes([len(action)]) + action
    entry = b"\x0a\x01B" + b"\x12" + bytes([len(items)]) + items
    expected = b"\x0a" + bytes([len(entry)]) + entry + b"\x20\x01" + b"\x2a\x01\x07"
    assert message.SerializeToString(deterministic=True) == expected
