"""Draws mean return over steps of several runs from their TensorBoard files.

usage: python docs/plot_learning_curves.py OUT.png RUN_FOLDER/BEHAVIOR [...]
"""

from __future__ import annotations

import sys
from pathlib import Path

import matplotlib.pyplot as plt
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

TAG = "Environment/Cumulative Reward"


def main(out: str, *folders: str) -> None:
    """Read the curves and write the picture."""
    figure, axes = plt.subplots(figsize=(7.0, 3.2), dpi=110)
    for folder in folders:
        events = EventAccumulator(folder)
        events.Reload()
        scalars = events.Scalars(TAG)
        label = Path(folder).parent.name
        axes.plot([e.step for e in scalars], [e.value for e in scalars], label=label, linewidth=1.6)
    axes.set_xlabel("agent-steps")
    axes.set_ylabel("mean return")
    axes.grid(alpha=0.3)
    axes.legend(frameon=False)
    axes.spines[["top", "right"]].set_visible(False)
    figure.tight_layout()
    figure.savefig(out)


if __name__ == "__main__":
    main(*sys.argv[1:])
