"""The interval of a mean."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Real
from scipy.stats import chi2
from scipy.stats import t as student_t

Array = np.ndarray[Any, np.dtype[Any]]


@dataclass(frozen=True, kw_only=True)
class MeanInterval:
    """A mean with its interval.

    Args:
        estimate: The mean; nan without values.
        low: Lower limit; nan with fewer than two values.
        high: Upper limit; nan with fewer than two values.
        sd: Standard deviation over replicates, with n - 1; nan with fewer than two values.
        level: Of the interval, for example 0.95.
        replicates: Values that were used.
        dropped: Values that were nan or infinite and were not used.
        method: In words.
    """

    estimate: float
    low: float
    high: float
    sd: float
    level: float
    replicates: int
    dropped: int
    method: str


def mean_interval(
    values: Real[Array, " replicates"], *, level: float = 0.95, test_share_ratio: float = 0.0
) -> MeanInterval:
    r"""Return the mean over replicates with its t interval, :math:`\bar x \pm t_{n-1} s / \sqrt n` (Student 1908).

    Args:
        values: One number per replicate; nan and infinite ones are left out and counted.
        level: Of the interval, between 0 and 1.
        test_share_ratio: Rows tested by rows learnt from, where these overlap between replicates; see
            `paired.paired_differences`. 0: independent.
    """
    used = np.asarray(values, dtype=float)
    used = used[np.isfinite(used)]
    count = len(used)
    sd = half_width = float("nan")
    if count >= 2:
        sd = float(used.std(ddof=1))
        half_width = float(student_t.ppf((1 + level) / 2, count - 1)) * sd / count**0.5
        half_width *= (1 + count * test_share_ratio) ** 0.5
    estimate = float(used.mean()) if count else float("nan")
    return MeanInterval(
        estimate=estimate,
        low=estimate - half_width,
        high=estimate + half_width,
        sd=sd,
        level=level,
        replicates=count,
        dropped=len(values) - count,
        method="corrected resampled t interval over folds" if test_share_ratio else "t interval over replicates",
    )


def sd_interval(values: Real[Array, " replicates"], *, level: float = 0.95) -> MeanInterval:
    r"""Return the standard deviation with its interval for normal values, :math:`s \sqrt{(n-1) / \chi^2_{n-1}}`.

    Args:
        values: One number per replicate; nan and infinite ones are left out and counted.
        level: Of the interval, between 0 and 1.

    Returns:
        A record whose estimate is the standard deviation; nan with fewer than two values.
    """
    mean = mean_interval(values, level=level)
    freedom = mean.replicates - 1
    tails = ((1 + level) / 2, (1 - level) / 2)
    low, high = (
        mean.sd * (freedom / float(chi2.ppf(tail, freedom))) ** 0.5 if freedom > 0 else float("nan") for tail in tails
    )
    return MeanInterval(
        estimate=mean.sd,
        low=low,
        high=high,
        sd=mean.sd,
        level=level,
        replicates=mean.replicates,
        dropped=mean.dropped,
        method="chi-squared interval of a standard deviation",
    )
