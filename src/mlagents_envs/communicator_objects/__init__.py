"""Messages of the wire protocol, generated from protobuf/; see protobuf/generate.py."""
