"""Our messages are those of the original: every number, type, label, name and enumeration."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

SCRIPT = Path(__file__).resolve().parent / "peer_schema.py"


def schema(python: Path | str) -> dict[str, Any]:
    done = subprocess.run([python, SCRIPT], check=True, capture_output=True, text=True, timeout=60)
    facts: dict[str, Any] = json.loads(done.stdout)
    return facts


def test_every_message_enumeration_and_service_is_the_same(peer_python: Path) -> None:
    theirs, ours = schema(peer_python), schema(sys.executable)
    assert sorted(ours) == sorted(theirs)
    for module, facts in theirs.items():
        assert ours[module] == facts, module
    # that there was something to compare
    agent = theirs["agent_info_pb2"]["messages"]["AgentInfoProto"]["fields"]
    assert sorted(map(int, agent)) == [7, 8, 9, 10, 11, 13, 14, 15]
    assert agent["13"]["of"] == ".communicator_objects.ObservationProto"
    assert theirs["command_pb2"]["enums"]["CommandProto"] == {"STEP": 0, "RESET": 1, "QUIT": 2}
    assert list(theirs["unity_to_external_pb2"]["services"]["UnityToExternalProto"]) == ["Exchange"]
