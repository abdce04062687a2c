"""Coded checks of a study: what a reviewer would ask first. Sentences: the report; a page for each: docs/checks/."""

import json
from collections.abc import Callable, Iterator
from math import isfinite
from typing import Any, Literal

import numpy as np
import polars as pl

from lossassay import stats
from lossassay.config.tuning_space import asked_ranges
from lossassay.data.audit.source_tells import source_tell
from lossassay.data.audit.tells import STRONG_EXCESS
from lossassay.engine.spec import Array
from lossassay.study.analysis.comparisons import resolution
from lossassay.study.analysis.context import Context
from lossassay.study.analysis.controls import chance, permuted_labels_at_chance, survives_without_anatomy
from lossassay.study.analysis.tuning_cuts import tuning_cut_at_chance
from lossassay.study.analysis.tuning_evidence import tuned_at_edge
from lossassay.study.analysis.tuning_rates import RATE
from lossassay.study.analysis.units import by_replicate
from lossassay.study.planning.bench import NO_PART

Found = tuple[bool | None, dict[str, Any]]  # passed, failed or not applicable; what the sentence needs

_FEW_CASES = 10
_GRADIENT_RATIO = 2.0


def check_rows(context: Context) -> Iterator[dict[str, Any]]:
    """Return every check with its outcome."""
    names = {True: "passed", False: "failed", None: "not applicable"}
    for code, check in CHECKS.items():
        passed, fields = check(context)
        yield {"code": code, "status": names[passed], "fields": json.dumps(fields, ensure_ascii=False)}


def _same_function(context: Context) -> Found:
    pairs = sorted(context.same)
    return not pairs, {"pairs": pairs}


def _gradient_scales(context: Context) -> Found:
    scales = context.plan["gradient_scales"]
    lowest, highest = min(scales, key=scales.get), max(scales, key=scales.get)
    ratio = scales[highest] / scales[lowest] if scales[lowest] else float("inf")
    fields = {"ratio": ratio if isfinite(ratio) else None, "arm_low": lowest, "arm_high": highest}
    tuned = all(RATE in asked_ranges(context.study, arm) for arm in context.study.arms)
    return (ratio <= _GRADIENT_RATIO if len(scales) > 1 and not tuned else None), fields


def _too_few_replicates(context: Context) -> Found:
    evidence = context.study.evidence
    method: Literal["t", "sign_flip_max_t"] = "t" if evidence.method == "t" else "sign_flip_max_t"
    needed = stats.fewest_replicates(method, evidence.alpha, max(1, len(context.stages.family)))
    count = context.units.count(evidence.most)
    fields = {"replicates": count, "needed": needed, "method": evidence.method}
    return count >= needed, fields


def _margin_below_resolution(context: Context) -> Found:
    margin, found = context.study.evidence.margin, resolution(context, context.study.evidence.scope)
    if margin is None or found is None:
        return None, {"margin": margin, "resolution": found, "metric": context.metric}
    return margin > found, {"margin": margin, "resolution": found, "metric": context.metric}


def _no_margin(context: Context) -> Found:
    found = resolution(context, context.study.evidence.scope)
    return context.study.evidence.margin is not None, {"resolution": found, "metric": context.metric}


def _best_epoch_last(context: Context) -> Found:
    if context.study.training.selection == "last":
        return None, {"runs": 0, "of": len(context.runs)}
    last = sum(run.facts["best_epoch"] == run.facts["epochs"] for run in context.runs if not run.diverged)
    return last <= len(context.runs) / 2, {"runs": last, "of": len(context.runs)}


def _none_above_chance(context: Context) -> Found:
    """Is any arm shown to have learnt something? The one whose interval lies highest speaks for all."""
    by_chance, level = chance(context.metric, len(context.classes)), 1 - context.study.evidence.alpha
    if by_chance is None:
        return None, {}
    found = []
    for arm, runs in zip(context.arms, context.table, strict=True):
        values = np.array([np.nan if run is None else run.values[context.metric] for run in runs])
        interval = context.units.mean_interval(values, level=level)
        if isfinite(interval.low):
            found.append((interval.low, interval.high, arm))
    if not found:
        return None, {}
    low, high, arm = max(found)
    return low > by_chance, {"arm_best": arm, "low": low, "high": high, "chance": by_chance}


