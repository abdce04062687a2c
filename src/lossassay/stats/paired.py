"""Differences between arms, paired by replicate."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from jaxtyping import Float, Real
from scipy.stats import t as student_t

from lossassay.stats.intervals import Array

_ROUNDING = 1e-12  # of the scores: differences that spread less than this are equal
_UNDERFLOW = 1e-150  # the square of a smaller number is 0


@dataclass(frozen=True, kw_only=True)
class PairedDifference:
    """Mean difference of two arms over the replicates that both have.

    Args:
        estimate: Arm a minus arm b, in the metric's unit; nan without pairs.
        low: Lower limit of the simultaneous interval; nan with fewer than two pairs.
        high: Upper limit of the simultaneous interval; nan with fewer than two pairs.
        level: At which all intervals of the family hold together.
        p_value: Two-sided, of this pair alone; nan with fewer than two pairs.
        p_adjusted: min(1, family size times p_value): at most 1 - level exactly where the interval leaves 0 out.
        num_pairs: Replicates that both arms have.
        unit: What was repeated.
        method: In words.
    """

    estimate: float
    low: float
    high: float
    level: float
    p_value: float
    p_adjusted: float
    num_pairs: int
    unit: Literal["replicate"]
    method: str


def paired_differences(
    scores: Real[Array, "replicates arms"], pairs: Sequence[tuple[int, int]], *, alpha: float, family_size: int
) -> list[PairedDifference]:
    r"""Return the mean paired difference of each pair of arms, with simultaneous Bonferroni t intervals.

    :math:`\bar d \pm t_{n-1, 1-\alpha/2m}\, s_d / \sqrt n` with m the size of the family (Dunn 1961, JASA 56:52).

    Differences that are all equal leave no spread to estimate. All 0: the interval is [0, 0] and p is 1. All equal to
    one d: p is :math:`2^{1-n}`, that of the exact sign-flip test, and the interval is [d, d], stretched to 0 where
    that p does not reject: two replicates that happen to agree (on a small test part they often do) decide nothing.

    Args:
        scores: One number per replicate and arm; where one of a pair is nan, that replicate is left out of the pair.
        pairs: Columns a and b of each pair.
        alpha: Chance of any wrong rejection in the family, between 0 and 1.
        family_size: Number m of comparisons made together (pairs that are the same function are not among them).

    Returns:
        One record per pair, in the order of ``pairs``.
    """
    return [_paired(scores[:, a], scores[:, b], alpha, family_size) for a, b in pairs]


def _paired(
    first: Real[Array, " replicates"], second: Real[Array, " replicates"], alpha: float, family_size: int
) -> PairedDifference:
    both = np.isfinite(first) & np.isfinite(second)
    first, second = first[both], second[both]
    differences = first - second
    count = len(differences)
    estimate = float(differences.mean()) if count else float("nan")
    low = high = p_value = float("nan")
    if count >= 2:
        smallest = max(_ROUNDING * float(np.abs([first, second]).max()), _UNDERFLOW)
        if np.ptp(differences) <= smallest:
            estimate = estimate if abs(estimate) > smallest else 0.0
            low, high, p_value = _of_equal_differences(estimate, count, alpha / family_size)
        else:
            low, high, p_value = _of_student(differences, alpha / family_size)
    return PairedDifference(
        estimate=estimate,
        low=low,
        high=high,
        level=1 - alpha,
        p_value=p_value,
        p_adjusted=min(1.0, family_size * p_value) if count >= 2 else float("nan"),
        num_pairs=count,
        unit="replicate",
        method=f"paired t over replicates, Bonferroni over {family_size} comparison{'s' if family_size > 1 else ''}",
    )


def _of_student(differences: Float[Array, " pairs"], alpha: float) -> tuple[float, float, float]:
    """Return the limits of the 1 - alpha interval and the two-sided p."""
    count = len(differences)
    estimate, error = float(differences.mean()), float(differences.std(ddof=1)) / count**0.5
    half_width = float(student_t.isf(alpha / 2, count - 1)) * error
    p_value = float(2 * student_t.sf(abs(estimate) / error, count - 1))
    return estimate - half_width, estimate + half_width, p_value


def _of_equal_differences(estimate: float, count: int, alpha: float) -> tuple[float, float, float]:
    """Return limits and p where every difference is the same number."""
    p_value = 2.0 ** (1 - count) if estimate != 0 else 1.0
    if p_value <= alpha:
        return estimate, estimate, p_value
    return min(estimate, 0.0), max(estimate, 0.0), p_value
