"""From stored predictions to tables. Reads runs, never trains; every number of the report comes from here."""

import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from lossassay import metrics, stats
from lossassay.catalogue.losses import LOSSES
from lossassay.catalogue.yardsticks import YARDSTICKS
from lossassay.config import Study, load_study
from lossassay.engine.spec import Array
from lossassay.errors import OutFolderError
from lossassay.study.results import TABLES
from lossassay.study.store import Store, explained, write_json

_ROC_GRID = np.linspace(0, 1, 101)
_WORST = 12  # errors kept per arm
_MEMORY_CLASSES = (2, 3, 10, 16, 100, 1_000, 10_000)


@dataclass(frozen=True, kw_only=True)
class _Run:
    """A run as analysis sees it: plain facts, history, and the test part as arrays."""

    id: str
    arm: str
    replicate: int
    facts: dict[str, Any]
    history: pl.DataFrame
    rows: Array  # [M]
    labels: Array  # [M] or [M K]
    scores: Array  # [M K]
    probabilities: Array  # [M K]
    values: dict[str, float]  # yardsticks on the test part, and own_loss


@dataclass(frozen=True, kw_only=True)
class _Context:
    """What every table needs."""

    study: Study
    plan: dict[str, Any]
    runs: list[_Run]

    @property
    def arms(self) -> list[str]:
        return [arm.name for arm in self.study.arms]

    @property
    def task(self) -> Any:
        return self.plan["data"]["task"]

    @property
    def classes(self) -> list[str]:
        return self.plan["data"]["class_names"]  # type: ignore[no-any-return]

    def of(self, arm: str) -> list[_Run]:
        return [run for run in self.runs if run.arm == arm]

    def metric_names(self) -> list[str]:
        return [name for name, spec in YARDSTICKS.items() if self.task in spec.tasks]

    def score_table(self, metric: str) -> Array:
        """Scores [R A] with nan where a run is missing."""
        table = np.full((self.study.evidence.replicates, len(self.arms)), np.nan)
        for run in self.runs:
            table[run.replicate, self.arms.index(run.arm)] = run.values[metric]
        return table


def analyse(folder: Path, failures: dict[str, str] | None = None) -> dict[str, pl.DataFrame]:
    """Write tables/ and facts.json from what is stored.

    Args:
        folder: An out folder.
        failures: Messages of runs that failed just now, by id.

    Returns:
        The tables, by the names of `study.results.TABLES`.

    Raises:
        OutFolderError: If no run of the study is there yet.
    """
    context = _read(folder)
    if not context.runs:
        reasons = "; ".join(sorted(set((failures or {}).values()))[:3])
        raise OutFolderError(
            f"{folder} holds no finished run of this study, so there is nothing to analyse."
            + (f" The runs failed: {reasons}" if reasons else " Run the study first.")
        )
    tables = {name: _frame(rows(context), name) for name, rows in _TABLES.items()}
    with explained(folder):
        (folder / "tables").mkdir(exist_ok=True)
        for name, frame in tables.items():
            frame.write_parquet(folder / "tables" / f"{name}.parquet")
            frame.write_csv(folder / "tables" / f"{name}.csv")
        write_json(folder / "facts.json", _facts(context, failures or {}))
    return tables


def _read(folder: Path) -> _Context:
    study = load_study(folder / "study.toml")
    plan = json.loads((folder / "plan.json").read_text(encoding="utf-8"))
    store = Store(folder)
    there = store.finished()
    runs = [_read_run(store, entry, plan["data"]["task"]) for entry in plan["runs"] if entry["id"] in there]
    return _Context(study=study, plan=plan, runs=runs)


def _read_run(store: Store, entry: dict[str, Any], task: Any) -> _Run:
    facts = store.facts(entry["id"])
    test = store.predictions(entry["id"], "test")
    labels, probabilities = test["label"].to_numpy(), test["probabilities"].to_numpy()
    own_loss = facts["test_loss"]
    values = metrics.yardsticks(labels, probabilities, task=task)
    return _Run(
        id=entry["id"],
        arm=entry["arm"],
        replicate=entry["replicate"],
        facts=facts,
        history=store.history(entry["id"]),
        rows=test["row"].to_numpy(),
        labels=labels,
        scores=test["scores"].to_numpy(),
        probabilities=probabilities,
        values=values | {"own_loss": float("nan") if own_loss is None else own_loss},
    )


