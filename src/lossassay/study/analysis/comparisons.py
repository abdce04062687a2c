"""The table of comparisons: every pair, yardstick and scope with its interval; verdicts for the primary ones."""

from collections.abc import Iterable, Iterator
from math import isfinite
from typing import Any

import numpy as np

from lossassay import stats
from lossassay.catalogue.yardsticks import YARDSTICKS
from lossassay.study.analysis.context import Context
from lossassay.study.analysis.family import Pair, compared_pairs
from lossassay.study.analysis.judge import Judged, judge
from lossassay.study.analysis.patients import differences
from lossassay.study.analysis.population_extras import beside_population
from lossassay.study.analysis.stopping import score_table

_DIVERGED: stats.Reason = "verdicts with and without diverged replicates differ"


def comparison_rows(context: Context) -> Iterable[dict[str, Any]]:
    """Return the rows of the table of comparisons."""
    for metric in context.metric_names():
        for scope in context.units.scopes:
            primary = metric == context.metric and scope == context.study.evidence.scope
            judged = judge(context, metric, scope)
            words = verdicts(context, judged) if primary else {}
            extras = beside_population(context) if (metric, scope) == (context.metric, "population") else {}
            for pair in compared_pairs(context.study):
                yield {
                    **_numbers(context, metric, scope, pair, judged.get(pair)),
                    "primary": primary,
                    **_words(context, pair, words.get(pair), judged.get(pair)),
                    "bootstrap_low": None,
                    "bootstrap_high": None,
                    "nadeau_bengio_low": None,
                    "nadeau_bengio_high": None,
                    **extras.get(pair, {}),
                }


def verdicts(context: Context, judged: dict[Pair, Judged]) -> dict[Pair, tuple[stats.Verdict, stats.Reason]]:
    """Return word and reason for every compared pair of the primary metric in the study's scope."""
    found: dict[Pair, tuple[stats.Verdict, stats.Reason]] = {}
    for pair in compared_pairs(context.study):
        if pair not in judged:
            found[pair] = ("same function", "value and gradient are equal for every label")
        else:
            found[pair] = _verdict(context, judged[pair])
    if any(run.diverged for run in context.runs):
        without = judge(context, context.metric, context.study.evidence.scope, without_diverged=True)
        for pair, other in without.items():
            if _verdict(context, other)[0] != found[pair][0]:
                found[pair] = ("undecided", _DIVERGED)
    return found


def rank_rows(context: Context) -> Iterator[dict[str, Any]]:
    """Return the ranks of each arm that no verdict contradicts, and how often it is best."""
    judged = judge(context, context.metric, context.study.evidence.scope)
    words = [(a, b, word) for (a, b), (word, _) in verdicts(context, judged).items()]
    ranges = stats.rank_ranges(words, len(context.arms))
    best = stats.probability_best(
        score_table(context.table, context.metric), higher_is_better=YARDSTICKS[context.metric].best == "high"
    )
    for index, arm in enumerate(context.arms):
        low, high = ranges[index]
        yield {"arm": arm, "rank_low": low, "rank_high": high, "probability_best": float(best[index])}


def look_rows(context: Context) -> Iterator[dict[str, Any]]:
    """Return where every pair stood at every look."""
    raced = context.raced
    if raced is None:
        return
    margin, paths = context.study.evidence.margin, (raced.path_low[0], raced.path_high[0])
    codes = stats.classify(*paths, margin=margin, higher_is_better=_higher(context))
    for index, (a, b) in enumerate(context.stages.family):
        running = differences(context.table[a], context.table[b], context.metric)
        for place in np.flatnonzero(raced.looked[0, :, index]):
            low, high = float(raced.path_low[0, place, index]), float(raced.path_high[0, place, index])
            yield {
                "arm_a": context.arms[a],
                "arm_b": context.arms[b],
                "replicates": int(place) + 1,
                "difference": float(np.nanmean(running[: place + 1])),
                "low": low if isfinite(low) else None,
                "high": high if isfinite(high) else None,
                "verdict": stats.CODES[int(codes[place, index])],
            }


