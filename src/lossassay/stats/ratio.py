"""The interval of a ratio of two paired means."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Real
from scipy.stats import t as student_t

Array = np.ndarray[Any, np.dtype[Any]]


@dataclass(frozen=True, kw_only=True)
class RatioInterval:
    """A ratio of means with its interval.

    Args:
        estimate: Mean of the numerators over mean of the denominators; nan without pairs or over a mean of 0.
        low: Lower limit; nan where no limit exists.
        high: Upper limit; nan where no limit exists.
        level: Of the interval, for example 0.95.
        replicates: Pairs that were used.
        method: In words.
    """

    estimate: float
    low: float
    high: float
    level: float
    replicates: int
    method: str


def paired_ratio(
    numerators: Real[Array, " replicates"],
    denominators: Real[Array, " replicates"],
    *,
    level: float = 0.95,
    test_share_ratio: float = 0.0,
) -> RatioInterval:
    r"""Return the ratio of two paired means with Fieller's interval.

    It holds every ratio :math:`\rho` for which the t test of :math:`\bar x - \rho \bar y = 0` over replicates does not
    reject (Fieller 1954, J. R. Stat. Soc. B 16:175). Where the mean of the denominators cannot be told from 0 this set
    has no end, and no limits are given.

    Args:
        numerators: One number per replicate.
        denominators: Of the same replicates; pairs in which one is nan or infinite are left out.
        level: Of the interval, between 0 and 1.
        test_share_ratio: Rows tested by rows learnt from, where replicates are folds that learn from one another's
            test rows: every variance of a mean grows by it (Nadeau and Bengio 2003). 0: replicates are independent.
    """
    both = np.stack([np.asarray(numerators, dtype=float), np.asarray(denominators, dtype=float)])
    both = both[:, np.isfinite(both).all(axis=0)]
    count = both.shape[1]
    x, y = both.mean(axis=1) if count else (float("nan"), 0.0)
    low = high = float("nan")
    if count >= 2:
        of_mean = student_t.ppf((1 + level) / 2, count - 1) ** 2 * (1 / count + test_share_ratio)
        xx, xy, yy = (np.cov(both)[a, b] * of_mean for a, b in _CELLS)
        leading, half, constant = y * y - yy, x * y - xy, x * x - xx
        inside = half * half - leading * constant
        if leading > 0:
            root = max(inside, 0.0) ** 0.5
            low, high = float((half - root) / leading), float((half + root) / leading)
    return RatioInterval(
        estimate=float(x / y) if y else float("nan"),
        low=low,
        high=high,
        level=level,
        replicates=count,
        method="Fieller's interval over replicates",
    )


_CELLS = ((0, 0), (0, 1), (1, 1))
