"""The setting that says to which observation the actions of a demonstration belong."""

from __future__ import annotations

from enum import StrEnum


class DemonstrationAlignment(StrEnum):
    """To which observation a recorded action belongs; recorders differ, and files do not say."""

    AUTO = "auto"
    """Find out, per file."""
    ALIGNED = "aligned"
    """It was taken on the observation beside it, as in older recordings and ours."""
    LAGGED = "lagged"
    """It was taken on the observation before, as in files of the current recorder of the original."""
