"""What the machine can do at most, measured on the spot: matrix products in both precisions, and copying memory.

    python -m benchmarks.peak

prints JSON. Takes about four seconds.
"""

import json
import time
from collections.abc import Callable

import torch

SIDE = 2048  # of the matrices; larger ones were no faster
COPIED = 2**28  # bytes: many times the largest cache
SECONDS = 1.0  # for each of the three


def best_per_second(work: float, repeat: Callable[[], object]) -> float:
    """Return the most work per second of any repetition."""
    best, started = 0.0, time.perf_counter()
    repeat()  # warm-up
    while time.perf_counter() - started < SECONDS:
        before = time.perf_counter()
        repeat()
        best = max(best, work / (time.perf_counter() - before))
    return best


def product_gflops(dtype: torch.dtype) -> float:
    """Return GFLOP/s of a square matrix product, with all threads."""
    a, b = torch.randn(SIDE, SIDE).to(dtype), torch.randn(SIDE, SIDE).to(dtype)
    out = torch.empty(SIDE, SIDE, dtype=dtype)
    return best_per_second(2 * SIDE**3, lambda: torch.mm(a, b, out=out)) / 1e9


def copy_gbytes() -> float:
    """Return GB/s read and written while a block is copied."""
    source, target = torch.ones(COPIED, dtype=torch.uint8), torch.zeros(COPIED, dtype=torch.uint8)
    return best_per_second(2 * COPIED, lambda: target.copy_(source)) / 1e9


def main() -> None:
    peaks = {
        "bf16_gflops": product_gflops(torch.bfloat16),
        "fp32_gflops": product_gflops(torch.float32),
        "copy_gbytes": copy_gbytes(),
        "threads": torch.get_num_threads(),
    }
    print(json.dumps(peaks))


if __name__ == "__main__":
    main()
