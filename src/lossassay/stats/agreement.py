"""Do repeated measurements of the same subjects agree: intraclass and concordance correlation, for many features.

>>> import numpy as np
>>> judges = np.array([[9, 2, 5, 8], [6, 1, 3, 2], [8, 4, 6, 8], [7, 1, 2, 6], [10, 5, 6, 9], [6, 2, 4, 7]])
>>> [round(float(intraclass_correlation(judges[:, :, None], form=form).estimate[0]), 2) for form in FORMS]
[0.17, 0.29, 0.71]
"""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from jaxtyping import Float, Real
from scipy.stats import f as f_distribution
from scipy.stats import norm

from lossassay.errors import DataError
from lossassay.stats.feature_arrays import FeatureIntervals, divided, repeated, where_defined
from lossassay.stats.intervals import Array
from lossassay.stats.proportions import check_level

Form = Literal["1,1", "2,1", "3,1"]
FORMS: tuple[Form, ...] = ("1,1", "2,1", "3,1")
_METHODS: dict[Form, str] = {
    "1,1": "ICC(1,1), one-way, single measurement; F interval (McGraw and Wong 1996)",
    "2,1": "ICC(2,1), two-way, absolute agreement, single measurement; F interval (McGraw and Wong 1996)",
    "3,1": "ICC(3,1), two-way, consistency, single measurement; F interval (McGraw and Wong 1996)",
}


@dataclass(frozen=True, kw_only=True)
class MeanSquares:
    """The two-way analysis of variance of n subjects, each measured k times.

    Args:
        subjects: Mean square between subjects, n - 1 degrees of freedom.
        raters: Mean square between raters (first, second, ... measurement), k - 1.
        error: Mean square of what is left, (n - 1)(k - 1).
        within: Mean square within subjects (raters and error together), n (k - 1).
        num_subjects: n.
        num_raters: k.
    """

    subjects: Float[Array, " features"]
    raters: Float[Array, " features"]
    error: Float[Array, " features"]
    within: Float[Array, " features"]
    num_subjects: int
    num_raters: int


def mean_squares(measurements: Real[Array, "subjects raters features"]) -> MeanSquares:
    """Return the mean squares of each feature; all are exactly 0 for one that is constant, or not finite somewhere.

    Args:
        measurements: One number per subject, rater and feature.

    Raises:
        DataError: With fewer than two subjects or two raters.
    """
    values = repeated(measurements)
    n, k, _ = values.shape
    by_subject = values.mean(axis=1)
    by_rater = values.mean(axis=0)
    grand = by_rater.mean(axis=0)
    within = ((values - by_subject[:, None]) ** 2).sum(axis=(0, 1))
    values -= by_subject[:, None]
    values -= by_rater[None] - grand
    return MeanSquares(
        subjects=k * ((by_subject - grand) ** 2).sum(axis=0) / (n - 1),
        raters=n * ((by_rater - grand) ** 2).sum(axis=0) / (k - 1),
        error=(values**2).sum(axis=(0, 1)) / ((n - 1) * (k - 1)),
        within=within / (n * (k - 1)),
        num_subjects=n,
        num_raters=k,
    )


def intraclass_correlation(
    measurements: Real[Array, "subjects raters features"], *, form: Form = "2,1", level: float = 0.95
) -> FeatureIntervals:
    r"""Return the intraclass correlation of each feature for one measurement, with its interval.

    With the mean squares between subjects R, between raters C, of error E and within subjects W:

    .. math::
        ICC(1,1) = \frac{R - W}{R + (k-1) W}, \quad
        ICC(2,1) = \frac{R - E}{R + (k-1) E + k (C - E) / n}, \quad
        ICC(3,1) = \frac{R - E}{R + (k-1) E}

    Forms as in Shrout and Fleiss 1979, Psychol. Bull. 86:420; intervals as in McGraw and Wong 1996, Psychol. Methods
    1:30, table 7. Those of (1,1) and (3,1) are exact for normal values, that of (2,1) goes by Satterthwaite. Where an
    estimate of (2,1) is below 0, his degrees of freedom may come out below those of any part; they are then k - 1.

    The interval of (2,1) covers at least as often as it says for the k measurements that were made. For measurements of
    any other kind it does not where shifts between them are as large as the noise and k is below about ten: with k = 2,
    shifts as large as the noise and 200 subjects, 95 % is about 70 %.

    Args:
        measurements: One number per subject, rater and feature. A rater is a measurement, a view or a day.
        form: "1,1" (raters differ between subjects), "2,1" (absolute agreement) or "3,1" (raters may be shifted).
        level: Of the intervals, between 0 and 1.

    Returns:
        At most 1, at least -1 / (k - 1). nan for a feature that is constant or not finite somewhere: a summary over
        features has to count it as 0, since it repeats nothing.

    Raises:
        DataError: With fewer than two subjects or two raters, or at a level that is none.
    """
    check_level(level)
    squares = mean_squares(measurements)
    if form == "2,1":
        estimate, low, high = _absolute(squares, level)
    else:
        noise = squares.within if form == "1,1" else squares.error
        freedom = squares.num_subjects * (squares.num_raters - 1) if form == "1,1" else _freedom_of_error(squares)
        estimate, low, high = _ratio(squares, noise, freedom, level)
    return FeatureIntervals(
        estimate=estimate,
        low=low,
        high=high,
        level=level,
        num_subjects=squares.num_subjects,
        num_measurements=squares.num_raters,
        method=_METHODS[form],
    )


