"""Systems compared over several data sets, by ranks: one score per data set and system, the data set is the unit."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import combinations
from math import factorial
from typing import Literal

import numpy as np
from jaxtyping import Bool, Float, Real
from scipy.stats import chi2, rankdata, studentized_range
from scipy.stats import f as fisher_f

from lossassay.errors import DataError
from lossassay.stats.intervals import Array
from lossassay.stats.multiplicity import holm
from lossassay.stats.paired import check_alpha
from lossassay.stats.sign_flip import wilcoxon_test

Scores = Real[Array, "data_sets systems"]


@dataclass(frozen=True, kw_only=True)
class FriedmanTest:
    """Whether any system ranks higher than the others; no pair is named.

    Args:
        mean_ranks: Of each system; 1 is best.
        chi_square: Friedman's statistic, corrected for ties.
        p_value: Of it, on systems - 1 degrees of freedom.
        f: Iman and Davenport's statistic, which is less conservative; infinite where all data sets agree.
        f_freedom: Its two degrees of freedom.
        f_p_value: Of it; the exact chance of that agreement where f is infinite.
        num_data_sets: That were used.
        dropped: Data sets left out as a system lacks a score there.
        unit: What was repeated.
        method: In words.
    """

    mean_ranks: tuple[float, ...]
    chi_square: float
    p_value: float
    f: float
    f_freedom: tuple[int, int]
    f_p_value: float
    num_data_sets: int
    dropped: int
    unit: Literal["data set"]
    method: str


@dataclass(frozen=True, kw_only=True)
class SystemDifference:
    """Two systems over data sets.

    Args:
        a: Column of the first system.
        b: Column of the second.
        estimate: a minus b: of mean ranks, where less is better (Nemenyi), or of scores (Wilcoxon).
        low: Lower limit; all intervals hold together.
        high: Upper limit.
        level: At which they do.
        p_value: Of this pair alone; nan for Nemenyi, whose p is of the family.
        p_adjusted: Within the family of all pairs.
        different: Whether p_adjusted is at most 1 - level.
    """

    a: int
    b: int
    estimate: float
    low: float
    high: float
    level: float
    p_value: float
    p_adjusted: float
    different: bool


@dataclass(frozen=True, kw_only=True)
class RankGroups:
    """What a critical-difference diagram shows.

    Args:
        mean_ranks: Of each system; 1 is best.
        critical_difference: Of mean ranks, from which on two systems differ; nan where there is no common one.
        groups: Largest sets of systems, two or more, in which no pair was shown to differ; best mean rank first. A
            group is no claim of equality, and with Wilcoxon's test it may skip a system in between.
        differences: One record per pair of systems.
        level: At which all hold together.
        num_data_sets: That were used.
        dropped: Data sets left out as a system lacks a score there.
        unit: What was repeated.
        method: In words.
    """

    mean_ranks: tuple[float, ...]
    critical_difference: float
    groups: tuple[tuple[int, ...], ...]
    differences: tuple[SystemDifference, ...]
    level: float
    num_data_sets: int
    dropped: int
    unit: Literal["data set"]
    method: str


def friedman(scores: Scores, *, higher_is_better: bool = True) -> FriedmanTest:
    r"""Return the Friedman test with the correction of Iman and Davenport.

    :math:`\chi^2_F = \frac{12 N}{k (k + 1)} \sum_j (\bar R_j - \frac{k + 1}{2})^2`, divided by 1 minus the share that
    ties take away (Friedman 1937, JASA 32:675), and :math:`F = (N - 1) \chi^2_F / (N (k - 1) - \chi^2_F)` (Iman and
    Davenport 1980, Commun Stat Theory 9:571) for k systems on N data sets.

    Args:
        scores: One number per data set and system; a data set that lacks one is left out.
        higher_is_better: The metric's direction.

    Raises:
        DataError: If fewer than two data sets or two systems remain.

    >>> found = friedman(np.array([[0.9, 0.8, 0.7], [0.8, 0.7, 0.75], [0.9, 0.7, 0.6], [0.7, 0.6, 0.5]]))
    >>> found.mean_ranks, round(found.chi_square, 3)
    ((1.0, 2.25, 2.75), 6.5)
    """
    used, ranks, dropped = _ranked(scores, higher_is_better)
    count, systems = used.shape
    squares = float(np.square(ranks - (systems + 1) / 2).sum())  # N k (k^2 - 1) / 12 without ties
    between = count**2 * float(np.square(ranks.mean(axis=0) - (systems + 1) / 2).sum())
    chi_square = (systems - 1) * between / squares if squares > 0 else 0.0
    left = count * (systems - 1) - chi_square
    if left > 1e-9 * count:
        f = (count - 1) * chi_square / left
        f_p_value = float(fisher_f.sf(f, systems - 1, (systems - 1) * (count - 1)))
    else:
        f, f_p_value = float("inf"), (1.0 / factorial(systems)) ** (count - 1)
    return FriedmanTest(
        mean_ranks=tuple(ranks.mean(axis=0).tolist()),
        chi_square=chi_square,
        p_value=float(chi2.sf(chi_square, systems - 1)),
        f=f,
        f_freedom=(systems - 1, (systems - 1) * (count - 1)),
        f_p_value=f_p_value,
        num_data_sets=count,
        dropped=dropped,
        unit="data set",
        method=f"Friedman test of {systems} systems on {count} data sets, with Iman and Davenport's F",
    )


def nemenyi(scores: Scores, *, alpha: float, higher_is_better: bool = True) -> RankGroups:
    r"""Return all pairs of systems by Nemenyi's test, with the critical difference of mean ranks.

    :math:`CD = q_{1-\alpha, k, \infty} / \sqrt 2 \cdot \sqrt{k (k + 1) / 6 N}` with the studentised range q
    (Nemenyi 1963; Demsar 2006, JMLR 7:1). It holds for many data sets, about ten or more. Whether two systems differ
    may depend on which others are in the study: `wilcoxon_holm` has no such fault.

    Args:
        scores: One number per data set and system; a data set that lacks one is left out.
        alpha: Chance of any wrong difference, between 0 and 1.
        higher_is_better: The metric's direction.

    Raises:
        DataError: If fewer than two data sets or two systems remain, or alpha makes no sense.

    >>> found = nemenyi(np.arange(8)[:, None] + np.array([0.0, 0.1, 0.2]), alpha=0.05)
    >>> found.groups, round(found.critical_difference, 3)
    (((2, 1), (1, 0)), 1.172)
    """
    check_alpha(alpha)
    used, ranks, dropped = _ranked(scores, higher_is_better)
    count, systems = used.shape
    mean_ranks = ranks.mean(axis=0)
    error = (systems * (systems + 1) / (6 * count)) ** 0.5
    critical = float(studentized_range.isf(alpha, systems, np.inf)) / 2**0.5 * error
    differences = []
    for a, b in combinations(range(systems), 2):
        estimate = float(mean_ranks[a] - mean_ranks[b])
        p_adjusted = float(np.clip(studentized_range.sf(abs(estimate) / error * 2**0.5, systems, np.inf), 0, 1))
        differences.append(
            SystemDifference(
                a=a,
                b=b,
                estimate=estimate,
                low=estimate - critical,
                high=estimate + critical,
                level=1 - alpha,
                p_value=float("nan"),
                p_adjusted=p_adjusted,
                different=abs(estimate) > critical,
            )
        )
    method = f"Nemenyi test of {systems} systems on {count} data sets"
    return _groups(mean_ranks, differences, critical, (count, dropped), method)


def wilcoxon_holm(scores: Scores, *, alpha: float, higher_is_better: bool = True) -> RankGroups:
    r"""Return all pairs of systems by signed ranks over data sets, adjusted by Holm's rule.

    Each pair is tested by itself, so other systems do not matter but for the size of the family (Benavoli, Corani and
    Mangili 2016, JMLR 17:5). Intervals are at alpha over the number of pairs, hence may contain 0 where Holm's less
    strict p is at most alpha; ``different`` follows p.

    Args:
        scores: One number per data set and system; a data set that lacks one is left out.
        alpha: Chance of any wrong difference, between 0 and 1.
        higher_is_better: The metric's direction; it matters for the ranks alone.

    Raises:
        DataError: If fewer than two data sets or two systems remain, or alpha makes no sense.

    >>> wilcoxon_holm(np.arange(12)[:, None] + np.array([0.0, 0.1, 0.1]), alpha=0.05).groups
    ((1, 2),)
    """
    check_alpha(alpha)
    used, ranks, dropped = _ranked(scores, higher_is_better)
    count, systems = used.shape
    pairs = list(combinations(range(systems), 2))
    tests = [wilcoxon_test(used[:, a] - used[:, b], alpha=alpha / len(pairs)) for a, b in pairs]
    adjusted = holm(np.array([test.p_value for test in tests]))
    differences = [
        SystemDifference(
            a=a,
            b=b,
            estimate=test.estimate,
            low=test.low,
            high=test.high,
            level=1 - alpha,
            p_value=test.p_value,
            p_adjusted=float(p_adjusted),
            different=bool(p_adjusted <= alpha),
        )
        for (a, b), test, p_adjusted in zip(pairs, tests, adjusted, strict=True)
    ]
    method = f"signed-rank tests of {systems} systems on {count} data sets, Holm over {len(pairs)} pairs"
    return _groups(ranks.mean(axis=0), differences, float("nan"), (count, dropped), method)


def _ranked(
    scores: Scores, higher_is_better: bool
) -> tuple[Float[Array, "used systems"], Float[Array, "used systems"], int]:
    """Return the complete data sets, the ranks in each (1 is best, ties share their mean), and the number left out."""
    given = np.asarray(scores, dtype=float)
    used = given[np.isfinite(given).all(axis=1)]
    if len(used) < 2 or given.shape[1] < 2:
        raise DataError(
            f"{given.shape[1]} systems on {len(given)} data sets came, {len(used)} of these complete; expected two or "
            "more of each. Replicates on one data set are no data sets: compare them with paired_differences."
        )
    ranks = np.asarray(rankdata(-used if higher_is_better else used, axis=1), dtype=float)
    return used, ranks, len(given) - len(used)


def _groups(
    mean_ranks: Float[Array, " systems"],
    differences: list[SystemDifference],
    critical: float,
    counts: tuple[int, int],
    method: str,
) -> RankGroups:
    alike = ~np.eye(len(mean_ranks), dtype=bool)
    for pair in differences:
        alike[pair.a, pair.b] = alike[pair.b, pair.a] = not pair.different
    cliques = (sorted(clique, key=lambda system: (mean_ranks[system], system)) for clique in _cliques(alike))
    order = sorted((tuple(clique) for clique in cliques), key=lambda clique: [mean_ranks[system] for system in clique])
    return RankGroups(
        mean_ranks=tuple(mean_ranks.tolist()),
        critical_difference=critical,
        groups=tuple(order),
        differences=tuple(differences),
        level=differences[0].level,
        num_data_sets=counts[0],
        dropped=counts[1],
        unit="data set",
        method=method,
    )


def _cliques(alike: Bool[Array, "systems systems"]) -> Iterator[set[int]]:
    """Yield the largest sets of two or more that are all alike (Bron and Kerbosch 1973, Commun ACM 16:575)."""

    def grow(clique: set[int], may_join: set[int], seen: set[int]) -> Iterator[set[int]]:
        if not may_join and not seen:
            yield clique
        pivot = max(may_join | seen, key=lambda system: len(may_join & near[system]), default=None)
        for system in sorted(may_join - near[pivot]) if pivot is not None else ():
            yield from grow(clique | {system}, may_join & near[system], seen & near[system])
            may_join = may_join - {system}
            seen = seen | {system}

    near = [set(np.flatnonzero(row).tolist()) for row in alike]
    yield from (clique for clique in grow(set(), set(range(len(alike))), set()) if len(clique) > 1)
