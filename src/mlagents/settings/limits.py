"""The largest values that are accepted: what the wire carries, and what no machine could hold anyway."""

from __future__ import annotations

INT32_MAX = 2**31 - 1
INT64_MAX = 2**63 - 1
FLOAT32_MAX = (2.0 - 2.0**-23) * 2.0**127
"""Largest finite number of 32 bits; environments are sent no larger ones."""

MAX_AREAS = 1_000_000
MAX_LAYER_WIDTH = 65536
MAX_LAYERS = 128
