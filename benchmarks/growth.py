"""How time and memory grow with the size of a study: arms, replicates, images, pixels.

    python -m benchmarks growth

Results are made up and images are noise (`benchmarks.finished_study`); every measurement is a fresh process. The
exponent is the slope of log time on log size between the two largest sizes: 1 is linear. Fixed costs make it smaller.
"""

import argparse
import math
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from benchmarks.evidence_tables import table
from benchmarks.runner import Goal, answers, facts, keep, ours

TITLE = "How time and memory grow"
BASE = {"arms": 2, "replicates": 4, "images": 2_000, "size": 32}
SIZES = {
    "arms": [1, 4, 16],
    "replicates": [5, 20, 80],
    "images": [1_000, 10_000, 100_000],
    "size": [32, 64, 128, 256],
}
WORDS = {"arms": "arms", "replicates": "replicates", "images": "images", "size": "pixels"}
WHATS = {
    "arms": ["plan", "report"],
    "replicates": ["plan", "report"],
    "images": ["decode", "plan", "train", "report"],
    "size": ["decode", "train"],
}
WHAT_WORDS = {
    "decode": "images into the cache",
    "plan": "plan with splits, images in the cache",
    "train": "an epoch of a small network",
    "report": "analysis and report",
}
LINEAR = 1.1  # an exponent up to here counts as linear: one measurement of each size


def measure(what: str, grown: str, size: int) -> dict[str, Any]:
    """Measure one thing at one size, in a folder and a cache of its own."""
    with tempfile.TemporaryDirectory() as name:
        told = BASE | {grown: size, "folder": f"{name}/finished"}
        cache = {"LOSSASSAY_CACHE": f"{name}/cache", "OMP_NUM_THREADS": "1"}
        if what != "decode":
            answers([ours("finished_study", what="write" if what == "report" else "plan", **told)], cache)
        found = answers([ours("finished_study", what=what, **told)], cache)[0]
    print(f"{WHAT_WORDS[what]}, {size:,} {grown}: {found['seconds']:.2f} s", flush=True)
    work = size**2 if grown == "size" else size
    return {"what": what, "grown": grown, "size": size, "work": work, **found}


def exponents(record: Mapping[str, Any]) -> dict[tuple[str, str], float]:
    """Return by what is measured and what grows the slope between the two largest sizes."""
    found = {}
    for grown, whats in WHATS.items():
        for what in whats:
            cells = [one for one in record["cells"] if (one["what"], one["grown"]) == (what, grown)]
            a, b = sorted(cells, key=lambda one: one["work"])[-2:]
            found[what, grown] = math.log(b["seconds"] / a["seconds"]) / math.log(b["work"] / a["work"])
    return found


def tables(record: Mapping[str, Any]) -> str:
    """Return one line for each thing that grows."""
    slopes = exponents(record)
    rows = []
    for (what, grown), slope in slopes.items():
        cells = [one for one in record["cells"] if (one["what"], one["grown"]) == (what, grown)]
        rows.append(
            [
                f"{WHAT_WORDS[what]}, by {WORDS[grown]}",
                ", ".join(f"{one['work']:,}" for one in cells),
                ", ".join(f"{one['seconds']:.2f}" for one in cells),
                ", ".join(f"{one['peak_bytes'] / 2**20:,.0f}" for one in cells),
                f"{slope:.2f}",
            ]
        )
    return table(["what", "sizes", "seconds", "memory at most, MiB", "exponent at the end"], rows)


def goals(record: Mapping[str, Any]) -> list[Goal]:
    """Return the worst exponent."""
    worst = max(exponents(record).values())
    return [Goal(asked="growth: linear (1.1) over the largest exponent", found=LINEAR / worst, least=1.0)]


def main(arguments: list[str]) -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks growth", description=TITLE)
    parser.add_argument("--out", type=Path, help="folder of the record")
    asked = parser.parse_args(arguments)
    record = facts("growth", arguments, peers=False)
    record["cells"] = [
        measure(what, grown, size) for grown, sizes in SIZES.items() for what in WHATS[grown] for size in sizes
    ]
    keep("growth", TITLE, record, tables(record), asked.out)
