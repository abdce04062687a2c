"""What the out folder holds before the first run: plan.json, rows.parquet and splits.npy, all that a worker needs."""

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from lossassay.config import CONTROL_ARM, TrainingConfig
from lossassay.engine.seeds import Seeds
from lossassay.engine.spec import Array, EngineChoice, RunData, RunSpec
from lossassay.study.plan import Plan, labels_of
from lossassay.study.store import explained, write_json

TRAIN, VALIDATION, TEST = 0, 1, 2  # values in splits.npy


@dataclass(frozen=True, kw_only=True)
class Bench:
    """An out folder, read: what every run of the study shares.

    Args:
        plan: plan.json.
        images: The memory-mapped image array.
        labels: int64 [N], or multi-hot float32 [N K].
        groups: Keyed hash of each row's group, or None.
        parts: uint8 [replicates N]: training 0, validation 1, test 2.
        exams: Number of each row's exam, int64 [N], or None.
    """

    plan: dict[str, Any]
    images: Array
    labels: Array
    groups: list[str | None]
    parts: Array
    exams: Array | None


def write_bench(plan: Plan, folder: Path, facts: dict[str, Any]) -> None:
    """Write what the runs of a plan need.

    Args:
        plan: The plan.
        folder: The out folder.
        facts: plan.json; see `study.describe`.
    """
    rows = plan.manifest.rows.select("row", "label", "group", "source", "part")  # no paths: they can hold patient ids
    exams = [None] * len(rows) if plan.exams is None else plan.exams
    rows = rows.with_columns(exam=pl.Series(exams, dtype=pl.Int64))
    parts = np.full((len(plan.splits), len(rows)), TRAIN, dtype=np.uint8)
    for replicate, own in enumerate(plan.splits):
        parts[replicate, own.validation], parts[replicate, own.test] = VALIDATION, TEST
    with explained(folder):
        rows.write_parquet(folder / "rows.parquet")
        np.save(folder / "splits.npy", parts)
        write_json(folder / "plan.json", facts)


def read_bench(folder: Path, images: Path) -> Bench:
    """Read what `write_bench` wrote, and map the images."""
    plan = json.loads((folder / "plan.json").read_text(encoding="utf-8"))
    rows = pl.read_parquet(folder / "rows.parquet")
    labels = labels_of(rows["label"], plan["data"]["task"])
    return Bench(
        plan=plan,
        images=np.load(images, mmap_mode="r"),
        labels=labels,
        groups=rows["group"].to_list(),
        parts=np.load(folder / "splits.npy"),
        exams=rows["exam"].to_numpy() if plan["data"].get("exams") is not None else None,
    )


def read_run(bench: Bench, run_id: str) -> tuple[dict[str, Any], RunSpec, RunData]:
    """Return what is written beside a run's result, what to train, and what to train it on."""
    entry = next(run for run in bench.plan["runs"] if run["id"] == run_id)
    arm = bench.plan["arms"][bench.plan["control"] if entry["arm"] == CONTROL_ARM else entry["arm"]]
    training = TrainingConfig.model_validate(arm["training"])
    spec = RunSpec(
        loss=arm["loss"],
        hyper_parameters=arm["hyper_parameters"],
        training=training,
        seeds=Seeds(**entry["seeds"]),
        engine=EngineChoice(**bench.plan["engine"]).of(training),
        metric=bench.plan["metric"],
    )
    parts = bench.parts[entry["replicate"]]
    data = RunData(
        images=bench.images,
        labels=bench.labels,
        num_classes=len(bench.plan["data"]["class_names"]),
        task=bench.plan["data"]["task"],
        train=np.flatnonzero(parts == TRAIN),
        validation=np.flatnonzero(parts == VALIDATION),
        test=np.flatnonzero(parts == TEST),
        exams=bench.exams,
    )
    facts = entry | arm | {"engine": asdict(spec.engine), "results_version": bench.plan["results_version"]}
    return facts, spec, data
