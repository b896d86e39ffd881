"""Trees of state: nested dicts and lists of arrays and plain values, in NumPy's and in torch's form.

Parts of a run give their state as NumPy arrays or tensors, whichever they work with. A file that is read
as data only can hold tensors but no arrays, so trees are converted on their way there and back.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch


def _map_leaves(convert: Callable[[Any], Any], tree: Any) -> Any:  # noqa: ANN401
    if isinstance(tree, dict):
        return {key: _map_leaves(convert, value) for key, value in tree.items()}
    if isinstance(tree, list | tuple):
        return [_map_leaves(convert, value) for value in tree]
    return convert(tree)


def to_tensors(tree: Any) -> Any:  # noqa: ANN401
    """Copy of a tree with tensors instead of NumPy arrays, numbers instead of NumPy scalars."""

    def convert(leaf: Any) -> Any:  # noqa: ANN401
        if isinstance(leaf, np.ndarray):
            return torch.from_numpy(np.array(leaf))
        return leaf.item() if isinstance(leaf, np.generic) else leaf

    return _map_leaves(convert, tree)


def to_arrays(tree: Any) -> Any:  # noqa: ANN401
    """The tree with NumPy arrays instead of tensors, which share their memory."""
    return _map_leaves(lambda leaf: leaf.numpy() if isinstance(leaf, torch.Tensor) else leaf, tree)
