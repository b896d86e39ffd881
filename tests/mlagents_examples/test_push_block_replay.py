"""Our PushBlock against a recording of the original."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from replay_push_block import replay


def test_recorded_episodes_are_predicted_from_their_start(shared_data: Path) -> None:
    result = replay(shared_data / "demos" / "ExpertPush.demo")
    assert result.episodes == 58
    assert len(result.same_before) > 4000
    assert result.same_before.mean() > 0.985
    assert np.median(result.error_before) < 1e-4
    assert np.percentile(result.error_before, 95) < 5e-3
    # Whole pushes, open loop: most stay together, some part ways at a corner of the block.
    assert len(result.same_after) > 7000
    assert result.same_after.mean() > 0.86
    assert np.median(result.error_after) < 1e-3
    assert np.percentile(result.error_after, 80) < 0.03
