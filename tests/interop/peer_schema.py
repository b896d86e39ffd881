"""Prints all messages, enumerations and services of the protocol as JSON.

Run by both interpreters, each with the generated classes of its own ``mlagents_envs``.
"""

import importlib
import json
import pkgutil

from google.protobuf.descriptor_pb2 import FieldDescriptorProto, FileDescriptorProto

from mlagents_envs import communicator_objects


def field_facts(field):
    """Everything that decides how a field is encoded and called."""
    return {
        "name": field.name,
        "type": FieldDescriptorProto.Type.Name(field.type),
        "label": FieldDescriptorProto.Label.Name(field.label),
        "of": field.type_name,
        "json_name": field.json_name,
        "oneof": field.oneof_index if field.HasField("oneof_index") else None,
        "packed": field.options.packed if field.options.HasField("packed") else None,
    }


def enum_facts(enum):
    return {value.name: value.number for value in enum.value}


def message_facts(message):
    return {
        "fields": {field.number: field_facts(field) for field in message.field},
        "oneofs": [oneof.name for oneof in message.oneof_decl],
        "enums": {enum.name: enum_facts(enum) for enum in message.enum_type},
        "messages": {nested.name: message_facts(nested) for nested in message.nested_type},
        "is_map_entry": message.options.map_entry,
    }


def service_facts(service):
    return {
        method.name: [method.input_type, method.output_type, method.client_streaming, method.server_streaming]
        for method in service.method
    }


def file_facts(file):
    return {
        "package": file.package,
        "syntax": file.syntax,
        "messages": {message.name: message_facts(message) for message in file.message_type},
        "enums": {enum.name: enum_facts(enum) for enum in file.enum_type},
        "services": {service.name: service_facts(service) for service in file.service},
    }


def main():
    facts = {}
    for module in pkgutil.iter_modules(communicator_objects.__path__):
        if module.name.endswith("_pb2"):
            generated = importlib.import_module(f"{communicator_objects.__name__}.{module.name}")
            file = FileDescriptorProto()
            generated.DESCRIPTOR.CopyToProto(file)
            facts[module.name] = {"file": file.name, **file_facts(file)}
    print(json.dumps(facts, sort_keys=True))


if __name__ == "__main__":
    main()
