"""Trained policies as ONNX models that game engines and :mod:`mlagents_envs` can play.

The graph is built node by node with the ``onnx`` helpers: for multilayer perceptrons over vectors from plain
arrays (:mod:`.policy_graph`), for all other networks from their modules (:mod:`.network_graph`). At every
export it is compared in ONNX Runtime with what the network computes in torch, so that a model that plays
differently from the policy never reaches the disk. :func:`.from_network.export_network` does all of it.
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
