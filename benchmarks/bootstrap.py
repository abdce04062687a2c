"""Draws of the crossed bootstrap per second: lossassay for all arms and replicates, `scipy.stats.bootstrap` for one.

    python -m benchmarks bootstrap

Data: 12 arms in 20 replicates, all tested on the same 2,000 images of as many patients, two classes.
Ours: 10,000 draws of balanced accuracy, then of AUROC, each with the percentile intervals of all 66 pairs and the
chance of being best, on two threads; preparation counts.
scipy has no crossed bootstrap, and no weights that several samples share. So it draws one arm of one replicate, paired
rows, with a vectorised statistic, and its seconds for each draw are multiplied by 10,000 draws x 240 runs. It does so
much less: intervals of single runs, no differences, no replicates.
Both sides are fresh processes in turn; imports do not count. The standard errors over patients, of the first run, must
agree.
"""

import argparse
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from benchmarks.bootstrap_side import ARMS, DRAWS, IMAGES, METRICS, PEER_DRAWS, REPLICATES, SIDES
from benchmarks.evidence_tables import table
from benchmarks.runner import Goal, answers, facts, keep, middle, ours, ratios, rotated, spread

TITLE = "Draws of the crossed bootstrap"
LIMIT_SECONDS, LIMIT_GIB = 10.0, 2.0  # both metrics together


def measure(rounds: int) -> list[dict[str, Any]]:
    """Run both sides in turn."""
    records = []
    for turn in range(rounds):
        records.append({side: answers([ours("bootstrap_side", side=side)])[0] for side in rotated(tuple(SIDES), turn)})
        print(f"round {turn + 1} of {rounds}", flush=True)
    return records


def _seconds(record: Mapping[str, Any], side: str, metric: str) -> list[float]:
    return [one[side]["metrics"][metric]["seconds"] for one in record["rounds"]]


def tables(record: Mapping[str, Any]) -> str:
    """Return one line for each metric."""
    rows = []
    for metric in METRICS:
        own, other = (_seconds(record, side, metric) for side in SIDES)
        errors = [record["rounds"][0][side]["metrics"][metric]["standard_error"] for side in SIDES]
        rows.append(
            [
                metric.replace("_", " "),
                spread(middle(own), ".2f"),
                spread(middle(other), ".0f"),
                spread(ratios(other, own), ".0f"),
                ", ".join(f"{error:.4f}" for error in errors),
            ]
        )
    head = ["metric", "ours, s", "scipy, scaled up, s", "scipy / ours", "standard errors, ours and scipy"]
    return table(head, rows)


def goals(record: Mapping[str, Any]) -> list[Goal]:
    """Return how many times less than allowed our side takes, in time and in memory."""
    together = [sum(times) for times in zip(*(_seconds(record, "ours", metric) for metric in METRICS), strict=True)]
    peak = max(one["ours"]["peak_bytes"] for one in record["rounds"])
    asked = f"crossed bootstrap, {DRAWS:,} draws of {ARMS} arms x {REPLICATES} replicates, two yardsticks, within"
    return [
        Goal(asked=f"{asked} {LIMIT_SECONDS:g} s: limit over time", found=LIMIT_SECONDS / max(together), least=1.0),
        Goal(asked=f"{asked} {LIMIT_GIB:g} GiB: limit over memory", found=LIMIT_GIB * 2**30 / peak, least=1.0),
    ]


def main(arguments: list[str]) -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks bootstrap", description=TITLE)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--out", type=Path, help="folder of the record")
    asked = parser.parse_args(arguments)
    sizes = {"arms": ARMS, "replicates": REPLICATES, "images": IMAGES, "draws": DRAWS, "draws_of_scipy": PEER_DRAWS}
    record = facts("bootstrap", arguments, peers=False) | sizes
    record["rounds"] = measure(asked.rounds)
    keep("bootstrap", TITLE, record, tables(record), asked.out)
