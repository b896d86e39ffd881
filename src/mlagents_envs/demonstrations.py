"""Demonstrations (``.demo`` files): reads them into columns, writes them, and tells how they are meant.

Typical use::

    demo = read_demonstration("Expert3DBall.demo")
    finding = find_alignment(demo)
    rows = transitions(demo, finding)
    demo.obs[0][rows.observed], demo.continuous_actions[rows.acted], demo.reward[rows.observed + 1]

The layout of a file is described in :mod:`mlagents_envs.demonstration_format`.
"""

from mlagents_envs.demonstration_alignment import (
    AlignmentChoice,
    AlignmentFinding,
    Transitions,
    action_alignment,
    find_alignment,
    judge_alignment,
    observed_evidence,
    transitions,
)
from mlagents_envs.demonstration_data import (
    Alignment,
    Demonstration,
    DemonstrationError,
    DemonstrationMetadata,
    episode_returns,
    find_demonstrations,
)
from mlagents_envs.demonstration_format import BEHAVIOR_OFFSET, SUPPORTED_API_VERSIONS
from mlagents_envs.demonstration_reader import MAX_DECODED_BYTES, MAX_FILE_BYTES, read_demonstration
from mlagents_envs.demonstration_records import demonstration_record
from mlagents_envs.demonstration_writer import DemonstrationWriter, free_path

__all__ = [
    "BEHAVIOR_OFFSET",
    "MAX_DECODED_BYTES",
    "MAX_FILE_BYTES",
    "SUPPORTED_API_VERSIONS",
    "Alignment",
    "AlignmentChoice",
    "AlignmentFinding",
    "Demonstration",
    "DemonstrationError",
    "DemonstrationMetadata",
    "DemonstrationWriter",
    "Transitions",
    "action_alignment",
    "demonstration_record",
    "episode_returns",
    "find_alignment",
    "find_demonstrations",
    "free_path",
    "judge_alignment",
    "observed_evidence",
    "read_demonstration",
    "transitions",
]
