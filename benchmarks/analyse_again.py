"""Does the analysis of a recorded study again, from the predictions that it kept.

    python -m benchmarks.analyse_again benchmarks/records/<date>_<name>

computes the primary yardstick of every run from its probabilities, gives these scores to `lossassay.compare`, prints
the verdicts, and exits with 1 if one of them, or a difference, is not that of the record.
"""

import argparse
import json
import sys
import tempfile
from pathlib import Path

import polars as pl

from lossassay import api, metrics

_TOLERANCE = 1e-9
_KEYS = ["arm_a", "arm_b", "verdict"]
_NUMBERS = ["difference", "low", "high"]


def scores_again(predictions: pl.DataFrame, metric: str, task: str) -> pl.DataFrame:
    """Return the yardstick of every run, in the columns that `lossassay compare` reads."""
    rows = []
    for (arm, replicate), run in predictions.group_by(["arm", "replicate"], maintain_order=True):
        values = metrics.yardsticks(run["label"].to_numpy(), run["probabilities"].to_numpy(), task=task)  # type: ignore[arg-type]
        rows.append({"system": arm, "replicate": replicate, "metric": metric, "value": values[metric]})
    return pl.DataFrame(rows)


def verdicts_again(record: Path) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Return the verdicts of the predictions and those of the record, in the same order."""
    facts = json.loads((record / "record.json").read_text(encoding="utf-8"))
    predictions = pl.read_parquet(record / "predictions.parquet")
    compared = facts["registered"]["compare"]
    reference = None if compared == "all" else compared
    scores = scores_again(predictions, facts["primary_metric"], facts["data"]["task"])
    with tempfile.TemporaryDirectory() as folder:
        table = Path(folder) / "scores.csv"
        scores.write_csv(table)
        found = api.compare(table, margin=facts["margin"], alpha=facts["alpha"], reference=reference)
    stored = pl.read_csv(record / "comparisons.csv").filter(pl.col("primary"))
    chosen = [*_KEYS, *_NUMBERS]
    return found.comparisons.select(chosen).sort(_KEYS[:2]), stored.select(chosen).sort(_KEYS[:2])


def disagreements(found: pl.DataFrame, stored: pl.DataFrame) -> list[str]:
    """Say where the two tables differ."""
    if found.select(_KEYS).rows() != stored.select(_KEYS).rows():
        return [f"{a} instead of {b}" for a, b in zip(found.rows(), stored.rows(), strict=False) if a[:3] != b[:3]]
    return [
        f"{a['arm_a']} - {a['arm_b']}: {key} {a[key]} instead of {b[key]}"
        for a, b in zip(found.to_dicts(), stored.to_dicts(), strict=True)
        for key in _NUMBERS
        if abs(a[key] - b[key]) > _TOLERANCE
    ]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("record", type=Path, help="folder of a record with predictions.parquet")
    found, stored = verdicts_again(parser.parse_args().record)
    with pl.Config(tbl_rows=-1, tbl_width_chars=160, fmt_str_lengths=60):
        print(found)
    wrong = disagreements(found, stored)
    print("\n".join(wrong) or "The same verdicts and numbers as in the record.")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