def _small_class(context: Context) -> Found:
    fewest = np.min([_cases(run.labels, len(context.classes)) for run in context.runs], axis=0)
    small = [[name, int(cases)] for name, cases in zip(context.classes, fewest, strict=True) if cases < _FEW_CASES]
    return not small, {"classes": small}


def _cases(labels: Array, classes: int) -> Array:
    """Return the test cases of each class."""
    if labels.ndim == 2:
        return np.asarray((labels > 0.5).sum(axis=0))
    return np.bincount(labels, minlength=classes)


def _group_overlap(context: Context) -> Found:
    """An official split can put images of one patient in two parts; a drawn one keeps groups whole."""
    rows = (
        pl.read_parquet(context.folder / "rows.parquet").with_row_index("place").filter(pl.col("group").is_not_null())
    )
    if not len(rows):
        return None, {"groups": 0}
    parts = np.load(context.folder / "splits.npy")[:, rows["place"].to_numpy()]
    lowest_and_highest = [
        rows.select("group")
        .with_columns(part=pl.Series(own))
        .filter(pl.col("part") != NO_PART)
        .group_by("group")
        .agg(pl.col("part").n_unique() > 1)
        for own in parts
    ]
    shared = max(int(found["part"].sum()) for found in lowest_and_highest)
    return not shared, {"groups": shared}


def _source_predicts_class(context: Context) -> Found:
    """How well can a class be told from the others by the source alone, beyond chance? As the audit judges it."""
    rows = pl.read_parquet(context.folder / "rows.parquet")
    tell = source_tell(rows, context.task, context.classes)
    if tell is None:
        return None, {}
    return not tell.tells(excess=STRONG_EXCESS), {"class": tell.class_name, "youden": tell.youden}


def _diverged_runs(context: Context) -> Found:
    diverged = sum(run.diverged for run in context.runs)
    return not diverged, {"runs": diverged, "of": len(context.runs)}


def _changed_after_start(context: Context) -> Found:
    if not context.registered.first:
        return None, {"changes": []}
    return not context.registered.changes, {"changes": list(context.registered.changes)}


CHECKS: dict[str, Callable[[Context], Found]] = {
    "same-function": _same_function,
    "gradient-scales": _gradient_scales,
    "too-few-replicates": _too_few_replicates,
    "margin-below-resolution": _margin_below_resolution,
    "no-margin": _no_margin,
    "best-epoch-last": _best_epoch_last,
    "none-above-chance": _none_above_chance,
    "small-class": _small_class,
    "group-overlap": _group_overlap,
    "source-predicts-class": _source_predicts_class,
    "survives-without-anatomy": survives_without_anatomy,
    "permuted-labels-at-chance": permuted_labels_at_chance,
    "tuned-at-edge": tuned_at_edge,
    "tuning-cut-at-chance": tuning_cut_at_chance,
    "diverged-runs": _diverged_runs,
    "changed-after-start": _changed_after_start,
}


def divergence_rows(context: Context) -> Iterator[dict[str, Any]]:
    """Return how often each arm diverged, with the exact interval."""
    for arm in context.arms:
        runs = context.of(arm)
        diverged = sum(run.diverged for run in runs)
        found = stats.clopper_pearson(diverged, len(runs), level=1 - context.study.evidence.alpha)
        yield {
            "arm": arm,
            "diverged": diverged,
            "runs": len(runs),
            "rate": found.estimate,
            "low": found.low,
            "high": found.high,
        }


def control_rows(context: Context) -> Iterator[dict[str, Any]]:
    """Return how far the reference arm lies from itself, with other weights and order on the same splits."""
    own = {run.replicate: run for run in context.of(context.study.reference)}
    both = [(own[run.replicate], run) for run in context.control if run.replicate in own]
    level, replicates = 1 - context.study.evidence.alpha, context.study.evidence.most
    for metric in context.metric_names() if both else ():
        values = np.array([a.values[metric] - b.values[metric] for a, b in both])
        placed = by_replicate([(a.replicate, value) for (a, _), value in zip(both, values, strict=True)], replicates)
        mean, spread = context.units.mean_interval(placed, level=level), stats.sd_interval(values, level=level)
        yield {
            "metric": metric,
            "replicates": mean.replicates,
            "difference": mean.estimate,
            "low": mean.low,
            "high": mean.high,
            "sd": spread.estimate,
            "sd_low": spread.low,
            "sd_high": spread.high,
        }
