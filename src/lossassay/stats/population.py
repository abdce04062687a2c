"""Differences for new patients: what the patients who happened to be tested leave open, and the replicates."""

import math
from dataclasses import dataclass
from typing import Literal

import numpy as np
from jaxtyping import Real
from scipy.optimize import brentq
from scipy.special import stdtr, stdtrit

from lossassay.errors import DataError
from lossassay.stats.intervals import Array
from lossassay.stats.paired import check_alpha
from lossassay.stats.patients import Influences, last_part

_ROUNDING = 1e-12  # of the largest number: what spreads less than this is equal
_UNDERFLOW = 1e-150  # the square of a smaller number is 0
_SMALLEST_LOG_P = -690.0  # about 1e-300
_METHOD = "patients (each once) and replicates, their t intervals added as squares"


@dataclass(frozen=True, kw_only=True)
class PopulationDifference:
    """Mean difference of two arms, for new patients from the same source.

    Args:
        estimate: Arm a minus arm b, mean over replicates, in the metric's unit; nan without replicates.
        low: Lower limit of the simultaneous interval; nan with fewer than two replicates or patients.
        high: Upper limit of the simultaneous interval; nan with fewer than two replicates or patients.
        level: At which all intervals of the family hold together.
        p_value: Two-sided, of this pair alone; nan where the interval is.
        p_adjusted: min(1, family size times p_value): at most 1 - level exactly where the interval leaves 0 out.
        standard_error: Root of patient_error squared plus replicate_error squared.
        patient_error: Part of the standard error that is due to the patients.
        patient_floor: What patient_error tends to with endless replicates; nan with one replicate, 0 where replicates
            are too few to see it.
        replicate_error: Standard deviation over replicates by the root of their number.
        degrees_of_freedom: Of the standard error (Satterthwaite 1946, Biometrics Bull. 2:110).
        smallest_margin: About half the interval's width with endless replicates, from patient_floor alone: no smaller
            margin could ever be shown with these patients.
        num_pairs: Replicates that both arms have.
        num_patients: Distinct patients tested in them.
        unit: What was drawn.
        method: In words.
    """

    estimate: float
    low: float
    high: float
    level: float
    p_value: float
    p_adjusted: float
    standard_error: float
    patient_error: float
    patient_floor: float
    replicate_error: float
    degrees_of_freedom: float
    smallest_margin: float
    num_pairs: int
    num_patients: int
    unit: Literal["patient"]
    method: str


@dataclass(frozen=True, kw_only=True)
class PopulationMean:
    """Mean of one arm, for new patients from the same source.

    Args:
        estimate: Mean over replicates, in the metric's unit; nan without replicates.
        low: Lower limit; nan with fewer than two replicates or patients, and where neither of them differ.
        high: Upper limit; nan where low is.
        level: Of the interval, for example 0.95.
        standard_error: Root of patient_error squared plus replicate_error squared.
        patient_error: Part of the standard error that is due to the patients.
        replicate_error: Standard deviation over replicates by the root of their number.
        degrees_of_freedom: Of the standard error (Satterthwaite 1946, Biometrics Bull. 2:110).
        replicates: That were used.
        num_patients: Distinct patients tested in them.
        unit: What was drawn.
        method: In words.
    """

    estimate: float
    low: float
    high: float
    level: float
    standard_error: float
    patient_error: float
    replicate_error: float
    degrees_of_freedom: float
    replicates: int
    num_patients: int
    unit: Literal["patient"]
    method: str


def population_difference(
    differences: Real[Array, " replicates"], influences: Influences, *, alpha: float, family_size: int
) -> PopulationDifference:
    r"""Return the mean paired difference of two arms with an interval that holds for new patients.

    .. math:: \bar d \pm \sqrt{t_{\nu}^2\, V + t_{R-1}^2\, s^2 / R}

    with V and :math:`\nu` of the patients' part (``patient_parts``), s the standard deviation of the differences over R
    replicates, and both t quantiles at alpha / family_size (Bonferroni). Each part has the half-width of its own t
    interval, and the two add up as squares (Howe 1974, JASA 69:789; Zou and Donner 2008, Stat. Med. 27:1693). One t
    quantile with Satterthwaite's degrees of freedom is narrower by a few per cent, but with few replicates and a small
    alpha it errs too often: simulated 2.5 times too often for 5 replicates at 0.05 / 15, at worst. This one never did.

    Both parts hold some of the same noise. With a redrawn split this stands in for a third part, which neither sees:
    all replicates were trained on patients of one data set. With the test part fixed the interval is for new patients
    and this training part.

    If nothing varies, neither over patients nor over replicates, there is no spread to estimate. With n the smaller of
    both numbers, another difference then comes with a chance of at most :math:`u = 1 - \alpha^{1/n}`; the interval is
    :math:`d \pm u |d|`, stretched to 0 unless :math:`2^{1-n} \le \alpha`; arms that never differ have [0, 0].

    Args:
        differences: Arm a minus arm b in each replicate [R]; nan ones are left out.
        influences: For each replicate the patient of each test row (any integers) and the row's influence value on the
            metric of a less that of b. Not read where the difference is nan.
        alpha: Chance of any wrong rejection in the family, between 0 and 1.
        family_size: Number of comparisons made together.

    Raises:
        DataError: If alpha, the family or the lengths do not fit, or influence values are nan.
    """
    _check_family(alpha, family_size)
    parts = _parts(differences, influences)
    low, high, p_value = _interval_and_p(parts, alpha / family_size)
    return PopulationDifference(
        estimate=parts.estimate,
        low=low,
        high=high,
        level=1 - alpha,
        p_value=p_value,
        p_adjusted=_times(family_size, p_value),
        standard_error=parts.error,
        patient_error=parts.patient_error,
        patient_floor=parts.patient_floor,
        replicate_error=parts.replicate_error,
        degrees_of_freedom=parts.freedom,
        smallest_margin=_quantile(alpha / family_size, parts.patient_freedom) * parts.patient_floor,
        num_pairs=parts.replicates,
        num_patients=parts.patients,
        unit="patient",
        method=f"{_METHOD}, {_bonferroni(family_size)}",
    )


