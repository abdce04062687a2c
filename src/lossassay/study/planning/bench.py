"""What the out folder holds before the first run: plan.json, rows.parquet and splits.npy, all that a worker needs."""

import json
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from lossassay.config import CONTROL_ARMS, UNTUNED, TrainingConfig
from lossassay.data.cache import ImageCache, pixel_digests
from lossassay.data.grouping import in_order_of_appearance, joined
from lossassay.data.groups import hash_groups
from lossassay.data.split import Split
from lossassay.engine.damage import permuted_labels
from lossassay.engine.seeds import Seeds
from lossassay.engine.spec import Array, EngineChoice, RunData, RunSpec
from lossassay.study.folder.whole_files import explained, replaced, write_json
from lossassay.study.planning.plan import Plan, labels_of
from lossassay.study.tuning.chosen import chosen_settings, tuned_arm
from lossassay.study.tuning.space import with_parameters

TRAIN, VALIDATION, TEST, NO_PART = 0, 1, 2, 3  # values in splits.npy
PIXELS = "pixels.parquet"  # keyed hash of the pixels of each row; no run reads it
_ONCE = "tuning_split.npy"  # the same for the patients that are tuned on once


@dataclass(frozen=True, kw_only=True)
class Bench:
    """An out folder, read: what every run of the study shares.

    Args:
        plan: plan.json.
        runs: Its runs, by id.
        images: The memory-mapped image array.
        labels: int64 [N], or multi-hot float32 [N K].
        groups: Keyed hash of each row's group, or None.
        parts: uint8 [replicates N]: training 0, validation 1, test 2, in no part 3.
        exams: Number of each row's exam, int64 [N], or None.
        sources: Name of each row's source, [N], or Nones.
        folder: The out folder.
        tuning_parts: uint8 [N], of jobs that tune once; None: there are none.
    """

    plan: dict[str, Any]
    runs: dict[str, dict[str, Any]]
    images: Array
    labels: Array
    groups: list[str | None]
    parts: Array
    exams: Array | None
    sources: Array
    folder: Path
    tuning_parts: Array | None


def write_bench(plan: Plan, cache: ImageCache, folder: Path, facts: dict[str, Any]) -> None:
    """Write what the runs of a plan need.

    Args:
        plan: The plan.
        cache: Its images; a keyed hash of the pixels of each says later whether an image is one that a run learnt from.
        folder: The out folder.
        facts: plan.json; see `study.planning.describe`.
    """
    rows = plan.manifest.rows.select("row", "label", "group", "source", "part")  # no paths: they can hold patient ids
    exams = [None] * len(rows) if plan.exams is None else plan.exams
    rows = rows.with_columns(exam=pl.Series(exams, dtype=pl.Int64))
    pixels = pl.DataFrame({"pixels": pl.Series(hash_groups(pixel_digests(cache)), dtype=pl.String)})
    parts = np.stack([_part_numbers(own, len(rows)) for own in plan.splits])
    with explained(folder):
        if not _holds_rows(folder / "rows.parquet", rows):
            with replaced(folder / "rows.parquet") as partial:
                rows.write_parquet(partial)
        if not _holds(folder / PIXELS, pixels):
            with replaced(folder / PIXELS) as partial:
                pixels.write_parquet(partial)
        if not _holds_parts(folder / "splits.npy", parts):
            with replaced(folder / "splits.npy") as partial, partial.open("wb") as file:
                np.save(file, parts)
        if plan.tuning_split is not None:
            once = _part_numbers(plan.tuning_split, len(rows))
            if not _holds_parts(folder / _ONCE, once):
                with replaced(folder / _ONCE) as partial, partial.open("wb") as file:
                    np.save(file, once)
        if not holds_plan(folder, facts):
            write_json(folder / "plan.json", facts)


