"""Intervals of a proportion: so many successes in so many trials."""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from scipy.stats import beta, norm

from lossassay.errors import DataError


@dataclass(frozen=True, kw_only=True)
class Proportion:
    """A proportion with its interval.

    Args:
        estimate: Successes divided by trials; nan without trials.
        low: Lower limit; 0 without trials.
        high: Upper limit; 1 without trials.
        level: Of the interval, for example 0.95.
        successes: How often it happened.
        trials: How often it could have happened.
        unit: What was counted.
        method: In words.
    """

    estimate: float
    low: float
    high: float
    level: float
    successes: int
    trials: int
    unit: Literal["trial"] = "trial"
    method: str


def clopper_pearson(successes: int | np.integer, trials: int | np.integer, *, level: float = 0.95) -> Proportion:
    r"""Return a proportion with its exact interval, which covers at least as often as it says.

    With k successes in n trials the limits are quantiles of beta distributions:
    :math:`B_{(1-level)/2}(k, n - k + 1)` and :math:`B_{(1+level)/2}(k + 1, n - k)`; 0 at k = 0 and 1 at k = n.

    Clopper and Pearson 1934, Biometrika 26:404.

    Args:
        successes: How often it happened, 0 to ``trials``.
        trials: How often it could have happened; without any the interval is [0, 1].
        level: Of the interval, between 0 and 1.

    Raises:
        DataError: If the counts or the level make no sense.

    >>> found = clopper_pearson(0, 10)
    >>> found.low, round(found.high, 3)
    (0.0, 0.308)
    """
    _check_counts(successes, trials)
    check_level(level)
    tail = (1 - level) / 2
    failures = trials - successes
    low = float(beta.ppf(tail, successes, failures + 1)) if successes else 0.0
    high = float(beta.isf(tail, successes + 1, failures)) if failures else 1.0
    return _proportion(successes, trials, (low, high), level, "exact interval (Clopper-Pearson)")


def wilson(successes: int | np.integer, trials: int | np.integer, *, level: float = 0.95) -> Proportion:
    r"""Return a proportion with its score interval, which covers as often as it says on average over proportions.

    Near 0 and 1 it can cover less often: 95 % is 84 % at worst with 10 trials, 86 % with 30, 90 % with 100.

    The limits are the p at which :math:`|\hat p - p| = z \sqrt{p (1 - p) / n}`, z the normal quantile:

    .. math:: \frac{\hat p + z^2 / 2n \pm z \sqrt{\hat p (1 - \hat p) / n + z^2 / 4n^2}}{1 + z^2 / n}

    Wilson 1927, JASA 22:209.

    Args:
        successes: How often it happened, 0 to ``trials``.
        trials: How often it could have happened; without any the interval is [0, 1].
        level: Of the interval, between 0 and 1.

    Raises:
        DataError: If the counts or the level make no sense.

    >>> found = wilson(9, 10)
    >>> round(found.low, 3), round(found.high, 3)
    (0.596, 0.982)
    """
    _check_counts(successes, trials)
    check_level(level)
    z_squared = float(norm.isf((1 - level) / 2)) ** 2
    failures = trials - successes
    low = high = float("nan")
    if trials:
        centre = (successes + z_squared / 2) / (trials + z_squared)
        spread = (z_squared * (successes * (failures / trials) + z_squared / 4)) ** 0.5 / (trials + z_squared)
        low, high = centre - spread, centre + spread
    # the equation has the roots 0 and 1 there, which rounding would miss
    limits = (low if successes else 0.0, high if failures else 1.0)
    return _proportion(successes, trials, limits, level, "score interval (Wilson)")


def check_level(level: float) -> None:
    """Refuse a level that is none.

    Raises:
        DataError: Unless level lies between 0 and 1.
    """
    if not 0 < level < 1:
        raise DataError(f"The level must lie between 0 and 1, got {level!r}. Use 0.95 for an interval at 95 %.")


def _check_counts(successes: int | np.integer, trials: int | np.integer) -> None:
    if not 0 <= successes <= trials:
        raise DataError(
            f"{successes} successes in {trials} trials came; expected 0 <= successes <= trials: "
            "count every trial, and each success among them once."
        )


def _proportion(
    successes: int | np.integer, trials: int | np.integer, limits: tuple[float, float], level: float, method: str
) -> Proportion:
    return Proportion(
        estimate=float(successes / trials) if trials else float("nan"),
        low=limits[0],
        high=limits[1],
        level=level,
        successes=int(successes),
        trials=int(trials),
        method=method,
    )
