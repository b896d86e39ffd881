"""Gymnasium spaces as a behavior: which sensors and actuators an environment of others has.

Observations (batches of ``n`` as Gymnasium's vector environments give them, to float32 columns):

==================  ==================================================================================
``Box`` rank 0, 1   a vector as it is
``Box`` rank 2      bytes are an image with one channel, anything else is flattened to a vector
``Box`` rank 3      an image ``(channels, height, width)``, its bounds mapped to 0 to 1; flattened to a
                    vector where a side has less than :data:`SMALLEST_IMAGE` pixels, as boards of games
``Discrete``        one-hot vector
``MultiDiscrete``   one-hot vectors one after the other
``MultiBinary``     a vector of 0 and 1
``Dict``, ``Tuple``  one observation per part, named by its keys or indices joined with ``/``
==================  ==================================================================================

Actions (columns in [-1, 1] and branch choices, to batches):

==================  ==================================================================================
``Box``             continuous, [-1, 1] mapped to its bounds; where it has none, as it is
``Discrete``        one branch
``MultiDiscrete``   one branch per element
``MultiBinary``     one branch of two per element
``Dict``, ``Tuple``  all of their parts together, hybrid where these are of both kinds
==================  ==================================================================================
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
from gymnasium import spaces
from gymnasium.vector.utils import concatenate, create_empty_array
from numpy.typing import NDArray

from mlagents_envs.base_env import ActionSpec, DimensionProperty, ObservationSpec, ObservationType
from mlagents_envs.exception import UnityEnvironmentException

Path = tuple[str | int, ...]
Convert = Callable[[NDArray[Any]], NDArray[np.float32]]

SMALLEST_IMAGE = 20
"""Least height and width of an image: what the default image encoder of the trainers needs."""

LARGEST_ONE_HOT = 1 << 16
"""Most values of a discrete observation; more would make every row larger than is sensible."""

_VECTOR = (DimensionProperty.NONE,)
_IMAGE = (
    DimensionProperty.NONE,
    DimensionProperty.TRANSLATIONAL_EQUIVARIANCE,
    DimensionProperty.TRANSLATIONAL_EQUIVARIANCE,
)


class ObservationMapping:
    """Turns batched observations of a space into columns.

    Args:
        space: observation space of one agent.
        owner: who has it, for messages.

    Attributes:
        specs: one spec per column.

    Raises:
        UnityEnvironmentException: a part of the space cannot be observed; it is named.
    """

    def __init__(self, space: spaces.Space[Any], owner: str) -> None:
        self.specs: list[ObservationSpec] = []
        self._parts: list[tuple[Path, Convert]] = []
        for path, leaf in _leaves(space):
            place = "/".join(map(str, path))
            shape, convert = _observation(leaf, f"{owner}: the observation{f' {place}' if place else ''}")
            properties = _IMAGE if len(shape) == 3 else _VECTOR
            name = place or "observation"
            self.specs.append(ObservationSpec(shape, properties, ObservationType.DEFAULT, name))
            self._parts.append((path, convert))
        if not self.specs:
            raise UnityEnvironmentException(f"{owner}: the observation space {space} is empty.")

    def columns(self, batch: Any) -> list[NDArray[np.float32]]:  # noqa: ANN401  # nested as the space is
        """Columns float32 ``(n, *shape)``, one per spec; new arrays, or the given ones where they fit.

        Args:
            batch: ``n`` observations, batched as by :func:`stack`.
        """
        return [convert(np.asarray(_at(batch, path))) for path, convert in self._parts]


class ActionMapping:
    """Turns columns of actions into batched actions of a space.

    Args:
        space: action space of one agent.
        owner: who has it, for messages.

    Attributes:
        spec: the actions as a behavior has them.

    Raises:
        UnityEnvironmentException: a part of the space cannot be acted in; it is named.
    """

    def __init__(self, space: spaces.Space[Any], owner: str) -> None:
        self._space = space
        continuous = 0
        branches: list[int] = []
        self._slices: dict[Path, slice] = {}
        self._scalers: dict[Path, Callable[[NDArray[np.float32]], NDArray[Any]]] = {}
        for path, leaf in _leaves(space):
            if isinstance(leaf, spaces.Box):
                size = int(np.prod(leaf.shape))
                self._slices[path] = slice(continuous, continuous + size)
                self._scalers[path] = _to_bounds(leaf)
                continuous += size
            else:
                place = "/".join(map(str, path))
                sizes = _branches(leaf, f"{owner}: the action{f' {place}' if place else ''}")
                self._slices[path] = slice(len(branches), len(branches) + len(sizes))
                branches += sizes
        self.spec = ActionSpec(continuous, tuple(branches))
        if not continuous and not branches:
            raise UnityEnvironmentException(f"{owner}: the action space {space} is empty.")

    def batch(self, continuous: NDArray[np.float32], discrete: NDArray[np.int32]) -> Any:  # noqa: ANN401
        """Actions of ``n`` agents, batched as ``gymnasium.vector.utils.batch_space`` has them.

        Args:
            continuous: float32 ``(n, continuous_size)``, in [-1, 1].
            discrete: int32 ``(n, branches)``.
        """
        return self._batch(self._space, (), continuous, discrete)

    def _batch(
        self, space: spaces.Space[Any], path: Path, continuous: NDArray[Any], discrete: NDArray[Any]
    ) -> Any:  # noqa: ANN401
        if isinstance(space, spaces.Dict):
            return {key: self._batch(part, (*path, key), continuous, discrete) for key, part in space.items()}
        if isinstance(space, spaces.Tuple):
            return tuple(
                self._batch(part, (*path, index), continuous, discrete) for index, part in enumerate(space)
            )
        if isinstance(space, spaces.Box):
            return self._scalers[path](continuous[:, self._slices[path]])
        choices = discrete[:, self._slices[path]].astype(space.dtype)
        if isinstance(space, spaces.Discrete):
            return choices[:, 0] + space.start
        choices = choices.reshape(len(choices), *(space.shape or ()))
        return choices + space.start if isinstance(space, spaces.MultiDiscrete) else choices


def stack(space: spaces.Space[Any], observations: Sequence[Any]) -> Any:  # noqa: ANN401
    """One batch of single observations of a space."""
    empty: Any = create_empty_array(space, n=len(observations))
    return concatenate(space, observations, empty)


def _leaves(space: spaces.Space[Any], path: Path = ()) -> Iterator[tuple[Path, spaces.Space[Any]]]:
    """The simple spaces that a space is made of, with the keys and indices that lead there."""
    if isinstance(space, spaces.Dict):
        for key, part in space.items():
            yield from _leaves(part, (*path, key))
    elif isinstance(space, spaces.Tuple):
        for index, part in enumerate(space):
            yield from _leaves(part, (*path, index))
    else:
        yield path, space


def _at(batch: Any, path: Path) -> Any:  # noqa: ANN401
    for key in path:
        batch = batch[key]
    return batch


def _observation(space: spaces.Space[Any], what: str) -> tuple[tuple[int, ...], Convert]:
    """Shape of the column of a simple space, and how its batches become columns."""
    if isinstance(space, spaces.Box):
        if 0 in space.shape:
            raise UnityEnvironmentException(f"{what} has the shape {space.shape}, which holds nothing.")
        if len(space.shape) > 3:
            raise UnityEnvironmentException(
                f"{what} has the shape {space.shape}; boxes may have three axes at most. Wrap the "
                "environment (gymnasium.wrappers.ReshapeObservation)."
            )
        if len(space.shape) == 3 or (len(space.shape) == 2 and space.dtype == np.uint8):
            shape, convert = _image(space)
            if min(shape[1:]) >= SMALLEST_IMAGE:
                return shape, convert
        return _flat(int(np.prod(space.shape)))
    if isinstance(space, spaces.MultiBinary):
        return _flat(int(np.prod(space.shape)))
    if isinstance(space, spaces.Discrete):
        return _one_hot(np.array([space.n]), np.array([space.start]), what)
    if isinstance(space, spaces.MultiDiscrete):
        return _one_hot(space.nvec.ravel(), space.start.ravel(), what)
    raise UnityEnvironmentException(
        f"{what} is a {type(space).__name__} space, which cannot be learned from. Known are Box, Discrete, "
        "MultiDiscrete, MultiBinary, Dict and Tuple; wrap the environment to use one of these."
    )


def _branches(space: spaces.Space[Any], what: str) -> list[int]:
    """Numbers of choices of the branches of a simple space."""
    if isinstance(space, spaces.Discrete):
        return [int(space.n)]
    if isinstance(space, spaces.MultiDiscrete):
        return [int(size) for size in space.nvec.ravel()]
    if isinstance(space, spaces.MultiBinary):
        return [2] * int(np.prod(space.shape))
    raise UnityEnvironmentException(
        f"{what} is a {type(space).__name__} space, which cannot be acted in. Known are Box, Discrete, "
        "MultiDiscrete, MultiBinary, Dict and Tuple; wrap the environment to use one of these."
    )


def _flat(size: int) -> tuple[tuple[int, ...], Convert]:
    def convert(batch: NDArray[Any]) -> NDArray[np.float32]:
        return batch.reshape(len(batch), size).astype(np.float32, copy=False)

    return (size,), convert


def _image(space: spaces.Box) -> tuple[tuple[int, ...], Convert]:
    """An image: channels first, and finite bounds mapped to 0 to 1."""
    shape = space.shape if len(space.shape) == 3 else (*space.shape, 1)
    last = _channels_are_last(shape)
    low, high = float(space.low.min()), float(space.high.max())
    scaled = np.isfinite([low, high]).all() and high > low and (low, high) != (0.0, 1.0)

    def convert(batch: NDArray[Any]) -> NDArray[np.float32]:
        images = batch.reshape(len(batch), *shape)
        images = np.moveaxis(images, -1, 1) if last else images
        columns = np.ascontiguousarray(images, dtype=np.float32)
        return (columns - np.float32(low)) / np.float32(high - low) if scaled else columns

    return ((shape[2], shape[0], shape[1]) if last else shape), convert


def _channels_are_last(shape: tuple[int, ...]) -> bool:
    """Which axis of an image is the channels: the one that differs from the others, else the smaller one."""
    first, middle, last = shape
    if first == middle or middle == last:
        return first == middle
    return last <= first


def _one_hot(sizes: NDArray[Any], starts: NDArray[Any], what: str) -> tuple[tuple[int, ...], Convert]:
    width = int(sizes.sum())
    if width > LARGEST_ONE_HOT:
        raise UnityEnvironmentException(
            f"{what} has {width} discrete values; {LARGEST_ONE_HOT} at most can be observed."
        )
    offsets = np.concatenate([[0], np.cumsum(sizes)[:-1]]) - starts

    def convert(batch: NDArray[Any]) -> NDArray[np.float32]:
        n = len(batch)
        columns = np.zeros((n, width), dtype=np.float32)
        columns[np.arange(n)[:, None], batch.reshape(n, len(sizes)) + offsets] = 1.0
        return columns

    return (width,), convert


def _to_bounds(space: spaces.Box) -> Callable[[NDArray[np.float32]], NDArray[Any]]:
    """From [-1, 1] to the bounds of a box; elements without both bounds stay as they are."""
    bounded = space.bounded_below & space.bounded_above
    low = np.where(bounded, space.low, -1.0).astype(np.float64)
    high = np.where(bounded, space.high, 1.0).astype(np.float64)
    centre, half = 0.5 * (low + high), 0.5 * (high - low)
    whole = np.issubdtype(space.dtype, np.integer)

    def scale(continuous: NDArray[np.float32]) -> NDArray[Any]:
        actions = np.clip(continuous, -1.0, 1.0).reshape(len(continuous), *space.shape)
        scaled = centre + half * actions
        scaled = (np.rint(scaled) if whole else scaled).astype(space.dtype)
        return np.clip(scaled, space.low, space.high)  # rounding must not lead outside

    return scale
