"""The tables of a study, one function for each; their columns stand in `study.folder.results.TABLES`."""

from collections.abc import Callable, Iterable
from typing import Any

import numpy as np
import polars as pl

from lossassay import metrics, stats
from lossassay.catalogue.yardsticks import YARDSTICKS
from lossassay.study.analysis.checks import check_rows, control_rows, divergence_rows
from lossassay.study.analysis.comparisons import comparison_rows, look_rows, rank_rows
from lossassay.study.analysis.context import Context
from lossassay.study.analysis.controls import controls_rows
from lossassay.study.analysis.units import by_replicate
from lossassay.study.folder.columns import TABLES, column_type

_ROC_GRID = np.linspace(0, 1, 101)
_WORST = 12  # errors kept per arm
_MEMORY_CLASSES = (2, 3, 10, 16, 100, 1_000, 10_000)


def build_tables(context: Context) -> dict[str, pl.DataFrame]:
    """Return every table, by name; one without rows is empty but has its columns."""
    return {name: _frame(rows(context), name) for name, rows in _TABLES.items()}


def _frame(rows: Iterable[dict[str, Any]], name: str) -> pl.DataFrame:
    """Build a table; without rows it is empty but has its columns."""
    rows = list(rows)
    if not rows:
        return pl.DataFrame(schema={column: column_type(column) for column in TABLES[name]})
    return pl.DataFrame(rows, infer_schema_length=None).with_columns(pl.selectors.float().fill_nan(None))


def _runs(context: Context) -> Iterable[dict[str, Any]]:
    for run in context.runs:
        facts = run.facts
        seconds, trained = facts["epoch_seconds"], _train_rows(context, run.replicate)
        yield {
            "run": run.id,
            "arm": run.arm,
            "replicate": run.replicate,
            "status": facts["status"],
            "train_seconds": facts["train_seconds"],
            "epoch_seconds": seconds,
            "images_per_second": trained / seconds if seconds else None,
            "peak_memory_bytes": facts["peak_memory_bytes"],
            "label_bytes": facts["label_bytes"],
            "best_epoch": facts["best_epoch"],
            "epochs": facts["epochs"],
            "own_loss": run.values["own_loss"],
            "init_digest": facts["init_digest"],
            "order_digest": facts["order_digest"],
            **{metric: run.values[metric] for metric in context.metric_names()},
        }


def _arms(context: Context) -> Iterable[dict[str, Any]]:
    level = 1 - context.study.evidence.alpha
    for place, (arm, runs) in enumerate(zip(context.arms, context.table, strict=True)):
        for metric in [*context.metric_names(), "own_loss"]:
            values = np.array([np.nan if run is None else run.values[metric] for run in runs])
            found = context.units.mean_interval(values, level=level)
            low = high = float("nan")
            if metric != "own_loss" and found.replicates > 1 and "population" in context.units.scopes:
                population = stats.population_mean(values, context.tested_patients.of(place, metric), level=level)
                low, high = population.low, population.high
            yield {
                "arm": arm,
                "metric": metric,
                "estimate": found.estimate,
                "low": _possible(found.low, metric),
                "high": _possible(found.high, metric),
                "sd": found.sd,
                "replicates": found.replicates,
                "population_low": _possible(low, metric),
                "population_high": _possible(high, metric),
            }


def _possible(limit: float, metric: str) -> float:
    """Return the limit of an interval, or the end of the yardstick's range if it lies beyond: the value cannot."""
    spec = YARDSTICKS.get(metric)
    return limit if spec is None else float(np.clip(limit, spec.low, spec.high))


def _per_class(context: Context) -> Iterable[dict[str, Any]]:
    level = 1 - context.study.evidence.alpha
    for arm in context.arms:
        runs = context.of(arm)
        found = [metrics.per_class_of(run.tested) for run in runs]
        for metric in found[0] if found else ():
            for index, name in enumerate(context.classes):
                own = [(run.replicate, values[metric][index]) for run, values in zip(runs, found, strict=True)]
                placed = by_replicate(own, context.study.evidence.most)
                interval = context.units.mean_interval(placed, level=level)
                yield {
                    "arm": arm,
                    "class": name,
                    "metric": metric,
                    "estimate": interval.estimate,
                    "low": float(np.clip(interval.low, 0, 1)),
                    "high": float(np.clip(interval.high, 0, 1)),
                    "replicates": interval.replicates,
                }


def _identities(context: Context) -> Iterable[dict[str, Any]]:
    return context.plan["identities"]  # type: ignore[no-any-return]


def _gradient_scales(context: Context) -> Iterable[dict[str, Any]]:
    scales = context.plan["gradient_scales"]
    smallest = min(scales.values())
    for arm, norm in scales.items():
        yield {"arm": arm, "gradient_norm": norm, "ratio_to_smallest": norm / smallest if smallest else None}


def _noise_floor(context: Context) -> Iterable[dict[str, Any]]:
    for arm in context.arms:
        for metric in context.metric_names():
            found = stats.noise_floor(np.array([run.values[metric] for run in context.of(arm)]))
            yield {
                "arm": arm,
                "metric": metric,
                "median": found.median,
                "p95": found.p95,
                "largest": found.largest,
                "pairs": found.pairs,
                "replicates": found.replicates,
            }


