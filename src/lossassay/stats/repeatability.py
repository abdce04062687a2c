"""How far repeated measurements of one subject lie apart, in the units of the feature and in shares of it."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Real
from scipy.stats import chi2, norm
from scipy.stats import t as student_t

from lossassay.stats.agreement import mean_squares, pair_only
from lossassay.stats.feature_arrays import FeatureIntervals, divided, repeated, where_defined
from lossassay.stats.intervals import Array
from lossassay.stats.proportions import check_level

REPEATABILITY_FACTOR = float(norm.ppf(0.975)) * 2**0.5  # 1.96 sqrt(2) = 2.77: two measurements, 95 of 100 pairs
LIMITS_FACTOR = 1.96  # of the limits of agreement, as their authors write it


@dataclass(frozen=True, kw_only=True)
class LimitsOfAgreement:
    """How two measurements differ, second less first, in units of each feature.

    Args:
        bias: Mean difference.
        lower: 95 of 100 differences are expected above it and below ``upper``.
        upper: See ``lower``.
    """

    bias: FeatureIntervals
    lower: FeatureIntervals
    upper: FeatureIntervals


def within_subject_sd(
    measurements: Real[Array, "subjects raters features"], *, level: float = 0.95
) -> FeatureIntervals:
    r"""Return the standard deviation of repeated measurements of one subject, with its chi-squared interval.

    :math:`wSD = \sqrt{W}`, W the mean square within subjects, with n (k - 1) degrees of freedom. A shift between the
    measurements is part of it. Raunig et al. 2015, Stat. Methods Med. Res. 24:27 (QIBA).

    Args:
        measurements: One number per subject, rater and feature.
        level: Of the intervals, between 0 and 1.

    Returns:
        0 or more, in units of the feature. 0 for a feature that is constant or not finite somewhere, which therefore
        must be looked at beside an intraclass correlation.

    Raises:
        DataError: With fewer than two subjects or two raters, or at a level that is none.
    """
    squares = mean_squares(measurements)
    n, k = squares.num_subjects, squares.num_raters
    return _scaled(np.sqrt(squares.within), n, k, level, "within-subject standard deviation; chi-squared interval")


def repeatability_coefficient(
    measurements: Real[Array, "subjects raters features"], *, level: float = 0.95
) -> FeatureIntervals:
    r"""Return the difference that two measurements of an unchanged subject stay below in 95 of 100 cases.

    :math:`RC = 1.96 \sqrt 2 \; wSD = 2.77 \; wSD`, the smallest change of one subject that can be told from noise.
    Bland and Altman 1999, Stat. Methods Med. Res. 8:135; Raunig et al. 2015 (QIBA).

    Args:
        measurements: One number per subject, rater and feature.
        level: Of the intervals, between 0 and 1; the 95 of 100 above are part of the definition.

    Returns:
        0 or more, in units of the feature; see `within_subject_sd`.

    Raises:
        DataError: With fewer than two subjects or two raters, or at a level that is none.
    """
    squares = mean_squares(measurements)
    n, k = squares.num_subjects, squares.num_raters
    coefficient = REPEATABILITY_FACTOR * np.sqrt(squares.within)
    return _scaled(coefficient, n, k, level, "repeatability coefficient, 1.96 sqrt(2) wSD; chi-squared interval")


def within_subject_cv(
    measurements: Real[Array, "subjects raters features"], *, level: float = 0.95
) -> FeatureIntervals:
    r"""Return the within-subject coefficient of variation by the root mean square method, with a chi-squared interval.

    :math:`wCV = \sqrt{\frac{1}{n} \sum_i s_i^2 / m_i^2}` with each subject's mean m and variance s², by k - 1.
    Raunig et al. 2015, Stat. Methods Med. Res. 24:27; Obuchowski and Bullen 2018, Stat. Methods Med. Res. 27:3139.

    A share of the mean makes sense only on a scale with a true 0. It is not defined (nan) for a feature with a negative
    value, with a subject whose measurements are all 0, that is constant, or that is not finite somewhere. Units behind
    a ReLU are often 0, and features without it are often negative: expect nan for many. Subjects with means near 0
    carry the sum where it is defined.

    Args:
        measurements: One number per subject, rater and feature.
        level: Of the intervals, between 0 and 1.

    Returns:
        Between 0 and the root of k, as a share (0.1 is 10 %); nan where it is not defined.

    Raises:
        DataError: With fewer than two subjects or two raters, or at a level that is none.
    """
    shifted = repeated(measurements)
    n, k, _ = shifted.shape
    finite = np.isfinite(measurements).all(axis=(0, 1))
    values = np.where(finite, measurements, 0.0)
    means = values.mean(axis=1)
    variances = shifted.var(axis=1, ddof=1)
    defined = (values >= 0).all(axis=(0, 1)) & (means > 0).all(axis=0) & (shifted != 0).any(axis=(0, 1))
    shares = divided(variances, means**2)
    estimate = where_defined(defined, np.sqrt(np.where(defined, shares, 0.0).mean(axis=0)))
    method = "within-subject coefficient of variation, root mean square method; chi-squared interval"
    return _scaled(estimate, n, k, level, method)


def limits_of_agreement(
    measurements: Real[Array, "subjects two features"], *, level: float = 0.95
) -> LimitsOfAgreement:
    r"""Return the bias and the 95 % limits of agreement of two measurements, each with its t interval.

    With the differences d, second less first, of mean b and standard deviation s: the limits are :math:`b \pm 1.96 s`,
    the standard error of b is :math:`s / \sqrt n` and that of a limit about :math:`\sqrt 3 s / \sqrt n`.
    Bland and Altman 1986, Lancet 327:307.

    Args:
        measurements: Two numbers per subject and feature.
        level: Of the intervals, between 0 and 1; the 95 % of the limits are part of the definition.

    Returns:
        In units of the feature; all 0 for a feature that is constant or not finite somewhere.

    Raises:
        DataError: Unless there are two measurements, of two or more subjects, or at a level that is none.
    """
    check_level(level)
    pair_only(measurements.shape[1])
    values = repeated(measurements)
    n = len(values)
    differences = values[:, 1] - values[:, 0]
    bias, sd = differences.mean(axis=0), differences.std(axis=0, ddof=1)
    critical = float(student_t.ppf((1 + level) / 2, n - 1))

    def record(estimate: Array, half_width: Array, method: str) -> FeatureIntervals:
        return FeatureIntervals(
            estimate=estimate,
            low=estimate - half_width,
            high=estimate + half_width,
            level=level,
            num_subjects=n,
            num_measurements=2,
            method=method,
        )

    wide = critical * 3**0.5 * sd / n**0.5
    return LimitsOfAgreement(
        bias=record(bias, critical * sd / n**0.5, "mean difference, second less first; t interval"),
        lower=record(bias - LIMITS_FACTOR * sd, wide, "lower 95 % limit of agreement (Bland and Altman 1986)"),
        upper=record(bias + LIMITS_FACTOR * sd, wide, "upper 95 % limit of agreement (Bland and Altman 1986)"),
    )


def _scaled(estimate: Array, n: int, k: int, level: float, method: str) -> FeatureIntervals:
    """Return what is in proportion to a standard deviation of n (k - 1) degrees of freedom."""
    check_level(level)
    freedom = n * (k - 1)
    low, high = (
        estimate * (freedom / float(chi2.ppf(tail, freedom))) ** 0.5 for tail in ((1 + level) / 2, (1 - level) / 2)
    )
    return FeatureIntervals(
        estimate=estimate, low=low, high=high, level=level, num_subjects=n, num_measurements=k, method=method
    )
