"""Checks of Python, packages, compute devices, ports and disk."""

from __future__ import annotations

import errno
import os
import platform
import shutil
import socket
import sys
import tempfile
from collections.abc import Iterator
from importlib import import_module, metadata
from pathlib import Path

from mlagents.doctor.findings import Finding, note, ok, problem

PACKAGES = {
    "grpc": "grpcio",
    "gymnasium": "gymnasium",
    "mujoco": "mujoco",
    "numba": "numba",
    "numpy": "numpy",
    "onnx": "onnx",
    "onnxruntime": "onnxruntime",
    "google.protobuf": "protobuf",
    "pettingzoo": "pettingzoo",
    "pydantic": "pydantic",
    "tensorboard": "tensorboard",
    "torch": "torch",
    "yaml": "pyyaml",
}
"""Modules that a training run needs, and the packages that bring them."""

OPTIONAL = {"ray": "ray", "viser": "viser", "huggingface_hub": "huggingface-hub", "wandb": "wandb"}
OLDEST_PYTHON = (3, 11)
LITTLE_DISK = 2 << 30
EDITOR_PORT, FIRST_PORT, NUM_PORTS = 5004, 5005, 8


def check_python() -> Iterator[Finding]:
    """The interpreter and the machine."""
    version = platform.python_version()
    where = f"{version} at {sys.executable}, {platform.system()} {platform.machine()}"
    if sys.version_info < OLDEST_PYTHON:
        yield problem("Python", where, "Install Python 3.11 or newer.")
    else:
        yield ok("Python", where)
    try:
        yield ok("Open ML-Agents", metadata.version("open-mlagents"))
    except metadata.PackageNotFoundError:
        yield problem("Open ML-Agents", "is not installed as a package", "Run: pip install -e .")
    owners = [d.metadata["Name"] for d in metadata.distributions() if d.metadata["Name"] in _RIVALS]
    if owners:
        yield problem(
            "import names",
            f"{', '.join(sorted(set(owners)))} is installed too and has the same import names",
            f"Run: pip uninstall {' '.join(sorted(set(owners)))}",
        )


_RIVALS = {"mlagents", "mlagents-envs", "mlagents_envs"}


def check_packages() -> Iterator[Finding]:
    """Whether every package that is needed can be imported."""
    versions = []
    for module, package in PACKAGES.items():
        try:
            import_module(module)
        except Exception as error:  # a broken package may raise anything
            text = f"{type(error).__name__}: {error}".splitlines()[0]
            yield problem(package, f"cannot be imported ({text})", f"Run: pip install --upgrade {package}")
        else:
            versions.append(f"{package} {_version(package)}")
    yield ok("packages", ", ".join(versions))
    missing = [package for package in OPTIONAL.values() if _version(package) == "-"]
    if missing:
        yield note("optional packages", f"not installed: {', '.join(missing)}", "Install what you need.")


def _version(package: str) -> str:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return "-"


def check_compute() -> Iterator[Finding]:
    """Processor cores, memory, and whether PyTorch sees a GPU that works."""
    import torch

    yield ok("processor", f"{os.cpu_count()} cores, {_memory_text()}")
    product = float((torch.ones(64, 64) @ torch.ones(64, 64))[0, 0])
    if product != 64.0:
        yield problem("PyTorch", f"computes 64 ones as {product}", "Reinstall torch.")
    if torch.cuda.is_available():
        try:
            torch.ones(8, device="cuda").sum().item()
        except RuntimeError as error:
            reason = str(error).splitlines()[0]
            yield problem(
                "GPU", f"is there, but does not compute ({reason})", "Update its driver, or train on the CPU."
            )
        else:
            yield ok("GPU", f"{torch.cuda.get_device_name(0)} (CUDA {torch.version.cuda})")
    else:
        built = "this build of PyTorch has no CUDA" if torch.version.cuda is None else "no CUDA device"
        yield note("GPU", f"none ({built}); training uses the CPU, which is fast for vector observations")


def _memory_text() -> str:
    try:
        total = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (AttributeError, ValueError, OSError):
        return "memory unknown"
    return f"{total / 2**30:.0f} GiB memory"


def check_kernels() -> Iterator[Finding]:
    """Whether compiled kernels are kept, so that they are not compiled at every start."""
    folder = os.environ.get("NUMBA_CACHE_DIR") or str(Path(__file__).parent / "__pycache__")
    if os.access(folder, os.W_OK) or not Path(folder).exists():
        yield ok("compiled kernels", "are kept between starts")
    else:
        yield note(
            "compiled kernels",
            f"cannot be kept in {folder}; every start compiles them again, which takes a minute",
            "Set NUMBA_CACHE_DIR to a folder that you can write.",
        )


def check_ports() -> Iterator[Finding]:
    """Whether games can connect: the editor's port, and those of the first executables."""
    ports = [EDITOR_PORT, *range(FIRST_PORT, FIRST_PORT + NUM_PORTS)]
    taken = [port for port in ports if not _is_free(port)]
    if not taken:
        yield ok("ports", f"{ports[0]} to {ports[-1]} are free on this machine")
    else:
        yield note(
            "ports",
            f"taken by other programs: {', '.join(map(str, taken))}",
            "Close the game or training that uses them, or choose others with --base-port.",
        )


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError as error:
            return error.errno not in {errno.EADDRINUSE, errno.EACCES}
    return True


def check_disk(results: str = "results") -> Iterator[Finding]:
    """Whether results can be written, and how much space there is."""
    folder = Path(results)
    while not folder.exists():
        folder = folder.parent
    try:
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        yield problem(
            "results",
            f"nothing can be written to {folder.resolve()} ({error.strerror})",
            "Use --results-dir.",
        )
        return
    free = shutil.disk_usage(folder).free
    text = f"{free / 2**30:.0f} GiB free in {folder.resolve()}"
    yield ok("disk", text) if free > LITTLE_DISK else note("disk", text, "Make room before a long run.")
