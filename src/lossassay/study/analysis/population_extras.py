"""What stands beside the population interval: Nadeau and Bengio's correction and the crossed bootstrap."""

from math import isfinite
from typing import Any

from lossassay import metrics, stats
from lossassay.catalogue.yardsticks import YARDSTICKS
from lossassay.study.analysis.context import Context
from lossassay.study.analysis.family import Pair
from lossassay.study.analysis.patients import differences

_DRAWS = 10_000
_NOT_WEIGHTED = "ece"  # its bins would move with the weights


def beside_population(context: Context) -> dict[Pair, dict[str, Any]]:
    """Return limits by column name for every judged pair of the primary metric."""
    pairs = context.stages.family
    if not pairs:
        return {}
    bootstrap = _bootstrap(context)
    return {pair: bootstrap.get(pair, {}) | _corrected(context, pair) for pair in pairs}


def _bootstrap(context: Context) -> dict[Pair, dict[str, Any]]:
    """The crossed bootstrap: one weight for each patient and draw, shared by all replicates and arms."""
    tested = []
    for runs in zip(*context.table, strict=True):
        there = next((run for run in runs if run is not None), None)
        if there is not None:
            probabilities = [None if run is None else run.probabilities for run in runs]
            tested.append(metrics.TestedRows(patients=there.patients, labels=there.labels, probabilities=probabilities))
    if context.metric == _NOT_WEIGHTED or not tested:
        return {}
    score = metrics.weighted_yardstick(context.metric, tested, task=context.task)
    found = stats.crossed_bootstrap(
        score.of_replicates,
        context.stages.family,
        num_patients=score.num_patients,
        draws=_DRAWS,
        alpha=context.study.evidence.alpha,
        family_size=len(context.stages.family),
        higher_is_better=YARDSTICKS[context.metric].best == "high",
    )
    return {
        pair: {"bootstrap_low": _known(one.low), "bootstrap_high": _known(one.high)}
        for pair, one in zip(context.stages.family, found.differences, strict=True)
    }


def _corrected(context: Context, pair: Pair) -> dict[str, Any]:
    """Nadeau and Bengio's interval, where the split is drawn anew in every replicate."""
    if not redrawn(context):
        return {}
    part = context.plan["data"]["parts"][0]
    found = stats.nadeau_bengio(
        differences(context.table[pair[0]], context.table[pair[1]], context.metric),
        test_share_ratio=part["test"] / (context.plan["data"]["rows"] - part["test"]),
        alpha=context.study.evidence.alpha,
        family_size=len(context.stages.family),
    )
    return {"nadeau_bengio_low": _known(found.low), "nadeau_bengio_high": _known(found.high)}


def redrawn(context: Context) -> bool:
    """Whether each replicate has a test part of its own."""
    split = context.study.data.split
    return "split" in context.study.evidence.vary and not split.official and split.kind != "time"


def _known(value: float) -> float | None:
    return value if isfinite(value) else None