def _curves(context: Context) -> Iterable[dict[str, Any]]:
    quantities = ("train_loss", "validation_loss", "train_accuracy", "validation_accuracy", "validation_yardstick")
    for arm in context.arms:
        histories = [run.history for run in context.of(arm)]
        if not histories:
            continue
        together = pl.concat(histories).select("epoch", *quantities)
        long = together.unpivot(index="epoch", variable_name="quantity").filter(pl.col("value").is_finite())
        band = long.group_by("quantity", "epoch", maintain_order=True).agg(
            mean=pl.col("value").mean(), low=pl.col("value").min(), high=pl.col("value").max(), replicates=pl.len()
        )
        yield from ({"arm": arm, **row} for row in band.sort("quantity", "epoch").iter_rows(named=True))


def _confusion(context: Context) -> Iterable[dict[str, Any]]:
    if context.task == "multi_label":
        return
    for arm in context.arms:
        counts = sum(run.tested.confusion for run in context.of(arm))
        if isinstance(counts, int):
            continue
        for true, row in enumerate(counts):
            for predicted, count in enumerate(row):
                yield {
                    "arm": arm,
                    "true": context.classes[true],
                    "predicted": context.classes[predicted],
                    "count": int(count),
                    "share": float(count / max(1, row.sum())),
                }


def _roc(context: Context) -> Iterable[dict[str, Any]]:
    for arm in context.arms:
        found = [metrics.roc_curves_on_grid(run.labels, run.probabilities, _ROC_GRID) for run in context.of(arm)]
        for index, name in enumerate(context.classes):
            usable = [curves[index] for curves in found if np.isfinite(curves[index]).all()]
            if not usable:
                continue
            for false_rate, true_rate in zip(_ROC_GRID, np.mean(usable, axis=0), strict=True):
                yield {
                    "arm": arm,
                    "class": name,
                    "false_positive_rate": float(false_rate),
                    "true_positive_rate": float(true_rate),
                }


def _reliability(context: Context) -> Iterable[dict[str, Any]]:
    for arm in context.arms:
        runs = context.of(arm)
        if not runs:
            continue
        labels = np.concatenate([run.labels for run in runs])
        probabilities = np.concatenate([run.probabilities for run in runs])
        bins = metrics.reliability_bins(labels, probabilities, task=context.task)
        for index in range(len(bins.count)):
            yield {
                "arm": arm,
                "bin": index,
                "confidence": float(bins.confidence[index]),
                "frequency": float(bins.frequency[index]),
                "count": int(bins.count[index]),
            }


def _costs(context: Context) -> Iterable[dict[str, Any]]:
    for arm in context.arms:
        runs = context.of(arm)
        if not runs:
            continue
        seconds = float(np.median([run.facts["epoch_seconds"] for run in runs]))
        trained = _train_rows(context, runs[0].replicate)
        yield {
            "arm": arm,
            "epoch_seconds": seconds,
            "train_seconds": float(np.median([run.facts["train_seconds"] for run in runs])),
            "images_per_second": trained / seconds if seconds else None,
            "peak_memory_bytes": int(max(run.facts["peak_memory_bytes"] for run in runs)),
            "label_bytes_per_image": runs[0].facts["label_bytes"] / trained,
        }


def _label_memory(context: Context) -> Iterable[dict[str, Any]]:
    images = _train_rows(context, 0)
    for classes in sorted({*_MEMORY_CLASSES, len(context.classes)}):
        integer, dense = 4 * images, 4 * images * classes  # int32 index, or float32 for each class
        yield {
            "classes": classes,
            "images": images,
            "integer_bytes": integer,
            "dense_bytes": dense,
            "ratio": dense / integer,
        }


def _worst_errors(context: Context) -> Iterable[dict[str, Any]]:
    if context.task == "multi_label":
        return
    for arm in context.arms:
        errors = []
        for run in context.of(arm):
            predicted = run.probabilities.argmax(axis=1)
            truth = run.probabilities[np.arange(len(run.labels)), run.labels]
            errors += [
                (float(truth[i]), run.replicate, int(run.rows[i]), int(run.labels[i]), int(predicted[i]))
                for i in np.flatnonzero(predicted != run.labels)
            ]
        for probability, replicate, row, label, predicted_label in _once_per_row(sorted(errors))[:_WORST]:
            yield {
                "arm": arm,
                "replicate": replicate,
                "row": row,
                "label": context.classes[label],
                "predicted": context.classes[predicted_label],
                "probability_of_truth": probability,
            }


def _once_per_row(errors: list[tuple[float, int, int, int, int]]) -> list[tuple[float, int, int, int, int]]:
    seen: set[int] = set()
    return [error for error in errors if not (error[2] in seen or seen.add(error[2]))]  # type: ignore[func-returns-value]


def _train_rows(context: Context, replicate: int) -> int:
    return int(context.plan["data"]["parts"][replicate]["train"])


_TABLES: dict[str, Callable[[Context], Iterable[dict[str, Any]]]] = {
    "runs": _runs,
    "arms": _arms,
    "comparisons": comparison_rows,
    "ranks": rank_rows,
    "looks": look_rows,
    "divergence": divergence_rows,
    "control": control_rows,
    "controls": controls_rows,
    "checks": check_rows,
    "per_class": _per_class,
    "identities": _identities,
    "gradient_scales": _gradient_scales,
    "noise_floor": _noise_floor,
    "curves": _curves,
    "confusion": _confusion,
    "roc": _roc,
    "reliability": _reliability,
    "costs": _costs,
    "label_memory": _label_memory,
    "worst_errors": _worst_errors,
}
