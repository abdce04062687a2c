"""What the quality of features costs: `lossassay biomarkers` on twelve losses, five replicates, cxr3 at 64 px.

    python -m benchmarks feature_quality --data FOLDER                       # about an hour, most of it training
    python -m benchmarks feature_quality --arms 2 --replicates 1 --rounds 1  # a few minutes

The study is trained first, one epoch each with the paper's network, and is not timed. Then each round takes a fresh
copy of the out folder, in which no features are kept, and times the command in a fresh process from its start to its
end: the passes of about 1,000 test images and two noisy views of each, all criteria, a probe, a nuisance, the classical
baseline in every replicate, comparisons, and the page. Decoded images are kept from the training.
"""

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import polars as pl
import tomli_w

from benchmarks.evidence_tables import table
from benchmarks.runner import DATA, Goal, existing, facts, keep, middle, spread

TITLE = "What the quality of features costs"
TABLE = "cxr/cxr3.csv"
SIZE = 64
LIMIT_SECONDS = 600.0
LOSSES = (
    "categorical_crossentropy",
    "label_smoothing",
    "focal",
    "mean_squared_error",
    "mean_absolute_error_probability",
    "generalized_cross_entropy",
    "logit_penalty",
    "normalized_softmax",
    "squared_error_on_logits",
    "poly1",
    "confidence_penalty",
    "symmetric_cross_entropy",
)


def study(data: Path, arms: int, replicates: int) -> dict[str, Any]:
    """Return the study file."""
    return {
        "name": "feature-quality",
        "data": {
            "path": str(data),
            "image_size": SIZE,
            "group": "patient_id",
            "source": "source",
            "split": {"validation": 0.1, "test": 0.2},
        },
        "arms": [{"loss": loss} for loss in LOSSES[:arms]],
        "training": {"epochs": 1, "batch_size": 100, "learning_rate": 1e-3, "device": "cpu"},
        "evidence": {"replicates": replicates, "metric": "balanced_accuracy"},
        "biomarkers": {
            "enabled": False,
            "probes": [{"column": "folder", "values": ["bacteria", "virus"]}],
            "nuisance": ["source"],
        },
    }


def _command(words: list[str], folder: Path) -> float:
    """Run the command line in a fresh process; return seconds."""
    variables = {**os.environ, "LOSSASSAY_CACHE": str(folder / "cache"), "CUDA_VISIBLE_DEVICES": "-1"}
    started = time.perf_counter()
    command = [sys.executable, "-m", "lossassay", *words]
    done = subprocess.run(command, cwd=folder, env=variables, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise SystemExit(f"lossassay {words[0]} ended with code {done.returncode}:\n{done.stderr[-2000:]}")
    return time.perf_counter() - started


def measured(data: Path, arms: int, replicates: int, rounds: int) -> list[dict[str, Any]]:
    """Train the study, then assess it again and again."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "study.toml").write_text(tomli_w.dumps(study(data, arms, replicates)), encoding="utf-8")
        print(f"trained: {_command(['run', 'study.toml', '--out', 'out'], folder):,.0f} s, not counted", flush=True)
        found = []
        for number in range(rounds):
            copy = folder / f"round {number}"
            shutil.copytree(folder / "out", copy)
            seconds = _command(["biomarkers", copy.name], folder)
            values = pl.read_csv(copy / "tables" / "features_quality.csv")
            runs = values["run"].n_unique() - values["run"].has_nulls()
            found.append({"seconds": seconds, "runs": runs, "values": len(values)})
            print(f"round {number + 1}: {seconds:,.1f} s for {runs} runs", flush=True)
        return found


def tables(record: Mapping[str, Any]) -> str:
    """Return one line."""
    asked, rounds = record["options"], record["rounds"]
    found = middle([one["seconds"] for one in rounds])
    runs = rounds[0]["runs"]
    what = f"{asked['arms']} losses x {asked['replicates']} replicates, {SIZE} px"
    per_run = f"{found['median'] / runs:.1f}"
    row = [what, str(runs), str(len(rounds)), spread(found, ",.0f"), per_run]
    return table(["features of", "runs", "rounds", "seconds (smallest, largest)", "seconds per run"], [row])


def goals(record: Mapping[str, Any]) -> list[Goal]:
    """Return how many times less than allowed it takes."""
    asked = record["options"]
    seconds = middle([one["seconds"] for one in record["rounds"]])["median"]
    words = f"features of {asked['arms']} losses x {asked['replicates']} replicates within {LIMIT_SECONDS:g} s"
    return [Goal(asked=f"{words}: limit over time", found=LIMIT_SECONDS / seconds, least=1.0)]


def main(arguments: list[str]) -> None:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks feature_quality",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--data", type=Path, default=DATA, help=f"folder with {TABLE}")
    parser.add_argument("--arms", type=int, default=len(LOSSES), choices=range(1, len(LOSSES) + 1), metavar="NUMBER")
    parser.add_argument("--replicates", type=int, default=5)
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--out", type=Path, help="folder of the record")
    asked = parser.parse_args(arguments)
    data = existing(asked.data / TABLE)
    record = facts("feature_quality", arguments, peers=False)
    record["options"] = {"arms": asked.arms, "replicates": asked.replicates, "rounds": asked.rounds}
    record["rounds"] = measured(data, asked.arms, asked.replicates, asked.rounds)
    keep("feature_quality", TITLE, record, tables(record), asked.out)
