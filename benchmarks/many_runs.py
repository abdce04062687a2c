"""What 10,000 planned runs cost: to list them, to go on with them, and to analyse them.

    python -m benchmarks many_runs

10 arms in 1,000 replicates over 50 tested images; results are made up (`benchmarks.finished_study`). Each of the
three is a fresh process. List: splits, seeds and names of all runs. Resume: what a start does in a finished folder
before the analysis, leases included. Analyse: tables, facts, figures and report.
"""

import argparse
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from benchmarks.evidence_tables import table
from benchmarks.runner import Goal, answers, facts, keep, ours

TITLE = "What 10,000 planned runs cost"
MADE = {"images": 250, "size": 32}
WHATS = {"plan": "list", "resume": "go on, with nothing left to train", "report": "analyse and draw"}
LIMIT_SECONDS, LIMIT_GIB = 30.0, 2.0


def measure(arms: int, replicates: int) -> dict[str, Any]:
    """Make the folder, then time the three."""
    with tempfile.TemporaryDirectory() as name:
        told = MADE | {"arms": arms, "replicates": replicates, "folder": f"{name}/finished"}
        cache = {"LOSSASSAY_CACHE": f"{name}/cache"}
        answers([ours("finished_study", what="write", **told)], cache)
        found = {}
        for what, words in WHATS.items():
            found[what] = answers([ours("finished_study", what=what, **told)], cache)[0]
            print(f"{words}: {found[what]['seconds']:.1f} s", flush=True)
    return found


def tables(record: Mapping[str, Any]) -> str:
    """Return one line for each of the three."""
    rows = [
        [words, f"{record['found'][what]['seconds']:.1f}", f"{record['found'][what]['peak_bytes'] / 2**30:.2f}"]
        for what, words in WHATS.items()
    ]
    return table([f"{record['runs']:,} runs", "seconds", "memory at most, GiB"], rows)


def goals(record: Mapping[str, Any]) -> list[Goal]:
    """Return how many times less than allowed each of the three takes, in time and in memory."""
    found = []
    for what, words in WHATS.items():
        one, asked = record["found"][what], f"{record['runs']:,} runs: {words}, within"
        time_ratio, memory_ratio = LIMIT_SECONDS / one["seconds"], LIMIT_GIB * 2**30 / one["peak_bytes"]
        found.append(Goal(asked=f"{asked} {LIMIT_SECONDS:g} s: limit over time", found=time_ratio, least=1.0))
        found.append(Goal(asked=f"{asked} {LIMIT_GIB:g} GiB: limit over memory", found=memory_ratio, least=1.0))
    return found


def main(arguments: list[str]) -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks many_runs", description=TITLE)
    parser.add_argument("--arms", type=int, default=10)
    parser.add_argument("--replicates", type=int, default=1000)
    parser.add_argument("--out", type=Path, help="folder of the record")
    asked = parser.parse_args(arguments)
    record = facts("many_runs", arguments, peers=False) | {"runs": asked.arms * asked.replicates}
    record["found"] = measure(asked.arms, asked.replicates)
    keep("many_runs", TITLE, record, tables(record), asked.out)
