"""An environment that obeys orders to misbehave; light, as its process is to start fast."""

from __future__ import annotations

import gc
import os
import time
from pathlib import Path

from telling_env import TellingEnv

from mlagents.sampling.line import Line

STEP_SECONDS = 0.002


class ObedientEnv(TellingEnv):
    """Misbehaves when it finds the order to."""

    def __init__(self, worker: int, control: Path, num_agents: int) -> None:
        super().__init__(num_agents, seed=worker)
        self._worker = worker
        self._control = control

    def step(self) -> None:
        time.sleep(STEP_SECONDS)
        for order in self._control.glob(f"*-{self._worker}"):
            order.unlink()
            self._obey(order.name.split("-")[0])
        super().step()

    def _obey(self, order: str) -> None:
        (line,) = (each for each in gc.get_objects() if isinstance(each, Line))
        match order:
            case "hang":
                time.sleep(1000)
            case "junk":
                os.write(line.connection.fileno(), os.urandom(3) + b"\x00 not at all what is expected" * 50)
            case "half":  # the beginning of a message, and then nothing
                os.write(line.connection.fileno(), b"\x00\x00\x10\x00only so much")
                time.sleep(1000)
            case "nonsense":
                line.send("steps", [("Nobody?team=0", 3, -1)], [])
            case "huge":
                line.send(
                    "grow", next(iter(self.behavior_specs)), self.behavior_specs["Telling?team=0"], 1 << 40
                )
            case "number":
                line.connection.send(42)
            case "exit":
                os._exit(3)
