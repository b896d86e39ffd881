"""Trained policies as ONNX models that game engines and :mod:`mlagents_envs` can play.

The graph is built node by node with the ``onnx`` helpers. At every export it is compared with a reference
implementation, and by :mod:`mlagents.export.from_network` with the network itself, so that a model that plays
differently from the policy never reaches the disk.
"""

from __future__ import annotations

from mlagents.export.description import (
    ContinuousHead,
    ExportError,
    Linear,
    Normalizer,
    PolicyDescription,
)
from mlagents.export.onnx_file import export_policy
from mlagents.export.policy_graph import build_policy_model

__all__ = [
    "ContinuousHead",
    "ExportError",
    "Linear",
    "Normalizer",
    "PolicyDescription",
    "build_policy_model",
    "export_policy",
]
