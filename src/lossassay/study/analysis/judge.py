"""Intervals of every judged pair for one yardstick in one scope, by the rule that the study chose."""

from dataclasses import dataclass, replace
from math import isfinite

import numpy as np

from lossassay import stats
from lossassay.catalogue.yardsticks import YARDSTICKS
from lossassay.engine.spec import Array
from lossassay.study.analysis.context import Context
from lossassay.study.analysis.family import Pair
from lossassay.study.analysis.patients import patient_part
from lossassay.study.analysis.stopping import score_table

_METHODS = {
    "planned": "paired t over replicates, looks planned at {first} to {last} replicates (Lan-DeMets)",
    "anytime": "paired t over replicates, right-Haar mixture sequence from {first} replicates on",
}


@dataclass(frozen=True, kw_only=True)
class Judged:
    """One pair in one scope, with what a verdict needs.

    Args:
        difference: Estimate and simultaneous interval.
        smallest_margin: Half-width that this comparison could ever reach in its scope; nan where nothing varies.
        p_holm: Over the family; nan with early stopping.
        p_max_t: Over the family, by sign flips; nan with early stopping.
        patient_floor: Standard error that more replicates cannot reduce; 0 in scope procedure, or too small to see.
        decided_at: Replicates when the verdict was first reached; 0: never, or not looked at one by one.
    """

    difference: stats.PairedDifference
    smallest_margin: float = float("nan")
    p_holm: float = float("nan")
    p_max_t: float = float("nan")
    patient_floor: float = 0.0
    decided_at: int = 0


def judge(context: Context, metric: str, scope: str, *, without_diverged: bool = False) -> dict[Pair, Judged]:
    """Return every pair of the family.

    Args:
        context: The study.
        metric: A yardstick.
        scope: ``"procedure"`` or ``"population"``.
        without_diverged: Leave out replicates in which some run diverged.
    """
    key = (metric, scope, without_diverged)
    if key not in context.memory:
        context.memory[key] = dict(zip(context.stages.family, _judge(context, *key), strict=True))
    return context.memory[key]  # type: ignore[no-any-return]


def _judge(context: Context, metric: str, scope: str, without_diverged: bool) -> list[Judged]:
    if not context.stages.family:
        return []
    scores = score_table(context.table, metric, without_diverged=without_diverged)
    if context.raced is not None:
        return _sequential(context, metric, scope, scores)
    return _population(context, metric, scores) if scope == "population" else _fixed(context, scores)


def _fixed(context: Context, scores: Array) -> list[Judged]:
    evidence, family, units = context.study.evidence, context.stages.family, context.units
    observed, pairs = units.observations(scores, family)
    by_t = stats.paired_differences(
        observed, pairs, alpha=evidence.alpha, family_size=len(pairs), test_share_ratio=units.test_share_ratio
    )
    by_flips = stats.max_t(observed, pairs, alpha=evidence.alpha)
    holm = stats.holm(np.array([found.p_value for found in by_t]))
    chosen = by_flips if evidence.method == "sign_flip" else by_t
    return [
        Judged(
            difference=_of_replicates(context, difference, units.replicates(scores, family[index])),
            smallest_margin=(difference.high - difference.low) / 2,
            p_holm=float(holm[index]),
            p_max_t=float("nan") if units.test_share_ratio else by_flips[index].p_adjusted,  # folds are dependent
        )
        for index, difference in enumerate(chosen)
    ]


def _of_replicates(context: Context, found: stats.PairedDifference, replicates: int) -> stats.PairedDifference:
    """Count what was trained; where sites are the unit, the method says how many there are."""
    if not context.units.sites:
        return found
    words = f"{found.method.replace('over replicates', 'over sites')}, {found.num_pairs} sites"
    return replace(found, num_pairs=replicates, method=words)


