"""Where the time goes: a tree of named timers, one per thread, and gauges beside it.

Typical use::

    with hierarchical_timer("update"):
        with hierarchical_timer("minibatch"):
            ...

    @timed
    def advance() -> None: ...

    json.dump(get_timer_tree(), file, indent=4)

A timer that is entered inside another becomes its child, so the same name may stand in several places
of the tree. Every function takes the stack of timers to use; without one, that of the calling thread.
"""

from __future__ import annotations

import functools
import math
import platform
import sys
import threading
import time
import weakref
from collections.abc import Callable, Mapping
from types import TracebackType
from typing import Any, ParamSpec, TypeVar

TIMER_FORMAT_VERSION = "0.1.0"
"""Version of the layout of the tree, stored in its metadata."""

_P = ParamSpec("_P")
_R = TypeVar("_R")


class TimerNode:
    """Time spent in one block of code below one parent.

    Attributes:
        children: blocks entered from this one, by name.
        total: seconds spent, children included.
        count: how many times the block was left.
        is_parallel: True when the time was spent in other threads or processes side by side, so that
            it may exceed the time of the parent.
    """

    __slots__ = ("children", "count", "is_parallel", "total")

    def __init__(self) -> None:
        self.children: dict[str, TimerNode] = {}
        self.total: float = 0.0
        self.count: int = 0
        self.is_parallel: bool = False

    def get_child(self, name: str) -> TimerNode:
        """The child of that name, made if there is none."""
        child = self.children.get(name)
        if child is None:
            child = self.children[name] = TimerNode()
        return child

    def add_time(self, elapsed: float) -> None:
        """Count one more visit of ``elapsed`` seconds."""
        self.total += elapsed
        self.count += 1

    def merge(self, other: TimerNode, root_name: str | None = None, is_parallel: bool = True) -> None:
        """Add the times of ``other`` and of everything below it.

        Args:
            other: node of another thread or process, left as it is.
            root_name: name of the child to add to; None adds to this node itself.
            is_parallel: whether ``other`` ran side by side with this node.
        """
        node = self if root_name is None else self.get_child(root_name)
        node.total += other.total
        node.count += other.count
        node.is_parallel |= is_parallel
        for name, child in other.children.items():
            node.merge(child, name, is_parallel)

    def as_dict(self) -> dict[str, Any]:
        """This node and everything below it, ready for JSON.

        ``self`` is the time that no child accounts for, at least 0.
        """
        result: dict[str, Any] = {"total": self.total, "count": self.count}
        if self.is_parallel:
            result["is_parallel"] = True
        result["self"] = max(0.0, self.total - sum(child.total for child in self.children.values()))
        if self.children:
            result["children"] = {name: child.as_dict() for name, child in self.children.items()}
        return result


class GaugeNode:
    """Last value and range of a number that changes over time.

    Args:
        value: the first value.
    """

    __slots__ = ("count", "max_value", "min_value", "value")

    def __init__(self, value: float) -> None:
        self.value = value
        self.min_value = value
        self.max_value = value
        self.count = 1

    def update(self, new_value: float) -> None:
        """Take in one more value."""
        self.value = new_value
        self.min_value = min(self.min_value, new_value)
        self.max_value = max(self.max_value, new_value)
        self.count += 1

    def merge(self, other: GaugeNode) -> None:
        """Take in all values of ``other``, whose last value counts as the newer one."""
        self.value = other.value
        self.min_value = min(self.min_value, other.min_value)
        self.max_value = max(self.max_value, other.max_value)
        self.count += other.count

    def as_dict(self) -> dict[str, float]:
        """The gauge, ready for JSON."""
        return {"value": self.value, "min": self.min_value, "max": self.max_value, "count": self.count}


