r"""Intervals of an AUROC, and of the difference of two AUROCs on the same cases.

DeLong's interval sees the spread in the cases that are ranked wrongly; where these are few it is far too sure, and the
score type supposes a spread instead. Share of 3,000 simulated studies whose interval at 95 % holds the true AUROC,
lowest to highest of 1,080 cells (k = 1 to 500 cases of the smaller class, the other 20 to 4,000; AUROC 0.6 to 0.995;
normal scores, positives with half, as much and twice the spread of negatives; standard error of a share 0.4 %):

=============================  ===========  ==========  ============  ============
k, and k (1 - AUROC)           DeLong       Newcombe 5  score         auto
=============================  ===========  ==========  ============  ============
k < 30                         0 to 97      84 to 100   94.8 to 100   94.8 to 100
k at least 30, below 5         57 to 95.5   86 to 100   96.0 to 100   95.6 to 100
k at least 30, 5 to 10         92.9 to 96   85 to 100   95.4 to 100   94.1 to 98
k at least 30, 10 and more     93.6 to 96   85 to 100   94.6 to 100   93.6 to 96
=============================  ===========  ==========  ============  ============

So "auto" takes DeLong's from 30 cases and 5 wrong ones. ``python -m benchmarks.evidence_auroc`` repeats a part of this.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np
from jaxtyping import Bool, Real
from scipy.special import expit, logit
from scipy.stats import norm
from scipy.stats import t as student_t

from lossassay.stats.intervals import Array
from lossassay.stats.placements import Cases, Groups, Placements, cases_of, covariance, mid_ranks, placements
from lossassay.stats.proportions import check_level

_NAN = float("nan")
_FEWEST = 30  # cases of the smaller class: with fewer the spread that is seen is not trusted
_FEWEST_WRONG = 5  # cases of the smaller class times the AUROC's distance from 0 or 1: likewise
_ONE_CLASS = "undefined: one class is not there"


@dataclass(frozen=True, kw_only=True)
class AurocInterval:
    """An AUROC with its interval.

    Args:
        estimate: Chance that a positive scores higher than a negative; nan without positives or without negatives.
        low: Lower limit; 0 where the estimate is nan.
        high: Upper limit, never above 1; 1 where the estimate is nan.
        level: Of the interval, for example 0.95.
        standard_error: DeLong's or, with groups, Obuchowski's; nan where a class has fewer than two cases (patients).
        positives: Cases that are positive.
        negatives: Cases that are not.
        groups: Distinct patients; without groups, cases.
        unit: What was drawn.
        method: In words.
    """

    estimate: float
    low: float
    high: float
    level: float
    standard_error: float
    positives: int
    negatives: int
    groups: int
    unit: Literal["case", "patient"]
    method: str


@dataclass(frozen=True, kw_only=True)
class AurocDifference:
    """The difference of two AUROCs on the same cases.

    Args:
        estimate: AUROC of a minus AUROC of b; nan without positives or without negatives.
        low: Lower limit, never below -1.
        high: Upper limit, never above 1.
        level: Of the interval, for example 0.95.
        p_value: Two-sided; at most 1 - level exactly where the interval leaves 0 out. nan where the estimate is.
        standard_error: That the interval is made of; nan where a class has fewer than two cases (patients).
        correlation: Of the two AUROCs over drawn cases; nan where one of them has no spread.
        n: Cases or, with groups, patients.
        unit: What was drawn.
        method: In words.
    """

    estimate: float
    low: float
    high: float
    level: float
    p_value: float
    standard_error: float
    correlation: float
    n: int
    unit: Literal["case", "patient"]
    method: str


def auroc_interval(
    truth: Bool[Array, " rows"],
    scores: Real[Array, " rows"],
    *,
    level: float = 0.95,
    groups: Groups | None = None,
    method: Literal["auto", "delong", "score"] = "auto",
) -> AurocInterval:
    r"""Return the AUROC with an interval for new cases or, with groups, for new patients.

    ``delong``: :math:`\operatorname{logit} \hat\theta \pm z\, SE / \hat\theta (1 - \hat\theta)`, with the variance of
    DeLong, DeLong and Clarke-Pearson 1988 (Biometrics 44:837) or, with groups, of Obuchowski 1997 (Biometrics 53:567).
    Undefined, hence nan, at 0 and 1, without spread, and with fewer than two cases (patients) of a class.

    ``score``: the :math:`\theta` at which :math:`|\hat\theta - \theta| \le z \sqrt{V(\theta)}`, as in method 5 of
    Newcombe 2006 (Stat. Med. 25:559). With M positives, N negatives and h the mean of
    :math:`(1 - \theta) / (2 - \theta)` and :math:`\theta / (1 + \theta)` his variance is

    .. math:: V_5(\theta) = \theta (1 - \theta) \frac{1 + (M + N - 2)\, h}{MN}

    It covers 85 % where the few cases vary twice as much as the many. So, with k the smaller class, here h is the
    larger of both; a share of 1/k of V is the largest variance that there is, :math:`\theta (1 - \theta) / k` (Birnbaum
    and Klose 1957, Ann. Math. Stat. 28:933); V is scaled up where DeLong's variance times :math:`(t_{k-1} / z)^2` is
    larger; and it never exceeds that largest. With groups M and N are divided by the design effect that is seen, which
    is drawn towards that of rows that are all alike, the more so the fewer cases are ranked wrongly.

    ``auto``: score where k < 30, or k times the distance of the AUROC from 0 or 1 is below 5 (with groups, k as if the
    rows of a patient were all alike), or where nothing varies; else delong.

    Args:
        truth: True for positives [N].
        scores: Higher for what looks positive [N]; infinite is allowed, nan is not.
        level: Of the interval, between 0 and 1.
        groups: Patient of each row [N], integers or strings; without, every row is a patient of its own.
        method: Which interval.

    Returns:
        A record; without positives or without negatives its estimate is nan and its interval [0, 1].

    Raises:
        DataError: If a score is nan, lengths differ, truth is not Boolean, or the level makes no sense.

    >>> truth = np.array([False, False, False, True, True])
    >>> found = auroc_interval(truth, np.array([0.1, 0.2, 0.4, 0.3, 0.9]))
    >>> round(found.estimate, 3), round(found.low, 2), round(found.high, 2)
    (0.833, 0.24, 0.99)
    """
    check_level(level)
    cases = cases_of(truth, groups)
    if not min(cases.rows):
        return _interval(cases, (_NAN, _NAN), (0.0, 1.0), level, _ONE_CLASS)
    ranks = mid_ranks(scores, cases)
    found = placements(cases, ranks)
    variance = covariance(cases, found, found)
    if method == "score" or (method == "auto" and not _delong_holds(found.mean, variance, cases)):
        sizes = _sizes(cases, ranks, found.mean, variance)
        limits = _score_limits(found.mean, variance, sizes, level)
        name = "score type (after Newcombe's method 5)"
    else:
        limits = _delong_limits(found.mean, variance, level)
        name = "DeLong, logit scale"
    return _interval(cases, (found.mean, variance**0.5), limits, level, name)


def paired_auroc_difference(
    truth: Bool[Array, " rows"],
    scores_a: Real[Array, " rows"],
    scores_b: Real[Array, " rows"],
    *,
    groups: Groups | None = None,
    level: float = 0.95,
    method: Literal["auto", "delong", "added"] = "auto",
) -> AurocDifference:
    r"""Return the difference of two AUROCs on the same cases, with an interval for new cases (patients).

    ``delong``: :math:`d \pm z\, SE`, with the variance of the differences of the placements, which is DeLong's
    :math:`V_a + V_b - 2 C_{ab}` (DeLong, DeLong and Clarke-Pearson 1988, Biometrics 44:837; with groups Obuchowski
    1997, Biometrics 53:567).

    ``added``: as if each class had two more cases that the arms rank independently (in the spirit of Agresti and Caffo
    2000, Am. Stat. 54:280): to the variance come :math:`2 (V_a + V_b) / k`, with V the variance of the score type at
    :math:`(k \hat\theta + 1) / (k + 2)` and k the cases of the smaller class; the quantile is that of t with k - 1.
    With k = 1 the interval is [-1, 1].

    ``auto``: delong where it would be chosen for both arms (see ``auroc_interval``), else added. DeLong's interval of a
    true zero is wide enough everywhere (92 % at least in 144 simulated cells), but that of another difference is far
    too narrow outside its range: it held 0.995 less 0.98 in 37 % of studies with five positives. Added held 94 % at
    least, but for 88 % of this difference where 50 to 100 positives vary twice as much as the negatives.

    Scores that rank the cases in the same way have the difference 0 with [0, 0] and p 1.

    Args:
        truth: True for positives [N].
        scores_a: Higher for what looks positive [N]; nan is not allowed.
        scores_b: Likewise, of the other arm [N].
        groups: Patient of each row [N]; without, every row is a patient of its own.
        level: Of the interval, between 0 and 1.
        method: Which interval.

    Raises:
        DataError: If a score is nan, or the level makes no sense.
    """
    check_level(level)
    cases = cases_of(truth, groups)
    if not min(cases.rows):
        return _difference(cases, (_NAN, _NAN, _NAN), (-1.0, 1.0), (level, _NAN), _ONE_CLASS)
    ranks_a, ranks_b = mid_ranks(scores_a, cases), mid_ranks(scores_b, cases)
    a, b = placements(cases, ranks_a), placements(cases, ranks_b)
    moved = Placements(
        mean=a.mean - b.mean,
        positive_pull=a.positive_pull - b.positive_pull,
        negative_pull=a.negative_pull - b.negative_pull,
    )
    product = covariance(cases, a, a) * covariance(cases, b, b)
    correlation = covariance(cases, a, b) / product**0.5 if product > 0 else _NAN
    if np.array_equal(ranks_a, ranks_b):
        return _difference(cases, (0.0, 0.0, correlation), (0.0, 0.0), (level, 1.0), "equal rankings")
    variance = covariance(cases, moved, moved)
    holds = all(_delong_holds(arm.mean, variance, cases) for arm in (a, b))
    if method == "delong" or (method == "auto" and holds):
        return _symmetric(cases, (moved.mean, variance, correlation), level, None)
    k = min(cases.alike)
    added = sum(_supposed_variance((k * arm.mean + 1) / (k + 2), cases.alike) for arm in (a, b))
    return _symmetric(cases, (moved.mean, variance + 2 * added / k, correlation), level, k - 1)


def _delong_holds(mean: float, variance: float, cases: Cases) -> bool:
    smaller = min(cases.alike)
    return variance > 0 and smaller >= _FEWEST and min(mean, 1 - mean) * smaller >= _FEWEST_WRONG


def _delong_limits(mean: float, variance: float, level: float) -> tuple[float, float]:
    if not variance > 0 or not 0 < mean < 1:
        return _NAN, _NAN
    half_width = float(norm.isf((1 - level) / 2)) * variance**0.5 / (mean * (1 - mean))
    centre = float(logit(mean))
    return float(expit(centre - half_width)), float(expit(centre + half_width))


def _sizes(cases: Cases, ranks: Array, mean: float, variance: float) -> tuple[float, float]:
    """Positives and negatives that are worth as much as those of the patients, if all were apart."""
    if cases.unit == "case":
        return cases.alike
    apart = cases_of(cases.truth, None)
    as_apart = placements(apart, ranks)
    variance_apart = covariance(apart, as_apart, as_apart)
    seen = max(1.0, variance / variance_apart) if variance > 0 and variance_apart > 0 else float("inf")
    wrong = min(cases.alike) * min(mean, 1 - mean)
    positives, negatives = (
        rows * (wrong + 1) / (wrong * min(seen, rows / alike) + rows / alike)
        for rows, alike in zip(cases.rows, cases.alike, strict=True)
    )
    return positives, negatives


def _supposed_variance(theta: float, sizes: tuple[float, float]) -> float:
    """Variance of an AUROC whose true value is theta, where nothing is seen of the spread."""
    positives, negatives = sizes
    shape = max((1 - theta) / (2 - theta), theta / (1 + theta))
    newcombe = (1 + (positives + negatives - 2) * shape) / (positives * negatives)
    largest = 1 / min(sizes)
    return theta * (1 - theta) * (newcombe + (largest - newcombe) / min(sizes))


def _score_limits(mean: float, variance: float, sizes: tuple[float, float], level: float) -> tuple[float, float]:
    tail, smaller = (1 - level) / 2, min(sizes)
    z = float(norm.isf(tail))
    scale = 1.0
    if variance > 0 and smaller > 1:
        seen = variance * (float(student_t.isf(tail, smaller - 1)) / z) ** 2
        scale = max(1.0, seen / _supposed_variance(mean, sizes))

    def holds(theta: float) -> bool:
        largest = theta * (1 - theta) / smaller
        return (mean - theta) ** 2 <= z**2 * min(scale * _supposed_variance(theta, sizes), largest)

    return _last(holds, mean, 0.0), _last(holds, mean, 1.0)


def _last(holds: Callable[[float], bool], inside: float, outside: float) -> float:
    """The last point on the way from inside to outside at which it holds, by halving."""
    for _ in range(60):
        middle = (inside + outside) / 2
        inside, outside = (middle, outside) if holds(middle) else (inside, middle)
    return inside


def _symmetric(cases: Cases, found: tuple[float, float, float], level: float, freedom: float | None) -> AurocDifference:
    """From mean, variance and correlation; t quantile with these degrees of freedom or, with None, normal."""
    mean, variance, correlation = found
    method = "DeLong" if freedom is None else "DeLong with two cases added, t"
    if freedom is not None and not (freedom > 0 and variance > 0):  # one case of a class shows no spread
        return _difference(cases, (mean, _NAN, correlation), (-1.0, 1.0), (level, 1.0), method)
    if not variance > 0:
        return _difference(cases, (mean, _NAN, correlation), (_NAN, _NAN), (level, _NAN), method)
    law = norm() if freedom is None else student_t(freedom)
    error = variance**0.5
    half_width = float(law.isf((1 - level) / 2)) * error
    p_value = float(2 * law.sf(abs(mean) / error))
    limits = (max(-1.0, mean - half_width), min(1.0, mean + half_width))
    return _difference(cases, (mean, error, correlation), limits, (level, p_value), method)


def _interval(
    cases: Cases, found: tuple[float, float], limits: tuple[float, float], level: float, method: str
) -> AurocInterval:
    positives, negatives = cases.rows
    return AurocInterval(
        estimate=found[0],
        low=limits[0],
        high=limits[1],
        level=level,
        standard_error=found[1],
        positives=positives,
        negatives=negatives,
        groups=cases.num_groups,
        unit=cases.unit,
        method=_by_patient(method, cases),
    )


def _difference(
    cases: Cases,
    found: tuple[float, float, float],
    limits: tuple[float, float],
    level_and_p: tuple[float, float],
    method: str,
) -> AurocDifference:
    return AurocDifference(
        estimate=found[0],
        low=limits[0],
        high=limits[1],
        level=level_and_p[0],
        p_value=level_and_p[1],
        standard_error=found[1],
        correlation=found[2],
        n=cases.num_groups,
        unit=cases.unit,
        method=_by_patient(method, cases),
    )


def _by_patient(method: str, cases: Cases) -> str:
    return f"{method}, clustered by patient (Obuchowski)" if cases.unit == "patient" else method
