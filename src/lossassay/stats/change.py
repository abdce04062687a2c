"""How a feature changes over the visits of a subject, whether that is more than noise, and what it goes along with."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int, Real, Shaped
from scipy.stats import norm, rankdata
from scipy.stats import t as student_t

from lossassay.errors import DataError
from lossassay.stats.feature_arrays import FeatureIntervals, divided, feature_rows, same_rows
from lossassay.stats.intervals import Array
from lossassay.stats.proportions import Proportion, check_level, wilson


@dataclass(frozen=True, kw_only=True)
class SubjectChanges:
    """What each subject's features do from visit to visit; subjects in the order in which they come.

    Args:
        slopes: Change per year of each subject and feature; nan for a subject with fewer than two times.
        changes: The last visit less the first; nan where the slope is.
        means: Over all visits of the subject, equally.
        num_first: Visits of each subject at its first time, whose mean ``changes`` takes; likewise ``num_last``.
        num_last: See ``num_first``.
        years: From the first to the last visit of each subject.
        visits: Of each subject.
        subject_of_visit: Number of the subject of each visit, as rows above.
    """

    slopes: Float[Array, "subjects features"]
    changes: Float[Array, "subjects features"]
    means: Float[Array, "subjects features"]
    num_first: Int[Array, " subjects"]
    num_last: Int[Array, " subjects"]
    years: Float[Array, " subjects"]
    visits: Int[Array, " subjects"]
    subject_of_visit: Int[Array, " visits"]


@dataclass(frozen=True, kw_only=True)
class SharesBeyond:
    """How many subjects changed by more than the smallest detectable change.

    Args:
        shares: One proportion per feature, with its Wilson interval over subjects.
        beyond: Whether each subject's change is larger; False where the change is not known.
        method: In words.
    """

    shares: tuple[Proportion, ...]
    beyond: Bool[Array, "subjects features"]
    method: str


def subject_changes(
    features: Real[Array, "visits features"], subjects: Shaped[Array, " _"], years: Real[Array, " _"]
) -> SubjectChanges:
    r"""Return the change of each feature per year for each subject, by least squares over the subject's visits.

    .. math:: b = \frac{\sum_v (t_v - \bar t)(y_v - \bar y)}{\sum_v (t_v - \bar t)^2}

    The change from the first to the last visit takes the mean of several visits at one time.

    Args:
        features: One row per visit.
        subjects: Whose visit it is.
        years: When it was, in years since any day.

    Raises:
        DataError: With different lengths, no visit, or values that are not finite.
    """
    values = feature_rows(features, least=1)
    same_rows(len(values), len(subjects), what="subjects")
    same_rows(len(values), len(years), what="times")
    subject = _in_order(subjects)
    visits = np.bincount(subject)
    times, first, last = _since_first(feature_rows(years[:, None], least=1)[:, 0], subject)
    means = _sums(values, subject) / visits[:, None]
    around = times - (np.bincount(subject, weights=times) / visits)[subject]
    products = _sums(around[:, None] * (values - means[subject]), subject)
    squares = np.bincount(subject, weights=around**2)
    moved = last > first
    at_first, at_last = times == 0, times == last[subject]
    changes = _means_where(values, at_last, subject) - _means_where(values, at_first, subject)
    return SubjectChanges(
        slopes=divided(products, squares[:, None]),
        changes=np.where(moved[:, None], changes, np.nan),
        means=means,
        num_first=np.bincount(subject[at_first], minlength=len(visits)),
        num_last=np.bincount(subject[at_last], minlength=len(visits)),
        years=last,
        visits=visits,
        subject_of_visit=subject,
    )


def mean_change(slopes: Real[Array, "subjects features"], *, level: float = 0.95) -> FeatureIntervals:
    r"""Return the mean change per year over subjects, with its t interval; each subject counts alike.

    Args:
        slopes: Of each subject and feature; nan for subjects seen once, which are left out.
        level: Of the intervals, between 0 and 1.

    Returns:
        nan with no subject; no interval with one.

    Raises:
        DataError: At a level that is none, or where a subject has a slope for some features alone.
    """
    check_level(level)
    used = slopes[_known(slopes)]
    count = len(used)
    estimate = used.mean(axis=0) if count else np.full(slopes.shape[1], np.nan)
    half_width = np.full(slopes.shape[1], np.nan)
    if count > 1:
        half_width = float(student_t.ppf((1 + level) / 2, count - 1)) * used.std(axis=0, ddof=1) / count**0.5
    return FeatureIntervals(
        estimate=estimate,
        low=estimate - half_width,
        high=estimate + half_width,
        level=level,
        num_subjects=count,
        num_measurements=1,
        method="mean slope per subject; t interval over subjects",
    )


def smallest_detectable_changes(
    coefficient: Real[Array, " features"], num_first: Int[Array, " subjects"], num_last: Int[Array, " subjects"]
) -> Float[Array, "subjects features"]:
    r"""Return what the change of each subject between two means of measurements has to exceed.

    The mean of k measurements with independent noise has the variance :math:`wSD^2 / k`, so

    .. math:: 1.96 \; wSD \sqrt{1 / k_{first} + 1 / k_{last}},

    the repeatability coefficient for one measurement at each time, and less for more.

    Args:
        coefficient: The repeatability coefficient of each feature, from single measurements of one time
            (`repeatability_coefficient`); what differs between two times is not in it and does not average out.
        num_first: Measurements of each subject at its first time, 1 or more.
        num_last: At its last.
    """
    shares: Array = np.sqrt((1 / num_first + 1 / num_last) / 2)
    return shares[:, None] * coefficient


def share_beyond(
    changes: Real[Array, "subjects features"], smallest_detectable: Real[Array, "*subjects _"], *, level: float = 0.95
) -> SharesBeyond:
    """Return the share of subjects who changed by more than the smallest detectable change.

    Args:
        changes: From the first to the last visit; nan for subjects seen once, which are left out.
        smallest_detectable: Of each feature, [F] (`repeatability_coefficient`), or of each subject and feature, [S F]
            (`smallest_detectable_changes`), from measurements of subjects that did not change. About 5 of 100 subjects
            without a change lie beyond it.
        level: Of the intervals, between 0 and 1.

    Raises:
        DataError: With different numbers of features or subjects, at a level that is none, or where a subject has a
            change for some features alone.
    """
    if changes.shape[1] != smallest_detectable.shape[-1]:
        raise DataError(
            f"Changes of {changes.shape[1]} features and {smallest_detectable.shape[-1]} smallest detectable changes "
            "came; there must be one for each feature."
        )
    if smallest_detectable.ndim == 2 and len(smallest_detectable) != len(changes):
        raise DataError(
            f"Changes of {len(changes)} subjects and smallest detectable changes of {len(smallest_detectable)} came; "
            "there must be one for each subject, or one for all."
        )
    known = _known(changes)
    beyond = np.abs(np.where(known[:, None], changes, 0.0)) > smallest_detectable
    trials = int(known.sum())
    return SharesBeyond(
        shares=tuple(wilson(int(count), trials, level=level) for count in beyond.sum(axis=0)),
        beyond=beyond,
        method="share of subjects whose change exceeds the smallest detectable one; Wilson interval over subjects",
    )


def spearman(
    values: Real[Array, "subjects features"], score: Real[Array, " _"], *, level: float = 0.95
) -> FeatureIntervals:
    r"""Return the rank correlation of each feature with a clinical score, one point per subject.

    Give means with mean scores (`SubjectChanges.means`), or slopes with slopes of the score: several visits of one
    subject as points of their own would count it several times. The interval is that of Fisher's z with the variance
    :math:`(1 + \rho^2 / 2) / (n - 3)`; Bonett and Wright 2000, Psychometrika 65:23.

    Args:
        values: One row per subject; rows with nan, or with a score of nan, are left out.
        score: Of each subject; ties take their mean rank.
        level: Of the intervals, between 0 and 1.

    Returns:
        -1 to 1; nan for a constant feature or score. No interval with fewer than four subjects.

    Raises:
        DataError: With different lengths or at a level that is none.
    """
    check_level(level)
    same_rows(len(values), len(score), what="scores")
    used = np.isfinite(values).all(axis=1) & np.isfinite(score)
    count = int(used.sum())
    estimate = np.full(values.shape[1], np.nan)
    if count > 1:
        ranks, of_score = rankdata(values[used], axis=0), rankdata(score[used])
        middle = (count + 1) / 2
        squares = ((ranks - middle) ** 2).sum(axis=0) * ((of_score - middle) ** 2).sum()
        estimate = np.clip(divided((of_score - middle) @ (ranks - middle), np.sqrt(squares)), -1, 1)
    low, high = _by_bonett_and_wright(estimate, count, level)
    return FeatureIntervals(
        estimate=estimate,
        low=low,
        high=high,
        level=level,
        num_subjects=count,
        num_measurements=1,
        method="Spearman's rank correlation over subjects; interval of Bonett and Wright 2000",
    )


def _in_order(subjects: Array) -> Array:
    """Return the number of the subject of each visit, counted in the order in which they come."""
    _, first, by_value = np.unique(subjects, return_index=True, return_inverse=True)
    numbers: Array = np.argsort(np.argsort(first))[by_value]
    return numbers


def _since_first(years: Array, subject: Array) -> tuple[Array, Array, Array]:
    """Return the years since each subject's first visit; and of each subject the first, 0, and the last."""
    count = int(subject.max()) + 1
    first, last = np.full(count, np.inf), np.full(count, -np.inf)
    np.minimum.at(first, subject, years)
    np.maximum.at(last, subject, years)
    return years - first[subject], np.zeros(count), last - first


