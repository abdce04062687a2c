"""What is left without the anatomy: the reference arm trained and tested on a damaged input."""

from collections.abc import Iterator
from typing import Any

import numpy as np

from lossassay import stats
from lossassay.engine.spec import Array
from lossassay.study.context import Context
from lossassay.study.units import by_replicate

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

    The share of the gain over chance that survives has Fieller's interval over replicates, in which control and
    reference are paired; it is there where the reference arm is above chance.
    """
    level = 1 - context.study.evidence.alpha
    own = {run.replicate: run for run in context.of(context.study.reference)}
    replicates = context.study.evidence.most
    for control, runs in context.damaged.items():
        both = [(run, own[run.replicate]) for run in runs if run.replicate in own]
        for metric in context.metric_names() if both else ():
            values, reference = (
                by_replicate([(pair[0].replicate, pair[side].values[metric]) for pair in both], replicates)
                for side in (0, 1)
            )
            found, whole = (context.units.mean_interval(x, level=level) for x in (values, reference))
            difference = context.units.mean_interval(values - reference, level=level)
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
                **_surviving(context, values, reference, chance(metric, len(context.classes))),
            }


def _surviving(context: Context, values: Array, reference: Array, by_chance: float | None) -> dict[str, float | None]:
    """Return the share of the gain that survives; it has an interval where observations are draws of their own."""
    values, reference = (context.units.values(x) for x in (values, reference))
    there = np.isfinite(values) & np.isfinite(reference)
    if by_chance is None or not there.any() or not reference[there].mean() > by_chance:
        return dict.fromkeys(("surviving", "surviving_low", "surviving_high"))
    level = 1 - context.study.evidence.alpha
    found = stats.paired_ratio(values[there] - by_chance, reference[there] - by_chance, level=level)
    low, high = (None, None) if context.units.test_share_ratio else (found.low, found.high)
    return {"surviving": found.estimate, "surviving_low": low, "surviving_high": high}


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