def _frame(rows: Iterable[dict[str, Any]], name: str) -> pl.DataFrame:
    """Build a table; without rows it is empty but has its columns."""
    rows = list(rows)
    if not rows:
        return pl.DataFrame({column: [] for column in TABLES[name]})
    return pl.DataFrame(rows, infer_schema_length=None).with_columns(pl.selectors.float().fill_nan(None))


def _runs(context: _Context) -> Iterable[dict[str, Any]]:
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


def _train_rows(context: _Context, replicate: int) -> int:
    return int(context.plan["data"]["parts"][replicate]["train"])


def _arms(context: _Context) -> Iterable[dict[str, Any]]:
    level = 1 - context.study.evidence.alpha
    for arm in context.arms:
        for metric in [*context.metric_names(), "own_loss"]:
            found = stats.mean_interval(np.array([run.values[metric] for run in context.of(arm)]), level=level)
            yield {
                "arm": arm,
                "metric": metric,
                "estimate": found.estimate,
                "low": found.low,
                "high": found.high,
                "sd": found.sd,
                "replicates": found.replicates,
            }


def _comparisons(context: _Context) -> Iterable[dict[str, Any]]:
    evidence, arms = context.study.evidence, context.arms
    pairs = [(a, b) for a, b in combinations(range(len(arms)), 2) if evidence.compare in ("all", arms[a], arms[b])]
    same = _same_function_pairs(context)
    family = [pair for pair in pairs if (arms[pair[0]], arms[pair[1]]) not in same]
    for metric in context.metric_names():
        primary = metric == context.plan["metric"]
        differences = stats.paired_differences(
            context.score_table(metric), pairs, alpha=evidence.alpha, family_size=max(1, len(family))
        )
        for (a, b), found in zip(pairs, differences, strict=True):
            word, reason = stats.verdict(
                found,
                margin=evidence.margin,
                same_function=(arms[a], arms[b]) in same,
                higher_is_better=YARDSTICKS[metric].best == "high",
            )
            yield {
                "metric": metric,
                "scope": evidence.scope,
                "arm_a": arms[a],
                "arm_b": arms[b],
                "difference": found.estimate,
                "low": found.low,
                "high": found.high,
                "p_adjusted": found.p_adjusted,
                "verdict": word if primary else None,
                "replicates": found.num_pairs,
                "method": found.method,
                "primary": primary,
                "reason": reason if primary else None,
            }


def _same_function_pairs(context: _Context) -> set[tuple[str, str]]:
    return {
        (pair["arm_a"], pair["arm_b"]) for pair in context.plan["identities"] if pair["relation"] == "same function"
    }


def _per_class(context: _Context) -> Iterable[dict[str, Any]]:
    level = 1 - context.study.evidence.alpha
    for arm in context.arms:
        found = [metrics.per_class(run.labels, run.probabilities, task=context.task) for run in context.of(arm)]
        for metric in found[0] if found else ():
            for index, name in enumerate(context.classes):
                interval = stats.mean_interval(np.array([values[metric][index] for values in found]), level=level)
                yield {
                    "arm": arm,
                    "class": name,
                    "metric": metric,
                    "estimate": interval.estimate,
                    "low": interval.low,
                    "high": interval.high,
                    "replicates": interval.replicates,
                }


def _identities(context: _Context) -> Iterable[dict[str, Any]]:
    return context.plan["identities"]  # type: ignore[no-any-return]


def _gradient_scales(context: _Context) -> Iterable[dict[str, Any]]:
    scales = context.plan["gradient_scales"]
    smallest = min(scales.values())
    for arm, norm in scales.items():
        yield {"arm": arm, "gradient_norm": norm, "ratio_to_smallest": norm / smallest if smallest else None}


