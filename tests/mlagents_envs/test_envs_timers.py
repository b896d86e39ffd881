from __future__ import annotations

import json
import pickle
import threading
import time

import pytest

from mlagents_envs import timers
from mlagents_envs.timers import GaugeNode, TimerNode, TimerStack, hierarchical_timer, timed


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Makes time stand still; the test moves it."""
    now = [100.0]
    monkeypatch.setattr(time, "perf_counter", lambda: now[0])
    return now


def test_nested_blocks_become_a_tree(clock: list[float]) -> None:
    stack = TimerStack()
    for _ in range(2):
        with hierarchical_timer("step", stack) as node:
            clock[0] += 1.0
            with hierarchical_timer("physics", stack):
                clock[0] += 3.0
    with hierarchical_timer("physics", stack):
        clock[0] += 0.5
    clock[0] += 1.5
    assert isinstance(node, TimerNode)
    assert node.total == 8.0
    tree = timers.get_timer_tree(stack)
    assert list(tree) == ["name", "metadata", "total", "count", "self", "children"]
    assert (tree["name"], tree["total"], tree["count"], tree["self"]) == ("root", 10.0, 1, 1.5)
    assert tree["children"] == {
        "step": {
            "total": 8.0,
            "count": 2,
            "self": 2.0,
            "children": {"physics": {"total": 6.0, "count": 2, "self": 6.0}},
        },
        "physics": {"total": 0.5, "count": 1, "self": 0.5},
    }
    json.dumps(tree)


def test_metadata_is_text(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.argv", ["learn", "config.yaml", "--force"])
    stack = TimerStack()
    timers.add_metadata("torch_version", "2", stack)
    metadata = timers.get_timer_tree(stack)["metadata"]
    assert metadata["timer_format_version"] == "0.1.0"
    assert metadata["command_line_arguments"] == "learn config.yaml --force"
    assert metadata["torch_version"] == "2"
    assert metadata["python_version"].startswith("3.")
    assert abs(int(metadata["start_time_seconds"]) - time.time()) < 60
    assert abs(int(metadata["end_time_seconds"]) - time.time()) < 60
    assert all(isinstance(value, str) for value in metadata.values())


def test_time_counts_when_a_block_fails(clock: list[float]) -> None:
    stack = TimerStack()

    def fail() -> None:
        with hierarchical_timer("outer", stack), hierarchical_timer("inner", stack):
            clock[0] += 2.0
            raise ValueError

    with pytest.raises(ValueError):  # noqa: PT011
        fail()
    assert stack.stack == [stack.root]
    assert stack.root.children["outer"].children["inner"].total == 2.0


def test_timed_functions_stand_under_their_qualified_name() -> None:
    timers.reset_timers()

    class Game:
        @timed
        def advance(self, frames: int) -> int:
            """Go on."""
            return frames + 1

    assert Game().advance(frames=2) == 3
    assert Game.advance.__name__ == "advance"
    assert Game.advance.__doc__ == "Go on."
    (name,) = timers.get_timer_root().children
    assert name.endswith("Game.advance")
    timers.reset_timers()
    assert not timers.get_timer_root().children


def test_gauges_keep_last_value_and_range() -> None:
    stack = TimerStack()
    for value in (2.0, 5.0, float("nan"), -1.0, 3.0):
        timers.set_gauge("loss", value, stack)
    assert timers.get_timer_tree(stack)["gauges"] == {
        "loss": {"value": 3.0, "min": -1.0, "max": 5.0, "count": 4}
    }


def test_merging_gauges_adds_their_counts() -> None:
    stack = TimerStack()
    timers.set_gauge("a", 1.0, stack)
    other = GaugeNode(4.0)
    other.update(2.0)
    timers.merge_gauges({"a": other, "b": other}, stack)
    gauges = timers.get_timer_tree(stack)["gauges"]
    assert gauges["a"] == {"value": 2.0, "min": 1.0, "max": 4.0, "count": 3}
    assert gauges["b"] == {"value": 2.0, "min": 2.0, "max": 4.0, "count": 2}
    assert other.count == 2


def worker_times() -> TimerNode:
    worker = TimerNode()
    worker.add_time(4.0)
    worker.get_child("step").add_time(3.0)
    return worker


def test_merging_adds_times_below_a_named_child() -> None:
    root = TimerNode()
    root.add_time(5.0)
    for _ in range(2):
        root.merge(worker_times(), "workers")
    assert root.as_dict() == {
        "total": 5.0,
        "count": 1,
        "self": 0.0,  # 5 - 8 would be negative: the workers ran side by side
        "children": {
            "workers": {
                "total": 8.0,
                "count": 2,
                "is_parallel": True,
                "self": 2.0,
                "children": {"step": {"total": 6.0, "count": 2, "is_parallel": True, "self": 6.0}},
            }
        },
    }


def test_merging_without_a_name_adds_to_the_node_itself() -> None:
    root = TimerNode()
    root.merge(worker_times(), is_parallel=False)
    assert root.as_dict() == {
        "total": 4.0,
        "count": 1,
        "self": 1.0,
        "children": {"step": {"total": 3.0, "count": 1, "self": 3.0}},
    }


def test_timers_can_be_sent_to_another_process() -> None:
    copy = pickle.loads(pickle.dumps(worker_times()))
    assert copy.as_dict() == worker_times().as_dict()


def test_each_thread_has_its_own_stack() -> None:
    timers.reset_timers()
    inside = threading.Event()
    leave = threading.Event()

    def work() -> None:
        with hierarchical_timer("worker"):
            inside.set()
            leave.wait(10)

    thread = threading.Thread(target=work)
    assert timers.get_timer_stack_for_thread(thread) is None
    thread.start()
    inside.wait(10)
    with hierarchical_timer("main"):
        pass
    leave.set()
    thread.join()
    stack = timers.get_timer_stack_for_thread(thread)
    assert stack is not None
    assert list(timers.get_timer_root(stack).children) == ["worker"]
    assert list(timers.get_timer_root().children) == ["main"]
    current = timers.get_timer_stack_for_thread(threading.current_thread())
    assert current is not None
    assert current.root is timers.get_timer_root()