def concordance_correlation(
    measurements: Real[Array, "subjects two features"], *, level: float = 0.95
) -> FeatureIntervals:
    r"""Return Lin's concordance correlation of two measurements, with its interval by Fisher's z.

    .. math:: \rho_c = \frac{2 s_{xy}}{s_x^2 + s_y^2 + (\bar x - \bar y)^2}

    with variances by n. Lin 1989, Biometrics 45:255, with the variance as corrected in Biometrics 56:324 (2000).

    Args:
        measurements: Two numbers per subject and feature.
        level: Of the intervals, between 0 and 1.

    Returns:
        Between -1 and 1; nan where both measurements are one constant. No interval with fewer than three subjects, or
        where one of the two measurements is constant.

    Raises:
        DataError: Unless there are two measurements, of two or more subjects, or at a level that is none.
    """
    check_level(level)
    pair_only(measurements.shape[1])
    values = repeated(measurements)
    estimate, error = _concordance(values[:, 0], values[:, 1])
    low, high = _by_fishers_z(estimate, error, level)
    return FeatureIntervals(
        estimate=estimate,
        low=low,
        high=high,
        level=level,
        num_subjects=len(values),
        num_measurements=2,
        method="concordance correlation; interval by Fisher's z (Lin 1989, 2000)",
    )


def pair_only(num_measurements: int) -> None:
    """Refuse anything but two measurements of each subject.

    Raises:
        DataError: If there are more or fewer.
    """
    if num_measurements != 2:
        raise DataError(
            f"{num_measurements} measurements of each subject came; this compares two. Give them pair by pair."
        )


def _freedom_of_error(squares: MeanSquares) -> int:
    return (squares.num_subjects - 1) * (squares.num_raters - 1)


def _ratio(squares: MeanSquares, noise: Array, freedom: int, level: float) -> tuple[Array, Array, Array]:
    between, others, first = squares.subjects, squares.num_raters - 1, squares.num_subjects - 1

    def correlation(factor: float) -> Array:  # without a quotient of mean squares: a noise of 0 gives 1
        return divided(between - factor * noise, between + others * factor * noise)

    upper = (1 + level) / 2
    return (
        correlation(1.0),
        correlation(float(f_distribution.ppf(upper, first, freedom))),
        correlation(1 / float(f_distribution.ppf(upper, freedom, first))),
    )


def _absolute(squares: MeanSquares, level: float) -> tuple[Array, Array, Array]:
    n, k = squares.num_subjects, squares.num_raters
    between, error = squares.subjects, squares.error
    estimate = divided(between - error, between + (k - 1) * error + k * (squares.raters - error) / n)
    freedom = _satterthwaite(squares, estimate)
    noise = k * squares.raters + (k * n - k - n) * error
    upper = (1 + level) / 2
    by = f_distribution.ppf(upper, n - 1, freedom)
    times = f_distribution.ppf(upper, freedom, n - 1)
    defined = (between > 0) | (noise > 0)
    low = divided(n * (between - by * error), by * noise + n * between)
    high = divided(n * (times * between - error), noise + n * times * between)
    return estimate, where_defined(defined, low), where_defined(defined, high)


def _satterthwaite(squares: MeanSquares, estimate: Array) -> Array:
    n, k = squares.num_subjects, squares.num_raters
    # as shares of their sum: the powers below must not underflow for features of a tiny scale
    total = squares.raters + squares.error
    raters, error = (divided(part, total) for part in (squares.raters, squares.error))
    from_raters = k * estimate * raters
    from_error = (n * (1 + (k - 1) * estimate) - k * estimate) * error
    freedom = divided(
        _freedom_of_error(squares) * (from_raters + from_error) ** 2, (n - 1) * from_raters**2 + from_error**2
    )
    # no noise at all, or a combination of parts of different sign
    freedom = np.where(np.isfinite(freedom), freedom, _freedom_of_error(squares))
    return np.maximum(freedom, k - 1)


def _concordance(first: Array, second: Array) -> tuple[Array, Array]:
    """Return the concordance of each feature and the standard error of its Fisher's z."""
    n = len(first)
    shift_squared = (first.mean(axis=0) - second.mean(axis=0)) ** 2
    product = ((first - first.mean(axis=0)) * (second - second.mean(axis=0))).mean(axis=0)
    spread = first.std(axis=0) * second.std(axis=0)
    total = first.var(axis=0) + second.var(axis=0) + shift_squared
    estimate = divided(2 * product, total)
    if n < 3:
        return estimate, np.full(estimate.shape, np.nan)
    pearson = divided(product, spread)
    bias_correction = divided(2 * spread, total)  # Lin's C_b = rho_c / r
    shift = divided(2 * shift_squared, total)  # u² C_b, with u the shift in units of the root of the spread
    variance = (
        (1 - pearson**2) * bias_correction**2 * (1 - estimate**2)
        + 2 * estimate**2 * (1 - estimate) * shift
        - estimate**2 * shift**2 / 2
    ) / (n - 2)
    # at ±1 every pair is on the line, and no error can be estimated but 0
    error = np.sqrt(np.maximum(variance, 0)) / np.where(np.abs(estimate) < 1, 1 - estimate**2, 1.0)
    return estimate, error


def _by_fishers_z(estimate: Array, error: Array, level: float) -> tuple[Array, Array]:
    inside = np.abs(estimate) < 1
    centre = np.arctanh(np.where(inside, estimate, 0.0))
    half_width = float(norm.ppf((1 + level) / 2)) * error
    ends = np.where(np.isnan(error), np.nan, np.clip(estimate, -1, 1))
    low, high = (np.where(inside, np.tanh(centre + sign * half_width), ends) for sign in (-1, 1))
    return low, high
