"""What is left without the anatomy: the reference arm trained and tested on a damaged input."""

from collections.abc import Iterator
from typing import Any

import numpy as np

from lossassay import stats
from lossassay.engine.spec import Array
from lossassay.study.analysis.context import Context
from lossassay.study.analysis.units import Units, by_replicate

# What a rule that knows nothing reaches, whatever the shares of the classes; of the others no one number is true.
_CHANCE = {
    "macro_auroc": 0.5,
    "threshold_auroc": 0.5,
    "matthews_correlation": 0.0,
    "cohen_kappa": 0.0,
    "quadratic_weighted_kappa": 0.0,
}


def chance(metric: str, classes: int) -> float | None:
    """Return the expected yardstick of predictions that know nothing of the labels; None where it has no one value.

    Args:
        metric: A yardstick.
        classes: Their number.
    """
    return 1 / classes if metric == "balanced_accuracy" else _CHANCE.get(metric)


def controls_rows(context: Context) -> Iterator[dict[str, Any]]:
    """Return every yardstick of every damaged control, beside chance and beside the reference arm.

    Intervals are over the unit of the study, as for arms: replicates, folds that share what they learn from, or sites.
    The share of the gain over chance that survives has Fieller's interval, in which control and reference are paired;
    it is there where the reference arm is above chance.
    """
    level, units = 1 - context.study.evidence.alpha, context.units
    replicates = context.study.evidence.most
    own = {run.replicate: run for run in context.of(context.study.reference)}
    for control, runs in context.damaged.items():
        both = [(run, own[run.replicate]) for run in runs if run.replicate in own]
        for metric in context.metric_names() if both else ():
            values, reference = (
                by_replicate([(pair[side].replicate, pair[side].values[metric]) for pair in both], replicates)
                for side in (0, 1)
            )
            found, whole = (units.mean_interval(x, level=level) for x in (values, reference))
            difference = units.mean_interval(values - reference, level=level)
            yield {
                "control": control,
                "metric": metric,
                "replicates": found.replicates,
                "estimate": found.estimate,
                "low": found.low,
                "high": found.high,
                "chance": chance(metric, len(context.classes)),
                "reference": whole.estimate,
                "difference": difference.estimate,
                "difference_low": difference.low,
                "difference_high": difference.high,
                **_surviving(values, reference, chance(metric, len(context.classes)), units, level),
            }


def _surviving(
    values: Array, reference: Array, by_chance: float | None, units: Units, level: float
) -> dict[str, float | None]:
    if by_chance is None or not np.nanmean(reference) > by_chance:
        return dict.fromkeys(("surviving", "surviving_low", "surviving_high"))
    both = np.isfinite(values) & np.isfinite(reference)
    above = (units.values(np.where(both, x, np.nan)) - by_chance for x in (values, reference))
    found = stats.paired_ratio(*above, level=level, test_share_ratio=units.test_share_ratio)
    return {"surviving": found.estimate, "surviving_low": found.low, "surviving_high": found.high}


_MOST_SURVIVING = 0.5


def survives_without_anatomy(context: Context) -> tuple[bool | None, dict[str, Any]]:
    """Check that no more than half of the gain over chance is left without the anatomy."""
    rows = [row for row in controls_rows(context) if row["metric"] == context.metric]
    kept = [
        [row["control"], row["surviving"]]
        for row in rows
        if row["control"] != "permuted_labels" and row["surviving"] is not None
    ]
    return (all(share <= _MOST_SURVIVING for _, share in kept) if kept else None), {"kept": kept}


def permuted_labels_at_chance(context: Context) -> tuple[bool | None, dict[str, Any]]:
    """Check that nothing is found where there is nothing: with permuted labels the interval holds chance."""
    rows = (row for row in controls_rows(context) if row["metric"] == context.metric)
    row = next((row for row in rows if row["control"] == "permuted_labels"), None)
    if row is None or row["chance"] is None or not np.isfinite(row["low"]):
        return None, {}
    fields = {name: row[name] for name in ("low", "high", "chance")}
    return row["low"] <= row["chance"] <= row["high"], fields
