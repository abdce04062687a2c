"""Wall time of a whole study: `lossassay run` against one Keras script that trains the same runs.

    python -m benchmarks whole_study --replicates 6 --epochs 10     # as in docs/performance.md; about half an hour
    python -m benchmarks whole_study                                # smaller

Four losses on chest X-rays of three classes (cxr3, 64 px), split by patient anew for every replicate. From the start of
the command to its end, imports, decoding and first measurements of the machine included, nothing kept from before. Ours
trains, keeps every run, analyses and writes the report; the script trains and predicts the test part.
"""

import argparse
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import fmean
from typing import Any

import polars as pl
import tomli_w

from benchmarks.evidence_tables import table
from benchmarks.runner import DATA, Answer, Goal, answers, existing, facts, keep, middle, peer, ratios, rotated, spread

TITLE = "A whole study against a Keras script"
TABLE = "cxr/cxr3.csv"
LOSSES = ("categorical_crossentropy", "sparse_categorical_crossentropy", "mean_squared_error", "binary_crossentropy")
SIZE = 64
BATCH_SIZE = 100
OURS, PEER = "ours", "keras_tensorflow"
SIDES = {OURS: "`lossassay run`", PEER: "Keras on TensorFlow, one script"}
GOAL = 4.0


def study(data: Path, replicates: int, epochs: int) -> dict[str, Any]:
    """Return the study file."""
    return {
        "name": "whole-study",
        "data": {
            "path": str(data),
            "image_size": SIZE,
            "group": "patient_id",
            "split": {"validation": 0.1, "test": 0.2},
        },
        "arms": [{"loss": loss} for loss in LOSSES],
        "training": {"epochs": epochs, "batch_size": BATCH_SIZE, "learning_rate": 1e-3, "device": "cpu"},
        "evidence": {"replicates": replicates, "metric": "accuracy"},
    }


def _run_ours(data: Path, replicates: int, epochs: int) -> Answer:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "study.toml").write_text(tomli_w.dumps(study(data, replicates, epochs)), encoding="utf-8")
        command = [sys.executable, "-m", "lossassay", "run", "study.toml", "--out", "out"]
        variables = {**os.environ, "LOSSASSAY_CACHE": str(folder / "cache"), "CUDA_VISIBLE_DEVICES": "-1"}
        started = time.perf_counter()
        done = subprocess.run(command, cwd=folder, env=variables, capture_output=True, text=True, check=False)
        seconds = time.perf_counter() - started
        if done.returncode != 0:
            raise SystemExit(f"lossassay run ended with code {done.returncode}:\n{done.stderr[-2000:]}")
        runs = pl.read_csv(folder / "out" / "tables" / "runs.csv")
    return {"seconds": seconds, "runs": runs.select("arm", "replicate", "accuracy").to_dicts()}


def _run_peer(data: Path, replicates: int, epochs: int) -> Answer:
    options = {"table": str(data), "size": SIZE, "batch_size": BATCH_SIZE, "losses": LOSSES}
    command = peer("study_keras", replicates=replicates, epochs=epochs, **options)
    started = time.perf_counter()
    found = answers([command])[0]
    return {"seconds": time.perf_counter() - started, "runs": found["runs"]}


def measure(data: Path, replicates: int, epochs: int, turn: int) -> dict[str, Any]:
    """Run both sides once."""
    order = rotated(list(SIDES), turn)
    sides = {}
    for name in order:
        sides[name] = (_run_ours if name == OURS else _run_peer)(data, replicates, epochs)
        print(f"round {turn + 1}, {SIDES[name]}: {sides[name]['seconds']:,.1f} s", flush=True)
    return {"order": order, "sides": sides}


def summary(rounds: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Return medians over the rounds: seconds, their ratio within a round, and the mean accuracy over all runs."""
    seconds = {name: [one["sides"][name]["seconds"] for one in rounds] for name in SIDES}
    return {
        "sides": {
            name: {
                "wall_seconds": middle(seconds[name]),
                "runs": len(rounds[0]["sides"][name]["runs"]),
                "test_accuracy": fmean(run["accuracy"] for one in rounds for run in one["sides"][name]["runs"]),
            }
            for name in SIDES
        },
        "ours_is_times_as_fast": ratios(seconds[PEER], seconds[OURS]),
    }


def tables(record: Mapping[str, Any]) -> str:
    """Return one table."""
    asked, found = record["options"], record["summary"]
    title = f"{len(LOSSES)} losses x {asked['replicates']} replicates x {asked['epochs']} epochs, {SIZE} px"
    rows = [
        [SIDES[name], side["runs"], spread(side["wall_seconds"], ",.0f"), f"{side['test_accuracy']:.3f}"]
        for name, side in found["sides"].items()
    ]
    rows.append(["ours is times as fast", "", spread(found["ours_is_times_as_fast"], ".2f"), ""])
    return table([title, "runs", "wall time, s (smallest, largest)", "mean test accuracy"], rows)


def goals(record: Mapping[str, Any]) -> list[Goal]:
    """Return what was asked of a whole study, beside what was found."""
    asked = record["options"]
    words = f"whole study, {asked['replicates']} replicates x {asked['epochs']} epochs, against a Keras script"
    return [Goal(asked=words, found=record["summary"]["ours_is_times_as_fast"]["median"], least=GOAL)]


def main(arguments: list[str]) -> None:
    asked = _options(arguments)
    data = existing(asked.data / TABLE)
    record = facts("whole_study", arguments)
    record["options"] = {"replicates": asked.replicates, "epochs": asked.epochs, "rounds": asked.rounds}
    record["rounds"] = [measure(data, asked.replicates, asked.epochs, turn) for turn in range(asked.rounds)]
    record["summary"] = summary(record["rounds"])
    keep("whole_study", TITLE, record, tables(record), asked.out)


def _options(arguments: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks whole_study",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--data", type=Path, default=DATA, help=f"folder with {TABLE}")
    parser.add_argument("--replicates", type=int, default=2)
    parser.add_argument("--epochs", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--out", type=Path, help="folder of the record; default: benchmarks/records/<date>_whole_study")
    return parser.parse_args(arguments)