def population_mean(
    values: Real[Array, " replicates"], influences: Influences, *, level: float = 0.95
) -> PopulationMean:
    """Return the mean of one arm with an interval that holds for new patients, as ``population_difference`` does.

    Where neither patients nor replicates differ, such as an accuracy of 1 throughout, there is no spread to estimate
    and the limits are nan: take an exact interval of a proportion.

    Args:
        values: The metric in each replicate [R]; nan ones are left out.
        influences: For each replicate the patient of each test row and the row's influence value on the metric.
        level: Of the interval, between 0 and 1.

    Raises:
        DataError: If the level or the lengths do not fit, or influence values are nan.
    """
    check_alpha(1 - level)
    parts = _parts(values, influences)
    half_width = _half_width(parts, 1 - level) if parts.error > 0 else float("nan")
    return PopulationMean(
        estimate=parts.estimate,
        low=parts.estimate - half_width,
        high=parts.estimate + half_width,
        level=level,
        standard_error=parts.error,
        patient_error=parts.patient_error,
        replicate_error=parts.replicate_error,
        degrees_of_freedom=parts.freedom,
        replicates=parts.replicates,
        num_patients=parts.patients,
        unit="patient",
        method=_METHOD,
    )


@dataclass(frozen=True, kw_only=True)
class _Parts:
    """What both kinds of interval are made of; nan where there is nothing to estimate it from."""

    estimate: float
    replicates: int
    patients: int
    patient_error: float
    patient_floor: float
    patient_freedom: float
    replicate_error: float
    error: float
    freedom: float


def _parts(values: Real[Array, " replicates"], influences: Influences) -> _Parts:
    if len(values) != len(influences):
        raise DataError(
            f"{len(values)} values and influence values of {len(influences)} replicates do not belong together. "
            "Give one pair (patients, influence values) for each replicate, in the same order."
        )
    present = np.flatnonzero(np.isfinite(values)).tolist()
    used = np.asarray(values, dtype=float)[present]
    of_present = influences if len(present) == len(influences) else [influences[r] for r in present]
    patient_error, patient_floor, patient_freedom, patients = last_part(of_present)
    if patients < 2:
        patient_error = float("nan")
    count = len(used)
    replicate_error = float(used.std(ddof=1)) / count**0.5 if count > 1 else float("nan")
    smallest = max(_ROUNDING * float(np.abs(used).max(initial=0)), _UNDERFLOW)
    if replicate_error <= smallest and patient_error <= smallest:
        replicate_error = patient_error = patient_floor = 0.0
    return _Parts(
        estimate=float(used.mean()) if count else float("nan"),
        replicates=count,
        patients=patients,
        patient_error=patient_error,
        patient_floor=patient_floor,
        patient_freedom=patient_freedom,
        replicate_error=replicate_error,
        error=float(np.hypot(patient_error, replicate_error)),
        freedom=_satterthwaite((patient_error, replicate_error), (patient_freedom, count - 1.0)),
    )


def _satterthwaite(errors: tuple[float, float], freedoms: tuple[float, float]) -> float:
    """Return the degrees of freedom of a sum of two variances; of the patients alone if both are 0."""
    error = float(np.hypot(*errors))
    if error == 0:
        return freedoms[0]
    if np.isnan(error):
        return float("nan")
    return 1 / sum((part / error) ** 4 / freedom for part, freedom in zip(errors, freedoms, strict=True))


def _half_width(parts: _Parts, alpha: float) -> float:
    """Return the half-width of the 1 - alpha interval; the quantile of a part without error may be infinite."""
    errors = (parts.patient_error, parts.replicate_error)
    freedoms = (parts.patient_freedom, parts.replicates - 1.0)
    halves = [error and _quantile(alpha, freedom) * error for error, freedom in zip(errors, freedoms, strict=True)]
    return math.hypot(*halves)


