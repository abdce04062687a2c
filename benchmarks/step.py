"""What each part of the fast path gains, and where the time of a step goes: one process, one thread.

    python -m benchmarks step

The sides take turns in fresh processes, each round in another order. Each adds one thing to the side above it; the last
one, `torch.compile` in place of the fused kernels, is what was tried and not taken.
"""

import argparse
import statistics
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from benchmarks.evidence_tables import table
from benchmarks.runner import Answer, answers, facts, keep, middle, ours, ratios, rotated
from lossassay.study.planning.machine import worker_environment

TITLE = "What each part of the fast path gains: training steps of the paper's CNN on one thread"
BATCH_SIZES = {300: 20}  # and 100 at all other sizes
STEPS = {300: 4, 64: 12}  # and 40 at all other sizes
SIDES: dict[str, tuple[str, dict[str, str], bool]] = {  # words, what the process is told, freed memory kept
    "fp32": ("plain modules, fp32, channels-last, fused optimiser", {"precision": "fp32", "kernels": "plain"}, False),
    "bf16": ("the same under bf16 autocast", {"precision": "bf16", "kernels": "plain"}, False),
    "kept": ("freed memory kept", {"precision": "bf16", "kernels": "plain"}, True),
    "fused": ("fused kernels: what a study uses", {"precision": "bf16", "kernels": "fused"}, True),
    "compiled": ("torch.compile in their place", {"precision": "bf16", "kernels": "compiled"}, True),
}


def measure(size: int, turn: int) -> dict[str, Any]:
    """Run every side once."""
    sides: dict[str, Answer] = {}
    batch = BATCH_SIZES.get(size, 100)
    for name in rotated(list(SIDES), turn):
        words, told, kept = SIDES[name]
        command = ours("step_one", size=size, batch_size=batch, steps=STEPS.get(size, 40), **told)
        variables = worker_environment(1) if kept else {"OMP_NUM_THREADS": "1"}
        sides[name] = answers([command], variables)[0]
        speed = batch / statistics.median(sides[name]["seconds"])
        sides[name]["images_per_second"] = speed
        print(f"{size} px, round {turn + 1}, {words}: {speed:,.1f} images/s", flush=True)
    return {"size": size, "batch_size": batch, "sides": sides}


def tables(record: Mapping[str, Any]) -> str:
    """Return a table for each size."""
    parts = []
    for size in dict.fromkeys(one["size"] for one in record["rounds"]):
        rounds = [one["sides"] for one in record["rounds"] if one["size"] == size]
        base = [one["fp32"]["images_per_second"] for one in rounds]
        head = [f"{size} px", "images/s", "times fp32", "first step, s", "convolution", "ReLU, norm, pooling", "else"]
        parts.append(table(head, [_row(name, rounds, base) for name in SIDES]))
    return "\n\n".join(parts)


def _row(name: str, rounds: list[Mapping[str, Any]], base: list[float]) -> list[str]:
    speeds = [one[name]["images_per_second"] for one in rounds]
    shares = [one[name]["shares"] for one in rounds]
    return [
        SIDES[name][0],
        f"{middle(speeds)['median']:,.1f}",
        f"{ratios(speeds, base)['median']:.2f}",
        f"{statistics.median(one[name]['first_seconds'] for one in rounds):.1f}",
        *(f"{100 * statistics.median(share[part] for share in shares):.0f} %" for part in shares[0]),
    ]


def main(arguments: list[str]) -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks step", description=TITLE)
    parser.add_argument("--sizes", type=int, nargs="+", default=[300, 64, 32])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--out", type=Path, help="folder of the record")
    asked = parser.parse_args(arguments)
    record = facts("step", arguments, peers=False)
    record["rounds"] = [measure(size, turn) for turn in range(asked.rounds) for size in asked.sizes]
    keep("step", TITLE, record, tables(record), asked.out)
