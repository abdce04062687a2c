"""Keeps the numbers of a finished study as a record.

    python -m benchmarks.record OUT_FOLDER --name cxr3_64px [--predictions]

writes benchmarks/records/<date>_<name>/ with the tables (every run, not only the means) and record.json: versions,
hardware, engine, data digest, results_version, commit. With --predictions also predictions.parquet, what every run
said of its test part, so that the analysis can be done again (`python -m benchmarks.analyse_again`). It names no place
on the machine, no file and no patient.
"""

import argparse
import datetime
import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import polars as pl

from lossassay.study.folder.columns import TUNING_TABLES

RECORDS = Path(__file__).parent / "records"
TABLES = ("runs", "arms", "comparisons", "ranks", "looks", "control", "checks", "noise_floor", "identities", "costs")
# Written only where the study assesses features, or tunes.
LATER = ("features_quality", "biomarkers", "biomarker_comparisons", "biomarker_pareto", *TUNING_TABLES)


def commit() -> str:
    """The commit of the working tree, with + when it has changes."""
    head = subprocess.run(["git", "rev-parse", "--short", "HEAD"], capture_output=True, text=True, check=True)
    changed = subprocess.run(["git", "status", "--porcelain", "--", "src"], capture_output=True, text=True, check=True)
    return head.stdout.strip() + ("+" if changed.stdout.strip() else "")


def new_record(name: str) -> Path:
    """Make the folder of a record of today."""
    folder = RECORDS / f"{datetime.date.today().isoformat()}_{name}"
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def facts_of(plan: dict[str, Any], facts: dict[str, Any]) -> dict[str, Any]:
    """What a reader needs to judge the tables."""
    return {
        "study": plan["name"],
        "command": plan["command"],
        "commit": commit(),
        "results_version": plan["results_version"],
        "environment": plan["environment"],
        "engine": plan["engine"],
        "model": plan["model"],
        "data": {
            key: plan["data"][key]
            for key in ("task", "rows", "class_names", "class_counts", "groups", "image_shape", "digest")
        },
        "arms": plan["arms"],
        "primary_metric": facts["primary_metric"],
        "scope": facts["scope"],
        "reference": facts["reference"],
        "alpha": facts["alpha"],
        "margin": facts["margin"],
        "stopping": facts["stopping"],
        "arms_stopped_at": facts["arms_stopped_at"],
        "runs_finished": facts["runs_finished"],
        "runs_saved": facts["runs_saved"],
        "train_seconds_total": facts["train_seconds_total"],
        "registered": facts["registered"],
        "changes": facts["changes"],
        "same_function_pairs": facts["same_function_pairs"],
    }


def predictions_of(out: Path, plan: dict[str, Any]) -> pl.DataFrame:
    """What every run said of its test part: arm, replicate, row, label, probabilities."""
    return pl.concat(
        pl.read_parquet(out / "runs" / run["id"] / "predictions.parquet")
        .filter(pl.col("part") == "test")
        .select(
            pl.lit(run["arm"]).cast(pl.Categorical).alias("arm"),
            pl.lit(run["replicate"], dtype=pl.Int32).alias("replicate"),
            pl.col("row").cast(pl.Int32),
            "label",
            "probabilities",
        )
        for run in plan["runs"]
        if (out / "runs" / run["id"]).exists()
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", type=Path, help="the out folder of a finished study")
    parser.add_argument("--name", required=True)
    parser.add_argument("--predictions", action="store_true", help="keep what every run said of its test part, too")
    arguments = parser.parse_args()
    plan, facts = (json.loads((arguments.out / name).read_text()) for name in ("plan.json", "facts.json"))
    record = new_record(arguments.name)
    for table in TABLES:
        shutil.copy(arguments.out / "tables" / f"{table}.csv", record)
    for table in LATER:
        if (arguments.out / "tables" / f"{table}.csv").exists():
            shutil.copy(arguments.out / "tables" / f"{table}.csv", record)
    (record / "record.json").write_text(json.dumps(facts_of(plan, facts), indent=1, ensure_ascii=False) + "\n")
    if arguments.predictions:
        predictions_of(arguments.out, plan).write_parquet(record / "predictions.parquet", compression_level=19)
    print(record)


if __name__ == "__main__":
    main()
