"""Which arm leaves the better features: paired differences of the criteria of runs, and the study's words for them.

The family of pairs, the level and the words are those of the study. The method is the paired t over replicates also
where the study's own verdicts come from sign flips or from the scope population.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from math import isfinite
from typing import Any

import numpy as np

from lossassay import stats
from lossassay.catalogue.criteria import CRITERIA, FEWEST_REPLICATES
from lossassay.catalogue.yardsticks import YARDSTICKS
from lossassay.engine.spec import Array
from lossassay.study.analysis.comparisons import verdicts
from lossassay.study.analysis.context import Context
from lossassay.study.analysis.family import Pair, compared_pairs
from lossassay.study.analysis.judge import judge
from lossassay.study.analysis.stopping import score_table

TOO_FEW = f"fewer than {FEWEST_REPLICATES['replicates']} replicates"
Words = dict[Pair, str]  # verdict of arm a against arm b


@dataclass(frozen=True, kw_only=True)
class Scores:
    """One criterion of every run that counts.

    Args:
        criterion: Its name.
        table: [R A], or [pairs of replicates, A]; nan where a run is missing, diverged, or has no value.
        replicates: Behind each row: 1, or 2 for a pair.
    """

    criterion: str
    table: Array
    replicates: int = 1

    @property
    def best_is_high(self) -> bool:
        """The direction; a criterion without one is never judged."""
        return CRITERIA[self.criterion].best != "low"


def arm_rows(context: Context, scores: Scores, arms: list[str]) -> Iterator[dict[str, Any]]:
    """Yield the mean of each arm with its t interval over replicates.

    Args:
        context: The study.
        scores: Of one criterion.
        arms: The names of its columns: the arms of the study, or what stands beside them.
    """
    level = 1 - context.study.evidence.alpha
    for place, arm in enumerate(arms):
        found = _mean(context, scores, scores.table[:, place], level)
        yield {
            "arm": arm,
            "criterion": scores.criterion,
            "estimate": found.estimate,
            "low": found.low,
            "high": found.high,
            "sd": found.sd,
            "replicates": found.replicates * scores.replicates,
        }


def comparison_rows(
    context: Context, scores: Scores, *, primary: bool, margin: float | None
) -> Iterator[dict[str, Any]]:
    """Yield every compared pair with its simultaneous interval, and the verdict where the criterion is the primary one.

    Args:
        context: The study.
        scores: Of one criterion.
        primary: Whether it carries the verdict.
        margin: Of the primary criterion.
    """
    found = differences(context, scores)
    words = judged(context, scores, margin) if primary else {}
    for a, b in compared_pairs(context.study):
        difference = found.get((a, b))
        verdict, reason = words.get((a, b), (None, None))
        yield {
            "criterion": scores.criterion,
            "arm_a": context.arms[a],
            "arm_b": context.arms[b],
            "difference": 0.0 if difference is None else difference.estimate,
            "low": None if difference is None else difference.low,
            "high": None if difference is None else difference.high,
            "p_adjusted": None if difference is None else difference.p_adjusted,
            "replicates": None if difference is None else difference.num_pairs * scores.replicates,
            "method": "identity of the losses" if difference is None else difference.method,
            "primary": primary,
            "verdict": verdict,
            "reason": reason,
        }


def differences(context: Context, scores: Scores) -> dict[Pair, stats.PairedDifference]:
    """Return the paired difference of every pair of the family, with simultaneous intervals at 1 - alpha.

    By paired t (corrected where folds share training data) with Bonferroni's correction, whatever ``evidence.method``
    and ``evidence.scope`` are.

    In a study that stops early, when it stopped was chosen by its yardstick. Criteria of single replicates then have
    intervals that hold at every look. Looks are counted in replicates, so criteria of pairs of replicates have the
    plain t interval of the pairs that there are, which takes no account of when the study stopped.
    """
    family, alpha = context.stages.family, context.study.evidence.alpha
    if not family or not len(scores.table):
        return {}
    if context.raced is not None and scores.replicates == 1:
        return _at_last_look(context, scores)
    observed, pairs, ratio = scores.table, family, 0.0
    if scores.replicates == 1:
        observed, pairs = context.units.observations(scores.table, family)
        ratio = context.units.test_share_ratio
    found = stats.paired_differences(observed, pairs, alpha=alpha, family_size=len(family), test_share_ratio=ratio)
    return dict(zip(family, found, strict=True))


def judged(context: Context, scores: Scores, margin: float | None) -> dict[Pair, tuple[str, str]]:
    """Return verdict and reason of every compared pair for the primary criterion."""
    found, words = differences(context, scores), {}
    needed = FEWEST_REPLICATES.get(CRITERIA[scores.criterion].needs, 2)
    for pair in compared_pairs(context.study):
        if pair not in context.stages.family:
            words[pair] = ("same function", "value and gradient are equal for every label")
        elif pair not in found or found[pair].num_pairs * scores.replicates < needed:
            words[pair] = ("undecided", TOO_FEW if needed > 2 else "fewer than two replicates")
        else:
            word, why = stats.verdict(
                found[pair], margin=margin, same_function=False, higher_is_better=scores.best_is_high
            )
            words[pair] = (str(word), str(why))
    return words


def diverged_by_arm(context: Context) -> dict[str, int]:
    """Return the number of diverged runs of each arm that has some."""
    counts = {arm: sum(run.diverged for run in context.of(arm)) for arm in context.arms}
    return {arm: count for arm, count in counts.items() if count}


def if_diverged_were_worst(context: Context, scores: Scores, margin: float | None) -> dict[str, Any] | None:
    """Return which verdicts would be others if every diverged run had the worst value of any run; None: none diverged.

    Args:
        context: The study.
        scores: Of the primary criterion.
        margin: Of the primary criterion.

    Returns:
        ``value``: what they are given; ``changes``: ``arm_a``, ``arm_b``, ``verdict`` and ``instead_of`` of each pair.
    """
    diverged = np.array([[run is not None and run.diverged for run in runs] for runs in context.table]).T
    if not diverged.any() or not np.isfinite(scores.table).any():
        return None
    if scores.replicates == 2:
        diverged = diverged[0 : 2 * len(scores.table) : 2] | diverged[1 : 2 * len(scores.table) : 2]
    worst = float((np.nanmin if scores.best_is_high else np.nanmax)(scores.table))
    filled = replace(scores, table=np.where(diverged, worst, scores.table))
    found, before = (judged(context, one, margin) for one in (filled, scores))
    changes = [
        {"arm_a": context.arms[a], "arm_b": context.arms[b], "verdict": word, "instead_of": before[a, b][0]}
        for (a, b), (word, _) in found.items()
        if word != before[a, b][0]
    ]
    return {"value": worst, "changes": changes}


def prediction_words(context: Context) -> Words:
    """Return the verdicts of the study itself, on the primary yardstick."""
    own = verdicts(context, judge(context, context.metric, context.study.evidence.scope))
    return {pair: str(word) for pair, (word, _) in own.items()}


def prediction_scores(context: Context) -> Array:
    """Return the primary yardstick of every run, [R A]."""
    return score_table(context.table, context.metric)


def pareto_rows(context: Context, scores: Scores, margin: float | None) -> Iterator[dict[str, Any]]:
    """Yield where each arm stands in prediction and in biomarkers, and who is shown to beat it in both."""
    level = 1 - context.study.evidence.alpha
    as_predictor = prediction_words(context)
    as_biomarker = {pair: word for pair, (word, _) in judged(context, scores, margin).items()}
    predicted = [context.units.mean_interval(column, level=level) for column in prediction_scores(context).T]
    assessed = [_mean(context, scores, column, level) for column in scores.table.T]
    front = _front(
        np.array([_upward(found.estimate, YARDSTICKS[context.metric].best == "high") for found in predicted]),
        np.array([_upward(found.estimate, scores.best_is_high) for found in assessed]),
    )
    beats = [(better_than(as_predictor, place), better_than(as_biomarker, place)) for place in range(len(context.arms))]
    for place, arm in enumerate(context.arms):
        both = sorted(beats[place][0] & beats[place][1])
        yield {
            "arm": arm,
            "prediction": predicted[place].estimate,
            "prediction_low": predicted[place].low,
            "prediction_high": predicted[place].high,
            "biomarkers": assessed[place].estimate,
            "biomarkers_low": assessed[place].low,
            "biomarkers_high": assessed[place].high,
            "beaten_in_prediction": len(beats[place][0]),
            "beaten_in_biomarkers": len(beats[place][1]),
            "beaten_in_both_by": "; ".join(context.arms[other] for other in both) or None,
            "on_front": bool(front[place]),
        }


def best_arm(arms: list[str], words: Mapping[Pair, str], means: Array, *, best_is_high: bool) -> dict[str, Any]:
    """Return the arm with the best mean, and whether it is shown to be better than every other arm.

    Args:
        arms: Their names.
        words: Verdicts.
        means: [A].
        best_is_high: The direction.

    Returns:
        ``arm`` (None without a value), ``shown`` (whether it is better than each arm that is another function, and
        there is one), ``candidates``: arms that no arm is shown to beat.
    """
    upward = np.array([_upward(float(mean), best_is_high) for mean in means])
    if not np.isfinite(upward).any():
        return {"arm": None, "shown": False, "candidates": []}
    place = int(np.nanargmax(np.where(np.isfinite(upward), upward, np.nan)))
    others = [other for other in range(len(arms)) if other != place]
    beaten = [other for other in others if place in better_than(words, other)]
    shown = bool(beaten) and set(others) <= {*beaten, *same_as(words, place)}
    beaten_none = [arm for other, arm in enumerate(arms) if not better_than(words, other) and isfinite(upward[other])]
    return {"arm": arms[place], "shown": shown, "candidates": beaten_none}


def better_than(words: Mapping[Pair, str], arm: int) -> set[int]:
    """Return the arms that are shown to be better than one."""
    found = {a for (a, b), word in words.items() if b == arm and word == "better"}
    return found | {b for (a, b), word in words.items() if a == arm and word == "worse"}


def same_as(words: Mapping[Pair, str], arm: int) -> set[int]:
    """Return the arms that are the same function as one."""
    return {other for pair, word in words.items() if arm in pair and word == "same function" for other in pair} - {arm}


def _front(first: Array, second: Array) -> Array:
    """Return which arms no other arm reaches in both means and passes in one; an arm without a value is on none."""
    known = np.isfinite(first) & np.isfinite(second)
    on = known.copy()
    for place in np.flatnonzero(known):
        reached = known & (first >= first[place]) & (second >= second[place])
        passed = (first > first[place]) | (second > second[place])
        on[place] = not (reached & passed).any()
    return on


def _upward(value: float, best_is_high: bool) -> float:
    return value if best_is_high else -value


def _mean(context: Context, scores: Scores, values: Array, level: float) -> stats.MeanInterval:
    if scores.replicates == 1:
        return context.units.mean_interval(values, level=level)
    return stats.mean_interval(values, level=level)


def _at_last_look(context: Context, scores: Scores) -> dict[Pair, stats.PairedDifference]:
    family, alpha, raced = context.stages.family, context.study.evidence.alpha, context.raced
    assert raced is not None  # noqa: S101 - for the type checker; the caller looked
    estimate, low, high = stats.intervals_at_last_look(
        scores.table[None], family, raced, looks=context.stages.looks, alpha=alpha
    )
    return {
        pair: stats.PairedDifference(
            estimate=float(estimate[0, place]),
            low=float(low[0, place]),
            high=float(high[0, place]),
            level=1 - alpha,
            p_value=float("nan"),
            p_adjusted=float("nan"),
            num_pairs=int(np.isfinite(scores.table[:, list(pair)]).all(axis=1).sum()),
            unit="replicate",
            method=f"paired t over replicates, intervals that hold at every look, Bonferroni over {len(family)}",
        )
        for place, pair in enumerate(family)
    }
