"""What the scripts of the peers share. They run in an environment of their own, without lossassay."""

import json
import sys
import time
from typing import Any

import numpy as np

CLASSES = 3


def options() -> dict[str, Any]:
    """What the benchmark asks for: JSON, as the only argument."""
    asked: dict[str, Any] = json.loads(sys.argv[1])
    return asked


def made_up_images(number: int, size: int) -> tuple[np.ndarray, np.ndarray]:
    """Return noise, uint8 [N S S 1], and class numbers, int64 [N]."""
    pixels = np.random.default_rng(0).integers(0, 256, (number, size, size, 1), dtype=np.uint8)
    return pixels, np.arange(number) % CLASSES


def answer(**facts: Any) -> None:
    """Give the measured numbers back: the last line that is printed."""
    print(json.dumps(facts), flush=True)


class Stopwatch:
    """Times passes over the data, one after the other."""

    def __init__(self) -> None:
        self.seconds: list[float] = []
        self._started = 0.0

    def start(self) -> None:
        self._started = time.perf_counter()

    def stop(self) -> None:
        self.seconds.append(time.perf_counter() - self._started)
