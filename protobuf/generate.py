"""Turns the .proto files beside this script into the Python modules under ``src``.

The version of the compiler decides the oldest runtimes that accept the result, so it is pinned:
grpcio-tools 1.73.1 makes modules for protobuf 6.31 and grpcio 1.73.1, and newer. Any interpreter with
that one package runs this script::

    python -m pip install grpcio-tools==1.73.1
    python protobuf/generate.py
"""

from __future__ import annotations

import subprocess
import sys
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

COMPILER = "1.73.1"
ROOT = Path(__file__).resolve().parent
SOURCE = Path(__file__).resolve().parents[1] / "src"
PACKAGE = Path("mlagents_envs") / "communicator_objects"
SERVICE = str(PACKAGE / "unity_to_external.proto")
"""The one file with a service, for which client and server classes are made too."""
INIT = '"""Messages of the wire protocol, generated from protobuf/; see protobuf/generate.py."""\n'


def main() -> None:
    """Generate all modules, replacing those that exist."""
    try:
        installed = version("grpcio-tools")
    except PackageNotFoundError:
        installed = "none"
    if installed != COMPILER:
        sys.exit(
            f"This needs grpcio-tools=={COMPILER}, found {installed}. "
            "Install it in an environment of its own."
        )
    target = SOURCE / PACKAGE
    target.mkdir(parents=True, exist_ok=True)
    for old in target.glob("*_pb2*.py*"):
        old.unlink()
    (target / "__init__.py").write_text(INIT)
    files = sorted(str(path.relative_to(ROOT)) for path in (ROOT / PACKAGE).glob("*.proto"))
    command = [sys.executable, "-m", "grpc_tools.protoc", f"-I{ROOT}", f"--python_out={SOURCE}"]
    subprocess.run([*command, f"--pyi_out={SOURCE}", *files], check=True, cwd=ROOT)
    command = [sys.executable, "-m", "grpc_tools.protoc", f"-I{ROOT}", f"--grpc_python_out={SOURCE}"]
    subprocess.run([*command, SERVICE], check=True, cwd=ROOT)
    print(f"{len(files)} files -> {target}")


if __name__ == "__main__":
    main()
