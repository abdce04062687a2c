"""How often verdicts err, how often intervals hold the truth, how many replicates a verdict takes: by simulation.

    python -m benchmarks.evidence                 # in full: 10,000 studies in each named cell, 1,000 in each other
    python -m benchmarks.evidence --studies 1000 --others 200      # a quick look

writes benchmarks/records/<date>_evidence/ and the tables of docs/evidence.md. The simulated studies go through the code
that judges real ones (`stats.race`). A false verdict is better, worse or equivalent where it is not true: in a null
study any better or worse; where an arm lies exactly the margin below the others, equivalent to it, better or worse the
wrong way round, and better or worse among the others.
"""

import argparse
import json
import platform
import time
from concurrent.futures import ProcessPoolExecutor
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
from rich.progress import track

from benchmarks import evidence_tables
from benchmarks.evidence_cells import RULES, Array, Cell, cells
from benchmarks.evidence_naive import naive_rows
from benchmarks.evidence_replicates import replicate_rows
from benchmarks.record import commit, new_record
from lossassay.stats import CODES, adjusted_p_values, paired_differences, race
from lossassay.stats.verdicts import UNDECIDED

ALPHA = 0.05
_CHUNK = 1_000  # studies at once: 12 arms need about 0.5 GiB


def false_verdicts(cell: Cell, verdicts: Array) -> Array:
    """Return for each study whether any of its verdicts is false."""
    truth = cell.truth()
    word = {name: verdicts == CODES.index(name) for name in ("better", "worse", "equivalent")}
    wrong = np.where(truth > 0, word["worse"] | word["equivalent"], word["better"] | word["worse"])
    return np.asarray(wrong.any(axis=1))


def simulate(cell: Cell) -> dict[str, Any]:
    """Return the error rate of one cell, and how often its intervals hold the truth."""
    false = decided = held = all_looks = 0
    for chunk in range(0, cell.studies, _CHUNK):
        studies = min(_CHUNK, cell.studies - chunk)
        random = np.random.default_rng([abs(hash_of(cell)), chunk])
        found = race(cell.draw(random, studies), cell.pairs, looks=RULES[cell.rule], alpha=ALPHA, margin=cell.margin)
        false += int(false_verdicts(cell, found.verdict).sum())
        decided += int((found.verdict != UNDECIDED).sum())
        truth = cell.truth()
        inside = (found.low <= truth) & (truth <= found.high)
        held += int(inside.sum())
        all_looks += int(inside.all(axis=1).sum())
    pairs = cell.studies * len(cell.pairs)
    return {
        "cell": cell.name,
        "noise": cell.noise,
        "arms": cell.arms,
        "rule": cell.rule,
        "truth": "at the margin" if cell.at_margin else "null",
        "studies": cell.studies,
        "false": false / cell.studies,
        "gate": gate(cell.studies) if cell.gated else None,
        "covered_each": held / pairs,
        "covered_all": all_looks / cell.studies,
        "decided": decided / pairs,
    }


def gate(studies: int) -> float:
    """Alpha and 3.5 Monte-Carlo standard errors."""
    return float(ALPHA + 3.5 * (ALPHA * (1 - ALPHA) / studies) ** 0.5)


def hash_of(cell: Cell) -> int:
    """A seed that depends on the cell alone."""
    return int.from_bytes(cell.name.encode()[-7:], "big") + len(cell.name) + 1_000 * cell.arms


def coverage_rows(studies: int) -> list[dict[str, Any]]:
    """Coverage of one comparison by the fixed t interval, at several numbers of replicates, normal and not."""
    rows = []
    for noise in ("normal", "tied", "skewed", "unequal shapes"):
        for replicates in (5, 10, 30):
            cell = Cell(noise=noise, arms=2, rule=f"fixed {replicates}", at_margin=True, studies=studies)
            scores = cell.draw(np.random.default_rng([7, replicates, len(noise)]), studies)
            inside = 0
            for one in scores:
                (found,) = paired_differences(one, [(0, 1)], alpha=ALPHA, family_size=1)
                inside += found.low <= cell.margin <= found.high
            rows.append({"noise": noise, "replicates": replicates, "studies": studies, "covered": inside / studies})
    return rows


def p_value_rows(studies: int) -> list[dict[str, Any]]:
    """Adjusted p of null studies with early stopping: at most alpha no more often than alpha, at every alpha."""
    cell = Cell(noise="normal", arms=3, rule="planned 6 to 30", at_margin=False, studies=studies)
    scores = cell.draw(np.random.default_rng(11), studies)
    rule = {"looks": RULES[cell.rule], "alpha": ALPHA}
    p = adjusted_p_values(scores, cell.pairs, race(scores, cell.pairs, **rule), **rule).min(axis=1)
    return [
        {"alpha": alpha, "studies": studies, "share": float((p <= alpha).mean())} for alpha in (0.01, 0.05, 0.1, 0.2)
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--studies", type=int, default=10_000, help="of each named cell")
    parser.add_argument("--others", type=int, default=1_000, help="of each other cell")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--name", default="evidence", help="of the record")
    options = parser.parse_args()
    started = time.perf_counter()
    todo = list(cells(options.studies, options.others))
    with ProcessPoolExecutor(options.workers) as pool:
        errors = list(track(pool.map(simulate, todo), total=len(todo), description="Error rates"))
    found = {
        "errors": errors,
        "coverage": coverage_rows(options.studies),
        "replicates": replicate_rows(options.studies),
        "naive": naive_rows(min(options.studies, 4_000)),
        "p_values": p_value_rows(min(options.studies, 2_000)),
    }
    record = new_record(options.name)
    (record / "evidence.json").write_text(json.dumps(found | _circumstances(started), indent=1) + "\n")
    text = evidence_tables.readme(found)
    (record / "README.md").write_text(text)
    evidence_tables.write_docs(Path(__file__).parents[1] / "docs" / "evidence.md", found)
    print(text)


def _circumstances(started: float) -> dict[str, Any]:
    names = ("lossassay", "numpy", "scipy")
    return {
        "commit": commit(),
        "seconds": round(time.perf_counter() - started),
        "python": platform.python_version(),
        "versions": {name: version(name) for name in names},
        "machine": f"{platform.system()} {platform.machine()}",
    }


if __name__ == "__main__":
    main()
