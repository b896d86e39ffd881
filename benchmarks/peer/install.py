"""Install the peer, ML-Agents 1.1.0 as published, into a virtual environment of its own.

The packages declare Python 3.10 and pin dependencies of their time. They run on Python 3.11 with the
same torch that we use once a few of those pins are relaxed; every such step says why below. Nothing of
the peer is copied or changed, except that its generated protobuf modules are rewritten in the current
form (`modernize_pb2.py`), which lets it use the C implementation of protobuf.

Usage: ``python benchmarks/peer/install.py [--venv .venv-peer] [--python python3.11] [--force]``
"""

from __future__ import annotations

import argparse
import hashlib
import os
import shutil
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
DEFAULT_VENV = HERE.parents[1] / ".venv-peer"
SUPPORTED_PYTHON = "3.11"
"""NumPy 1.23.5, the newest that the peer accepts, has no wheels for later interpreters."""

PEER_VERSION = "1.1.0"
CONSTRAINTS = ("torch==2.13.0", "numpy==1.23.5", "protobuf==3.20.3", "setuptools<81")
"""`setuptools` below 81 still ships `pkg_resources` and `distutils`, which the peer imports."""
DEPENDENCIES = (
    "protobuf==3.20.3",
    "grpcio>=1.49,<1.60",
    "attrs",
    "cattrs<1.7",
    "pyyaml",
    "Pillow",
    "h5py",
    "tensorboard>=2.14",
    "six",
    "onnx==1.15.0",
    "huggingface-hub",
    "cloudpickle",
    "filelock",
    "gym==0.26.2",
)
FAST_PROTOBUF = "protobuf==4.25.8"


class InstallError(Exception):
    """The peer cannot be installed here; the message says what to do about it."""


def recipe_fingerprint() -> str:
    """Hash of this recipe, so that a changed recipe or a half-finished install starts over."""
    parts = [PEER_VERSION, *CONSTRAINTS, *DEPENDENCIES, FAST_PROTOBUF]
    parts.append((HERE / "modernize_pb2.py").read_text())
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()


def find_python(requested: str | None) -> str:
    """Path of a Python 3.11 interpreter: the requested one, this one, or ``python3.11`` on the path.

    Raises:
        InstallError: there is none.
    """
    candidates = [requested] if requested else [sys.executable, shutil.which(f"python{SUPPORTED_PYTHON}")]
    for candidate in candidates:
        if candidate is None or shutil.which(candidate) is None:
            continue
        probe = "import sys; print('%d.%d' % sys.version_info[:2])"
        answer = subprocess.run([candidate, "-c", probe], capture_output=True, text=True, check=False)
        if answer.stdout.strip() == SUPPORTED_PYTHON:
            return candidate
    raise InstallError(
        f"The peer needs Python {SUPPORTED_PYTHON}, tried {[c for c in candidates if c]}. "
        "Install it and name it with --peer-python, or run the benchmark with --no-peer."
    )


def venv_python(venv: Path) -> Path:
    """Path of the interpreter inside `venv`."""
    return venv / ("Scripts/python.exe" if os.name == "nt" else "bin/python")


def install(venv: Path = DEFAULT_VENV, python: str | None = None, force: bool = False) -> Path:
    """Make sure that the peer is installed in `venv` and return the interpreter to run it with.

    Args:
        venv: folder of the virtual environment; created, or rebuilt when its recipe is another one.
        python: interpreter to build it from, Python 3.11.
        force: rebuild it in any case.

    Raises:
        InstallError: no suitable interpreter, or a step failed (its last lines are in the message).
    """
    stamp = venv / "recipe.sha256"
    if not force and stamp.exists() and stamp.read_text() == recipe_fingerprint():
        return venv_python(venv)
    base = find_python(python)
    print(
        f"Installing ML-Agents {PEER_VERSION} into {venv} (a few minutes, once)", file=sys.stderr, flush=True
    )
    shutil.rmtree(venv, ignore_errors=True)
    _step([base, "-m", "venv", str(venv)])
    _install_packages(venv)
    stamp.write_text(recipe_fingerprint())
    return venv_python(venv)


def _install_packages(venv: Path) -> None:
    peer_python = str(venv_python(venv))
    pip = [peer_python, "-m", "pip", "--disable-pip-version-check"]
    constraints = venv / "constraints.txt"
    constraints.write_text("\n".join(CONSTRAINTS) + "\n")
    unpinned = ["--no-deps", "--ignore-requires-python"]
    _step([*pip, "install", "torch==2.13.0", "-c", str(constraints)])
    _step([*pip, "install", "numpy==1.23.5", "setuptools<81", "wheel"])
    _step([*pip, "install", *unpinned, f"mlagents=={PEER_VERSION}", f"mlagents_envs=={PEER_VERSION}"])
    # In the environment, not as -c: it also has to hold in the isolated builds of source packages.
    _step([*pip, "install", *DEPENDENCIES], PIP_CONSTRAINT=str(constraints))
    _step([*pip, "install", *unpinned, "pettingzoo==1.15.0"])
    # Reads the modules while the protobuf that can still load them is installed, then replaces it.
    _step([peer_python, str(HERE / "modernize_pb2.py")])
    _step([*pip, "install", FAST_PROTOBUF])
    _step([peer_python, "-c", "import mlagents.trainers.ppo.trainer"])


def _step(command: list[str], **environment: str) -> None:
    print("  " + " ".join(command[1:]), file=sys.stderr, flush=True)
    done = subprocess.run(
        command,
        env={**os.environ, **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    if done.returncode != 0:
        tail = "\n".join(done.stdout.splitlines()[-15:])
        raise InstallError(f"Installing the peer failed at: {' '.join(command)}\n{tail}")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--venv", type=Path, default=DEFAULT_VENV, help="where to install it")
    parser.add_argument("--python", help="Python 3.11 interpreter to build it from")
    parser.add_argument("--force", action="store_true", help="rebuild it even if it is complete")
    options = parser.parse_args()
    try:
        print(install(options.venv, options.python, options.force))
    except InstallError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
