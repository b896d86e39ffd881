"""``python -m mlagents.trainers.upgrade_config``: the name under which the original has the upgrade tool."""

from __future__ import annotations

import sys

from mlagents.cli.upgrade_config import main

__all__ = ["main"]

if __name__ == "__main__":
    sys.exit(main())