def _noise_floor(context: _Context) -> Iterable[dict[str, Any]]:
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


def _curves(context: _Context) -> Iterable[dict[str, Any]]:
    quantities = ("train_loss", "validation_loss", "train_accuracy", "validation_accuracy", "validation_yardstick")
    for arm in context.arms:
        histories = [run.history.select("epoch", *quantities) for run in context.of(arm)]
        if not histories:
            continue
        long = pl.concat(histories).unpivot(index="epoch", variable_name="quantity").filter(pl.col("value").is_finite())
        band = long.group_by("quantity", "epoch", maintain_order=True).agg(
            mean=pl.col("value").mean(), low=pl.col("value").min(), high=pl.col("value").max(), replicates=pl.len()
        )
        yield from ({"arm": arm, **row} for row in band.sort("quantity", "epoch").iter_rows(named=True))


def _confusion(context: _Context) -> Iterable[dict[str, Any]]:
    if context.task != "single_label":
        return
    for arm in context.arms:
        counts = sum(metrics.confusion_counts(run.labels, run.probabilities) for run in context.of(arm))
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


def _roc(context: _Context) -> Iterable[dict[str, Any]]:
    for arm in context.arms:
        runs = context.of(arm)
        for index, name in enumerate(context.classes):
            curves = [metrics.roc_curve_on_grid(run.labels, run.probabilities, index, _ROC_GRID) for run in runs]
            usable = [curve for curve in curves if np.isfinite(curve).all()]
            if not usable:
                continue
            for false_rate, true_rate in zip(_ROC_GRID, np.mean(usable, axis=0), strict=True):
                yield {
                    "arm": arm,
                    "class": name,
                    "false_positive_rate": float(false_rate),
                    "true_positive_rate": float(true_rate),
                }


def _reliability(context: _Context) -> Iterable[dict[str, Any]]:
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


def _costs(context: _Context) -> Iterable[dict[str, Any]]:
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


def _label_memory(context: _Context) -> Iterable[dict[str, Any]]:
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


def _worst_errors(context: _Context) -> Iterable[dict[str, Any]]:
    if context.task != "single_label":
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


_TABLES: dict[str, Callable[[_Context], Iterable[dict[str, Any]]]] = {
    "runs": _runs,
    "arms": _arms,
    "comparisons": _comparisons,
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


def _facts(context: _Context, failures: dict[str, str]) -> dict[str, Any]:
    evidence = context.study.evidence
    statuses = [run.facts["status"] for run in context.runs]
    first = context.runs[0].facts
    return {
        "primary_metric": context.plan["metric"],
        "scope": evidence.scope,
        "alpha": evidence.alpha,
        "margin": evidence.margin,
        "replicates_planned": evidence.replicates,
        "runs_planned": len(context.plan["runs"]),
        "runs_finished": statuses.count("finished"),
        "runs_diverged": statuses.count("diverged"),
        "runs_failed": len(failures),
        "failures": sorted(set(failures.values())),
        "same_function_pairs": [_observed(context, a, b) for a, b in sorted(_same_function_pairs(context))],
        "train_seconds_total": sum(run.facts["train_seconds"] for run in context.runs),
        "pixel_mean": first["pixel_mean"],
        "pixel_sd": first["pixel_sd"],
        "label_encodings": {arm.name: LOSSES[arm.loss].encoding for arm in context.study.arms},
    }


def _observed(context: _Context, arm_a: str, arm_b: str) -> dict[str, Any]:
    """What training showed for two arms that are one function."""
    runs_b = {run.replicate: run for run in context.of(arm_b)}
    both = [(run, runs_b[run.replicate]) for run in context.of(arm_a) if run.replicate in runs_b]
    return {
        "arm_a": arm_a,
        "arm_b": arm_b,
        "replicates": len(both),
        "init_equal": sum(a.facts["init_digest"] == b.facts["init_digest"] for a, b in both),
        "order_equal": sum(a.facts["order_digest"] == b.facts["order_digest"] for a, b in both),
        "largest_score_difference": max((float(np.abs(a.scores - b.scores).max()) for a, b in both), default=None),
    }