def holds_plan(folder: Path, facts: dict[str, Any], *, command: bool = True) -> bool:
    """Return whether plan.json says the same already, on whichever machine it was written.

    Args:
        folder: The out folder.
        facts: plan.json as it would be written now.
        command: Whether the command must be the same too; the name of the study file is part of it.
    """
    try:
        known = json.loads((folder / "plan.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return False
    facts = json.loads(json.dumps(facts))  # tuples become lists
    whatever = {"environment": None} | ({} if command else {"command": None})
    return isinstance(known, dict) and known | whatever == facts | whatever


def _holds_rows(path: Path, rows: pl.DataFrame) -> bool:
    """Whether the same rows stand there, perhaps with groups hashed by the key of another user or machine."""
    known = _table(path)
    return known is not None and known.columns == rows.columns and _by_first_row(known).equals(_by_first_row(rows))


def _holds(path: Path, table: pl.DataFrame) -> bool:
    known = _table(path)
    return known is not None and known.equals(table)


def _table(path: Path) -> pl.DataFrame | None:
    try:
        return pl.read_parquet(path)
    except (OSError, pl.exceptions.PolarsError):
        return None


def _by_first_row(rows: pl.DataFrame) -> pl.DataFrame:
    """Name each group by its first row."""
    first = pl.col("row").first().over("group")
    return rows.with_columns(group=pl.when(pl.col("group").is_not_null()).then(first))


def _holds_parts(path: Path, parts: Array) -> bool:
    try:
        known = np.load(path, allow_pickle=False)
    except (OSError, ValueError, EOFError):
        return False
    return bool(np.array_equal(known, parts))


def _part_numbers(own: Split, rows: int) -> Array:
    parts = np.full(rows, NO_PART, dtype=np.uint8)
    for part, chosen in ((TRAIN, own.train), (VALIDATION, own.validation), (TEST, own.test)):
        parts[chosen] = part
    return parts


def read_bench(folder: Path, images: Path) -> Bench:
    """Read what `write_bench` wrote, and map the images."""
    return bench_of(
        plan=json.loads((folder / "plan.json").read_text(encoding="utf-8")),
        rows=pl.read_parquet(folder / "rows.parquet"),
        parts=np.load(folder / "splits.npy"),
        images=np.load(images, mmap_mode="r"),
        folder=folder,
        tuning_parts=tuning_parts(folder),
    )


def tuning_parts(folder: Path) -> Array | None:
    """Return the parts of the rows where arms are tuned once, and None where they are not."""
    return np.load(folder / _ONCE) if (folder / _ONCE).is_file() else None


def bench_of(
    *, plan: dict[str, Any], rows: pl.DataFrame, parts: Array, images: Array, folder: Path, tuning_parts: Array | None
) -> Bench:
    """Return what runs share, from the contents of plan.json, rows.parquet, splits.npy and the image array.

    Args:
        plan: plan.json.
        rows: rows.parquet.
        parts: splits.npy.
        images: The image array.
        folder: Where finished tuning jobs are, and where tuning jobs are kept.
        tuning_parts: Of `tuning_parts`.
    """
    return Bench(
        plan=plan,
        runs={run["id"]: run for run in plan["runs"]},
        images=images,
        labels=labels_of(rows["label"], plan["data"]["task"]),
        groups=rows["group"].to_list(),
        parts=parts,
        sources=np.array(rows["source"].to_list(), dtype=object),
        exams=rows["exam"].to_numpy() if plan["data"].get("exams") is not None else None,
        folder=folder,
        tuning_parts=tuning_parts,
    )


def read_run(bench: Bench, run_id: str) -> tuple[dict[str, Any], RunSpec, RunData]:
    """Return what is written beside a run's result, what to train, and what to train it on.

    Raises:
        OutFolderError: If the tuning job that chooses its settings is not finished.
    """
    entry = bench.runs[run_id]
    arm = arm_of(bench, entry)
    tuned = chosen_settings(bench.folder, entry["tuned_by"]) if "tuned_by" in entry else None
    arm = tuned_arm(arm, tuned)
    spec = _spec(bench, arm, entry, bench.plan["metric"])
    data = _data(bench, bench.parts[entry["replicate"]])
    if spec.damage == "source_only":
        data = replace(data, sources=in_order_of_appearance(bench.sources.astype(str)))
    if spec.damage == "permuted_labels":
        learnt = (data.train, data.validation)
        data = replace(data, labels=permuted_labels(data.labels, _label_units(bench), learnt, spec.seeds))
    facts = entry | arm | {"engine": asdict(spec.engine), "results_version": bench.plan["results_version"]}
    return facts | ({} if tuned is None else {"tuned": tuned}), spec, data


def read_trial(bench: Bench, job: dict[str, Any], parameters: dict[str, Any]) -> tuple[RunSpec, RunData]:
    """Return what a trial trains, and on what: training and validation part, without a label of any other row.

    Args:
        bench: What all runs share.
        job: Entry of plan.json.
        parameters: Of the trial.
    """
    arm = with_parameters(arm_of(bench, job), parameters)
    parts = bench.tuning_parts if job["replicate"] is None else bench.parts[job["replicate"]]
    assert parts is not None  # noqa: S101 - jobs that tune once have their parts
    data = _data(bench, parts)
    labels = np.zeros_like(data.labels)
    for part in (data.train, data.validation):
        labels[part] = data.labels[part]
    return _spec(bench, arm, job, job["metric"]), replace(data, labels=labels, test=np.zeros(0, dtype=np.int64))


def arm_of(bench: Bench, entry: dict[str, Any]) -> dict[str, Any]:
    """Return the arm of a run or a tuning job; that of a control is its reference.

    Args:
        bench: As `read_bench` returned it.
        entry: Of ``runs`` or ``tuning`` in plan.json.
    """
    name = entry["arm"].removeprefix(UNTUNED)
    arm: dict[str, Any] = bench.plan["arms"][bench.plan["control"] if name in CONTROL_ARMS.values() else name]
    return arm


def _spec(bench: Bench, arm: dict[str, Any], entry: dict[str, Any], metric: str) -> RunSpec:
    training = TrainingConfig.model_validate(arm["training"])
    return RunSpec(
        loss=arm["loss"],
        hyper_parameters=arm["hyper_parameters"],
        training=training,
        seeds=Seeds(**entry["seeds"]),
        engine=EngineChoice(**bench.plan["engine"]).of(training),
        metric=metric,
        damage=entry.get("damage"),
    )


def _data(bench: Bench, parts: Array) -> RunData:
    return RunData(
        images=bench.images,
        labels=bench.labels,
        num_classes=len(bench.plan["data"]["class_names"]),
        task=bench.plan["data"]["task"],
        train=np.flatnonzero(parts == TRAIN),
        validation=np.flatnonzero(parts == VALIDATION),
        test=np.flatnonzero(parts == TEST),
        exams=bench.exams,
    )


def _label_units(bench: Bench) -> Array:
    """Number what keeps one label when labels are permuted: groups with their exams, else exams, else rows."""
    rows = np.arange(len(bench.labels))
    exams = rows if bench.exams is None else bench.exams
    groups = in_order_of_appearance(
        np.array([f"row {row}" if name is None else f"group {name}" for row, name in enumerate(bench.groups)])
    )
    for units in (joined(groups, exams), exams):
        _, first, place = np.unique(units, return_index=True, return_inverse=True)
        if np.array_equal(bench.labels[first][place], bench.labels, equal_nan=bench.labels.ndim == 2):
            return units
    return rows