def _sums(values: Array, subject: Array) -> Array:
    sums = np.zeros((int(subject.max()) + 1, values.shape[1]))
    np.add.at(sums, subject, values)
    return sums


def _means_where(values: Array, chosen: Array, subject: Array) -> Array:
    return _sums(values * chosen[:, None], subject) / np.bincount(subject, weights=chosen)[:, None]


def _known(changes: Array) -> Array:
    """Return which subjects have a change.

    Raises:
        DataError: If one has it for some features alone.
    """
    finite = np.isfinite(changes)
    known: Array = np.asarray(finite.all(axis=1))
    partly = int((finite.any(axis=1) & ~known).sum())
    if partly:
        raise DataError(
            f"{partly} subjects have a change of some features alone; each must have all of them or none. "
            "Leave out these subjects, or the features that are nan or infinite."
        )
    return known


def _by_bonett_and_wright(estimate: Array, count: int, level: float) -> tuple[Array, Array]:
    if count < 4:
        return np.full(estimate.shape, np.nan), np.full(estimate.shape, np.nan)
    inside = np.abs(estimate) < 1  # at ±1 the interval has no width; nan stays
    centre = np.arctanh(np.where(inside, estimate, 0.0))
    half_width = float(norm.ppf((1 + level) / 2)) * np.sqrt((1 + estimate**2 / 2) / (count - 3))
    low, high = (np.where(inside, np.tanh(centre + sign * half_width), estimate) for sign in (-1, 1))
    return low, high
