"""Differences between arms, paired by replicate, for a fixed number of replicates."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple

import numpy as np
from jaxtyping import Real
from scipy.stats import t as student_t

from lossassay.errors import DataError
from lossassay.stats.intervals import Array
from lossassay.stats.running import RunningDifferences, limits, running_differences


@dataclass(frozen=True, kw_only=True)
class PairedDifference:
    """Mean difference of two arms over the replicates that both have.

    Args:
        estimate: Arm a minus arm b, in the metric's unit; nan without pairs.
        low: Lower limit of the simultaneous interval; nan with fewer than two pairs.
        high: Upper limit of the simultaneous interval; nan with fewer than two pairs.
        level: At which all intervals of the family hold together.
        p_value: Two-sided, of this pair alone; nan with fewer than two pairs.
        p_adjusted: At most 1 - level exactly where the interval leaves 0 out; nan with fewer than two pairs.
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
    scores: Real[Array, "replicates arms"],
    pairs: Sequence[tuple[int, int]],
    *,
    alpha: float,
    family_size: int,
    test_share_ratio: float = 0.0,
) -> list[PairedDifference]:
    r"""Return the mean paired difference of each pair of arms, with simultaneous Bonferroni t intervals.

    :math:`\bar d \pm t_{n-1, 1-\alpha/2m}\, s_d / \sqrt n` with m the size of the family (Dunn 1961, JASA 56:52).

    Differences that are all equal leave no spread to estimate; see `running.limits` for their interval, of which
    their p is the inversion too: :math:`\max(2^{1-n}, (1 - |d| / range)^n)`.

    Folds of a cross-validation are dependent, as each learns from rows that the others test. Their interval is the
    corrected resampled t (Nadeau and Bengio 2003, doi:10.1023/A:1024068626366): the variance of the mean is
    :math:`(1/n + n_{test}/n_{train}) s_d^2` in place of :math:`s_d^2 / n`. Equal differences then count as
    :math:`n / (1 + n\, n_{test}/n_{train})` independent ones.

    Args:
        scores: One number per replicate and arm; where one of a pair is nan, that replicate is left out of the pair.
        pairs: Columns a and b of each pair.
        alpha: Chance of any wrong rejection in the family, between 0 and 1.
        family_size: Number m of comparisons made together (pairs that are the same function are not among them).
        test_share_ratio: Rows tested by rows learnt from, where these overlap between replicates; 0: independent.

    Returns:
        One record per pair, in the order of ``pairs``.

    Raises:
        DataError: If alpha, the family size or the ratio make no sense.
    """
    check_alpha(alpha)
    if not 0 <= test_share_ratio < np.inf:
        raise DataError(
            f"A ratio of rows tested to rows learnt from of 0 or more was expected; got {test_share_ratio}."
        )
    if family_size < 1:
        raise DataError(f"A family of {family_size} comparisons came; expected 1 or more: the pairs judged together.")
    if not len(pairs):
        return []
    if not len(scores):
        scores = np.full((1, scores.shape[1]), np.nan)
    running = running_differences(scores[None], np.array(pairs, dtype=int))
    counts = np.arange(max(2, len(scores)) + 1)
    critical = np.full(len(counts), np.inf)
    critical[2:] = student_t.isf(alpha / (2 * family_size), counts[2:] - 1)
    inflation = 1 + counts * test_share_ratio  # of the variance of a mean of n
    low, high = limits(running, critical * np.sqrt(inflation), (alpha / family_size) ** inflation)
    rule = _Rule(alpha, family_size, test_share_ratio)
    return [_record(running, index, (low[0, -1, index], high[0, -1, index]), rule) for index in range(len(pairs))]


class _Rule(NamedTuple):
    alpha: float
    family_size: int
    test_share_ratio: float

    def in_words(self) -> str:
        test = "corrected resampled t over folds (Nadeau and Bengio)" if self.test_share_ratio else _PLAIN
        return f"{test}, Bonferroni over {self.family_size} comparison{'s' if self.family_size > 1 else ''}"


_PLAIN = "paired t over replicates"


def _record(running: RunningDifferences, index: int, interval: tuple[float, float], rule: _Rule) -> PairedDifference:
    last = (0, -1, index)
    count, estimate = int(running.count[last]), float(running.mean[last])
    score_range = float(running.score_range[last]) if running.equal[last] else None
    inflation = 1 + count * rule.test_share_ratio
    p_value = _p_value(estimate, float(running.error[last]) * inflation**0.5, count, score_range)
    p_value = p_value ** (1 / inflation) if score_range is not None else p_value
    low, high = interval if count >= 2 else (float("nan"), float("nan"))
    return PairedDifference(
        estimate=estimate,
        low=float(low),
        high=float(high),
        level=1 - rule.alpha,
        p_value=p_value,
        p_adjusted=min(1.0, rule.family_size * p_value) if count >= 2 else float("nan"),
        num_pairs=count,
        unit="replicate",
        method=rule.in_words(),
    )


def check_alpha(alpha: float) -> None:
    """Refuse a chance of error that is none.

    Raises:
        DataError: Unless alpha lies between 0 and 1.
    """
    if not 0 < alpha < 1:
        raise DataError(f"alpha must lie between 0 and 1, got {alpha!r}. Use 0.05 for intervals at 95 %.")


def _p_value(estimate: float, error: float, count: int, range_if_equal: float | None) -> float:
    if count < 2:
        return float("nan")
    if range_if_equal is None:
        return float(2 * student_t.sf(abs(estimate) / error, count - 1))
    if estimate == 0:
        return 1.0
    return float(max(2.0 ** (1 - count), (1 - min(1.0, abs(estimate) / range_if_equal)) ** count))