def _interval_and_p(parts: _Parts, alpha: float) -> tuple[float, float, float]:
    """Return the limits of the 1 - alpha interval and the two-sided p, the alpha whose interval just touches 0."""
    estimate = parts.estimate
    if parts.error == 0:
        return _of_equal_differences(estimate, min(parts.replicates, parts.patients), alpha)
    half_width = _half_width(parts, alpha)
    if np.isnan(half_width):
        return half_width, half_width, half_width

    def reach(log_alpha: float) -> float:
        return _half_width(parts, float(np.exp(log_alpha))) - abs(estimate)

    p_value = 0.0 if reach(_SMALLEST_LOG_P) < 0 else float(np.exp(brentq(reach, _SMALLEST_LOG_P, 0.0, xtol=1e-14)))
    return estimate - half_width, estimate + half_width, p_value


def _of_equal_differences(estimate: float, count: int, alpha: float) -> tuple[float, float, float]:
    """Return limits and p where every difference is the same number."""
    if abs(estimate) <= _UNDERFLOW:
        return 0.0, 0.0, 1.0
    unseen = (1 - alpha ** (1 / count)) * abs(estimate)
    low, high, p_value = estimate - unseen, estimate + unseen, 2.0 ** (1 - count)
    return (low, high, p_value) if p_value <= alpha else (min(low, 0.0), max(high, 0.0), p_value)


def _quantile(alpha: float, freedom: float) -> float:
    return -float(stdtrit(freedom, alpha / 2))


def _times(family_size: int, p_value: float) -> float:
    return min(1.0, family_size * p_value) if np.isfinite(p_value) else float("nan")


def _bonferroni(family_size: int) -> str:
    return f"Bonferroni over {family_size} comparison{'s' if family_size > 1 else ''}"


def _check_family(alpha: float, family_size: int) -> None:
    check_alpha(alpha)
    if family_size < 1:
        raise DataError(f"A family of {family_size} comparisons came; expected 1 or more: the pairs judged together.")


@dataclass(frozen=True, kw_only=True)
class CorrectedDifference:
    """Mean difference over redrawn splits, with a variance that counts the overlap of the training parts.

    Args:
        estimate: Arm a minus arm b, mean over replicates, in the metric's unit; nan without replicates.
        low: Lower limit of the simultaneous interval; nan with fewer than two replicates.
        high: Upper limit of the simultaneous interval; nan with fewer than two replicates.
        level: At which all intervals of the family hold together.
        p_value: Two-sided, of this pair alone; nan with fewer than two replicates.
        p_adjusted: min(1, family size times p_value).
        standard_error: Root of (1 / num_pairs + test_share_ratio) times the variance over replicates.
        test_share_ratio: Test rows by the other rows.
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
    standard_error: float
    test_share_ratio: float
    num_pairs: int
    unit: Literal["replicate"]
    method: str


def nadeau_bengio(
    differences: Real[Array, " replicates"], *, test_share_ratio: float, alpha: float, family_size: int
) -> CorrectedDifference:
    r"""Return the corrected resampled t interval of a mean paired difference over redrawn splits.

    :math:`\bar d \pm t_{R-1} \sqrt{1/R + n_{test} / (N - n_{test})}\, s` (Nadeau and Bengio 2003, Machine Learning
    52:239, section 3). It is conservative: however many replicates, its half-width never falls below about one standard
    deviation of a paired difference. Where all differences are equal, u of ``population_difference`` is taken.

    Args:
        differences: Arm a minus arm b in each replicate [R], each with its own split; nan ones are left out.
        test_share_ratio: n_test / (N - n_test), above 0.
        alpha: Chance of any wrong rejection in the family, between 0 and 1.
        family_size: Number of comparisons made together.

    Raises:
        DataError: If the ratio, alpha or the family does not fit.
    """
    _check_family(alpha, family_size)
    if not 0 < test_share_ratio < float("inf"):
        raise DataError(
            f"A ratio of test to other rows above 0 was expected; got {test_share_ratio}. "
            "Give n_test / (N - n_test), for example 0.25 for a test part of 20 %."
        )
    used = np.asarray(differences, dtype=float)[np.isfinite(differences)]
    count = len(used)
    estimate = float(used.mean()) if count else float("nan")
    error = float(((1 / count + test_share_ratio) * used.var(ddof=1)) ** 0.5) if count > 1 else float("nan")
    if count > 1 and np.ptp(used) <= max(_ROUNDING * float(np.abs(used).max()), _UNDERFLOW):
        error = 0.0
        low, high, p_value = _of_equal_differences(estimate, count, alpha / family_size)
    else:
        half_width = _quantile(alpha / family_size, count - 1.0) * error
        low, high = estimate - half_width, estimate + half_width
        p_value = 2 * float(stdtr(count - 1.0, -abs(estimate) / error))
    return CorrectedDifference(
        estimate=estimate,
        low=low,
        high=high,
        level=1 - alpha,
        p_value=p_value,
        p_adjusted=_times(family_size, p_value),
        standard_error=error,
        test_share_ratio=test_share_ratio,
        num_pairs=count,
        unit="replicate",
        method=f"corrected resampled t (Nadeau and Bengio 2003), {_bonferroni(family_size)}",
    )