def _population(context: Context, metric: str, scores: Array) -> list[Judged]:
    pairs, found = context.stages.family, []
    for a, b in pairs:
        result = stats.population_difference(
            scores[:, a] - scores[:, b],
            context.tested_patients.between((a, b), metric),
            alpha=context.study.evidence.alpha,
            family_size=len(pairs),
        )
        difference = stats.PairedDifference(
            estimate=result.estimate,
            low=result.low,
            high=result.high,
            level=result.level,
            p_value=result.p_value,
            p_adjusted=result.p_adjusted,
            num_pairs=result.num_pairs,
            unit="replicate",
            method=result.method,
        )
        found.append(
            Judged(
                difference=difference,
                smallest_margin=result.smallest_margin or float("nan"),  # 0: too few replicates to see the patients
                patient_floor=_or_zero(result.patient_floor),
            )
        )
    return found


def _sequential(context: Context, metric: str, scope: str, scores: Array) -> list[Judged]:
    """The look at which each pair stopped was chosen by the primary metric; these intervals hold at every look."""
    stages, evidence, raced = context.stages, context.study.evidence, context.raced
    assert raced is not None  # noqa: S101 - for the type checker; the caller looked
    patients = patient_part(context.table, metric, stages.family) if scope == "population" else None
    own = metric == context.metric and scope == evidence.scope
    looks, alpha, p_values = stages.looks, evidence.alpha, np.full((1, len(stages.family)), np.nan)
    if own:
        raced = stats.race(
            scores[None],
            stages.family,
            looks=looks,
            alpha=alpha,
            margin=evidence.margin,
            higher_is_better=YARDSTICKS[metric].best == "high",
            patients=patients,
        )
        estimate, low, high = raced.estimate, raced.low, raced.high
        p_values = stats.adjusted_p_values(
            scores[None], stages.family, raced, looks=looks, alpha=alpha, patients=patients
        )
    else:
        estimate, low, high = stats.intervals_at_last_look(
            scores[None], stages.family, raced, looks=looks, alpha=alpha, patients=patients
        )
    margins = _smallest_margins(context, scores, raced, patients)
    return [
        Judged(
            difference=stats.PairedDifference(
                estimate=float(estimate[0, index]),
                low=float(low[0, index]),
                high=float(high[0, index]),
                level=1 - evidence.alpha,
                p_value=float("nan"),
                p_adjusted=float(p_values[0, index]),
                num_pairs=int(raced.replicates[0, index]),
                unit="replicate",
                method=_method(context, scope),
            ),
            smallest_margin=margins[index],
            patient_floor=0.0 if patients is None else _or_zero(_at_last(patients.floor, raced, index)),
            decided_at=int(raced.decided_at[0, index]) if own else 0,
        )
        for index in range(len(stages.family))
    ]


def _smallest_margins(
    context: Context, scores: Array, raced: stats.Race, patients: stats.PatientPart | None
) -> list[float]:
    """Procedure: half-width at the last planned look with the spread so far. Population: the patients' part alone."""
    looks, family = context.stages.looks, context.stages.family
    chance = context.study.evidence.alpha / len(family)
    if patients is not None:
        half = patients.half_width(chance / 2, endless=True)
        return [_at_last(half, raced, index) or float("nan") for index in range(len(family))]  # 0: not to be seen yet
    critical = looks.critical_values([chance])[0, looks.last]
    spreads = [float(np.nanstd(scores[:, a] - scores[:, b], ddof=1)) for a, b in family]
    return [float(critical) * spread / looks.last**0.5 for spread in spreads]


def _at_last(path: Array, raced: stats.Race, index: int) -> float:
    """Return what a path held at the last look of a pair."""
    looked = np.flatnonzero(raced.looked[0, :, index])
    return float(path[0, looked[-1] if len(looked) else -1, index])


def _method(context: Context, scope: str) -> str:
    looks = context.stages.looks
    words = _METHODS[looks.kind].format(first=looks.first, last=looks.last)
    if scope == "population":
        words += " with half of alpha, and patients (clustered variance) with the other half"
    return f"{words}, Bonferroni over {_comparisons(len(context.stages.family))}"


def _comparisons(number: int) -> str:
    return f"{number} comparison{'s' if number != 1 else ''}"


def _or_zero(value: float) -> float:
    return value if isfinite(value) else 0.0
