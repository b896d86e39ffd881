"""A short look at memory; the long one is among the learning tests."""

from __future__ import annotations

from pathlib import Path

import pytest
from endurance_helpers import growth_over


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="needs the /proc of Linux")
@pytest.mark.parametrize("threaded", [False, True])
def test_forty_thousand_steps_with_two_environments_need_no_more_memory(
    tmp_path: Path, threaded: bool
) -> None:
    growth = growth_over(tmp_path, steps=40_000, warm_up=15_000, threaded=threaded, checkpoint_interval=4000)
    assert growth < 0.05