def resolution(context: Context, scope: str) -> float | None:
    """Return the smallest margin that every pair of the primary metric could show in a scope; None: not known."""
    if scope not in context.units.scopes:
        return None
    found = [judged.smallest_margin for judged in judge(context, context.metric, scope).values()]
    known = [value for value in found if isfinite(value)]
    return max(known) if known else None


def _verdict(context: Context, judged: Judged) -> tuple[stats.Verdict, stats.Reason]:
    margin = context.study.evidence.margin
    return stats.verdict(judged.difference, margin=margin, same_function=False, higher_is_better=_higher(context))


def _higher(context: Context) -> bool:
    return YARDSTICKS[context.metric].best == "high"


def _numbers(context: Context, metric: str, scope: str, pair: Pair, judged: Judged | None) -> dict[str, Any]:
    a, b = pair
    row: dict[str, Any] = {"metric": metric, "scope": scope, "arm_a": context.arms[a], "arm_b": context.arms[b]}
    if judged is None:  # one function: the difference is 0 by identity, not by statistics
        own = differences(context.table[a], context.table[b], metric)
        own = own[np.isfinite(own)]
        exact = bool(len(own)) and not own.any()
        limit = 0.0 if exact else None
        row |= {"difference": float(own.mean()) if len(own) else None, "low": limit, "high": limit, "p_adjusted": None}
        return row | {
            "replicates": len(own),
            "method": "identity of the losses",
            "p_holm": None,
            "p_max_t": None,
            "smallest_margin": None,
            "decided_at": None,
        }
    found = judged.difference
    return row | {
        "difference": _known(found.estimate),
        "low": _known(found.low),
        "high": _known(found.high),
        "p_adjusted": _known(found.p_adjusted),
        "replicates": found.num_pairs,
        "method": found.method,
        "p_holm": _known(judged.p_holm),
        "p_max_t": _known(judged.p_max_t),
        "smallest_margin": _known(judged.smallest_margin),
        "decided_at": judged.decided_at or None,
    }


def _words(
    context: Context, pair: Pair, verdict: tuple[stats.Verdict, str] | None, judged: Judged | None
) -> dict[str, Any]:
    if verdict is None:
        return dict.fromkeys(("verdict", "reason", "more_low", "more_high", "more_patients", "notes"))
    word, reason = verdict
    more = _more(context, pair, judged) if word == "undecided" and judged is not None else None
    return {
        "verdict": word,
        "reason": reason,
        "more_low": None if more is None else more.low,
        "more_high": None if more is None else more.high,
        "more_patients": None if more is None else more.more_patients,
        "notes": "" if judged is None else ";".join(_notes(context, word, reason, judged)),
    }


def _more(context: Context, pair: Pair, judged: Judged) -> stats.MoreReplicates | None:
    own = differences(context.table[pair[0]], context.table[pair[1]], context.metric)
    own = own[np.isfinite(own)]
    if context.units.sites:  # more replicates are no more sites
        return None
    if context.missing or len(own) < 2 or np.ptp(own) == 0:  # an unfinished study goes on by itself
        return None
    sd = float(own.std(ddof=1))
    return stats.more_replicates(
        estimate=judged.difference.estimate,
        sd=sd,
        replicates=len(own),
        alpha=context.study.evidence.alpha / len(context.stages.family),
        margin=context.study.evidence.margin,
        patient_error=sd * context.units.test_share_ratio**0.5 or judged.patient_floor,
    )


def _notes(context: Context, word: str, reason: str, judged: Judged) -> Iterator[str]:
    evidence = context.study.evidence
    if reason == "the interval lies inside the margin and leaves out 0":
        yield "below_margin"
    if word != "undecided" and evidence.sequential and judged.difference.num_pairs < evidence.most:
        yield "stopped_early"
    if context.registered.exploratory:
        yield "exploratory"
    if reason == _DIVERGED:
        yield "diverged_matters"
    if reason in ("fewer than two replicates", "this method cannot decide with so few replicates"):
        yield "method_floor"
    known = isfinite(judged.smallest_margin)  # as for the check of the same name
    if word == "undecided" and evidence.margin is not None and known and judged.smallest_margin >= evidence.margin:
        yield "margin_below_resolution"


def _known(value: float) -> float | None:
    return value if isfinite(value) else None