class TimerStack:
    """Timers, gauges and metadata of one thread; ``stack[-1]`` is the timer that is running."""

    __slots__ = ("gauges", "metadata", "root", "stack", "start_time")

    def __init__(self) -> None:
        self.reset()

    def reset(self) -> None:
        """Forget everything and start the clock of the root."""
        self.root = TimerNode()
        self.stack = [self.root]
        self.start_time = time.perf_counter()
        self.gauges: dict[str, GaugeNode] = {}
        self.metadata: dict[str, str] = {
            "timer_format_version": TIMER_FORMAT_VERSION,
            "start_time_seconds": str(int(time.time())),
            "python_version": platform.python_version(),
            "command_line_arguments": " ".join(sys.argv),
        }

    def push(self, name: str) -> TimerNode:
        """Enter the child ``name`` of the running timer and return it."""
        node = self.stack[-1].get_child(name)
        self.stack.append(node)
        return node

    def pop(self) -> None:
        """Leave the running timer."""
        self.stack.pop()

    def get_root(self) -> TimerNode:
        """The root, its time brought up to now."""
        self.root.total = time.perf_counter() - self.start_time
        self.root.count = 1
        return self.root

    def get_timer_tree(self) -> dict[str, Any]:
        """The whole tree, ready for JSON."""
        result: dict[str, Any] = {"name": "root"}
        if self.gauges:
            result["gauges"] = {name: gauge.as_dict() for name, gauge in self.gauges.items()}
        self.add_metadata("end_time_seconds", str(int(time.time())))
        result["metadata"] = dict(self.metadata)
        result.update(self.get_root().as_dict())
        return result

    def set_gauge(self, name: str, value: float) -> None:
        """Record a value of a gauge; NaN is ignored."""
        if math.isnan(value):
            return
        gauge = self.gauges.get(name)
        if gauge is None:
            self.gauges[name] = GaugeNode(value)
        else:
            gauge.update(value)

    def merge_gauges(self, gauges: Mapping[str, GaugeNode]) -> None:
        """Take in the gauges of another thread or process."""
        for name, other in gauges.items():
            gauge = self.gauges.get(name)
            if gauge is None:
                gauge = self.gauges[name] = GaugeNode(other.value)
                gauge.count = 0
            gauge.merge(other)

    def add_metadata(self, key: str, value: str) -> None:
        """Store a string beside the tree."""
        self.metadata[key] = value


class _Timing:
    """Context manager of one visit to a block."""

    __slots__ = ("_name", "_node", "_stack", "_start")

    def __init__(self, name: str, stack: TimerStack) -> None:
        self._name = name
        self._stack = stack

    def __enter__(self) -> TimerNode:
        self._node = self._stack.push(self._name)
        self._start = time.perf_counter()
        return self._node

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._node.add_time(time.perf_counter() - self._start)
        self._stack.pop()


_lock = threading.Lock()
_local = threading.local()
_stacks: weakref.WeakKeyDictionary[threading.Thread, TimerStack] = weakref.WeakKeyDictionary()


def get_timer_stack_for_thread(t: threading.Thread) -> TimerStack | None:
    """Timers of a thread, also after it ended; None when it never used any."""
    with _lock:
        return _stacks.get(t)


def _current_stack() -> TimerStack:
    stack: TimerStack | None = getattr(_local, "stack", None)
    if stack is None:
        stack = _local.stack = TimerStack()
        with _lock:
            _stacks[threading.current_thread()] = stack
    return stack


def hierarchical_timer(name: str, timer_stack: TimerStack | None = None) -> _Timing:
    """Context manager that times its block below the running timer and yields the node.

    The time counts even when the block is left by an exception.

    Args:
        name: name of the block; the same name below the same parent adds up.
        timer_stack: timers to use; those of this thread when None.
    """
    return _Timing(name, timer_stack or _current_stack())


def timed(func: Callable[_P, _R]) -> Callable[_P, _R]:
    """Decorator that times every call, under the qualified name of the function."""

    @functools.wraps(func)
    def wrapped(*args: _P.args, **kwargs: _P.kwargs) -> _R:
        with hierarchical_timer(func.__qualname__):
            return func(*args, **kwargs)

    return wrapped


def set_gauge(name: str, value: float, timer_stack: TimerStack | None = None) -> None:
    """Record a value of a gauge; NaN is ignored."""
    (timer_stack or _current_stack()).set_gauge(name, value)


def merge_gauges(gauges: Mapping[str, GaugeNode], timer_stack: TimerStack | None = None) -> None:
    """Take in the gauges of another thread or process."""
    (timer_stack or _current_stack()).merge_gauges(gauges)


def add_metadata(key: str, value: str, timer_stack: TimerStack | None = None) -> None:
    """Store a string beside the tree."""
    (timer_stack or _current_stack()).add_metadata(key, value)


def get_timer_tree(timer_stack: TimerStack | None = None) -> dict[str, Any]:
    """The whole tree, ready for JSON."""
    return (timer_stack or _current_stack()).get_timer_tree()


def get_timer_root(timer_stack: TimerStack | None = None) -> TimerNode:
    """The root, its time brought up to now."""
    return (timer_stack or _current_stack()).get_root()


def reset_timers(timer_stack: TimerStack | None = None) -> None:
    """Forget everything and start the clock of the root."""
    (timer_stack or _current_stack()).reset()
